/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and answering AdmissionReviews: see admission_review_form.h. Unknown fields are ignored: every version of
 * Kubernetes adds some, and the object is somebody else's. */
#include "admission_review_form.h"

#include <string.h>

#include "../base/config.h"
#include "../base/json_pointer.h"
#include "../base/json_text.h"
#include "must_check.h"

#define API_VERSION "admission.k8s.io/v1"
#define KIND "AdmissionReview"

/* On a webhook's timeout the cluster has given up already, so the answer starts earlier: what it takes to read the
 * facts, log the decision and cross the network. */
#define MARGIN_MS 500

/* The beginning of a text as one line, cut between characters. */
static const char *cut_line(const char *text, size_t bytes_max, struct arena *arena)
{
	size_t size = strlen(text);
	size_t kept = 0;
	char *line;

	while (kept < size) {
		size_t next = text_utf8_size(text + kept, size - kept);

		if (next == 0 || kept + next > bytes_max)
			break;
		kept += next;
	}
	line = arena_copy_bytes(arena, text, kept);
	for (char *at = line; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	return line;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool is_review(const char *api_version, const char *kind, struct problem *problem)
{
	bool good = true;

	if (api_version != NULL && strcmp(api_version, API_VERSION) != 0)
		good = problem_add_violation(problem, "apiVersion", "must be " API_VERSION);
	if (kind != NULL && strcmp(kind, KIND) != 0)
		good = problem_add_violation(problem, "kind", "must be " KIND);
	return good;
}

/* The four of admission/v1. What is none of them would pass as if nothing were begun. */
static bool is_operation(const char *operation)
{
	static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT"};

	for (size_t i = 0; i < COUNT_OF(operations); i++)
		if (strcmp(operations[i], operation) == 0)
			return true;
	return false;
}

static bool read_request(const struct json *body, struct arena *arena, struct review *review, struct problem *problem)
{
	const struct json_field fields[] = {
		{.name = "uid", .type = JSON_STRING, .target = &review->uid, .required = true},
		{.name = "operation", .type = JSON_STRING, .target = &review->operation, .required = true},
		{.name = "subResource", .type = JSON_STRING, .target = &review->sub_resource},
		{.name = "object", .type = JSON_OBJECT, .target = &review->object},
		{.name = "oldObject", .type = JSON_OBJECT, .target = &review->old_object},
		{.name = "dryRun", .type = JSON_BOOL, .target = &review->dry_run},
	};

	const char *username = json_string(json_pointer_find(body, "/userInfo/username"));

	review->request = body;
	if (username != NULL)
		review->username = cut_line(username, INITIATOR_BYTES_MAX, arena);
	if (!json_read_fields(body, fields, COUNT_OF(fields), arena, problem))
		return false;
	if (!is_operation(review->operation))
		return problem_add_violation(problem, "operation", "must be CREATE, UPDATE, DELETE or CONNECT");
	return *review->uid != '\0' || problem_add_violation(problem, "uid", "must not be empty");
}

bool review_read(const struct json *body, struct arena *arena, struct review *ret_review, struct problem *problem)
{
	const char *api_version = NULL, *kind = NULL;
	const struct json *request = NULL;
	const struct json_field fields[] = {
		{.name = "apiVersion", .type = JSON_STRING, .target = &api_version, .required = true},
		{.name = "kind", .type = JSON_STRING, .target = &kind, .required = true},
		{.name = "request", .type = JSON_OBJECT, .target = &request, .required = true},
	};
	bool good = json_read_fields(body, fields, COUNT_OF(fields), arena, problem);

	*ret_review = (struct review){.sub_resource = ""};
	good = is_review(api_version, kind, problem) && good;
	if (request == NULL)
		return false;
	return read_request(request, arena, ret_review, problem) && good;
}

bool review_is_start(const struct review *review)
{
	if (strcmp(review->operation, "CREATE") == 0)
		return true;
	if (strcmp(review->operation, "UPDATE") != 0 || strcmp(review->sub_resource, "status") == 0)
		return false;
	/* The stored object says so, not the one its writer sends. */
	return json_string(json_pointer_find(review->old_object, "/metadata/deletionTimestamp")) == NULL;
}

const char *review_find(const struct review *review, const char *pointer)
{
	size_t prefix_size = strlen(REVIEW_POINTER_REQUEST);
	bool in_request = strncmp(pointer, REVIEW_POINTER_REQUEST, prefix_size) == 0;
	const struct json *root = in_request ? review->request : review->object;
	const char *value = json_string(json_pointer_find(root, in_request ? pointer + prefix_size : pointer));

	return value == NULL || *value == '\0' ? NULL : value;
}

int64_t review_budget_ms(int64_t timeout_ms, int64_t budget_max_ms)
{
	int64_t half_ms = (timeout_ms + 1) / 2;
	int64_t budget_ms = timeout_ms - MARGIN_MS > half_ms ? timeout_ms - MARGIN_MS : half_ms;

	return budget_ms < budget_max_ms ? budget_ms : budget_max_ms;
}

/* --- answering --------------------------------------------------------------------------------------------------- */

/* metav1.StatusReason of apimachinery's meta/v1/types.go. */
static const char *status_reason(int code)
{
	static const struct {
		int code;
		const char *reason;
	} rows[] = {{400, "BadRequest"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "NotFound"},
		{409, "Conflict"}, {503, "ServiceUnavailable"}};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].code == code)
			return rows[i].reason;
	return "InternalError";
}

static void add_details(struct text *text, const struct review_answer *answer)
{
	json_text_open(text, "details", '{');
	json_text_open(text, "causes", '[');
	for (size_t i = 0; i < answer->cause_count; i++) {
		json_text_open(text, NULL, '{');
		json_text_string(text, "reason", answer->causes[i].reason);
		json_text_string(text, "message", answer->causes[i].message);
		json_text_string(text, "field", answer->causes[i].field);
		json_text_close(text, '}');
	}
	json_text_close(text, ']');
	if (answer->retry_after_s > 0)
		json_text_integer(text, "retryAfterSeconds", (int64_t)answer->retry_after_s);
	json_text_close(text, '}');
}

static void add_status(struct text *text, const struct review_answer *answer)
{
	json_text_open(text, "status", '{');
	json_text_string(text, "status", "Failure");
	json_text_string(text, "message", answer->message);
	json_text_string(text, "reason", status_reason(answer->code));
	json_text_integer(text, "code", answer->code);
	add_details(text, answer);
	json_text_close(text, '}');
}

/* They travel in a header: one line each, and short, or the cluster cuts them itself. */
static void add_warnings(struct text *text, const struct review_answer *answer, struct arena *arena)
{
	if (answer->warning_count == 0)
		return;
	json_text_open(text, "warnings", '[');
	for (size_t i = 0; i < answer->warning_count; i++)
		json_text_string(text, NULL, cut_line(answer->warnings[i], REVIEW_WARNING_BYTES_MAX, arena));
	json_text_close(text, ']');
}

char *review_print(const struct review *review, const struct review_answer *answer, struct arena *arena)
{
	struct text text = text_in(arena);

	json_text_open(&text, NULL, '{');
	json_text_string(&text, "apiVersion", API_VERSION);
	json_text_string(&text, "kind", KIND);
	json_text_open(&text, "response", '{');
	json_text_string(&text, "uid", review->uid);
	json_text_bool(&text, "allowed", answer->allowed);
	if (!answer->allowed)
		add_status(&text, answer);
	add_warnings(&text, answer, arena);
	if (answer->decision_id != NULL) {
		json_text_open(&text, "auditAnnotations", '{');
		json_text_string(&text, "decision_id", answer->decision_id);
		json_text_close(&text, '}');
	}
	json_text_close(&text, '}');
	json_text_close(&text, '}');
	return text.bytes;
}
