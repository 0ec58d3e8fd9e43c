/* SPDX-License-Identifier: Apache-2.0 */
/* What a provisioner says of a build: see provisioner.h. A build is held by the user who acquired it; attempt tells
 * apart two processes of one user, where a lease ran out in between. */
#include "provisioner.h"

#include <string.h>

#include "../base/json_text.h"
#include "../base/log.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/workspace_json.h"
#include "../store/provisioner.h"

static const char *const end_words[] = {"succeeded", "failed", "canceled"};

struct end_input {
	const char *status;
	const char *error; /* as text */
	int64_t attempt;   /* 0: not given */
};

static bool check_status(const char *status, struct problem *problem)
{
	for (size_t i = 0; i < COUNT_OF(end_words); i++)
		if (strcmp(end_words[i], status) == 0)
			return true;
	return problem_add_violation(problem, "status", "must be `succeeded`, `failed` or `canceled`");
}

/* Every character of UTF-8 has one byte that continues none. */
static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0u) != 0x80u;
	return count;
}

static bool check_error(const char *error, struct problem *problem)
{
	if (error == NULL || count_characters(error) <= BUILD_ERROR_CHARS_MAX)
		return true;
	return problem_add_violation(problem, "error", "must be at most %d characters", BUILD_ERROR_CHARS_MAX);
}

static bool read_end(const struct request *request, struct end_input *ret_input, struct problem *problem)
{
	*ret_input = (struct end_input){0};
	const struct json_field fields[] = {
		{.name = "status", .type = JSON_STRING, .target = &ret_input->status, .required = true},
		{.name = "error", .type = JSON_STRING, .target = &ret_input->error},
		{.name = "attempt", .type = JSON_INTEGER, .target = &ret_input->attempt, .min = 1, .max = INT32_MAX},
	};
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	if (ret_input->status != NULL)
		good = check_status(ret_input->status, problem) && good;
	return check_error(ret_input->error, problem) && good;
}

static bool read_attempt(const struct request *request, int64_t *ret_attempt, struct problem *problem)
{
	const struct json_field fields[] = {
		{.name = "attempt", .type = JSON_INTEGER, .target = ret_attempt, .min = 1, .max = INT32_MAX},
	};

	return json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);
}

static bool build_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such build.");
}

static bool not_held(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_CONFLICT, "You do not hold this build.");
	return problem_detail(problem, "Its lease ran out and another provisioner has it, or it has ended. Drop your "
				       "work on it.");
}

static bool hold_of(
	const struct request *request, int64_t attempt, struct build_hold *ret_hold, struct problem *problem)
{
	const char *id = request_parameter(request, "id");

	*ret_hold = (struct build_hold){.id = id, .provisioner_id = request->caller.user_id, .attempt = attempt};
	return name_is_uuid(id) || build_missing(problem);
}

static bool find_build(const struct request *request, struct build_record *ret_record, struct problem *problem)
{
	bool found = false;

	if (!build_find(request->service->store, request->arena, request_parameter(request, "id"), &found, ret_record,
		    problem))
		return false;
	return found || build_missing(problem);
}

/* Why the build is not the caller's: there is none, or it is another's. Always false. */
static bool refuse_hold(const struct request *request, struct problem *problem)
{
	struct build_record record;

	return find_build(request, &record, problem) && not_held(problem);
}

bool api_build_renew(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct service *service = request->service;
	struct build_hold hold;
	int64_t attempt = 0;
	int64_t until_ms = 0;
	bool held = false;

	if (!read_attempt(request, &attempt, problem) || !subject_allow(request, ACTION_PROVISION, problem) ||
		!hold_of(request, attempt, &hold, problem))
		return false;
	if (!build_renew(service->store, &hold, service->config->build_lease_ms, &held, &until_ms, problem))
		return false;
	if (!held)
		return refuse_hold(request, problem);

	struct text body = text_in(request->arena);

	json_text_open(&body, NULL, '{');
	json_add_time(&body, "lease_expires_at", until_ms, request->arena);
	json_text_close(&body, '}');
	reply_json_text(reply, 200, body.bytes);
	return true;
}

bool api_build_release(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct build_hold hold;
	int64_t attempt = 0;
	bool held = false;

	if (!read_attempt(request, &attempt, problem) || !subject_allow(request, ACTION_PROVISION, problem) ||
		!hold_of(request, attempt, &hold, problem))
		return false;
	if (!build_release(request->service->store, &hold, &held, problem))
		return false;
	if (!held)
		return refuse_hold(request, problem);
	reply_empty(reply, 204);
	return true;
}

static const char *error_text(const struct request *request, const char *message)
{
	struct text error = text_in(request->arena);

	if (message == NULL)
		return NULL;
	json_text_open(&error, NULL, '{');
	json_text_string(&error, "message", message);
	json_text_close(&error, '}');
	return error.bytes;
}

bool api_build_complete(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct end_input input;
	struct build_hold hold;
	struct build_record record;
	enum complete_end end = COMPLETE_NOT_FOUND;

	if (!read_end(request, &input, problem) || !subject_allow(request, ACTION_PROVISION, problem) ||
		!hold_of(request, input.attempt, &hold, problem))
		return false;
	if (!build_complete(
		    request->service->store, &hold, input.status, error_text(request, input.error), &end, problem))
		return false;
	if (end == COMPLETE_NOT_HELD)
		return not_held(problem);
	if (end == COMPLETE_NOT_FOUND)
		return build_missing(problem);
	if (!find_build(request, &record, problem))
		return false;

	struct text body = text_in(request->arena);

	build_json_add(&body, NULL, &record, request->arena);
	reply_json_text(reply, 200, body.bytes);
	return true;
}
