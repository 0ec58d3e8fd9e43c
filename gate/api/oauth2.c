/* SPDX-License-Identifier: Apache-2.0 */
/* The login server: see oauth2.h. There is one client, the command line, and it is public: whoever runs it has all it
 * knows, so it authenticates by its name alone (RFC 8628 section 5.6). There are no scopes: who is logged in may do
 * what the user may. */
#include "oauth2.h"

#include <string.h>

#include "../base/log.h"
#include "../http/identify.h"
#include "../http/oauth_answer.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/device_grants.h"

#define CLIENT_ID "gatehouse-cli"
#define GRANT_TYPE_DEVICE_CODE "urn:ietf:params:oauth:grant-type:device_code"
#define GRANT_TYPE_REFRESH_TOKEN "refresh_token"

/* Keys made by hand (api/token.c) are no login's. */
#define API_KEY_PREFIX "gh_"

/* Too many codes wait: some of them have been answered or are over by then. */
#define CROWDED_RETRY_AFTER "60"

/* --- answers ------------------------------------------------------------------------------------------------------ */

static bool missing(struct reply *reply, const char *name)
{
	return oauth_refuse(
		reply, 400, "invalid_request", arena_printf(reply->arena, "The parameter %s is missing.", name));
}

/* RFC 9110 section 15.5.2: a 401 says how to authenticate, also where nothing but the client's name would do. */
static bool unknown_client(struct reply *reply, const char *description)
{
	(void)oauth_refuse(reply, 401, "invalid_client", description);
	reply_add_header(reply, "WWW-Authenticate", "Basic realm=\"gatehouse\"");
	return true;
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

/* The parameters that any of the endpoints knows, each at most once. */
struct parameters {
	const char *client_id;
	const char *client_secret;
	const char *scope;
	const char *grant_type;
	const char *device_code;
	const char *refresh_token;
	const char *token;
};

static bool read_parameters(const struct request *request, struct parameters *ret_parameters, struct problem *problem)
{
	struct {
		const char *name;
		const char **target;
	} const rows[] = {
		{"client_id", &ret_parameters->client_id},
		{"client_secret", &ret_parameters->client_secret},
		{"scope", &ret_parameters->scope},
		{"grant_type", &ret_parameters->grant_type},
		{"device_code", &ret_parameters->device_code},
		{"refresh_token", &ret_parameters->refresh_token},
		{"token", &ret_parameters->token},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!request_form(request, rows[i].name, rows[i].target, problem))
			return false;
	return true;
}

/* true: refused, and the answer is written. */
static bool refuse_client(const struct request *request, const struct parameters *parameters, struct reply *reply)
{
	if (request->authorization != NULL || parameters->client_secret != NULL)
		return unknown_client(reply, "The client is public: it has no secret and sends its client_id alone.");
	if (parameters->client_id == NULL)
		return missing(reply, "client_id");
	if (strcmp(parameters->client_id, CLIENT_ID) != 0)
		return unknown_client(reply, "There is no such client.");
	return false;
}

static bool refuse_scope(const struct parameters *parameters, struct reply *reply)
{
	return parameters->scope != NULL && oauth_refuse(reply, 400, "invalid_scope", "There are no scopes here.");
}

/* --- device authorization ----------------------------------------------------------------------------------------- */

static void show_codes(const struct request *request, const struct device_codes *codes, struct reply *reply)
{
	/* From the configuration, never from the Host header, which whoever asks may choose. */
	const char *page = arena_printf(request->arena, "%s/device", request->service->access_url);
	struct json *root = json_new_object();

	json_add_string(root, "device_code", codes->device_code.text);
	json_add_string(root, "user_code", codes->user_code);
	json_add_string(root, "verification_uri", page);
	json_add_string(root, "verification_uri_complete",
		arena_printf(request->arena, "%s?user_code=%s", page, codes->user_code));
	json_add_integer(root, "expires_in", codes->lifetime_s);
	json_add_integer(root, "interval", codes->interval_s);
	reply_json(reply, 200, root);
	oauth_forbid_old_caches(reply);
}

bool api_oauth2_device_authorization(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct parameters parameters = {.client_id = NULL};
	struct device_codes codes;
	const struct device_request asked = {
		.client_id = CLIENT_ID, .address = request->address, .agent = request->agent};
	bool given = false;

	if (!read_parameters(request, &parameters, problem))
		return false;
	if (refuse_client(request, &parameters, reply) || refuse_scope(&parameters, reply))
		return true;
	if (!device_grant_insert(request->service->store, request->arena, &asked, &given, &codes, problem))
		return false;
	if (given) {
		show_codes(request, &codes, reply);
		return true;
	}
	(void)oauth_refuse(reply, 429, "temporarily_unavailable", "Too many logins wait for their users' answers.");
	reply_add_header(reply, "Retry-After", CROWDED_RETRY_AFTER);
	return true;
}

/* --- token -------------------------------------------------------------------------------------------------------- */

static struct login_limits limits_of(const struct request *request)
{
	const struct config *config = request->service->config;

	return (struct login_limits){.access_ms = config->login_access_lifetime_ms,
		.idle_ms = config->login_refresh_idle_ms,
		.cap_ms = config->login_family_cap_ms};
}

static void show_pair(const struct login_pair *pair, struct reply *reply)
{
	struct json *root = json_new_object();

	json_add_string(root, "access_token", pair->access_token.text);
	json_add_string(root, "token_type", "Bearer");
	/* Up to a whole second, so that polls that come at once, the first and its replays, get the same bytes. */
	json_add_integer(root, "expires_in", (pair->access_left_ms + 999) / 1000);
	json_add_string(root, "refresh_token", pair->refresh_token.text);
	reply_json(reply, 200, root);
	oauth_forbid_old_caches(reply);
}

/* The login has begun, and nothing here takes it back. */
static void note_login(const struct request *request, const char *user_id)
{
	struct problem problem = {0};
	size_t ended = 0;

	subject_audit(request, "login.start", user_id, CLIENT_ID);
	if (!family_trim(request->service->store, user_id, &ended, &problem))
		log_event(LOG_WARN, "a user's oldest logins were not ended", log_string("request_id", request->id),
			log_string("why", problem.message));
	if (ended > 0)
		identity_forget_user(request->service->identities, user_id);
}

static const char *describe(enum grant_answer answer)
{
	static const char *const sentences[GRANT_ANSWER_COUNT] = {
		[GRANT_ANSWER_PENDING] = "The user has not answered yet.",
		[GRANT_ANSWER_SLOW_DOWN] = "Wait five seconds longer before each poll from now on.",
		[GRANT_ANSWER_DENIED] = "The user denied the login.",
		[GRANT_ANSWER_EXPIRED] = "Nobody answered in time; start again.",
		[GRANT_ANSWER_SPENT] = "The device code is not known, or was redeemed already.",
	};

	return sentences[answer];
}

static bool redeem_code(const struct request *request, const struct parameters *parameters, struct reply *reply,
	struct problem *problem)
{
	const struct device_poll poll = {
		.device_code = parameters->device_code, .client_id = CLIENT_ID, .limits = limits_of(request)};
	struct device_outcome outcome;

	if (poll.device_code == NULL)
		return missing(reply, "device_code");
	if (!device_grant_poll(request->service->store, request->arena, &poll, &outcome, problem))
		return false;
	if (outcome.answer == GRANT_ANSWER_REDEEM)
		note_login(request, outcome.user_id);
	if (outcome.answer != GRANT_ANSWER_REDEEM && outcome.answer != GRANT_ANSWER_REPLAY)
		return oauth_refuse(reply, 400, grant_answer_word(outcome.answer), describe(outcome.answer));
	show_pair(&outcome.pair, reply);
	return true;
}

/* Whoever has the tokens now must not be served from memory. */
static void note_reuse(const struct request *request, const char *user_id)
{
	identity_forget_user(request->service->identities, user_id);
	log_event(LOG_WARN, "a refresh token was used twice; its login is ended", log_string("request_id", request->id),
		log_string("user_id", user_id));
	subject_audit(request, "login.reuse", user_id, CLIENT_ID);
}

static bool refresh_token(const struct request *request, const struct parameters *parameters, struct reply *reply,
	struct problem *problem)
{
	const struct family_use use = {
		.token = parameters->refresh_token, .client_id = CLIENT_ID, .limits = limits_of(request)};
	struct family_outcome outcome;

	if (use.token == NULL)
		return missing(reply, "refresh_token");
	if (refuse_scope(parameters, reply))
		return true;
	if (!family_refresh(request->service->store, request->arena, &use, &outcome, problem))
		return false;
	if (outcome.answer == FAMILY_REUSE)
		note_reuse(request, outcome.user_id);
	if (outcome.answer != FAMILY_ROTATE && outcome.answer != FAMILY_REPLAY)
		return oauth_refuse(reply, 400, "invalid_grant", "The login has ended; log in again.");
	show_pair(&outcome.pair, reply);
	return true;
}

bool api_oauth2_token(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct parameters parameters = {.client_id = NULL};

	if (!read_parameters(request, &parameters, problem))
		return false;
	if (refuse_client(request, &parameters, reply))
		return true;
	if (parameters.grant_type == NULL)
		return missing(reply, "grant_type");
	if (strcmp(parameters.grant_type, GRANT_TYPE_DEVICE_CODE) == 0)
		return redeem_code(request, &parameters, reply, problem);
	if (strcmp(parameters.grant_type, GRANT_TYPE_REFRESH_TOKEN) == 0)
		return refresh_token(request, &parameters, reply, problem);
	return oauth_refuse(
		reply, 400, "unsupported_grant_type", "Device codes and refresh tokens are changed for tokens here.");
}

/* --- revocation --------------------------------------------------------------------------------------------------- */

/* The token's own form says what it is, so token_type_hint is not needed (RFC 7009 section 2.1). */
static bool end_token(
	const struct request *request, const char *token, enum revocation *ret_revocation, struct problem *problem)
{
	const struct service *service = request->service;
	const char *user_id = NULL;
	uint8_t hash[SHA256_BYTES];

	if (family_is_token(token)) {
		if (!family_revoke(service->store, request->arena, token, CLIENT_ID, ret_revocation, &user_id, problem))
			return false;
		if (user_id != NULL) {
			identity_forget_user(service->identities, user_id);
			subject_audit(request, "login.end", user_id, CLIENT_ID);
		}
		return true;
	}
	sha256(token, strlen(token), hash);
	if (!access_token_revoke(service->store, hash, CLIENT_ID, ret_revocation, problem))
		return false;
	identity_forget_token(service->identities, hash);
	return true;
}

bool api_oauth2_revoke(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct parameters parameters = {.client_id = NULL};
	enum revocation revocation = REVOCATION_UNKNOWN;

	if (!read_parameters(request, &parameters, problem))
		return false;
	if (refuse_client(request, &parameters, reply))
		return true;
	if (parameters.token == NULL)
		return missing(reply, "token");
	if (strncmp(parameters.token, API_KEY_PREFIX, strlen(API_KEY_PREFIX)) == 0)
		return oauth_refuse(reply, 400, "unsupported_token_type",
			"An API key is deleted at /api/v2/users/{user}/keys/tokens.");
	if (!end_token(request, parameters.token, &revocation, problem))
		return false;
	if (revocation == REVOCATION_FOREIGN)
		return oauth_refuse(reply, 400, "invalid_grant", "The token was issued to another client.");
	/* RFC 7009 section 2.2: also for a token that nobody knows, which is what the client wanted. */
	reply_empty(reply, 200);
	oauth_forbid_old_caches(reply);
	return true;
}
