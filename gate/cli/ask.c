/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the service: see ask.h. */
#include "ask.h"

#include <string.h>

/* A page of the decision log or of workspaces is at most a few MiB. */
#define ANSWER_BYTES_MAX (8 * 1024 * 1024)

static void add_header(struct http_request *request, const char *name, const char *value)
{
	request->headers[request->header_count++] =
		(struct http_header){.name = name, .value = {.text = value, .size = strlen(value)}};
}

struct http_answer cli_ask(struct cli *cli, const struct ask *ask)
{
	const char *body = ask->json != NULL ? ask->json : ask->form;
	struct http_request request = {.provider_id = "service",
		.purpose = "ask",
		.method = ask->method,
		.url = arena_printf(cli->arena, "%s%s", cli->issuer, ask->path),
		.body = {.text = body, .size = body != NULL ? strlen(body) : 0},
		.body_bytes_max = ANSWER_BYTES_MAX,
		.deadline = deadline_in_ms(ask->timeout_ms > 0 ? ask->timeout_ms : ASK_DEFAULT_MS)};

	if (cli->http == NULL)
		cli->http = http_client_new();
	add_header(&request, "Accept", "application/json");
	if (!secret_is_empty(ask->token))
		add_header(&request, "Authorization", arena_printf(cli->arena, "Bearer %s", ask->token.text));
	if (ask->json != NULL)
		add_header(&request, "Content-Type", "application/json");
	if (ask->form != NULL)
		add_header(&request, "Content-Type", "application/x-www-form-urlencoded");
	if (ask->agent != NULL)
		add_header(&request, "User-Agent", ask->agent);
	if (ask->idempotency_key != NULL)
		add_header(&request, "Idempotency-Key", ask->idempotency_key);
	return http_client_ask(cli->http, &request, cli->arena);
}

void cli_ask_end(struct cli *cli)
{
	http_client_free(cli->http);
	cli->http = NULL;
}

bool cli_unreachable(const struct cli *cli, const struct http_answer *answer, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "%.150s %s.", cli->issuer,
		answer->transport == TRANSPORT_NOT_SENT ? "cannot be reached" : "did not answer as it should");
	return problem_detail(problem, "%.200s.", answer->failure != NULL ? answer->failure : "No answer came");
}
