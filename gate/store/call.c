/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and rows in PostgreSQL's binary and text formats. */
#include "call.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PostgreSQL counts microseconds from 2000-01-01. */
#define POSTGRES_EPOCH_MS INT64_C(946684800000)

/* From PostgreSQL's catalogue (pg_type.dat); they never change. */
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_TEXT 25
#define OID_JSONB 3802

#define UUID_RAW_BYTES 16
#define NIL_UUID "00000000-0000-0000-0000-000000000000"

enum format { FORMAT_TEXT = 0, FORMAT_BINARY = 1 };

static void call_start(struct call *call, enum query query, bool writes)
{
	call->query = query;
	call->writes = writes;
	call->expects_violation = false;
	call->count = 0;
}

void call_read(struct call *call, enum query query)
{
	call_start(call, query, /* writes= */ false);
}

void call_write(struct call *call, enum query query)
{
	call_start(call, query, /* writes= */ true);
}

static void bind(struct call *call, const char *value, size_t size, enum format format)
{
	/* A statement with more parameters than there is room for is a bug of ours, and found by its first test. */
	if (call->count == CALL_PARAMETERS_MAX)
		abort();
	call->values[call->count] = value;
	call->sizes[call->count] = (int)size;
	call->formats[call->count] = (int)format;
	call->count++;
}

void bind_text(struct call *call, const char *text)
{
	bind(call, text, 0, FORMAT_TEXT);
}

void bind_null(struct call *call)
{
	bind(call, NULL, 0, FORMAT_TEXT);
}

void bind_integer(struct call *call, int64_t integer)
{
	char *text = call->scratch[call->count];
	(void)snprintf(text, sizeof(call->scratch[0]), "%" PRId64, integer);
	bind(call, text, 0, FORMAT_TEXT);
}

void bind_bool(struct call *call, bool value)
{
	bind(call, value ? "t" : "f", 0, FORMAT_TEXT);
}

void bind_bool_or_null(struct call *call, const bool *value)
{
	if (value == NULL)
		bind_null(call);
	else
		bind_bool(call, *value);
}

void bind_time_ms(struct call *call, int64_t at_ms)
{
	if (at_ms == 0) {
		bind_null(call);
		return;
	}
	uint64_t wire = htobe64((uint64_t)((at_ms - POSTGRES_EPOCH_MS) * 1000));
	memcpy(call->scratch[call->count], &wire, sizeof(wire));
	bind(call, call->scratch[call->count], sizeof(wire), FORMAT_BINARY);
}

void bind_bytes(struct call *call, const void *bytes, size_t size)
{
	bind(call, bytes, size, FORMAT_BINARY);
}

void bind_page(struct call *call, struct page page)
{
	bind_text(call, page.after_id == NULL || *page.after_id == '\0' ? NIL_UUID : page.after_id);
	bind_integer(call, page.limit);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	uint32_t wire = htobe32(value);
	memcpy(at, &wire, sizeof(wire));
	return at + sizeof(wire);
}

/* The head of a one-dimensional array: dimensions, has-NULLs, element type, length, lower bound (array_send). An empty
 * one has no dimension. */
#define ARRAY_HEAD_BYTES 20
static uint8_t *put_array_head(uint8_t *at, uint32_t element_oid, size_t count)
{
	at = put32(at, count == 0 ? 0 : 1);
	at = put32(at, 1);
	at = put32(at, element_oid);
	if (count == 0)
		return at;
	at = put32(at, (uint32_t)count);
	return put32(at, 1);
}

void bind_texts(struct call *call, struct arena *arena, size_t count, const char *const *texts)
{
	size_t size = ARRAY_HEAD_BYTES;
	for (size_t i = 0; i < count; i++)
		size += sizeof(uint32_t) + (texts[i] == NULL ? 0 : strlen(texts[i]));
	uint8_t *bytes = arena_alloc(arena, size);
	uint8_t *at = put_array_head(bytes, OID_TEXT, count);
	for (size_t i = 0; i < count; i++) {
		size_t length = texts[i] == NULL ? 0 : strlen(texts[i]);
		at = put32(at, texts[i] == NULL ? UINT32_MAX : (uint32_t)length);
		if (length > 0)
			memcpy(at, texts[i], length);
		at += length;
	}
	bind_bytes(call, bytes, (size_t)(at - bytes));
}

void bind_integers(struct call *call, struct arena *arena, size_t count, const int64_t *integers)
{
	uint8_t *bytes = arena_alloc(arena, ARRAY_HEAD_BYTES + count * (sizeof(uint32_t) + sizeof(uint64_t)));
	uint8_t *at = put_array_head(bytes, OID_INT8, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t wire = htobe64((uint64_t)integers[i]);
		at = put32(at, sizeof(wire));
		memcpy(at, &wire, sizeof(wire));
		at += sizeof(wire);
	}
	bind_bytes(call, bytes, (size_t)(at - bytes));
}

void bind_sealed(struct call *call, struct arena *arena, size_t count, const struct sealed *values)
{
	size_t size = ARRAY_HEAD_BYTES;
	for (size_t i = 0; i < count; i++)
		size += sizeof(uint32_t) + values[i].size;
	uint8_t *bytes = arena_alloc(arena, size);
	uint8_t *at = put_array_head(bytes, OID_BYTEA, count);
	for (size_t i = 0; i < count; i++) {
		at = put32(at, values[i].bytes == NULL ? UINT32_MAX : (uint32_t)values[i].size);
		if (values[i].size > 0)
			/* values[i].bytes is only NULL where the size is 0.
			 * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
			memcpy(at, values[i].bytes, values[i].size);
		at += values[i].size;
	}
	bind_bytes(call, bytes, (size_t)(at - bytes));
}

void rows_release(struct rows *rows)
{
	PQclear(rows->result);
	rows->result = NULL;
}

size_t rows_count(const struct rows *rows)
{
	return (size_t)PQntuples(rows->result);
}

void *rows_room(const struct rows *rows, struct arena *arena, size_t element_size, size_t *ret_count)
{
	*ret_count = rows_count(rows);
	return arena_alloc(arena, (*ret_count + 1) * element_size);
}

bool rows_violate(const struct rows *rows, const char *constraint)
{
	return strcmp(rows->violated, constraint) == 0;
}

struct row row_at(const struct rows *rows, size_t index)
{
	return (struct row){.result = rows->result, .row = (int)index};
}

bool row_is_null(const struct row *row)
{
	return PQgetisnull(row->result, row->row, row->column) != 0;
}

void row_skip(struct row *row, int columns)
{
	row->column += columns;
}

const uint8_t *row_bytes(struct row *row, size_t *ret_size)
{
	int column = row->column++;
	*ret_size = (size_t)PQgetlength(row->result, row->row, column);
	if (PQgetisnull(row->result, row->row, column))
		return NULL;
	return (const uint8_t *)PQgetvalue(row->result, row->row, column);
}

const char *row_text(struct row *row, struct arena *arena)
{
	bool is_jsonb = PQftype(row->result, row->column) == OID_JSONB;
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	if (bytes == NULL)
		return NULL;
	/* jsonb_send puts a version number in front of the text. */
	size_t head = is_jsonb && size > 0 ? 1 : 0;
	return arena_copy_bytes(arena, bytes + head, size - head);
}

const char *row_uuid(struct row *row, struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	if (bytes == NULL || size != UUID_RAW_BYTES)
		return NULL;
	char *text = arena_alloc(arena, UUID_TEXT_SIZE);
	char *at = text;
	for (size_t i = 0; i < UUID_RAW_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	return text;
}

int64_t row_integer(struct row *row)
{
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	if (bytes == NULL)
		return 0;
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return size == sizeof(int32_t) ? (int64_t)(int32_t)(uint32_t)value : (int64_t)value;
}

bool row_bool(struct row *row)
{
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	return bytes != NULL && *bytes != 0;
}

int64_t row_time_ms(struct row *row)
{
	if (row_is_null(row)) {
		row->column++;
		return 0;
	}
	return row_integer(row) / 1000 + POSTGRES_EPOCH_MS;
}
