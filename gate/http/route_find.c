/* SPDX-License-Identifier: Apache-2.0 */
/* Matching of paths against the table of routes. Routes are few and short, so a walk in order is fast enough; the first
 * row that fits wins, which lets a literal row stand before one with a parameter. */
#include "route.h"

#include <string.h>

#include "../base/text.h"

#define ANY_METHOD "ANY"
#define ANY_REST "/..."

static size_t segment_size(const char *segment)
{
	return strcspn(segment, "/");
}

/* One segment in braces takes any segment but an empty one, "." or "..": those two mean something else in a path. */
static bool segment_is_taken(const char *segment, size_t size)
{
	if (size == 0 || (size == 1 && segment[0] == '.'))
		return false;
	return !(size == 2 && segment[0] == '.' && segment[1] == '.');
}

/* "/a/..." fits "/a", "/a/" and all below them. */
static bool is_any_rest(const char *pattern)
{
	return pattern[0] == '/' && pattern[1] == '.' && strcmp(pattern, ANY_REST) == 0;
}

static bool pattern_fits(const char *pattern, const char *path)
{
	while (*pattern != '\0' && *path != '\0') {
		if (*pattern == '{') {
			size_t size = segment_size(path);

			if (!segment_is_taken(path, size))
				return false;
			pattern += strcspn(pattern, "}") + 1;
			path += size;
			continue;
		}
		if (*pattern != *path)
			return false;
		if (is_any_rest(pattern))
			return true;
		pattern++;
		path++;
	}
	return *path == '\0' && (*pattern == '\0' || is_any_rest(pattern));
}

/* Cheap and mostly enough: a path starts with "/", and most patterns go on otherwise. */
static bool may_fit(const char *pattern, const char *path)
{
	return path[0] == '/' && (pattern[1] == path[1] || pattern[1] == '{' || pattern[1] == '.');
}

bool route_takes_any_path(const struct route *routes, size_t route_count, const char *target)
{
	for (size_t i = 0; i < route_count; i++)
		if (may_fit(routes[i].pattern, target) && pattern_fits(routes[i].pattern, target) &&
			strstr(routes[i].pattern, ANY_REST) != NULL)
			return true;
	return false;
}

static void fill_parameters(struct request *request, const char *pattern)
{
	const char *path = request->path;
	size_t count = 0;

	for (; *pattern != '\0' && count < ROUTE_PARAMETERS_MAX; pattern++, path++) {
		size_t name_size, size;

		if (*pattern != '{')
			continue;
		name_size = strcspn(pattern + 1, "}");
		size = segment_size(path);
		request->parameter_names[count] = arena_copy_bytes(request->arena, pattern + 1, name_size);
		request->parameters[count] = arena_copy_bytes(request->arena, path, size);
		count++;
		pattern += name_size + 1;
		path += size - 1;
	}
}

static bool method_fits(const char *of_route, const char *of_request)
{
	if (strcmp(of_route, of_request) == 0 || strcmp(of_route, ANY_METHOD) == 0)
		return true;
	return strcmp(of_request, "HEAD") == 0 && strcmp(of_route, "GET") == 0;
}

static void allow_add(struct text *allow, const char *method)
{
	text_addf(allow, "%s%s", allow->size == 0 ? "" : ", ", method);
	if (strcmp(method, "GET") == 0)
		text_add(allow, ", HEAD");
}

const struct route *route_find(const struct route *routes, size_t route_count, struct request *request,
	const char **ret_allow, struct problem *problem)
{
	struct text allow = {0};

	for (size_t i = 0; i < route_count; i++) {
		if (!may_fit(routes[i].pattern, request->path) || !pattern_fits(routes[i].pattern, request->path))
			continue;
		if (method_fits(routes[i].method, request->method)) {
			fill_parameters(request, routes[i].pattern);
			return &routes[i];
		}
		if (allow.arena == NULL)
			allow = text_in(request->arena);
		allow_add(&allow, routes[i].method);
	}
	if (allow.arena == NULL) {
		problem_set(problem, PROBLEM_NOT_FOUND, "There is nothing at this path.");
		return NULL;
	}
	*ret_allow = allow.bytes;
	problem_set(problem, PROBLEM_METHOD_NOT_ALLOWED, "Method %.16s is not allowed here.", request->method);
	problem_detail(problem, "Allowed: %s.", allow.bytes);
	return NULL;
}
