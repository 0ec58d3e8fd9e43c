/* SPDX-License-Identifier: Apache-2.0 */
/* The device flow as client of a provider: see device.h. What comes from the provider is shown to a person, who follows
 * the link and types the code, so both are checked before. */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/text.h"

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* An answer in either of its two forms. */
struct device_fields {
	struct json *json; /* NULL: a form */
	const char *form;  /* "" where it is neither */
};

/* The body says what it is more reliably than its label: token_answer.c. */
static struct device_fields open_fields(const struct http_answer *answer)
{
	struct device_fields fields = {.form = ""};
	struct problem ignored;
	const char *body = answer->body.text != NULL ? answer->body.text : "";
	const char *start = body + strspn(body, " \t\r\n");

	if (answer->transport != TRANSPORT_ANSWERED || strlen(body) != answer->body.size)
		return fields;
	if (*start != '{')
		fields.form = start;
	else if (!json_parse(body, answer->body.size, &fields.json, &ignored))
		fields.json = NULL;
	return fields;
}

/* Text, or a number as text; NULL where it is absent or empty. */
static const char *read_field(const struct device_fields *fields, const char *name, struct arena *arena)
{
	const struct json *member = json_member(fields->json, name);
	const char *value = NULL;

	if (fields->json == NULL)
		value = form_value(arena, fields->form, name);
	else if (json_is(member, JSON_STRING))
		value = arena_copy(arena, json_string(member));
	else if (json_is(member, JSON_INTEGER))
		value = json_print(member, arena);
	return value != NULL && *value != '\0' ? value : NULL;
}

/* Visible ASCII, blanks inside too: what a person can type and a form can carry. */
static bool is_typeable(const char *text, size_t bytes_max)
{
	for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++)
		if (*byte < 0x20 || *byte > 0x7e)
			return false;
	return strlen(text) <= bytes_max;
}

static int64_t read_seconds(const char *text, int64_t otherwise, int64_t max)
{
	char *end = NULL;
	double seconds = text != NULL ? strtod(text, &end) : 0;

	if (text == NULL || end == text || *end != '\0' || !(seconds >= 1))
		return otherwise;
	return seconds < (double)max ? (int64_t)seconds : max;
}

/* Google calls it verification_url. */
static const char *read_link(const struct device_fields *fields, struct arena *arena)
{
	const char *link = read_field(fields, "verification_uri", arena);

	return link != NULL ? link : read_field(fields, "verification_url", arena);
}

static bool read_code(const struct device_fields *fields, struct arena *arena, struct device_code *ret_code)
{
	const char *device_code = read_field(fields, "device_code", arena);
	const char *user_code = read_field(fields, "user_code", arena);
	const char *link = read_link(fields, arena);
	const char *complete = read_field(fields, "verification_uri_complete", arena);

	if (device_code == NULL || !is_typeable(device_code, DEVICE_CODE_BYTES_MAX) || user_code == NULL ||
		!is_typeable(user_code, DEVICE_USER_CODE_BYTES_MAX) || link == NULL || !name_is_provider_url(link))
		return false;
	*ret_code = (struct device_code){
		.device_code = {.text = device_code, .size = strlen(device_code)},
		.user_code = user_code,
		.verification_uri = link,
		.verification_uri_complete = complete != NULL && name_is_provider_url(complete) ? complete : NULL,
		.lifetime_s = read_seconds(
			read_field(fields, "expires_in", arena), DEVICE_LIFETIME_DEFAULT_S, DEVICE_LIFETIME_MAX_S),
		.interval_s = read_seconds(
			read_field(fields, "interval", arena), DEVICE_INTERVAL_DEFAULT_S, PROVIDER_INTERVAL_MAX_S),
	};
	return true;
}

/* --- saying what is wrong ------------------------------------------------------------------------------------------
 */

/* The word if it looks like one, NULL otherwise: token_answer.c. */
static const char *shown_error(const char *error)
{
	static const char lawful[] = "abcdefghijklmnopqrstuvwxyz_";

	if (error == NULL || strlen(error) > OAUTH_ERROR_BYTES_MAX || error[strspn(error, lawful)] != '\0')
		return NULL;
	return error;
}

static bool tell_rate_limited(const struct provider *provider, unsigned wait_s, struct problem *problem)
{
	problem_set(problem, PROBLEM_PROVIDER_RATE_LIMITED, "%s takes no more requests of this service for now.",
		provider->display_name);
	problem_detail(problem, "Nothing is wrong with your account. Try again in %u s.", wait_s);
	problem->retry_after_s = wait_s;
	return false;
}

/* The provider understood, and does not want our client. */
static bool tell_operator(
	const struct provider *provider, const char *cause, const char *what_to_do, struct problem *problem)
{
	problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s gives this service no device codes (%s).",
		provider->display_name, cause);
	return problem_detail(problem,
		"Nothing is wrong with your account. The operator needs to %s of provider \"%s\".", what_to_do,
		provider->id);
}

static bool tell_unavailable(const struct provider *provider, const struct http_answer *answer, struct problem *problem)
{
	if (answer->transport == TRANSPORT_ANSWERED)
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s gives out no device codes just now (HTTP %d).",
			provider->display_name, answer->status);
	else
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s gives no answer.", provider->display_name);
	problem_detail(problem, "Nothing is wrong with your account. Try again in a moment; if it stays so, the "
				"operator "
				"needs to check the connection to it.");
	problem->retry_after_s = http_answer_retry_after_s(answer);
	return false;
}

/* What a refused client looks like where the answer has no word: GitHub says 404 for a client id it does not know. */
static bool is_wordless_refusal(const struct http_answer *answer)
{
	return answer->transport == TRANSPORT_ANSWERED && answer->status >= 400 && answer->status <= 404;
}

static bool tell_failure(
	const struct provider *provider, const struct http_answer *answer, const char *error, struct problem *problem)
{
	static const char check[] = "check DEVICE_CODE_URL, the client id, the client secret and the scopes";
	const char *shown = shown_error(error);
	unsigned wait_s = answer->retry_after != NULL ? http_answer_retry_after_s(answer) : http_answer_reset_s(answer);
	const struct device_reply reply = {
		.transport = answer->transport,
		.status = answer->status,
		.error = error,
		.has_retry_after = answer->retry_after != NULL,
		.rate_limit_exhausted = answer->rate_limit_exhausted,
	};
	enum device_answer judged = judge_device(&reply);

	/* GitHub says slow_down here too when codes are asked for too often. */
	if (judged == DEVICE_RATE_LIMITED || judged == DEVICE_SLOW_DOWN)
		return tell_rate_limited(provider, wait_s > 0 ? wait_s : DEVICE_RATE_LIMIT_DEFAULT_S, problem);
	if (error != NULL && strcmp(error, "device_flow_disabled") == 0)
		return tell_operator(
			provider, error, "switch the device flow on in the app's settings at the provider", problem);
	if (error != NULL && judged != DEVICE_TRANSIENT)
		return tell_operator(provider, shown != NULL ? shown : "an unknown error", check, problem);
	if (error == NULL && is_wordless_refusal(answer))
		return tell_operator(provider, "it refuses the request without a reason", check, problem);
	if (judged == DEVICE_LOST && answer->transport == TRANSPORT_ANSWERED)
		return tell_operator(provider, "its answer is no device code", check, problem);
	return tell_unavailable(provider, answer, problem);
}

/* --- asking --------------------------------------------------------------------------------------------------------
 */

static bool is_client_refused(const struct http_answer *answer, const char *error)
{
	if (answer->transport != TRANSPORT_ANSWERED)
		return false;
	return error != NULL ? strcmp(error, "invalid_client") == 0 : answer->status == 401;
}

bool device_start(struct engine *engine, const struct provider *provider, struct arena *arena,
	struct device_code *ret_code, struct problem *problem)
{
	struct credentials tries[CREDENTIALS_MAX];
	size_t count = credentials_list_device(provider, tries);
	struct deadline deadline = deadline_in_ms(PROVIDER_EXCHANGE_MS);
	struct http_answer answer = {.transport = TRANSPORT_NOT_SENT};
	const char *error = NULL;

	for (size_t i = 0; i < count; i++) {
		struct http_request request = credentials_request(
			provider, &tries[i], provider->device_code_url, oauth_device_form(provider, arena), arena);

		request.purpose = "device";
		request.deadline = deadline;
		answer = http_client_ask_provider(engine->http, &request, arena);
		struct device_fields fields = open_fields(&answer);
		SCOPED(json_release) struct json *root = fields.json;
		(void)root;
		error = read_field(&fields, "error", arena);
		if (error == NULL && answer.status >= 200 && answer.status <= 299 &&
			read_code(&fields, arena, ret_code))
			return true;
		if (!is_client_refused(&answer, error))
			break;
	}
	return tell_failure(provider, &answer, error, problem);
}

/* A time that cannot be read is a minute. */
static unsigned wait_of(const struct token_reply *reply)
{
	if (!reply->has_retry_after)
		return reply->reset_s;
	return reply->retry_after_s > 0 ? reply->retry_after_s : DEVICE_RATE_LIMIT_DEFAULT_S;
}

struct device_poll device_poll(
	struct engine *engine, struct provider *provider, struct secret device_code, struct arena *arena)
{
	const struct token_question question = {
		.purpose = "device_poll",
		.form = oauth_device_poll_form(provider, device_code, arena),
		.deadline = deadline_in_ms(PROVIDER_EXCHANGE_MS),
		.is_device = true,
	};
	struct token_reply reply = token_endpoint_ask(engine, provider, &question, arena);
	const struct device_reply facts = {
		.transport = reply.transport,
		.status = reply.status,
		.has_access_token = reply.class == GRANT_GRANTED,
		/* A word that is not shown is a word even so. */
		.error = reply.error[0] != '\0' ? reply.error
			 : reply.has_error      ? "?"
						: "",
		.has_retry_after = reply.has_retry_after,
		.rate_limit_exhausted = reply.rate_limit_exhausted,
	};
	return (struct device_poll){
		.answer = judge_device(&facts),
		.error = arena_copy(arena, reply.error),
		.retry_after_s = wait_of(&reply),
		.interval_s = reply.interval_s,
		.unusable = reply.unusable,
		.grant = reply.grant,
	};
}
