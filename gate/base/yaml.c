/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's document, copied into our tree. An alias is copied where it stands; the bounds on depth and values end what
 * aliases could blow up. */
#include "yaml.h"

#include <string.h>
#include <yaml.h> /* libyaml. NOLINT(readability-duplicate-include) */

#include "bounds.h"

RELEASE_WITH(parser_release, yaml_parser_t, yaml_parser_delete)
RELEASE_WITH(document_release, yaml_document_t, yaml_document_delete)

struct reader {
	struct arena *arena;
	const char *file;
	struct config_complaints *complaints;
	yaml_document_t *document;
	size_t values;
};

static const char *yaml_place(const struct reader *reader, size_t line)
{
	return arena_printf(reader->arena, "%s:%zu", reader->file, line + 1);
}

static struct yaml_value *yaml_complain(struct reader *reader, size_t line, const char *key, const char *what)
{
	config_complain(reader->complaints, yaml_place(reader, line), key, "%s", what);
	return NULL;
}

/* The copies call one another as deep as the document nests, which is bounded. NOLINTBEGIN(misc-no-recursion) */

static struct yaml_value *yaml_copy(struct reader *reader, int index, size_t depth);

static struct yaml_value *yaml_copy_list(
	struct reader *reader, const yaml_node_t *node, struct yaml_value *list, size_t depth)
{
	struct yaml_value **end = &list->first;

	for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
		item++) {
		*end = yaml_copy(reader, *item, depth + 1);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
	}
	return list;
}

/* The text of a scalar, or NULL where it holds a NUL or is too long: aliases could otherwise repeat it beyond any
 * bound. */
static const char *yaml_scalar(const struct reader *reader, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t size = node->data.scalar.length;

	if (size > CONFIG_VALUE_BYTES_MAX)
		return NULL;
	return memchr(text, '\0', size) == NULL ? arena_copy_bytes(reader->arena, text, size) : NULL;
}

static bool yaml_has_key(const struct yaml_value *map, const char *key)
{
	for (const struct yaml_value *member = map->first; member != NULL; member = member->next)
		if (strcmp(member->key, key) == 0)
			return true;
	return false;
}

static struct yaml_value *yaml_copy_map(
	struct reader *reader, const yaml_node_t *node, struct yaml_value *map, size_t depth)
{
	struct yaml_value **end = &map->first;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
		pair++) {
		const yaml_node_t *name = yaml_document_get_node(reader->document, pair->key);
		const char *key = name->type == YAML_SCALAR_NODE ? yaml_scalar(reader, name) : NULL;

		if (key == NULL)
			return yaml_complain(
				reader, name->start_mark.line, "key", "is no name; a key must be one word");
		if (yaml_has_key(map, key))
			return yaml_complain(reader, name->start_mark.line, key, "is given twice; give it once");
		*end = yaml_copy(reader, pair->value, depth + 1);
		if (*end == NULL)
			return NULL;
		(*end)->key = key;
		/* An empty value stands nowhere; its key does. */
		(*end)->place = yaml_place(reader, name->start_mark.line);
		end = &(*end)->next;
	}
	return map;
}

/* The plain scalars that YAML 1.2's core schema (section 10.3.2) reads as null. */
static bool yaml_is_null(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
		       strcmp(text, "NULL") == 0);
}

static struct yaml_value *yaml_copy(struct reader *reader, int index, size_t depth)
{
	const yaml_node_t *node = yaml_document_get_node(reader->document, index);
	size_t line = node->start_mark.line;
	struct yaml_value *value;

	if (depth > CONFIG_DEPTH_MAX)
		return yaml_complain(
			reader, line, "value", "is nested too deep; a list of maps is the deepest there is");
	if (++reader->values > CONFIG_VALUES_MAX)
		return yaml_complain(reader, line, "value", "is one too many; a configuration is smaller");
	value = arena_alloc(reader->arena, sizeof(*value));
	value->place = yaml_place(reader, line);
	switch (node->type) {
	case YAML_SEQUENCE_NODE:
		value->shape = YAML_SHAPE_LIST;
		return yaml_copy_list(reader, node, value, depth);
	case YAML_MAPPING_NODE:
		value->shape = YAML_SHAPE_MAP;
		return yaml_copy_map(reader, node, value, depth);
	case YAML_SCALAR_NODE:
		value->text = yaml_is_null(node) ? "" : yaml_scalar(reader, node);
		if (value->text == NULL)
			return yaml_complain(reader, line, "value", "holds a NUL or more than 4096 bytes");
		return value;
	case YAML_NO_NODE:
		break;
	}
	return yaml_complain(reader, line, "value", "is of no known shape");
}

/* NOLINTEND(misc-no-recursion) */

static bool yaml_copy_document(struct reader *reader, struct yaml_value **ret_root)
{
	const yaml_node_t *root = yaml_document_get_root_node(reader->document);

	*ret_root = NULL;
	/* An empty file, and one of comments alone, is an empty configuration. */
	if (root == NULL || (root->type == YAML_SCALAR_NODE && (root->data.scalar.length == 0 || yaml_is_null(root))))
		return true;
	if (root->type != YAML_MAPPING_NODE) {
		(void)yaml_complain(
			reader, root->start_mark.line, "file", "holds no settings; write `name: value` lines");
		return false;
	}
	*ret_root = yaml_copy(reader, 1, 0);
	return *ret_root != NULL;
}

/* libyaml's own words ("did not find expected key") never quote the file. */
static bool yaml_complain_of_syntax(struct reader *reader, const yaml_parser_t *parser)
{
	size_t line = parser->problem_mark.line;

	config_complain(reader->complaints, yaml_place(reader, line), "file", "is no YAML: %s",
		parser->problem == NULL ? "it does not read" : parser->problem);
	return false;
}

static bool yaml_is_alone(struct reader *reader, yaml_parser_t *parser)
{
	yaml_document_t second;

	if (yaml_parser_load(parser, &second) == 0)
		return yaml_complain_of_syntax(reader, parser);
	SCOPED(document_release) yaml_document_t *owned = &second;

	if (yaml_document_get_root_node(owned) == NULL)
		return true;
	(void)yaml_complain(reader, owned->start_mark.line, "file", "holds a second document; write one");
	return false;
}

bool yaml_read(struct arena *arena, const char *bytes, size_t size, const char *file, struct yaml_value **ret_root,
	struct config_complaints *complaints)
{
	struct reader reader = {.arena = arena, .file = file, .complaints = complaints};
	yaml_document_t document;
	yaml_parser_t storage;

	*ret_root = NULL;
	if (yaml_parser_initialize(&storage) == 0) {
		config_complain(complaints, file, "file", "cannot be read: out of memory");
		return false;
	}
	SCOPED(parser_release) yaml_parser_t *parser = &storage;

	yaml_parser_set_input_string(parser, (const unsigned char *)bytes, size);
	if (yaml_parser_load(parser, &document) == 0)
		return yaml_complain_of_syntax(&reader, parser);
	SCOPED(document_release) yaml_document_t *owned = &document;

	reader.document = owned;
	return yaml_copy_document(&reader, ret_root) &&
	       (yaml_document_get_root_node(owned) == NULL || yaml_is_alone(&reader, parser));
}
