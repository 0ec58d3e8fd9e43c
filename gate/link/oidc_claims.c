/* SPDX-License-Identifier: Apache-2.0 */
/* What an ID token must say: see oidc_claims.h. */
#include "oidc_claims.h"

#include <string.h>

#include "../base/text.h"

/* A name longer than this is not shown back. */
#define SHOWN_CHARS_MAX 64

static bool is_text(const struct json *claims, const char *name, const char *right)
{
	const char *text = json_string(json_member(claims, name));

	return text != NULL && strcmp(text, right) == 0;
}

/* A number of seconds, which may have parts of one (RFC 7519 section 2); absent where it may be is *ret_given false. */
static bool read_time(const struct json *claims, const char *name, bool *ret_given, int64_t *ret_time_s)
{
	const struct json *member = json_member(claims, name);

	*ret_given = member != NULL;
	*ret_time_s = 0;
	return member == NULL || json_floor(member, ret_time_s);
}

static const char *why_subject(const struct json *claims)
{
	const char *subject = json_string(json_member(claims, "sub"));

	if (subject == NULL || *subject == '\0' || strlen(subject) > OIDC_SUBJECT_BYTES_MAX)
		return "it names no subject, or too long a one";
	return NULL;
}

/* aud is one text or several; with several, azp says for whom it was made. */
static const char *why_audience(const struct json *claims, const char *client_id)
{
	const struct json *audience = json_member(claims, "aud");
	const struct json *party = json_member(claims, "azp");
	bool is_ours = is_text(claims, "aud", client_id);

	for (const struct json *each = json_is(audience, JSON_ARRAY) ? json_first(audience) : NULL; each != NULL;
		each = json_next(each))
		is_ours = is_ours || (json_string(each) != NULL && strcmp(json_string(each), client_id) == 0);
	if (!is_ours)
		return "it is for another client (aud)";
	if (party != NULL ? !is_text(claims, "azp", client_id) : json_count(audience) > 1)
		return "it was made for another client (azp)";
	return NULL;
}

static const char *why_time(const struct json *claims, int64_t now_s)
{
	int64_t expires_s;
	int64_t issued_s;
	int64_t begins_s;
	bool has_expires;
	bool has_issued;
	bool has_begins;

	if (!read_time(claims, "exp", &has_expires, &expires_s) || !read_time(claims, "iat", &has_issued, &issued_s) ||
		!read_time(claims, "nbf", &has_begins, &begins_s) || !has_expires || !has_issued)
		return "it does not say from when until when it is good (iat, exp)";
	/* OpenID Connect Core section 3.1.3.7, 9: the time must be before it. The token is seconds old and lives for
	 * minutes, so clocks that differ a little never need leeway here, only where it begins. */
	if (expires_s <= now_s)
		return "it has expired (exp)";
	if (issued_s > now_s + OIDC_SKEW_S || (has_begins && begins_s > now_s + OIDC_SKEW_S))
		return "it is from the future (iat, nbf); do the clocks agree";
	return NULL;
}

static const char *why_nonce(const struct json *claims, struct secret nonce)
{
	const char *given = json_string(json_member(claims, "nonce"));

	if (given == NULL || !secret_equals((struct secret){.text = given, .size = strlen(given)}, nonce))
		return "it is not for this sign-in (nonce)";
	return NULL;
}

const char *oidc_why_refused(const struct json *claims, const struct oidc_expected *expected)
{
	if (!is_text(claims, "iss", expected->issuer))
		return "it is from another issuer (iss)";

	const char *why[] = {
		why_audience(claims, expected->client_id),
		why_time(claims, expected->now_s),
		why_nonce(claims, expected->nonce),
		why_subject(claims),
	};

	for (size_t i = 0; i < COUNT_OF(why); i++)
		if (why[i] != NULL)
			return why[i];
	return NULL;
}

/* --- the name ----------------------------------------------------------------------------------------------------- */

static bool has_no_name(const char *username_claim, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "The sign-in service does not say what you are called here.");
	return problem_detail(problem,
		"The claim \"%.64s\" is missing or no text. The operator needs to check GATEHOUSE_OIDC_USERNAME_CLAIM "
		"and GATEHOUSE_OIDC_SCOPES.",
		username_claim);
}

static bool is_verified(const struct json *claims)
{
	const struct json *member = json_member(claims, "email_verified");

	/* Some services write it as a text. */
	return json_bool(member, false) || is_text(claims, "email_verified", "true");
}

static char *map_name(const char *given, bool is_email, struct arena *arena)
{
	char *name = arena_copy_bytes(arena, given, is_email ? strcspn(given, "@") : strlen(given));

	text_to_lower(name);
	for (char *at = name; *at != '\0'; at++)
		if (*at == '.' || *at == '_')
			*at = '-';
	return name;
}

static bool refuse_name(const char *given, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "Your name at the sign-in service cannot be a user name here.");
	return problem_detail(problem,
		"It is \"%.*s\"; a user name has 1 to 32 of a-z, 0-9 and -. An operator can name another claim with "
		"GATEHOUSE_OIDC_USERNAME_CLAIM.",
		SHOWN_CHARS_MAX, given);
}

bool oidc_read_person(const struct json *claims, const char *username_claim, struct arena *arena,
	struct oidc_person *ret_person, struct problem *problem)
{
	const char *given = json_string(json_member(claims, username_claim));
	const char *email = json_string(json_member(claims, "email"));
	bool is_email = strcmp(username_claim, "email") == 0;

	if (given == NULL || *given == '\0')
		return has_no_name(username_claim, problem);
	if (is_email && !is_verified(claims)) {
		(void)problem_set(
			problem, PROBLEM_FORBIDDEN, "The sign-in service has not checked your email address.");
		return problem_detail(problem, "Confirm it there (email_verified), then sign in again.");
	}
	char *name = map_name(given, is_email, arena);

	if (!name_is_user(name))
		return refuse_name(given, problem);
	ret_person->username = name;
	ret_person->email =
		email != NULL && is_verified(claims) && name_is_email(email) ? arena_copy(arena, email) : NULL;
	return true;
}
