/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the service's API: see api.h. */
#include "api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../base/text.h"
#include "ask.h"
#include "session.h"

/* A request with an Idempotency-Key may be sent again: the service answers it once. */
#define KEYED_TRIES 3
#define KEYED_PAUSE_S 1

#define HTTP_NO_CONTENT 204

/* The service's words are those of this program; that a request was not lawful is no mistake of who typed. */
static enum problem_kind kind_of(const char *code, int status)
{
	for (int kind = PROBLEM_BAD_REQUEST + 1; kind < PROBLEM_KIND_COUNT; kind++) {
		if (strcmp(problem_word((enum problem_kind)kind), code) == 0)
			return (enum problem_kind)kind;
	}
	if (status == 401)
		return PROBLEM_UNAUTHENTICATED;
	return status == 429 || status == 503 ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL;
}

static void add_violations(const struct json *list, struct problem *problem)
{
	for (const struct json *one = json_first(list); one != NULL; one = json_next(one))
		(void)problem_add_violation(problem, api_text(one, "field"), "%s", api_text(one, "detail"));
}

static bool refuse(const struct cli *cli, const struct api_answer *answer, struct problem *problem)
{
	const char *message = api_text(answer->json, "message");

	(void)problem_set(problem, kind_of(api_text(answer->json, "code"), answer->status), "%s",
		message[0] != '\0' ? message : "The service said no.");
	if (answer->status == 401)
		return problem_detail(problem, "%s",
			secret_is_empty(cli->fixed_token) ? "Log in again with `gatehouse login`."
							  : "The token in GATEHOUSE_TOKEN is not good.");
	if (message[0] == '\0')
		return problem_detail(problem, "%.200s answered %d; is it a Gatehouse?", cli->issuer, answer->status);
	(void)problem_detail(problem, "%s", api_text(answer->json, "detail"));
	if (problem->kind == PROBLEM_VALIDATION_FAILED || problem->kind == PROBLEM_NAME_TAKEN)
		add_violations(json_member(answer->json, "validations"), problem);
	return false;
}

/* An empty token is worse than none: what reads it from stdout takes it for one. */
static bool is_no_gatehouse(const struct cli *cli, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "%.150s answers with something else than JSON.", cli->issuer);
	return problem_detail(problem, "Is it a Gatehouse?");
}

static bool send(struct cli *cli, const struct api_request *request, struct secret token, struct api_answer *ret_answer,
	struct problem *problem)
{
	struct problem unread = {.kind = PROBLEM_NONE};
	struct http_answer answer = cli_ask(cli, &(struct ask){.method = request->method,
							 .path = request->path,
							 .token = token,
							 .json = request->json,
							 .idempotency_key = request->idempotency_key,
							 .timeout_ms = request->timeout_ms});

	*ret_answer = (struct api_answer){.body = ""};
	if (answer.transport != TRANSPORT_ANSWERED)
		return cli_unreachable(cli, &answer, problem);
	ret_answer->status = answer.status;
	ret_answer->retry_after_s = http_answer_retry_after_s(&answer);
	ret_answer->body = answer.body.text != NULL ? answer.body.text : "";
	if (answer.body.size > 0 && !json_parse(answer.body.text, answer.body.size, &ret_answer->json, &unread))
		ret_answer->json = NULL;
	if (answer.status >= 300)
		return refuse(cli, ret_answer, problem);
	return ret_answer->json != NULL || answer.status == HTTP_NO_CONTENT || is_no_gatehouse(cli, problem);
}

static bool send_keyed(struct cli *cli, const struct api_request *request, struct secret token,
	struct api_answer *ret_answer, struct problem *problem)
{
	bool good = send(cli, request, token, ret_answer, problem);

	for (int tries = 1; request->idempotency_key != NULL && tries < KEYED_TRIES; tries++) {
		if (ret_answer->status != 0 && problem->kind != PROBLEM_IDEMPOTENCY_KEY_IN_USE)
			return good;
		const struct timespec pause = {.tv_sec = KEYED_PAUSE_S};

		(void)nanosleep(&pause, NULL);
		api_answer_release(ret_answer);
		*problem = (struct problem){.kind = PROBLEM_NONE};
		good = send(cli, request, token, ret_answer, problem);
	}
	return good;
}

bool api_call(
	struct cli *cli, const struct api_request *request, struct api_answer *ret_answer, struct problem *problem)
{
	struct secret token = cli->fixed_token;

	*ret_answer = (struct api_answer){.body = ""};
	if (secret_is_empty(token) && !session_token(cli, (struct secret){.text = NULL}, &token, problem))
		return false;
	if (send_keyed(cli, request, token, ret_answer, problem))
		return true;
	if (ret_answer->status != 401 || !secret_is_empty(cli->fixed_token))
		return false;
	/* It looked good here and is not: revoked, or this clock is wrong. */
	api_answer_release(ret_answer);
	if (!session_token(cli, token, &token, problem))
		return false;
	*problem = (struct problem){.kind = PROBLEM_NONE};
	return send_keyed(cli, request, token, ret_answer, problem);
}

bool api_may_pass(const struct problem *problem)
{
	return problem->kind == PROBLEM_OVERLOADED || problem->kind == PROBLEM_DATABASE_UNAVAILABLE ||
	       problem->kind == PROBLEM_DRAINING;
}

void api_answer_release(struct api_answer *answer)
{
	json_free(answer->json);
	answer->json = NULL;
}

char *api_path(struct cli *cli, const char *format, ...)
{
	char path[URL_BYTES_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return arena_copy(cli->arena, path);
}

const char *api_escape(struct cli *cli, const char *name)
{
	struct text text = text_in(cli->arena);

	text_add_url(&text, name);
	return text.bytes;
}

void api_print(const struct api_answer *answer)
{
	(void)printf("%s\n", answer->body);
}

const char *api_text(const struct json *object, const char *name)
{
	const char *text = json_string(json_member(object, name));

	return text != NULL ? text : "";
}
