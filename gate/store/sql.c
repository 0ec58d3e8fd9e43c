/* SPDX-License-Identifier: Apache-2.0 */
/* The tables behind sql.h. */
#include "sql.h"

#include "must_check.h"

#define QUERY(id, name, text) [id] = {name, text},
static const struct statement statements[QUERY_COUNT] = {
#include "queries.inc"
};
#undef QUERY

#define MIGRATION(version, name, ...) static const char migration_##version[] = {__VA_ARGS__};
#include "migrations.inc"
#undef MIGRATION

#define MIGRATION(version, name, ...) {version, name, migration_##version},
static const struct migration migrations[] = {
#include "migrations.inc"
};
#undef MIGRATION

const struct statement *statement_of(enum query query)
{
	return &statements[query];
}

const struct migration *migration_list(size_t *ret_count)
{
	*ret_count = COUNT_OF(migrations);
	return migrations;
}
