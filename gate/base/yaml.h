/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML file as a small tree of texts with their lines. Every scalar is taken as the text it is written with, so that
 * `client_id: 123` and `client_id: "123"` are the same. The only file that knows libyaml is yaml.c. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "config.h"
#include "must_check.h"

enum yaml_shape { YAML_SHAPE_TEXT, YAML_SHAPE_LIST, YAML_SHAPE_MAP };

struct yaml_value {
	enum yaml_shape shape;
	const char *key;   /* in a map */
	const char *text;  /* of a scalar; "" for null */
	const char *place; /* "gatehouse.yaml:12" */
	struct yaml_value *first;
	struct yaml_value *next;
};

/* Reads one document, which must be a map or nothing at all (*ret_root is NULL then). Repeated keys, keys that are no
 * text, a second document, text with NUL and more than the bounds of bounds.h are complained about. file names it in
 * places. */
MUST_CHECK bool yaml_read(struct arena *arena, const char *bytes, size_t size, const char *file,
	struct yaml_value **ret_root, struct config_complaints *complaints);

#endif
