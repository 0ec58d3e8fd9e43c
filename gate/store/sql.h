/* SPDX-License-Identifier: Apache-2.0 */
/* The statements and migrations of schema/, embedded at build: one enumerator, one name and one text a file. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <stddef.h>

#define QUERY(id, name, text) id,
enum query {
#include "queries.inc"
	QUERY_COUNT
};
#undef QUERY

struct statement {
	const char *name; /* also the name of the prepared statement */
	const char *text;
};

struct migration {
	int version;
	const char *name;
	const char *text;
};

const struct statement *statement_of(enum query query);

/* In order of version, which counts up from 1 without holes. */
const struct migration *migration_list(size_t *ret_count);

#endif
