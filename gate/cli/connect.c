/* SPDX-License-Identifier: Apache-2.0 */
/* `connect`: an account at a provider, by a link that is opened in a browser or by a code that is entered anywhere. */
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/config.h"
#include "api.h"
#include "authorization.h"
#include "commands.h"
#include "output.h"

#define POLL_MS 2000
#define TIMEOUT_MS 300000
#define SLOW_DOWN_MS 5000

struct connecting {
	const char *id;
	const char *path; /* of the provider */
	bool authenticated;
	bool device;
	const char *name;
	const char *updated_at; /* of a link that is there already; "" where there is none */
	int64_t timeout_ms;
};

static bool ask_provider(struct cli *cli, struct connecting *connecting, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;

	if (!api_call(cli, &(struct api_request){.method = "GET", .path = connecting->path}, &answer, problem))
		return false;
	connecting->authenticated = json_bool(json_member(answer.json, "authenticated"), false);
	connecting->device = json_bool(json_member(answer.json, "device"), false);
	connecting->name = arena_copy(cli->arena, api_text(answer.json, "display_name"));
	return true;
}

/* When the link was written last: whoever connects again has an account that works before and after. */
static bool ask_updated_at(
	struct cli *cli, const struct connecting *connecting, const char **ret_updated_at, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;
	const struct json *link;

	*ret_updated_at = "";
	if (!api_call(cli, &(struct api_request){.method = "GET", .path = "/api/v2/external-auth"}, &answer, problem))
		return false;
	for (link = json_first(json_member(answer.json, "links")); link != NULL; link = json_next(link)) {
		if (strcmp(api_text(link, "provider_id"), connecting->id) == 0)
			*ret_updated_at = arena_copy(cli->arena, api_text(link, "updated_at"));
	}
	return true;
}

static bool is_connected(struct cli *cli, struct connecting *connecting, bool *ret_connected, struct problem *problem)
{
	const char *updated_at = "";

	if (connecting->updated_at[0] == '\0') {
		if (!ask_provider(cli, connecting, problem))
			return false;
		*ret_connected = connecting->authenticated;
		return true;
	}
	if (!ask_updated_at(cli, connecting, &updated_at, problem))
		return false;
	*ret_connected = strcmp(updated_at, connecting->updated_at) != 0 && updated_at[0] != '\0';
	return true;
}

static bool too_late(const struct connecting *connecting, struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_EXTERNAL_AUTH_REQUIRED, "%.60s was not connected in time.", connecting->name);
	return problem_detail(problem, "Run `gatehouse connect %.64s` again.", connecting->id);
}

/* --- in the browser ---------------------------------------------------------------------------------------------- */

static bool invite(struct cli *cli, const struct connecting *connecting, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;
	const char *path = api_path(cli, "/api/v2/users/me/external-auth/%s/link-url", api_escape(cli, connecting->id));
	bool waits = cli_value(cli, "--no-wait") == NULL;

	if (!api_call(cli, &(struct api_request){.method = "POST", .path = path, .json = "{}"}, &answer, problem))
		return false;
	const char *url = api_text(answer.json, "url");

	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return problem_set(problem, PROBLEM_INTERNAL, "The service did not say what to open.");
	if (cli->json && !waits)
		api_print(&answer);
	output_say(cli,
		"Open this link to connect %s. It is good for you alone, once, for five minutes:", connecting->name);
	output_say(cli, "%s", url);
	if (cli_value(cli, "--no-browser") == NULL && output_open_browser(cli, url))
		output_say(cli, "Your browser opens it.");
	return true;
}

static bool connect_in_browser(struct cli *cli, struct connecting *connecting, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(connecting->timeout_ms);
	bool connected = false;

	if (!invite(cli, connecting, problem))
		return false;
	if (cli_value(cli, "--no-wait") != NULL)
		return true;
	while (!connected) {
		output_progress(cli, "Waiting until %s is connected (%lld s left)", connecting->name,
			(long long)(deadline_left_ms(deadline) / 1000));
		output_sleep_ms(POLL_MS < deadline_left_ms(deadline) ? POLL_MS : deadline_left_ms(deadline));
		if (!is_connected(cli, connecting, &connected, problem) && !api_may_pass(problem))
			return false;
		*problem = (struct problem){.kind = PROBLEM_NONE};
		if (!connected && deadline_passed(deadline))
			return too_late(connecting, problem);
	}
	return true;
}

/* --- by a code --------------------------------------------------------------------------------------------------- */

static bool start_device(
	struct cli *cli, const struct connecting *connecting, struct device_start *ret_start, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;
	const char *path = api_path(cli, "%s/device", connecting->path);

	return api_call(cli, &(struct api_request){.method = "GET", .path = path}, &answer, problem) &&
	       device_start_read(answer.json, cli->arena, ret_start, problem);
}

/* One question whether the code was entered. *ret_interval_ms grows where the provider is asked too often. Returns
 * EXIT_DONE where it is connected or may still be. */
static int ask_device(struct cli *cli, const struct connecting *connecting, struct secret code, bool *ret_connected,
	int64_t *ret_interval_ms)
{
	SCOPED(api_answer_release) struct api_answer answer;
	SCOPED(json_release) struct json *body = json_new_object();
	struct problem problem = {.kind = PROBLEM_NONE};
	const char *path = api_path(cli, "%s/device", connecting->path);

	json_add_string(body, "device_code", code.text);
	*ret_connected = api_call(cli,
		&(struct api_request){.method = "POST", .path = path, .json = json_print(body, cli->arena)}, &answer,
		&problem);
	if (*ret_connected)
		return EXIT_DONE;
	const char *detail = api_text(answer.json, "detail");
	/* Who is not logged in any more has no answer either, and gets none by waiting. */
	bool may_pass = (answer.status == 0 && problem.kind != PROBLEM_UNAUTHENTICATED) || answer.status >= 500 ||
			answer.status == 429;

	if (strcmp(detail, "slow_down") == 0)
		*ret_interval_ms += SLOW_DOWN_MS;
	else if (may_pass)
		*ret_interval_ms *= 2;
	else if (strcmp(detail, "authorization_pending") != 0)
		return cli_fail(cli, &problem);
	return EXIT_DONE;
}

static int connect_by_code(struct cli *cli, struct connecting *connecting)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct device_start start;
	bool connected = false;

	if (!start_device(cli, connecting, &start, &problem))
		return cli_fail(cli, &problem);
	output_say(cli, "Open %s", start.verification_uri);
	output_say(cli, "and enter the code %s", start.user_code);
	struct deadline deadline = deadline_in_ms(start.expires_in_s * 1000);
	int64_t interval_ms = start.interval_s * 1000;
	int code = EXIT_DONE;

	while (!connected && code == EXIT_DONE) {
		output_progress(cli, "Waiting until %s is connected (%lld s left)", connecting->name,
			(long long)(deadline_left_ms(deadline) / 1000));
		output_sleep_ms(interval_ms < deadline_left_ms(deadline) ? interval_ms : deadline_left_ms(deadline));
		if (deadline_passed(deadline)) {
			(void)too_late(connecting, &problem);
			return cli_fail(cli, &problem);
		}
		code = ask_device(cli, connecting, start.device_code, &connected, &interval_ms);
	}
	return code;
}

/* --- either ------------------------------------------------------------------------------------------------------ */

static int say_connected(struct cli *cli, struct connecting *connecting)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};

	output_progress_end(cli);
	if (!api_call(cli, &(struct api_request){.method = "GET", .path = connecting->path}, &answer, &problem))
		return cli_fail(cli, &problem);
	const char *login = api_text(json_member(answer.json, "user"), "login");

	if (cli->json)
		api_print(&answer);
	else
		output_say(cli, "%s is connected%s%s.", connecting->name, login[0] != '\0' ? " as " : "", login);
	return EXIT_DONE;
}

int cli_connect(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct connecting connecting = {.id = cli->arguments[0], .updated_at = "", .timeout_ms = TIMEOUT_MS};
	const char *timeout = cli_value(cli, "--timeout");
	int code;

	connecting.path = api_path(cli, "/api/v2/external-auth/%s", api_escape(cli, connecting.id));
	if (timeout != NULL && !config_parse_duration(timeout, &connecting.timeout_ms))
		return cli_wrong_usage(cli, "--timeout must be a time such as 5m");
	if (!ask_provider(cli, &connecting, &problem))
		return cli_fail(cli, &problem);
	if (connecting.authenticated && cli_value(cli, "--force") == NULL)
		return say_connected(cli, &connecting);
	if (connecting.authenticated && !ask_updated_at(cli, &connecting, &connecting.updated_at, &problem))
		return cli_fail(cli, &problem);
	if (cli_value(cli, "--device") != NULL && !connecting.device)
		return cli_wrong_usage(cli, "%s has no codes to enter; leave --device out", connecting.id);
	if (connecting.device && (cli_value(cli, "--device") != NULL || output_is_remote()) &&
		cli_value(cli, "--no-wait") == NULL) {
		code = connect_by_code(cli, &connecting);
		return code == EXIT_DONE ? say_connected(cli, &connecting) : code;
	}
	if (!connect_in_browser(cli, &connecting, &problem))
		return cli_fail(cli, &problem);
	return cli_value(cli, "--no-wait") != NULL ? EXIT_DONE : say_connected(cli, &connecting);
}
