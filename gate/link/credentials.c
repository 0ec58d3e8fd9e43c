/* SPDX-License-Identifier: Apache-2.0 */
/* How our client says who it is to a provider: Basic first (RFC 6749 section 2.3.1 obliges every provider to take it),
 * form parameters where that is refused, and the ways of the presets that know neither. */
#include <string.h>

#include "../base/text.h"
#include "token_endpoint.h"

static struct secret secret_of(const char *text)
{
	return (struct secret){.text = text, .size = strlen(text)};
}

/* Which styles may be tried, in their order: what the provider took last comes first. A provider may change its mind,
 * so the other one stays behind it. */
static size_t styles_of(const struct provider *provider, enum credential_style ret_styles[2])
{
	bool form_first = atomic_load(&provider->client_auth) == CLIENT_AUTH_FORM;

	ret_styles[0] = form_first ? CREDENTIALS_FORM : CREDENTIALS_BASIC;
	ret_styles[1] = form_first ? CREDENTIALS_BASIC : CREDENTIALS_FORM;
	if (provider->type == PROVIDER_AZURE_DEVOPS)
		ret_styles[0] = CREDENTIALS_ASSERTION;
	else if (provider->type == PROVIDER_JFROG)
		ret_styles[0] = CREDENTIALS_BEARER;
	else if (secret_is_empty(provider->client_secret))
		ret_styles[0] = CREDENTIALS_PUBLIC;
	else
		return 2;
	return 1;
}

/* Where a style is known to be taken, it is tried with both secrets before the other style: of two secrets one may be
 * on its way out for days. */
size_t credentials_list(const struct provider *provider, struct credentials ret_list[CREDENTIALS_MAX])
{
	const struct secret secrets[] = {provider->client_secret, provider->client_secret_2};
	bool style_is_known = atomic_load(&provider->client_auth) != CLIENT_AUTH_UNKNOWN;
	size_t secret_count = secret_is_empty(provider->client_secret_2) ? 1 : COUNT_OF(secrets);
	enum credential_style styles[2];
	size_t style_count = styles_of(provider, styles);

	for (size_t i = 0; i < style_count * secret_count; i++) {
		size_t style = style_is_known ? i / secret_count : i % style_count;
		size_t secret = style_is_known ? i % secret_count : i / style_count;

		ret_list[i] = (struct credentials){.style = styles[style], .secret = secrets[secret]};
	}
	return style_count * secret_count;
}

size_t credentials_list_device(const struct provider *provider, struct credentials ret_list[CREDENTIALS_MAX])
{
	size_t count = credentials_list(provider, ret_list);

	if (provider->type == PROVIDER_GITHUB) {
		ret_list[0] = (struct credentials){.style = CREDENTIALS_PUBLIC};
		return 1;
	}
	for (size_t i = 0; i < count; i++)
		ret_list[i].names_client = true;
	return count;
}

struct secret credentials_basic(const struct provider *provider, struct secret secret, struct arena *arena)
{
	struct text pair = text_in(arena);

	text_add_url(&pair, provider->client_id);
	text_add(&pair, ":");
	text_add_url(&pair, secret.text != NULL ? secret.text : "");
	return secret_of(arena_printf(arena, "Basic %s", base64_encode(arena, pair.bytes, pair.size)));
}

/* What the form carries of the credentials. */
static void add_to_form(struct text *form, const struct provider *provider, const struct credentials *credentials)
{
	bool names_already = credentials->style != CREDENTIALS_BASIC && credentials->style != CREDENTIALS_ASSERTION;

	if (credentials->names_client && !names_already)
		text_add_form(form, "client_id", provider->client_id);
	switch (credentials->style) {
	case CREDENTIALS_BASIC:
		return;
	case CREDENTIALS_FORM:
		text_add_form(form, "client_id", provider->client_id);
		text_add_form(form, "client_secret", credentials->secret.text);
		return;
	case CREDENTIALS_PUBLIC:
	case CREDENTIALS_BEARER:
		text_add_form(form, "client_id", provider->client_id);
		return;
	case CREDENTIALS_ASSERTION:
		/* RFC 7521 section 4.2, as Azure DevOps wants it: the "assertion" is the client secret itself. */
		text_add_form(form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
		text_add_form(
			form, "client_assertion", credentials->secret.text != NULL ? credentials->secret.text : "");
		return;
	}
}

static void add_header(struct http_request *request, const char *name, struct secret value)
{
	request->headers[request->header_count++] = (struct http_header){.name = name, .value = value};
}

struct http_request credentials_request(const struct provider *provider, const struct credentials *credentials,
	const char *url, const char *form, struct arena *arena)
{
	struct text body = text_in(arena);
	struct http_request request = {
		.provider_id = provider->id,
		.method = "POST",
		.url = url,
		.body_bytes_max = (size_t)PROVIDER_BODY_BYTES_MAX,
	};

	text_add(&body, form);
	add_to_form(&body, provider, credentials);
	request.body = (struct secret){.text = body.bytes, .size = body.size};
	add_header(&request, "Accept", secret_of("application/json"));
	add_header(&request, "Content-Type", secret_of("application/x-www-form-urlencoded"));
	if (credentials->style == CREDENTIALS_BASIC)
		add_header(&request, "Authorization", credentials_basic(provider, credentials->secret, arena));
	if (credentials->style == CREDENTIALS_BEARER)
		add_header(&request, "Authorization",
			secret_of(arena_printf(
				arena, "Bearer %s", credentials->secret.text != NULL ? credentials->secret.text : "")));
	return request;
}

void credentials_remember(struct provider *provider, enum credential_style style)
{
	if (style == CREDENTIALS_BASIC)
		atomic_store(&provider->client_auth, CLIENT_AUTH_BASIC);
	if (style == CREDENTIALS_FORM)
		atomic_store(&provider->client_auth, CLIENT_AUTH_FORM);
}

void credentials_forget(struct provider *provider)
{
	atomic_store(&provider->client_auth, CLIENT_AUTH_UNKNOWN);
}
