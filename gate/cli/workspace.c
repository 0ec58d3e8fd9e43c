/* SPDX-License-Identifier: Apache-2.0 */
/* `check` and `create`: asking the gate, and what mends its no. */
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/config.h"
#include "api.h"
#include "commands.h"
#include "output.h"

#define WAIT_POLL_MS 3000
#define WAIT_TIMEOUT_MS 900000

struct wish {
	const char *name;
	const char *owner; /* as it stands in a path */
	bool is_own;
	const char *template_id;
	const char *version_id;
	const char *body;
	const char *key;
	struct deadline deadline;
};

static bool find_template(struct cli *cli, const char *given, struct wish *wish, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;
	const char *path = api_path(cli, "/api/v2/templates/%s", api_escape(cli, given));

	if (!api_call(cli, &(struct api_request){.method = "GET", .path = path}, &answer, problem))
		return false;
	wish->template_id = arena_copy(cli->arena, api_text(answer.json, "id"));
	wish->version_id = arena_copy(cli->arena, api_text(answer.json, "active_version_id"));
	return true;
}

static void read_owner(const struct cli *cli, struct wish *wish)
{
	const char *given = cli_value(cli, "--owner");

	wish->is_own = given == NULL || strcmp(given, "me") == 0;
	wish->owner = given != NULL ? given : "me";
}

/* --- check ------------------------------------------------------------------------------------------------------- */

static void print_warnings(struct cli *cli, const struct json *warnings)
{
	for (const struct json *one = json_first(warnings); one != NULL; one = json_next(one))
		(void)fprintf(stderr, "warning: %s\n", output_plain(cli->arena, api_text(one, "message")));
}

static int print_decision(struct cli *cli, const struct api_answer *answer, bool is_own)
{
	const char *outcome = api_text(answer->json, "outcome");
	bool allowed = json_bool(json_member(answer->json, "allowed"), false);

	if (cli->json) {
		api_print(answer);
	} else {
		output_say(cli, "%s", api_text(answer->json, "message"));
		output_states(cli, json_member(answer->json, "external_auth"), is_own, stdout);
		print_warnings(cli, json_member(answer->json, "warnings"));
	}
	if (allowed)
		return EXIT_DONE;
	return strcmp(outcome, "unverifiable") == 0 ? EXIT_BUSY : EXIT_REFUSED;
}

int cli_check(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer = {.body = ""};
	SCOPED(json_release) struct json *body = json_new_object();
	struct problem problem = {.kind = PROBLEM_NONE};
	struct wish wish = {.name = ""};

	read_owner(cli, &wish);
	output_progress(cli, "Asking the gate");
	if (!find_template(cli, cli->arguments[0], &wish, &problem))
		return cli_fail(cli, &problem);
	json_add_string(body, "owner", wish.owner);
	json_add_string(body, "template_version_id", wish.version_id);
	if (!api_call(cli,
		    &(struct api_request){
			    .method = "POST", .path = "/gate/v1/check", .json = json_print(body, cli->arena)},
		    &answer, &problem))
		return cli_fail(cli, &problem);
	output_progress_end(cli);
	return print_decision(cli, &answer, wish.is_own);
}

/* --- create ------------------------------------------------------------------------------------------------------ */

/* --parameter NAME=VALUE, each once. */
static bool add_parameters(struct cli *cli, struct json *body)
{
	struct json *parameters = json_add_object(body, "parameters");

	for (size_t i = 0; i < cli->given_count; i++) {
		const char *value = cli->given[i].value;
		const char *equals = strchr(value, '=');

		if (strcmp(cli->given[i].flag, "--parameter") != 0)
			continue;
		if (equals == NULL || equals == value)
			return false;
		const char *name = arena_copy_bytes(cli->arena, value, (size_t)(equals - value));

		if (json_member(parameters, name) != NULL)
			return false;
		json_add_string(parameters, name, equals + 1);
	}
	return true;
}

static bool make_body(struct cli *cli, struct wish *wish)
{
	SCOPED(json_release) struct json *body = json_new_object();
	const char *claim = cli_value(cli, "--claim-prebuild");

	json_add_string(body, "name", wish->name);
	json_add_string(body, "template_id", wish->template_id);
	if (claim != NULL)
		json_add_string(body, "claim_prebuild", claim);
	if (!add_parameters(cli, body))
		return false;
	wish->body = json_print(body, cli->arena);
	return true;
}

static int print_created(struct cli *cli, const struct api_answer *answer)
{
	struct table table = table_in(cli->arena, 2);
	const struct json *build = json_member(answer->json, "latest_build");

	if (cli->json) {
		api_print(answer);
		return EXIT_DONE;
	}
	table_add(&table, (const char *const[]){"Workspace", api_text(answer->json, "name")});
	table_add(&table, (const char *const[]){"Owner", api_text(answer->json, "owner_name")});
	table_add(&table, (const char *const[]){"Id", api_text(answer->json, "id")});
	table_add(&table, (const char *const[]){"Build", api_text(build, "status")});
	table_print(&table, stdout);
	print_warnings(cli, json_member(answer->json, "warnings"));
	return EXIT_DONE;
}

static bool is_gates_no(const struct problem *problem)
{
	return problem->kind == PROBLEM_EXTERNAL_AUTH_REQUIRED || problem->kind == PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE;
}

/* A no is told once: on stdout as JSON, else on stderr with what mends it. */
static int tell_refusal(
	struct cli *cli, const struct wish *wish, const struct api_answer *answer, const struct problem *problem)
{
	struct problem short_problem = *problem;

	/* What the table says is not said in prose as well. */
	if (is_gates_no(problem))
		short_problem.detail[0] = '\0';
	int code = cli_fail(cli, &short_problem);

	if (!is_gates_no(problem))
		return code;
	if (cli->json)
		api_print(answer);
	else
		output_states(cli, json_member(answer->json, "external_auth"), wish->is_own, stderr);
	return code;
}

/* What still stands in the way. */
struct obstacle {
	const char *name; /* NULL: nothing that is required */
	bool is_missing;  /* the owner mends it; else nobody can tell right now */
};

static bool ask_preflight(
	struct cli *cli, const struct wish *wish, struct obstacle *ret_obstacle, struct problem *problem)
{
	SCOPED(api_answer_release) struct api_answer answer;
	const char *path = api_path(cli, "/api/v2/templateversions/%s/external-auth?user_id=%s", wish->version_id,
		api_escape(cli, wish->owner));

	*ret_obstacle = (struct obstacle){.name = NULL};
	if (!api_call(cli, &(struct api_request){.method = "GET", .path = path}, &answer, problem))
		return false;
	for (const struct json *one = json_first(answer.json); one != NULL; one = json_next(one)) {
		bool matters = !json_bool(json_member(one, "optional"), false) &&
			       strcmp(api_text(one, "verdict"), "ok") != 0 && json_member(one, "exemption") == NULL;

		if (matters && ret_obstacle->name == NULL)
			ret_obstacle->name = arena_printf(
				cli->arena, "%s (%s)", api_text(one, "display_name"), api_text(one, "reason"));
		if (matters && strcmp(api_text(one, "verdict"), "missing") == 0)
			ret_obstacle->is_missing = true;
	}
	return true;
}

/* Until the preflight shows nothing that stands in the way. A preflight that fails because the service cannot right now
 * is asked again. problem comes with the gate's no, which stands where no time is left to ask. */
static bool await_mended(struct cli *cli, const struct wish *wish, struct problem *problem)
{
	struct obstacle obstacle = {.name = "the gate", .is_missing = problem->kind == PROBLEM_EXTERNAL_AUTH_REQUIRED};

	*problem = (struct problem){.kind = PROBLEM_NONE};
	while (!deadline_passed(wish->deadline)) {
		int64_t left_ms = deadline_left_ms(wish->deadline);

		output_progress(cli, "Waiting for %s (%lld s left)", obstacle.name, (long long)(left_ms / 1000));
		output_sleep_ms(WAIT_POLL_MS < left_ms ? WAIT_POLL_MS : left_ms);
		if (!ask_preflight(cli, wish, &obstacle, problem) && !api_may_pass(problem))
			return false;
		if (obstacle.name == NULL && problem->kind == PROBLEM_NONE)
			return true;
		obstacle.name = obstacle.name != NULL ? obstacle.name : "the service";
		*problem = (struct problem){.kind = PROBLEM_NONE};
	}
	(void)problem_set(problem,
		obstacle.is_missing ? PROBLEM_EXTERNAL_AUTH_REQUIRED : PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE,
		"%.100s was not mended in time.", obstacle.name);
	return problem_detail(problem, "Nothing was created.");
}

static int create(struct cli *cli, const struct wish *wish)
{
	const char *path = api_path(cli, "/api/v2/users/%s/workspaces", api_escape(cli, wish->owner));
	bool told = false;

	for (;;) {
		SCOPED(api_answer_release) struct api_answer answer;
		struct problem problem = {.kind = PROBLEM_NONE};

		output_progress(cli, "Creating %s", wish->name);
		if (api_call(cli,
			    &(struct api_request){
				    .method = "POST", .path = path, .json = wish->body, .idempotency_key = wish->key},
			    &answer, &problem)) {
			output_progress_end(cli);
			return print_created(cli, &answer);
		}
		if (cli_value(cli, "--wait") == NULL || !is_gates_no(&problem))
			return tell_refusal(cli, wish, &answer, &problem);
		if (!told) {
			output_progress_end(cli);
			output_states(cli, json_member(answer.json, "external_auth"), wish->is_own, stderr);
		}
		told = true;
		if (!await_mended(cli, wish, &problem)) {
			if (cli->json && is_gates_no(&problem))
				api_print(&answer);
			return cli_fail(cli, &problem);
		}
	}
}

int cli_create(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct wish wish = {.name = cli->arguments[0], .key = uuid_in(cli->arena)};
	const char *template = cli_value(cli, "--template");
	const char *timeout = cli_value(cli, "--timeout");
	int64_t timeout_ms = WAIT_TIMEOUT_MS;

	if (template == NULL)
		return cli_wrong_usage(cli, "--template is missing");
	if (timeout != NULL && !config_parse_duration(timeout, &timeout_ms))
		return cli_wrong_usage(cli, "--timeout must be a time such as 15m");
	wish.deadline = deadline_in_ms(timeout_ms);
	read_owner(cli, &wish);
	if (!find_template(cli, template, &wish, &problem))
		return cli_fail(cli, &problem);
	if (!make_body(cli, &wish))
		return cli_wrong_usage(cli, "--parameter is NAME=VALUE, each name once");
	return create(cli, &wish);
}
