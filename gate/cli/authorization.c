/* SPDX-License-Identifier: Apache-2.0 */
/* The device grant, refresh and revocation: see authorization.h. */
#include "authorization.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../base/json.h"
#include "../base/text.h"
#include "ask.h"
#include "output.h"

#define TEXT_BYTES_MAX 2048
#define TOKEN_BYTES_MAX 16384
#define INTERVAL_DEFAULT_S 5
#define INTERVAL_S_MAX 300
#define EXPIRES_S_MAX 86400
#define DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"

static struct http_answer ask_form(struct cli *cli, const char *path, const char *form)
{
	return cli_ask(
		cli, &(struct ask){.method = "POST", .path = path, .form = form, .timeout_ms = AUTHORIZATION_MS});
}

static struct text begin_form(struct cli *cli)
{
	struct text form = text_in(cli->arena);

	text_add_form(&form, "client_id", AUTHORIZATION_CLIENT_ID);
	return form;
}

/* A number, or one in quotation marks as some servers send it; anything else is as if it were not there. */
static int64_t read_number(const struct json *root, const char *name, int64_t fallback, int64_t most)
{
	const struct json *value = json_member(root, name);
	const char *text = json_string(value);
	int64_t number = 0;

	if (text != NULL && text[0] != '\0' && text[strspn(text, "0123456789")] == '\0')
		number = strtoll(text, NULL, 10);
	else if (!json_integer(value, &number))
		return fallback;
	if (number < 0)
		return fallback;
	return number < most ? number : most;
}

static const char *read_text(const struct json *root, const char *name, size_t bytes_max, struct arena *arena)
{
	const char *text = json_string(json_member(root, name));

	if (text == NULL || text[0] == '\0' || strlen(text) > bytes_max)
		return NULL;
	return arena_copy(arena, text);
}

static struct secret read_secret(const struct json *root, const char *name, struct arena *arena)
{
	const char *text = read_text(root, name, TOKEN_BYTES_MAX, arena);

	return (struct secret){.text = text, .size = text != NULL ? strlen(text) : 0};
}

/* --- what comes back --------------------------------------------------------------------------------------------- */

static const struct {
	const char *error;
	enum cli_grant_end end;
} error_ends[] = {
	{"authorization_pending", CLI_GRANT_PENDING},
	{"slow_down", CLI_GRANT_SLOW_DOWN},
	{"invalid_grant", CLI_GRANT_REFUSED},
	{"access_denied", CLI_GRANT_REFUSED},
	{"expired_token", CLI_GRANT_REFUSED},
	{"temporarily_unavailable", CLI_GRANT_TRANSIENT},
	{"server_error", CLI_GRANT_TRANSIENT},
};

static bool status_is_transient(int status)
{
	return status == 403 || status == 408 || status == 425 || status == 429 || status >= 500;
}

static void read_error(const struct json *root, int status, struct arena *arena, struct cli_grant *grant)
{
	const char *error = read_text(root, "error", 64, arena);
	const char *description = read_text(root, "error_description", 400, arena);

	grant->end = status_is_transient(status) ? CLI_GRANT_TRANSIENT : CLI_GRANT_MISCONFIGURED;
	grant->error = error != NULL ? error : arena_printf(arena, "the answer %d", status);
	grant->description = description != NULL ? description : "";
	if (error == NULL || status_is_transient(status))
		return;
	for (size_t i = 0; i < COUNT_OF(error_ends); i++) {
		if (strcmp(error, error_ends[i].error) == 0)
			grant->end = error_ends[i].end;
	}
}

/* RFC 6749 section 5.1. A token type that is not understood must not be used (section 7.1), but a refresh token beside
 * it has been rotated and is kept. */
static void read_granted(const struct json *root, struct arena *arena, struct cli_grant *grant)
{
	const char *type = json_string(json_member(root, "token_type"));

	grant->access_token = read_secret(root, "access_token", arena);
	grant->refresh_token = read_secret(root, "refresh_token", arena);
	grant->expires_in_s = read_number(root, "expires_in", 0, INT32_MAX);
	if (secret_is_empty(grant->access_token)) {
		grant->end = CLI_GRANT_AMBIGUOUS;
		grant->error = "an answer without a token";
		return;
	}
	grant->end = CLI_GRANT_GRANTED;
	if (type == NULL || strcasecmp(type, "bearer") == 0)
		return;
	grant->access_token = (struct secret){.text = NULL};
	grant->error = "a type of token that this version does not understand";
}

static struct cli_grant read_grant(const struct http_answer *answer, struct arena *arena)
{
	struct problem unread = {.kind = PROBLEM_NONE};
	struct cli_grant grant = {.end = CLI_GRANT_TRANSIENT, .error = "no answer", .description = ""};
	SCOPED(json_release) struct json *root = NULL;

	if (answer->transport != TRANSPORT_ANSWERED) {
		grant.end = answer->transport == TRANSPORT_NOT_SENT ? CLI_GRANT_TRANSIENT : CLI_GRANT_AMBIGUOUS;
		grant.error = answer->failure != NULL ? answer->failure : "no answer";
		return grant;
	}
	if (!json_parse(answer->body.text, answer->body.size, &root, &unread))
		root = NULL;
	if (answer->status != 200) {
		read_error(root, answer->status, arena, &grant);
	} else if (root == NULL) {
		grant.end = CLI_GRANT_AMBIGUOUS;
		grant.error = "an answer that cannot be read";
	} else {
		read_granted(root, arena, &grant);
	}
	return grant;
}

/* --- the device grant -------------------------------------------------------------------------------------------- */

/* Shown to people and opened in their browser, so nothing else than a plain address. */
static bool is_web_address(const char *text)
{
	if (text == NULL || (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0))
		return false;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at <= ' ' || *at > '~')
			return false;
	}
	return true;
}

bool device_start_read(
	const struct json *root, struct arena *arena, struct device_start *ret_start, struct problem *problem)
{
	struct device_start start = {.device_code = read_secret(root, "device_code", arena),
		.user_code = read_text(root, "user_code", 64, arena),
		.verification_uri = read_text(root, "verification_uri", TEXT_BYTES_MAX, arena),
		.verification_uri_complete = read_text(root, "verification_uri_complete", TEXT_BYTES_MAX, arena),
		.expires_in_s = read_number(root, "expires_in", 0, EXPIRES_S_MAX),
		.interval_s = read_number(root, "interval", INTERVAL_DEFAULT_S, INTERVAL_S_MAX)};

	if (secret_is_empty(start.device_code) || start.user_code == NULL || !is_web_address(start.verification_uri) ||
		start.expires_in_s == 0)
		return problem_set(problem, PROBLEM_INTERNAL,
			"The answer does not say what to open and which code to enter; is this the right service?");
	if (!is_web_address(start.verification_uri_complete))
		start.verification_uri_complete = NULL;
	if (start.interval_s == 0)
		start.interval_s = 1;
	*ret_start = start;
	return true;
}

/* Whoever approves is to know the machine again that they sit at (RFC 8628 section 5.4); no other request names it. */
static const char *describe_machine(struct cli *cli)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (gethostname(name, sizeof(name)) != 0)
		return NULL;
	name[HOST_NAME_MAX] = '\0';
	return arena_printf(cli->arena, "gatehouse on %s", output_plain(cli->arena, name));
}

bool authorization_start_device(struct cli *cli, struct device_start *ret_start, struct problem *problem)
{
	struct text form = begin_form(cli);
	struct http_answer answer = cli_ask(cli, &(struct ask){.method = "POST",
							 .path = "/oauth2/device_authorization",
							 .form = form.bytes,
							 .agent = describe_machine(cli),
							 .timeout_ms = AUTHORIZATION_MS});
	SCOPED(json_release) struct json *root = NULL;
	struct cli_grant wrong = {.error = ""};

	if (answer.transport != TRANSPORT_ANSWERED)
		return cli_unreachable(cli, &answer, problem);
	if (!json_parse(answer.body.text, answer.body.size, &root, problem))
		root = NULL;
	if (answer.status == 200)
		return device_start_read(root, cli->arena, ret_start, problem);
	read_error(root, answer.status, cli->arena, &wrong);
	(void)problem_set(problem, answer.status == 429 || answer.status == 503 ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL,
		"%.150s does not begin a login: %.60s.", cli->issuer, wrong.error);
	return problem_detail(problem, "%.400s", wrong.description);
}

struct cli_grant authorization_poll_device(struct cli *cli, struct secret device_code)
{
	struct text form = begin_form(cli);

	text_add_form(&form, "grant_type", DEVICE_GRANT);
	text_add_form(&form, "device_code", device_code.text);
	struct http_answer answer = ask_form(cli, "/oauth2/token", form.bytes);

	return read_grant(&answer, cli->arena);
}

struct cli_grant authorization_refresh(struct cli *cli, struct secret refresh_token)
{
	struct text form = begin_form(cli);

	text_add_form(&form, "grant_type", "refresh_token");
	text_add_form(&form, "refresh_token", refresh_token.text);
	struct http_answer answer = ask_form(cli, "/oauth2/token", form.bytes);

	return read_grant(&answer, cli->arena);
}

bool authorization_revoke(struct cli *cli, struct secret refresh_token, struct problem *problem)
{
	struct text form = begin_form(cli);

	text_add_form(&form, "token", refresh_token.text);
	text_add_form(&form, "token_type_hint", "refresh_token");
	struct http_answer answer = ask_form(cli, "/oauth2/revoke", form.bytes);

	if (answer.transport != TRANSPORT_ANSWERED)
		return cli_unreachable(cli, &answer, problem);
	return answer.status == 200 ||
	       problem_set(problem, PROBLEM_INTERNAL, "%.150s answered %d.", cli->issuer, answer.status);
}
