/* SPDX-License-Identifier: Apache-2.0 */
/* One statement with its parameters on the way out, and its rows on the way back. Parameters are bound in the order of
 * the statement's first line and stay where the caller has them until the call is over. Rows come in binary format: no
 * number or time is printed and parsed again. */
#ifndef STORE_CALL_H
#define STORE_CALL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "must_check.h"
#include "sql.h"
#include "store.h"

/* What is written behind the gate carries its decision: up to thirty. */
#define CALL_PARAMETERS_MAX 32

struct call {
	enum query query;
	bool writes;            /* not run again where somebody may have run it already */
	bool expects_violation; /* a violated constraint is an answer: rows.violated names it */
	int count;
	const char *values[CALL_PARAMETERS_MAX];
	int sizes[CALL_PARAMETERS_MAX];
	int formats[CALL_PARAMETERS_MAX];
	char scratch[CALL_PARAMETERS_MAX][24];
};

void call_read(struct call *call, enum query query);
void call_write(struct call *call, enum query query);

void bind_text(struct call *call, const char *text); /* NULL: SQL NULL */
void bind_integer(struct call *call, int64_t integer);
void bind_bool(struct call *call, bool value);
void bind_bool_or_null(struct call *call, const bool *value); /* NULL: SQL NULL */
void bind_null(struct call *call);
void bind_time_ms(struct call *call, int64_t at_ms); /* 0: SQL NULL */
void bind_bytes(struct call *call, const void *bytes, size_t size);
void bind_page(struct call *call, struct page page); /* two parameters: after id, limit */
void bind_texts(struct call *call, struct arena *arena, size_t count, const char *const *texts);     /* text[] */
void bind_integers(struct call *call, struct arena *arena, size_t count, const int64_t *integers);   /* bigint[] */
void bind_sealed(struct call *call, struct arena *arena, size_t count, const struct sealed *values); /* bytea[] */

/* NAMEDATALEN of PostgreSQL, which bounds every name. */
#define CONSTRAINT_NAME_SIZE 64

struct rows {
	PGresult *result;
	char violated[CONSTRAINT_NAME_SIZE]; /* "" unless the call expected it */
};

void rows_release(struct rows *rows); /* for SCOPED */
size_t rows_count(const struct rows *rows);
/* Room for one element a row, also where there is none; never NULL. */
void *rows_room(const struct rows *rows, struct arena *arena, size_t element_size, size_t *ret_count);
bool rows_violate(const struct rows *rows, const char *constraint);

/* A walk along one row's columns. Each function below reads the next column; a NULL reads as NULL, 0, false. */
struct row {
	const PGresult *result;
	int row;
	int column;
};

struct row row_at(const struct rows *rows, size_t index);
bool row_is_null(const struct row *row); /* the next column; does not move on */
void row_skip(struct row *row, int columns);
const char *row_text(struct row *row, struct arena *arena); /* text, json and jsonb */
const char *row_uuid(struct row *row, struct arena *arena);
int64_t row_integer(struct row *row); /* int4 and int8 */
bool row_bool(struct row *row);
int64_t row_time_ms(struct row *row);
const uint8_t *row_bytes(struct row *row, size_t *ret_size); /* lives with the rows */

/* Borrows a connection, runs the statement and gives the connection back; see store.h for what happens while the server
 * is away. Any other error of the server is PROBLEM_INTERNAL, and its line in the log names the statement and the
 * SQLSTATE, never a parameter. On success the caller owns *ret_rows. */
MUST_CHECK bool store_run(struct store *store, const struct call *call, struct rows *ret_rows, struct problem *problem);

/* The same for a statement that gives one row or none: whether it gave one. */
MUST_CHECK bool store_find(
	struct store *store, const struct call *call, struct rows *ret_rows, bool *ret_found, struct problem *problem);

/* The same where only that is wanted. */
MUST_CHECK bool store_ask(struct store *store, const struct call *call, bool *ret_found, struct problem *problem);

/* The same where no row is wanted. */
MUST_CHECK bool store_do(struct store *store, const struct call *call, struct problem *problem);

/* What this store's token columns are sealed with. */
const struct vault *store_vault(const struct store *store);

#endif
