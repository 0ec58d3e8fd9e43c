/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers ask of a request: parameters of its path and query, cookies, and the page of a list. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "../base/text.h"
#include "../store/store.h"
#include "server_slow.h"

const char *request_parameter(const struct request *request, const char *name)
{
	for (size_t i = 0; i < ROUTE_PARAMETERS_MAX; i++)
		if (request->parameter_names[i] != NULL && strcmp(request->parameter_names[i], name) == 0)
			return request->parameters[i];
	/* A handler that asks for what its pattern does not have: never equal to anything that exists. */
	return "";
}

const char *request_query(const struct request *request, const char *name)
{
	const char *value = form_value(request->arena, request->query, name);

	/* Taken for absent, a limit, a user or an issuer that was meant to narrow the request would widen it. */
	if (value == NULL && form_is_given(request->arena, request->query, name))
		return "";
	return value;
}

bool request_form(const struct request *request, const char *name, const char **ret_value, struct problem *problem)
{
	const char *value = form_value(request->arena, request->form, name);

	*ret_value = value == NULL || value[0] == '\0' ? NULL : value;
	if (value != NULL || !form_is_given(request->arena, request->form, name))
		return true;
	return problem_set(problem, PROBLEM_BAD_REQUEST,
		"The parameter %s is given more than once, or is not form-encoded UTF-8.", name);
}

/* RFC 6265 section 4.2.1: pairs of name=value, divided by "; ". */
const char *request_cookie(const struct request *request, const char *name)
{
	size_t name_size = strlen(name);
	const char *pair = request->cookie;

	while (pair != NULL && *pair != '\0') {
		pair += strspn(pair, " \t;");
		if (strncmp(pair, name, name_size) == 0 && pair[name_size] == '=') {
			const char *value = pair + name_size + 1;

			return arena_copy_bytes(request->arena, value, strcspn(value, "; \t"));
		}
		pair += strcspn(pair, ";");
	}
	return NULL;
}

const char *request_header(const struct request *request, enum request_header header)
{
	return header < REQUEST_HEADER_COUNT ? request->headers[header] : NULL;
}

bool request_is_abandoned(const struct request *request)
{
	(void)request;
	return slow_client_is_gone();
}

static bool parse_limit(const char *text, int64_t *ret_limit)
{
	size_t size = strlen(text);

	if (size == 0 || size > 3 || strspn(text, "0123456789") != size)
		return false;
	*ret_limit = strtol(text, NULL, 10);
	return *ret_limit >= 1 && *ret_limit <= PAGE_MAX;
}

bool request_page(const struct request *request, struct page *ret_page, struct problem *problem)
{
	const char *limit = request_query(request, "limit");
	const char *after_id = request_query(request, "after_id");
	bool fine = true;

	*ret_page = (struct page){.after_id = "", .limit = PAGE_DEFAULT};
	if (limit != NULL && !parse_limit(limit, &ret_page->limit))
		fine = problem_add_violation(problem, "limit", "must be a number from 1 to %d", PAGE_MAX);
	if (after_id != NULL && !name_is_uuid(after_id))
		fine = problem_add_violation(
			problem, "after_id", "must be the id of the last element of the page before");
	if (after_id != NULL)
		ret_page->after_id = after_id;
	return fine;
}
