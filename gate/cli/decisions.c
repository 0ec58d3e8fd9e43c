/* SPDX-License-Identifier: Apache-2.0 */
/* `decisions`: the decision log as a table. */
#include <stdio.h>

#include "../base/text.h"
#include "api.h"
#include "commands.h"
#include "output.h"

static const struct {
	const char *flag;
	const char *parameter;
} filters[] = {
	{"--owner", "owner"},
	{"--outcome", "outcome"},
	{"--reason", "reason"},
	{"--since", "since"},
	{"--limit", "limit"},
	{"--after-id", "after_id"},
};

static const char *path_of(struct cli *cli)
{
	struct text query = text_in(cli->arena);

	for (size_t i = 0; i < COUNT_OF(filters); i++) {
		const char *value = cli_value(cli, filters[i].flag);

		if (value != NULL)
			text_add_form(&query, filters[i].parameter, value);
	}
	return arena_printf(cli->arena, "/gate/v1/decisions%s%s", query.size > 0 ? "?" : "", query.bytes);
}

static const char *reasons_of(struct cli *cli, const struct json *list)
{
	struct text text = text_in(cli->arena);

	for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
		text_add(&text, text.size > 0 ? ", " : "");
		text_add(&text, json_string(one) != NULL ? json_string(one) : "");
	}
	return text.bytes;
}

int cli_decisions(struct cli *cli)
{
	SCOPED(api_answer_release) struct api_answer answer;
	struct problem problem = {.kind = PROBLEM_NONE};
	struct table table = table_in(cli->arena, 6);

	if (!api_call(cli, &(struct api_request){.method = "GET", .path = path_of(cli)}, &answer, &problem))
		return cli_fail(cli, &problem);
	if (cli->json) {
		api_print(&answer);
		return EXIT_DONE;
	}
	table_add(&table, (const char *const[]){"TIME", "OWNER", "MOMENT", "OUTCOME", "REASONS", "ID"});
	for (const struct json *one = json_first(json_member(answer.json, "decisions")); one != NULL;
		one = json_next(one)) {
		const char *const cells[] = {api_text(one, "created_at"), api_text(one, "owner_name"),
			api_text(one, "moment"), api_text(one, "outcome"), reasons_of(cli, json_member(one, "reasons")),
			api_text(one, "id")};

		table_add(&table, cells);
	}
	table_print(&table, stdout);
	if (api_text(answer.json, "next_after_id")[0] != '\0')
		output_say(cli, "More: --after-id %s", api_text(answer.json, "next_after_id"));
	return EXIT_DONE;
}
