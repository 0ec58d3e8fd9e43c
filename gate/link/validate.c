/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a provider whether a token is good: the request and what its answer says, for the gate (which asks many at
 * once) and for one link's page (which also lists the app's installations). What github tells about the user is a
 * courtesy: what does not parse is left out and changes no verdict. */
#include <string.h>

#include "../base/json.h"
#include "validate.h"

#define INSTALLATIONS_MAX 100

/* GitHub's logins are up to 39 characters, its names up to 255. */
#define PERSON_BYTES_MAX 256

static struct http_request bearer_request(
	const char *provider_id, const char *url, struct secret access_token, struct arena *arena)
{
	static const char accept[] = "application/json";
	char *bearer = arena_printf(arena, "Bearer %s", access_token.text != NULL ? access_token.text : "");

	return (struct http_request){
		.provider_id = provider_id,
		.method = "GET",
		.url = url,
		.header_count = 2,
		.headers = {{"Authorization", {bearer, strlen(bearer)}}, {"Accept", {accept, sizeof(accept) - 1}}},
		.body_bytes_max = (size_t)PROVIDER_BODY_BYTES_MAX,
		.follow_same_host = true,
		.transfer_ms = PROVIDER_REQUEST_MS,
	};
}

struct http_request validate_request(
	const struct provider *provider, struct secret access_token, struct arena *arena, struct deadline deadline)
{
	struct http_request request = bearer_request(provider->id, provider->validate_url, access_token, arena);

	request.purpose = "validate";
	request.deadline = deadline;
	return request;
}

struct validation_answer validate_answer_facts(const struct http_answer *answer)
{
	return (struct validation_answer){
		.transport = answer->transport,
		.status = answer->status,
		.has_retry_after = answer->retry_after != NULL,
		.rate_limit_exhausted = answer->rate_limit_exhausted,
	};
}

/* --- what github tells ------------------------------------------------------------------------------------------- */

static bool is_read(const struct http_answer *answer, struct json **ret_root)
{
	struct problem ignored;

	if (answer->transport != TRANSPORT_ANSWERED || answer->status != 200)
		return false;
	return json_parse(answer->body.text, answer->body.size, ret_root, &ignored);
}

/* A member's text, or "" where there is none of a lawful size. */
static const char *person_text(const struct json *person, const char *name, struct arena *arena)
{
	const char *text = json_string(json_member(person, name));

	if (text == NULL || strlen(text) > PERSON_BYTES_MAX)
		return "";
	return arena_copy(arena, text);
}

/* A page that shows the link must not be made to run a script: only a URL that could be a provider's is shown. */
static const char *person_url(const struct json *person, const char *name, struct arena *arena)
{
	const char *url = json_string(json_member(person, name));

	if (url == NULL || strlen(url) > URL_BYTES_MAX || !name_is_provider_url(url))
		return "";
	return arena_copy(arena, url);
}

static const struct provider_user nobody = {.login = "", .name = "", .avatar_url = "", .profile_url = ""};

static bool read_person(const struct json *person, struct arena *arena, struct provider_user *ret_user)
{
	struct provider_user user = {
		.login = person_text(person, "login", arena),
		.name = person_text(person, "name", arena),
		.avatar_url = person_url(person, "avatar_url", arena),
		.profile_url = person_url(person, "html_url", arena),
	};

	if (!json_integer(json_member(person, "id"), &user.id) || *user.login == '\0')
		return false;
	*ret_user = user;
	return true;
}

bool validate_read_user(const struct provider *provider, const struct http_answer *answer, struct arena *arena,
	struct provider_user *ret_user)
{
	SCOPED(json_release) struct json *root = NULL;

	*ret_user = nobody;
	if (provider->type != PROVIDER_GITHUB || !is_read(answer, &root))
		return false;
	return read_person(root, arena, ret_user);
}

/* --- installations ----------------------------------------------------------------------------------------------- */

static bool read_installation(const struct json *item, struct arena *arena, struct app_installation *ret_installation)
{
	*ret_installation = (struct app_installation){
		.configure_url = person_url(item, "html_url", arena),
		.account = nobody,
	};
	if (!json_integer(json_member(item, "id"), &ret_installation->id))
		return false;
	return read_person(json_member(item, "account"), arena, &ret_installation->account);
}

static size_t read_installations(
	const struct http_answer *answer, struct arena *arena, struct app_installation **ret_installations)
{
	SCOPED(json_release) struct json *root = NULL;
	size_t count = 0;

	if (!is_read(answer, &root))
		return 0;
	const struct json *list = json_member(root, "installations");
	if (!json_is(list, JSON_ARRAY))
		return 0;
	*ret_installations = arena_alloc(arena, INSTALLATIONS_MAX * sizeof(**ret_installations));
	for (const struct json *item = json_first(list); item != NULL; item = json_next(item))
		if (count < INSTALLATIONS_MAX && read_installation(item, arena, &(*ret_installations)[count]))
			count++;
	return count;
}

static struct http_request installations_request(
	const struct provider *provider, struct secret access_token, struct arena *arena, struct deadline deadline)
{
	const char *url = provider->app_installations_url;

	if (provider->type == PROVIDER_GITHUB && strchr(url, '?') == NULL)
		url = arena_printf(arena, "%s?per_page=%d", url, INSTALLATIONS_MAX);
	struct http_request request = bearer_request(provider->id, url, access_token, arena);
	request.purpose = "installations";
	request.deadline = deadline;
	return request;
}

/* --- one link's page --------------------------------------------------------------------------------------------- */

enum question { QUESTION_TOKEN, QUESTION_INSTALLATIONS, QUESTION_COUNT };

struct page_questions {
	struct http_call *calls[QUESTION_COUNT];    /* NULL: not asked */
	struct http_answer answers[QUESTION_COUNT]; /* TRANSPORT_AMBIGUOUS where none came in time */
};

static void wait_for_answers(
	struct page_questions *questions, struct waiter *waiter, struct deadline deadline, struct arena *arena)
{
	for (struct http_call *call; (call = http_waiter_next(waiter, deadline)) != NULL;)
		questions->answers[http_call_tag(call)] = http_call_take(call, arena);
	for (size_t i = 0; i < QUESTION_COUNT; i++)
		http_call_free(questions->calls[i]);
}

enum validation validate_token(struct engine *engine, const struct provider *provider, struct secret access_token,
	struct arena *arena, struct provider_user *ret_user, size_t *ret_count,
	struct app_installation **ret_installations)
{
	SCOPED(waiter_release) struct waiter *waiter = waiter_new();
	struct deadline deadline = deadline_in_ms(PROVIDER_REQUEST_MS);
	struct page_questions questions = {
		.answers = {{.transport = TRANSPORT_AMBIGUOUS}, {.transport = TRANSPORT_AMBIGUOUS}}};

	*ret_user = nobody;
	*ret_count = 0;
	*ret_installations = NULL;
	if (*provider->validate_url != '\0') {
		struct http_request request = validate_request(provider, access_token, arena, deadline);

		questions.calls[QUESTION_TOKEN] = http_call_start(engine->http, &request, waiter, QUESTION_TOKEN);
	}
	if (*provider->app_installations_url != '\0') {
		struct http_request request = installations_request(provider, access_token, arena, deadline);

		questions.calls[QUESTION_INSTALLATIONS] =
			http_call_start(engine->http, &request, waiter, QUESTION_INSTALLATIONS);
	}
	wait_for_answers(&questions, waiter, deadline, arena);

	*ret_count = read_installations(&questions.answers[QUESTION_INSTALLATIONS], arena, ret_installations);
	if (questions.calls[QUESTION_TOKEN] == NULL)
		return VALIDATION_NONE;
	const struct http_answer *answer = &questions.answers[QUESTION_TOKEN];
	struct validation_answer facts = validate_answer_facts(answer);
	(void)validate_read_user(provider, answer, arena, ret_user);
	return judge_validation(&facts);
}
