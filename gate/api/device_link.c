/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account by a provider's device flow: see device_link.h. The caller holds a handle that is good for this
 * user and provider alone; how often the provider is asked is decided here and not by who polls. */
#include "device_link.h"

#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "../http/browser.h"
#include "../http/connected_page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/device.h"
#include "../link/save_grant.h"
#include "../store/links.h"
#include "../store/provider_device.h"
#include "../web/connect.h"

/* A handle tells in a leak what it was. */
#define HANDLE_PREFIX "ghd_"

static bool find_provider(const struct request *request, struct provider **ret_provider, struct problem *problem)
{
	if (!engine_find_provider(
		    request->service->engine, request_parameter(request, "provider"), ret_provider, problem))
		return false;
	if ((*ret_provider)->device_flow)
		return true;
	(void)problem_set(
		problem, PROBLEM_NOT_FOUND, "%s is not connected by a device code.", (*ret_provider)->display_name);
	return problem_detail(problem, "Connect it in a browser, at %s/external-auth/%s.", request->service->access_url,
		(*ret_provider)->id);
}

static bool suspended(const struct request *request, struct problem *problem)
{
	return problem_set(problem, PROBLEM_OWNER_SUSPENDED, "User %s is suspended.", request->caller.username);
}

static void count(const struct provider *provider, const char *end)
{
	metrics_add(METRIC_DEVICE_CODES, (struct metric_labels){.value = {provider->id, end}}, 1);
}

/* --- a code ------------------------------------------------------------------------------------------------------ */

/* Whoever asks for codes over and over spends the provider's patience with everybody's client. */
static bool check_waiting(const struct request *request, const struct provider *provider, struct problem *problem)
{
	struct device_waiting waiting;

	if (!provider_device_count(request->service->store, request->caller.user_id, provider->id, &waiting, problem))
		return false;
	if (waiting.suspended)
		return suspended(request, problem);
	if (waiting.count < DEVICE_CODES_MAX)
		return true;
	(void)problem_set(problem, PROBLEM_OVERLOADED, "%d codes of %s are waiting for you already.",
		(int)waiting.count, provider->display_name);
	(void)problem_detail(problem, "Use one of them, or wait until the first has run out.");
	problem->retry_after_s = waiting.first_ends_in_s > 0 ? (unsigned)waiting.first_ends_in_s : 1;
	return false;
}

static void tell_code(struct secret handle, const struct device_code *code, struct reply *reply)
{
	struct json *root = json_new_object();

	json_add_string(root, "device_code", handle.text);
	json_add_string(root, "user_code", code->user_code);
	json_add_string(root, "verification_uri", code->verification_uri);
	json_add_string(root, "verification_uri_complete", code->verification_uri_complete);
	json_add_integer(root, "expires_in", code->lifetime_s);
	json_add_integer(root, "interval", code->interval_s);
	reply_json(reply, 200, root);
}

static bool ask_for_code(const struct request *request, const struct provider *provider, struct secret *ret_handle,
	struct device_code *ret_code, struct problem *problem)
{
	uint8_t hash[SHA256_BYTES];

	if (!check_waiting(request, provider, problem) ||
		!device_start(request->service->engine, provider, request->arena, ret_code, problem))
		return false;
	*ret_handle = secret_random(request->arena, HANDLE_PREFIX);

	const struct device_key key = {hash, request->caller.user_id, provider->id};
	const struct device_times times = {.interval_s = ret_code->interval_s, .lifetime_s = ret_code->lifetime_s};

	sha256(ret_handle->text, ret_handle->size, hash);
	if (!provider_device_insert(request->service->store, &key, ret_code->device_code, times, problem))
		return false;
	count(provider, "asked_for");
	return true;
}

bool api_device_link_start(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct secret handle = {.text = NULL};
	struct provider *provider = NULL;
	struct device_code code;

	if (!find_provider(request, &provider, problem))
		return false;
	/* RFC 9110 section 9.2.1: HEAD is safe, a code is not. */
	if (strcmp(request->method, "HEAD") == 0) {
		reply_empty(reply, 200);
		return true;
	}
	if (!ask_for_code(request, provider, &handle, &code, problem))
		return false;
	tell_code(handle, &code, reply);
	return true;
}

/* --- what has become of it ---------------------------------------------------------------------------------------- */

/* One poll from its claim to its release. */
struct poll {
	const struct request *request;
	struct provider *provider;
	struct device_key key;
	const char *id;
	struct device_claim claim;
	struct saved_account account; /* of whoever this poll connected */
};

/* What an error word means to the person who waits. */
static const struct {
	const char *error;
	const char *sentence;
} sentences[] = {
	{"authorization_pending", "Nobody has entered the code there yet."},
	{"slow_down", "You are asking too often; wait longer between two requests."},
	{"access_denied", "The request was declined there. Nothing was stored; start again when you want to."},
	{"expired_token", "The code has run out or was used. Start again to get a new one."},
	{"invalid_grant", "This code is not known, or is somebody else's. Start again to get a new one."},
};

static const char other_refusal[] = "The account was not connected. Start again to get a new code; if it stays so, "
				    "tell "
				    "the operator.";
static const char client_refusal[] = "This service is not accepted as a client. Nothing is wrong with your account; "
				     "the "
				     "operator needs to check the provider's configuration.";

static const char *sentence_of(const char *error, const char *otherwise)
{
	for (size_t i = 0; i < COUNT_OF(sentences); i++)
		if (strcmp(sentences[i].error, error) == 0)
			return sentences[i].sentence;
	return otherwise;
}

/* Contract section 6: the OAuth error word is the detail. */
static bool tell_refused(const struct poll *poll, const char *error, const char *otherwise, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_PROVIDER_REFUSED, "%s: %s", poll->provider->display_name,
		sentence_of(error, otherwise));
	return problem_detail(problem, "%s", error);
}

/* The same for the two words after which the caller asks again. */
static bool tell_pending(const struct poll *poll, const char *error, int64_t wait_s, struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_DEVICE_PENDING, "%s: %s", poll->provider->display_name, sentence_of(error, ""));
	(void)problem_detail(problem, "%s", error);
	problem->retry_after_s = wait_s > 0 ? (unsigned)wait_s : 1;
	return false;
}

static bool tell_rate_limited(const struct poll *poll, int64_t wait_s, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_PROVIDER_RATE_LIMITED, "%s takes no more requests of this service for now.",
		poll->provider->display_name);
	(void)problem_detail(problem, "The code is still good. Ask again in %d s.", (int)wait_s);
	problem->retry_after_s = (unsigned)wait_s;
	return false;
}

static bool tell_no_answer(const struct poll *poll, int64_t wait_s, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s could not be asked about the code just now.",
		poll->provider->display_name);
	(void)problem_detail(problem, "Nothing is wrong with your account. Ask again in %d s.", (int)wait_s);
	problem->retry_after_s = (unsigned)wait_s;
	return false;
}

static bool claim_once(struct poll *poll, struct problem *problem)
{
	return provider_device_claim(
		poll->request->service->store, poll->request->arena, &poll->key, poll->id, &poll->claim, problem);
}

/* Who comes a moment too early waits here for the rest of the interval. */
static bool claim(struct poll *poll, struct problem *problem)
{
	if (!claim_once(poll, problem))
		return false;
	if (poll->claim.state != DEVICE_CLAIM_EARLY || poll->claim.wait_ms > DEVICE_EARLY_MS)
		return true;
	(void)usleep((useconds_t)(poll->claim.wait_ms + 1) * 1000);
	return claim_once(poll, problem);
}

/* That this fails changes no answer: the hold runs out by itself. */
static void release(const struct poll *poll, const struct device_release *release)
{
	struct problem problem;

	if (release->outcome != NULL)
		count(poll->provider, strcmp(release->outcome, "granted") == 0         ? "granted"
				      : strcmp(release->outcome, "access_denied") == 0 ? "denied"
				      : strcmp(release->outcome, "expired_token") == 0 ? "expired"
										       : "refused");
	if (!provider_device_release(poll->request->service->store, &poll->key, poll->id, release, &problem))
		log_event(LOG_WARN, "what became of a device code was not noted",
			log_string("request_id", poll->request->id), log_string("provider", poll->provider->id));
}

static bool end_refused(const struct poll *poll, const char *error, struct problem *problem)
{
	release(poll, &(struct device_release){.outcome = error, .interval_s = poll->claim.interval_s});
	return tell_refused(poll, error, other_refusal, problem);
}

/* Notes that nobody asks sooner than wait_s from now, and from now on only every interval_s. Returns the wait. */
static int64_t put_off(const struct poll *poll, int64_t interval_s, int64_t wait_s)
{
	int64_t bounded_s = interval_s < PROVIDER_INTERVAL_MAX_S ? interval_s : PROVIDER_INTERVAL_MAX_S;
	int64_t longer_s = wait_s > bounded_s ? wait_s : bounded_s;

	release(poll, &(struct device_release){.interval_s = bounded_s, .wait_s = longer_s});
	return longer_s;
}

static bool end_granted(struct poll *poll, const struct device_poll *asked, struct problem *problem)
{
	const struct request *request = poll->request;
	struct engine *engine = request->service->engine;
	struct saved_grant saved = {poll->key.user_id, asked->grant.access_token, 0};

	if (asked->unusable != NULL) {
		release(poll,
			&(struct device_release){.outcome = "server_error", .interval_s = poll->claim.interval_s});
		(void)problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s issued a token that this service cannot use.",
			poll->provider->display_name);
		return problem_detail(problem, "The operator needs to know: %s.", asked->unusable);
	}
	if (!save_grant(engine, poll->provider, poll->key.user_id, &asked->grant, "device", &saved.generation, problem))
		return false;
	release(poll, &(struct device_release){.outcome = "granted", .interval_s = poll->claim.interval_s});
	subject_audit(request, "link.create", poll->key.user_id, poll->provider->id);
	poll->account = save_grant_account(engine, poll->provider, &saved, request->id, request->arena);
	return true;
}

static bool settle(struct poll *poll, const struct device_poll *asked, struct problem *problem)
{
	int64_t interval_s = poll->claim.interval_s;
	int64_t wait_s = asked->retry_after_s;
	const char *error = asked->error;

	switch (asked->answer) {
	case DEVICE_GRANTED:
		return end_granted(poll, asked, problem);
	case DEVICE_PENDING:
		release(poll, &(struct device_release){.interval_s = interval_s});
		return tell_pending(poll, "authorization_pending", interval_s, problem);
	case DEVICE_SLOW_DOWN:
		interval_s += DEVICE_SLOW_DOWN_S;
		wait_s = put_off(poll, asked->interval_s > interval_s ? asked->interval_s : interval_s, wait_s);
		return tell_pending(poll, "slow_down", wait_s, problem);
	case DEVICE_DENIED:
		return end_refused(poll, "access_denied", problem);
	case DEVICE_EXPIRED:
		return end_refused(poll, "expired_token", problem);
	case DEVICE_REFUSED:
		return end_refused(poll, *error != '\0' ? error : "invalid_grant", problem);
	case DEVICE_OPERATOR:
		(void)put_off(poll, interval_s, wait_s);
		return tell_refused(poll, error, client_refusal, problem);
	case DEVICE_RATE_LIMITED:
		wait_s = put_off(poll, interval_s, wait_s > 0 ? wait_s : DEVICE_RATE_LIMIT_DEFAULT_S);
		return tell_rate_limited(poll, wait_s, problem);
	case DEVICE_TRANSIENT:
		return tell_no_answer(poll, put_off(poll, interval_s, wait_s), problem);
	case DEVICE_LOST:
	case DEVICE_ANSWER_COUNT:
		break;
	}
	/* RFC 8628 section 3.5: a timeout reduces the frequency for good, by doubling the interval. */
	return tell_no_answer(poll, put_off(poll, 2 * interval_s, wait_s), problem);
}

static bool ask(struct poll *poll, struct problem *problem)
{
	if (!poll->claim.readable) {
		release(poll, &(struct device_release){.interval_s = poll->claim.interval_s});
		return problem_set(problem, PROBLEM_INTERNAL, "The provider's device code cannot be decrypted.");
	}
	struct device_poll asked = device_poll(
		poll->request->service->engine, poll->provider, poll->claim.device_code, poll->request->arena);
	return settle(poll, &asked, problem);
}

static bool answer(struct poll *poll, struct problem *problem)
{
	const struct device_claim *claim = &poll->claim;
	int64_t wait_s = (claim->wait_ms + 999) / 1000;

	switch (claim->state) {
	case DEVICE_CLAIM_TAKEN:
		return ask(poll, problem);
	case DEVICE_CLAIM_LINKED:
		return true;
	case DEVICE_CLAIM_EARLY:
		return tell_pending(poll, "slow_down", wait_s, problem);
	case DEVICE_CLAIM_HELD:
		return tell_pending(poll, "authorization_pending", claim->interval_s, problem);
	case DEVICE_CLAIM_EXPIRED:
		return tell_refused(poll, "expired_token", other_refusal, problem);
	case DEVICE_CLAIM_OVER:
		return tell_refused(poll, strcmp(claim->outcome, "granted") == 0 ? "expired_token" : claim->outcome,
			other_refusal, problem);
	case DEVICE_CLAIM_SUSPENDED:
		return suspended(poll->request, problem);
	case DEVICE_CLAIM_UNKNOWN:
		break;
	}
	return tell_refused(poll, "invalid_grant", other_refusal, problem);
}

/* true: the account is connected. The account is known where this poll connected it, and no other. */
static bool ask_about_code(
	const struct request *request, const char *handle, struct saved_account *ret_account, struct problem *problem)
{
	uint8_t hash[SHA256_BYTES];
	struct poll poll = {.request = request, .id = uuid_in(request->arena)};

	if (!find_provider(request, &poll.provider, problem) ||
		!provider_discover(request->service->engine, poll.provider, problem))
		return false;
	sha256(handle, strlen(handle), hash);
	poll.key = (struct device_key){hash, request->caller.user_id, poll.provider->id};
	if (!claim(&poll, problem) || !answer(&poll, problem))
		return false;
	*ret_account = poll.account;
	return true;
}

bool api_device_link_poll(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *handle = NULL;
	struct saved_account account;
	const struct json_field fields[] = {{.name = "device_code",
		.type = JSON_STRING,
		.target = &handle,
		.required = true,
		.bytes_max = DEVICE_HANDLE_BYTES_MAX}};

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem) ||
		!ask_about_code(request, handle, &account, problem))
		return false;
	reply_empty(reply, 204);
	return true;
}

/* --- the same on a page --------------------------------------------------------------------------------------------
 */

/* What the page's form says; all of it but the handle only to be shown again. */
struct posted {
	const char *handle; /* NULL: a code is asked for */
	const char *user_code;
	const char *verification_uri;
};

static bool read_form(const struct request *request, struct posted *ret_posted, struct problem *problem)
{
	if (!request_form(request, "device_code", &ret_posted->handle, problem) ||
		!request_form(request, "user_code", &ret_posted->user_code, problem) ||
		!request_form(request, "verification_uri", &ret_posted->verification_uri, problem))
		return false;
	if (ret_posted->handle == NULL)
		return true;
	return (strlen(ret_posted->handle) <= DEVICE_HANDLE_BYTES_MAX && ret_posted->user_code != NULL &&
		       ret_posted->verification_uri != NULL &&
		       strncmp(ret_posted->verification_uri, "http", strlen("http")) == 0) ||
	       problem_set(problem, PROBLEM_BAD_REQUEST, "This form is none of ours.");
}

static bool show_new_code(const struct request *request, const struct page_frame *frame,
	const struct provider *provider, struct reply *reply, struct problem *problem)
{
	struct secret handle = {.text = NULL};
	struct device_code code;

	if (!ask_for_code(request, provider, &handle, &code, problem))
		return false;

	const struct page_code shown = {.id = provider->id,
		.name = provider->display_name,
		.handle = handle.text,
		.user_code = code.user_code,
		.verification_uri = code.verification_uri,
		.expires_in_s = code.lifetime_s};

	browser_reply(reply, 200, page_code(request->arena, frame, &shown));
	return true;
}

/* What came of asking is part of the page as long as there is something to do on it. */
static bool show_waiting(const struct request *request, const struct page_frame *frame, const struct provider *provider,
	const struct posted *posted, struct reply *reply, const struct problem *problem)
{
	const bool is_over = problem->kind == PROBLEM_PROVIDER_REFUSED;
	const struct page_code shown = {.id = provider->id,
		.name = provider->display_name,
		.handle = posted->handle,
		.user_code = posted->user_code,
		.verification_uri = posted->verification_uri,
		.trouble = problem->message,
		.over = is_over};

	if (!is_over && problem->kind != PROBLEM_DEVICE_PENDING && problem->kind != PROBLEM_PROVIDER_RATE_LIMITED &&
		problem->kind != PROBLEM_PROVIDER_FAILED)
		return false;
	browser_reply(reply, 200, page_code(request->arena, frame, &shown));
	return true;
}

/* Where another poll was faster, the link knows the account's name. */
static bool find_account(const struct request *request, const struct provider *provider,
	struct saved_account *ret_account, struct problem *problem)
{
	struct link link = {.account = NULL};
	bool found = false;

	if (!link_find(request->service->store, request->arena, request->caller.user_id, provider->id, &found, &link,
		    problem))
		return false;
	ret_account->login = link.account;
	return true;
}

bool api_device_link_page(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct browser_session session = {.id = NULL};
	struct posted posted = {.handle = NULL};
	struct provider *provider = NULL;
	struct saved_account account = {.login = NULL};
	struct request own = *request;

	browser_add_headers(reply);
	if (!session_find_login(request, &session, problem) || !session_check_csrf(request, problem) ||
		!find_provider(request, &provider, problem) || !read_form(request, &posted, problem))
		return false;
	/* From here on it is as if this user had called with a token. */
	own.caller = (struct caller){.user_id = session.user.id, .username = session.user.username};

	struct page_frame frame = browser_frame(request, &session, PAGE_ELSEWHERE);

	if (posted.handle == NULL)
		return show_new_code(&own, &frame, provider, reply, problem);
	if (!ask_about_code(&own, posted.handle, &account, problem))
		return show_waiting(&own, &frame, provider, &posted, reply, problem);
	if (account.login == NULL && !find_account(&own, provider, &account, problem))
		return false;
	connected_page_reply(reply, &frame, provider, session.user.username, &account);
	return true;
}
