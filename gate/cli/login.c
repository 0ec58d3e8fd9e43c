/* SPDX-License-Identifier: Apache-2.0 */
/* `login` and `logout`. The device grant (RFC 8628) serves both ways: over ssh the code is typed into a browser
 * elsewhere, on a desktop the browser opens with it, and no port of this machine has to listen. */
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "api.h"
#include "commands.h"
#include "output.h"
#include "session.h"

/* RFC 8628 section 3.5 */
#define SLOW_DOWN_MS 5000
#define INTERVAL_MS_MAX 300000

static bool read_store(const struct cli *cli, enum token_store *ret_store)
{
	const char *word = cli_value(cli, "--store");

	*ret_store = word != NULL && strcmp(word, "keyring") == 0 ? TOKEN_STORE_KEYRING : TOKEN_STORE_FILE;
	return word == NULL || strcmp(word, "keyring") == 0 || strcmp(word, "file") == 0;
}

/* The code is shown also where the address holds it: it is to be compared (RFC 8628 section 3.3.1). */
static void invite(const struct cli *cli, const struct device_start *start)
{
	const char *complete = start->verification_uri_complete;

	output_say(cli, "Open %s", start->verification_uri);
	output_say(cli, "and enter the code %s", start->user_code);
	if (complete != NULL && cli_value(cli, "--no-browser") == NULL && output_open_browser(cli, complete))
		output_say(cli, "Your browser opens; compare the code there with the one above.");
	else if (complete != NULL)
		output_say(cli, "or open %s and compare the code.", complete);
}

/* --- waiting ----------------------------------------------------------------------------------------------------- */

static void wait_interval(struct cli *cli, int64_t interval_ms, struct deadline deadline)
{
	int64_t left_ms = deadline_left_ms(deadline);

	output_progress(cli, "Waiting for your approval (%lld s left)", (long long)(left_ms / 1000));
	output_sleep_ms(interval_ms < left_ms ? interval_ms : left_ms);
}

static bool refused(const struct cli *cli, const struct cli_grant *grant, struct problem *problem)
{
	if (strcmp(grant->error, "access_denied") == 0)
		return problem_set(problem, PROBLEM_FORBIDDEN, "The login was denied in the browser.");
	if (strcmp(grant->error, "expired_token") == 0)
		return problem_set(problem, PROBLEM_FORBIDDEN, "The code has expired; run `gatehouse login` again.");
	(void)problem_set(problem, PROBLEM_INTERNAL, "%.150s does not log you in: %.80s.", cli->issuer, grant->error);
	return problem_detail(problem, "%.400s", grant->description);
}

/* RFC 8628 section 3.5: the interval is what lies between two requests at least; slow_down and a service that cannot be
 * reached make it longer for good. */
static bool await_approval(
	struct cli *cli, const struct device_start *start, struct cli_grant *ret_grant, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(start->expires_in_s * 1000);
	int64_t interval_ms = start->interval_s * 1000;

	for (;;) {
		wait_interval(cli, interval_ms, deadline);
		if (deadline_passed(deadline))
			return problem_set(
				problem, PROBLEM_FORBIDDEN, "The code has expired; run `gatehouse login` again.");
		*ret_grant = authorization_poll_device(cli, start->device_code);
		switch (ret_grant->end) {
		case CLI_GRANT_GRANTED:
			return true;
		case CLI_GRANT_PENDING:
			break;
		case CLI_GRANT_SLOW_DOWN:
			interval_ms += SLOW_DOWN_MS;
			break;
		case CLI_GRANT_TRANSIENT:
		case CLI_GRANT_AMBIGUOUS:
			interval_ms = interval_ms * 2 < INTERVAL_MS_MAX ? interval_ms * 2 : INTERVAL_MS_MAX;
			break;
		case CLI_GRANT_REFUSED:
		case CLI_GRANT_MISCONFIGURED:
			return refused(cli, ret_grant, problem);
		}
	}
}

/* --- login ------------------------------------------------------------------------------------------------------- */

static void revoke_replaced(struct cli *cli, struct secret replaced)
{
	struct problem unsaid = {.kind = PROBLEM_NONE};

	/* The new login is good whatever becomes of the old one, which ends by itself. */
	if (!secret_is_empty(replaced) && !authorization_revoke(cli, replaced, &unsaid))
		output_say(cli, "The login that was here before could not be ended at the service; it ends by itself.");
}

static int greet(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};

	if (!api_call(cli, &(struct api_request){.method = "GET", .path = "/api/v2/users/me"}, &answer, &problem))
		return cli_fail(cli, &problem);
	if (cli->json)
		api_print(&answer);
	else
		output_say(cli, "Logged in to %s as %s.", cli->issuer, api_text(answer.json, "username"));
	return EXIT_DONE;
}

/* Once, where it is decided, and not with every command. */
static void warn_of_shared_place(const struct cli *cli)
{
	const char *kind = state_directory_shared(cli->state);

	if (kind != NULL)
		(void)fprintf(stderr,
			"gatehouse: %s is on %s, where locks between machines may fail; set XDG_STATE_HOME to a place "
			"on a local file system\n",
			cli->state->path, kind);
}

static bool log_in(struct cli *cli, enum token_store store, struct problem *problem)
{
	struct device_start start;
	struct cli_grant grant = {.error = ""};
	struct secret replaced = {.text = NULL};

	if (!authorization_start_device(cli, &start, problem))
		return false;
	invite(cli, &start);
	if (!await_approval(cli, &start, &grant, problem))
		return false;
	output_progress_end(cli);
	if (secret_is_empty(grant.access_token))
		return problem_set(problem, PROBLEM_INTERNAL, "%.150s answered with %s.", cli->issuer, grant.error);
	warn_of_shared_place(cli);
	token_file_sweep(cli->state);
	if (!session_save_login(cli, &grant, store, &replaced, problem)) {
		struct problem unsaid = {.kind = PROBLEM_NONE};

		if (!secret_is_empty(grant.refresh_token) && !authorization_revoke(cli, grant.refresh_token, &unsaid))
			(void)fputs("gatehouse: the login that could not be saved ends by itself\n", stderr);
		return false;
	}
	revoke_replaced(cli, replaced);
	return true;
}

int cli_login(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	enum token_store store = TOKEN_STORE_FILE;
	bool has_fixed = !secret_is_empty(cli->fixed_token);

	if (!read_store(cli, &store))
		return cli_wrong_usage(cli, "--store is file or keyring");
	if (!log_in(cli, store, &problem))
		return cli_fail(cli, &problem);
	cli->fixed_token = (struct secret){.text = NULL};

	int code = greet(cli);

	if (has_fixed)
		(void)fputs("gatehouse: GATEHOUSE_TOKEN is set and goes before this login\n", stderr);
	return code;
}

/* --- logout ------------------------------------------------------------------------------------------------------ */

static bool revoke(struct cli *cli, struct problem *problem)
{
	struct token_entry entry;
	struct problem why = {.kind = PROBLEM_NONE};
	bool found = false;

	if (cli_value(cli, "--local") != NULL)
		return true;
	if (!session_read(cli, &found, &entry, problem))
		return false;
	if (!found || secret_is_empty(entry.refresh_token) || authorization_revoke(cli, entry.refresh_token, &why))
		return true;
	(void)problem_set(problem, why.kind, "The service could not be told that the login ends: %.150s", why.message);
	return problem_detail(problem, "It may still be good there, so it is kept: try again, or forget it here alone "
				       "with `gatehouse logout --local`.");
}

/* The service says nothing at the end of a login, so --json has only what was done here. */
static int tell_logged_out(struct cli *cli, bool was_logged_in)
{
	SCOPED(json_release) struct json *root = json_new_object();

	output_say(cli, was_logged_in ? "Logged out of %s." : "You are not logged in to %s.", cli->issuer);
	json_add_string(root, "url", cli->issuer);
	json_add_string(root, "profile", cli->profile);
	json_add_bool(root, "logged_out", was_logged_in);
	if (cli->json)
		(void)printf("%s\n", json_print(root, cli->arena));
	return EXIT_DONE;
}

int cli_logout(struct cli *cli)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct token_entry entry = {.store = TOKEN_STORE_FILE};
	struct token_lock lock;
	bool found = false;

	if (!secret_is_empty(cli->fixed_token) && cli->state == NULL)
		return cli_wrong_usage(cli, "GATEHOUSE_TOKEN is set; there is no login to end");
	/* A keyring that does not answer must not keep a login from being forgotten here. */
	if (!session_read(cli, &found, &entry, &problem) && cli_value(cli, "--local") == NULL)
		return cli_fail(cli, &problem);
	if (!found)
		return tell_logged_out(cli, false);
	if (!session_lock(cli, entry.store, &lock, &problem))
		return cli_fail(cli, &problem);

	bool good = revoke(cli, &problem) && session_remove(cli, &problem);

	token_lock_release(&lock);
	if (!good)
		return cli_fail(cli, &problem);
	return tell_logged_out(cli, true);
}
