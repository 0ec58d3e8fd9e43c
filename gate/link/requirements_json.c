/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement lists as JSON: see requirements_json.h. */
#include "requirements_json.h"

#include <stdio.h>
#include <string.h>

static bool add_lawful(
	struct requirements *requirements, const char *id, bool optional, const char *field, struct problem *problem)
{
	if (!name_is_provider_id(id))
		return problem_add_violation(problem, field, "is no provider id; allowed are 1 to %d of a-z, 0-9 and -",
			PROVIDER_ID_BYTES_MAX);
	if (!requirements_add(requirements, id, optional))
		return problem_add_violation(
			problem, field, "is one too many; at most %d providers are allowed", REQUIREMENTS_MAX);
	return true;
}

static bool is_optional_lawful(const struct json *optional)
{
	return optional == NULL || json_is(optional, JSON_BOOL) || json_is_null(optional);
}

static bool read_entry(
	const struct json *entry, const char *field, struct requirements *requirements, struct problem *problem)
{
	if (json_is(entry, JSON_STRING))
		return add_lawful(requirements, json_string(entry), false, field, problem);

	const struct json *optional = json_member(entry, "optional");
	const char *id = json_string(json_member(entry, "id"));

	if (id == NULL)
		return problem_add_violation(problem, field, "must be a provider id or an object with one in `id`");
	if (!is_optional_lawful(optional))
		return problem_add_violation(problem, field, "`optional` must be true or false");
	return add_lawful(requirements, id, json_bool(optional, false), field, problem);
}

bool requirements_read_list(const struct json *list, struct requirements *ret_requirements, struct problem *problem)
{
	char field[sizeof("external_auth[100000]")];
	bool good = true;
	unsigned index = 0;

	ret_requirements->count = 0;
	for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry), index++) {
		(void)snprintf(field, sizeof(field), "external_auth[%u]", index % 100000);
		good = read_entry(entry, field, ret_requirements, problem) && good;
	}
	return good;
}

static bool word_is(const struct json *object, const char *name, const char *word)
{
	const char *value = json_string(json_member(object, name));

	return value != NULL && strcmp(value, word) == 0;
}

static bool read_resource(const struct json *resource, struct requirements *requirements, struct problem *problem)
{
	if (!word_is(resource, "mode", "data") || !word_is(resource, "type", "coder_external_auth"))
		return true;

	const struct json *values = json_member(resource, "values");
	const struct json *optional = json_member(values, "optional");
	const char *id = json_string(json_member(values, "id"));

	if (id == NULL)
		return problem_add_violation(
			problem, "terraform", "has a coder_external_auth data source without a known values.id");
	if (!is_optional_lawful(optional))
		return problem_add_violation(problem, "terraform",
			"has a coder_external_auth data source whose values.optional is neither true nor false");
	return add_lawful(requirements, id, json_bool(optional, false), "terraform", problem);
}

/* A member that must be of this type where it is there at all. What is of another shape is no document of terraform's,
 * and reading it as empty would let workspaces through that need a provider. */
static bool take_member(const struct json *object, const char *name, enum json_type type, const struct json **ret_value,
	struct problem *problem)
{
	*ret_value = json_member(object, name);
	if (*ret_value == NULL || json_is(*ret_value, type))
		return true;
	if (json_is_null(*ret_value)) {
		*ret_value = NULL;
		return true;
	}
	return problem_add_violation(
		problem, "terraform", "has a `%s` that is no %s", name, type == JSON_ARRAY ? "list" : "object");
}

/* Modules nest; json.c bounds the depth of every document. NOLINTNEXTLINE(misc-no-recursion) */
static bool read_module(const struct json *module, struct requirements *requirements, struct problem *problem)
{
	const struct json *resources = NULL;
	const struct json *children = NULL;
	bool good = take_member(module, "resources", JSON_ARRAY, &resources, problem);

	good = take_member(module, "child_modules", JSON_ARRAY, &children, problem) && good;
	for (const struct json *resource = json_first(resources); resource != NULL; resource = json_next(resource))
		good = read_resource(resource, requirements, problem) && good;
	for (const struct json *child = json_first(children); child != NULL; child = json_next(child))
		good = read_module(child, requirements, problem) && good;
	return good;
}

/* Of a state that holds nothing terraform tells its format alone. Documents of its other commands tell that, too,
 * beside what they are about: they are none of ours. */
static bool is_empty_state(const struct json *document)
{
	if (json_string(json_member(document, "format_version")) == NULL)
		return false;
	for (const struct json *member = json_first(document); member != NULL; member = json_next(member))
		if (strcmp(json_key(member), "format_version") != 0 &&
			strcmp(json_key(member), "terraform_version") != 0)
			return false;
	return true;
}

bool requirements_read_terraform(
	const struct json *document, struct requirements *ret_requirements, struct problem *problem)
{
	const struct json *values[] = {
		json_member(document, "values"), /* a state */
		json_member(
			json_member(document, "prior_state"), "values"), /* a plan: data sources read while planning */
		json_member(document, "planned_values"),                 /* a plan: those read at apply */
	};
	bool is_document = is_empty_state(document);
	bool good = true;

	ret_requirements->count = 0;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		if (values[i] == NULL)
			continue;
		const struct json *root = NULL;

		is_document = true;
		good = take_member(values[i], "root_module", JSON_OBJECT, &root, problem) && good;
		good = read_module(root, ret_requirements, problem) && good;
	}
	if (!is_document)
		return problem_add_violation(
			problem, "terraform", "must be a document of `terraform show -json`, of a state or a plan");
	return good;
}

void requirements_add_json(struct json *object, const char *name, const struct requirements *requirements)
{
	struct json *list = json_add_array(object, name);

	for (size_t i = 0; i < requirements->count; i++) {
		struct json *entry = json_push_object(list);

		json_add_string(entry, "id", requirements->list[i].provider_id);
		json_add_bool(entry, "optional", requirements->list[i].optional);
	}
}
