/* SPDX-License-Identifier: Apache-2.0 */
/* `whoami`, `status` and `disconnect`: the caller and their links. */
#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/text.h"
#include "api.h"
#include "commands.h"
#include "output.h"
#include "policy.h"
#include "session.h"

/* --- whoami ------------------------------------------------------------------------------------------------------ */

static const char *join_words(struct cli *cli, const struct json *list)
{
	struct text text = text_in(cli->arena);

	for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
		if (json_string(one) == NULL)
			continue;
		text_add(&text, text.size > 0 ? ", " : "");
		text_add(&text, json_string(one));
	}
	return text.bytes;
}

int cli_whoami(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};
	struct table table = table_in(cli->arena, 2);

	if (!api_call(cli, &(struct api_request){.method = "GET", .path = "/api/v2/users/me"}, &answer, &problem))
		return cli_fail(cli, &problem);
	if (cli->json) {
		api_print(&answer);
		return EXIT_DONE;
	}
	table_add(&table, (const char *const[]){"User", api_text(answer.json, "username")});
	table_add(&table, (const char *const[]){"Roles", join_words(cli, json_member(answer.json, "roles"))});
	table_add(&table, (const char *const[]){"Service", cli->issuer});
	table_add(&table,
		(const char *const[]){"By", secret_is_empty(cli->fixed_token)
						    ? arena_printf(cli->arena, "login, profile %s", cli->profile)
						    : "GATEHOUSE_TOKEN"});
	table_print(&table, stdout);
	return EXIT_DONE;
}

/* --- status ------------------------------------------------------------------------------------------------------ */

static const struct json *find_link(const struct json *links, const char *provider_id)
{
	for (const struct json *link = json_first(links); link != NULL; link = json_next(link)) {
		if (strcmp(api_text(link, "provider_id"), provider_id) == 0)
			return link;
	}
	return NULL;
}

static void add_provider(struct table *table, const struct json *provider, const struct json *link)
{
	bool good = json_bool(json_member(link, "authenticated"), false);
	const char *state = link == NULL ? "not connected" : good ? "connected" : "not usable";
	const char *const cells[] = {api_text(provider, "id"), api_text(provider, "display_name"), state,
		api_text(link, "reason"), api_text(link, "expires")};

	table_add(table, cells);
}

/* Links of providers that are no longer configured stand behind those that are. */
static void add_orphans(struct table *table, const struct json *providers, const struct json *links)
{
	for (const struct json *link = json_first(links); link != NULL; link = json_next(link)) {
		const char *id = api_text(link, "provider_id");
		bool configured = false;

		for (const struct json *one = json_first(providers); one != NULL; one = json_next(one))
			configured = configured || strcmp(api_text(one, "id"), id) == 0;
		if (!configured)
			table_add(table, (const char *const[]){id, id, "no longer offered", NULL, NULL});
	}
}

/* Connecting again is advised where that mends it: what waiting or an operator mends has been said in words. */
static bool is_owners_turn(const struct json *link)
{
	const char *reason = api_text(link, "reason");

	return link == NULL || reason_fixable_by(reason_from_word(reason)) == FIXABLE_BY_OWNER;
}

static void print_advice(struct cli *cli, const struct json *providers, const struct json *links)
{
	for (const struct json *one = json_first(providers); one != NULL; one = json_next(one)) {
		const char *id = output_plain(cli->arena, api_text(one, "id"));
		const struct json *link = find_link(links, id);
		const char *error = api_text(link, "validate_error");

		if (json_bool(json_member(link, "authenticated"), false))
			continue;
		if (error[0] != '\0')
			(void)printf("%s: %s\n", id, output_plain(cli->arena, error));
		if (is_owners_turn(link))
			(void)printf("To connect %s: gatehouse connect %s\n",
				output_plain(cli->arena, api_text(one, "display_name")), id);
	}
}

static void print_places(struct cli *cli)
{
	struct problem unread = {.kind = PROBLEM_NONE};
	struct token_entry entry = {.store = TOKEN_STORE_FILE};
	struct table table = table_in(cli->arena, 2);
	bool found = false;

	table_add(&table, (const char *const[]){"Service", cli->issuer});
	if (cli->state != NULL && session_read(cli, &found, &entry, &unread) && found) {
		table_add(&table, (const char *const[]){"Profile", cli->profile});
		table_add(&table, (const char *const[]){"Tokens",
					  entry.store == TOKEN_STORE_KEYRING
						  ? "in the keyring"
						  : arena_printf(cli->arena, "%s/" TOKEN_FILE_NAME, cli->state->path)});
		table_add(&table, (const char *const[]){"Lock", session_lock_path(cli, entry.store)});
		table_add(&table, (const char *const[]){"Expires", clock_rfc3339(cli->arena, entry.expires_at_ms)});
	}
	table_print(&table, stdout);
	(void)fputc('\n', stdout);
}

int cli_status(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};
	struct table table = table_in(cli->arena, 5);

	output_progress(cli, "Asking the providers");
	if (!api_call(cli, &(struct api_request){.method = "GET", .path = "/api/v2/external-auth"}, &answer, &problem))
		return cli_fail(cli, &problem);
	output_progress_end(cli);
	if (cli->json) {
		api_print(&answer);
		return EXIT_DONE;
	}
	const struct json *providers = json_member(answer.json, "providers");
	const struct json *links = json_member(answer.json, "links");

	if (cli->verbose)
		print_places(cli);
	table_add(&table, (const char *const[]){"PROVIDER", "NAME", "STATE", "REASON", "EXPIRES"});
	for (const struct json *one = json_first(providers); one != NULL; one = json_next(one))
		add_provider(&table, one, find_link(links, api_text(one, "id")));
	add_orphans(&table, providers, links);
	table_print(&table, stdout);
	print_advice(cli, providers, links);
	return EXIT_DONE;
}

/* --- disconnect -------------------------------------------------------------------------------------------------- */

int cli_disconnect(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};
	const char *id = cli->arguments[0];
	const char *path = api_path(cli, "/api/v2/external-auth/%s", api_escape(cli, id));

	output_progress(cli, "Disconnecting %s", id);
	if (!api_call(cli, &(struct api_request){.method = "DELETE", .path = path}, &answer, &problem))
		return cli_fail(cli, &problem);
	output_progress_end(cli);
	if (cli->json) {
		api_print(&answer);
		return EXIT_DONE;
	}
	const char *wrong = api_text(answer.json, "token_revocation_error");

	output_say(cli, "Disconnected %s.", id);
	if (json_bool(json_member(answer.json, "token_revoked"), false))
		output_say(cli, "The provider has revoked the token.");
	else
		output_say(cli, "The token was not revoked at the provider%s%s", wrong[0] != '\0' ? ": " : ".", wrong);
	return EXIT_DONE;
}
