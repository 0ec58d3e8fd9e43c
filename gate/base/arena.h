/* SPDX-License-Identifier: Apache-2.0 */
/* Memory with the lifetime of one request (or flight): allocated piece by piece, wiped and given back at once. Nobody
 * frees a piece, so nobody forgets to or does it twice. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* An empty arena that holds at most bytes_max. Ends the process where memory is out. */
struct arena *arena_new(size_t bytes_max);

/* Wipes and frees everything; NULL is nothing to do. */
void arena_free(struct arena *arena);

/* Wipes everything that was handed out and starts again with the first block, which is kept warm for the next request.
 */
void arena_reset(struct arena *arena);

/* size zeroed bytes, aligned for any type, never NULL: bytes_max is derived from the bounds of all that may come in
 * (include/bounds.h), so reaching it is a bug; the process then ends with a message, like a failed assertion. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, alloc_size(2)));

/* Makes the piece that was handed out last longer where it stands: the same address, to be used from then on (the
 * compiler knows the old one's size). NULL where it was not the last, or does not fit. */
void *arena_extend(struct arena *arena, void *piece, size_t size, size_t new_size) __attribute__((alloc_size(4)));

/* Copies, with a NUL behind. arena_copy(NULL) is NULL. */
char *arena_copy(struct arena *arena, const char *text);
char *arena_copy_bytes(struct arena *arena, const void *bytes, size_t size);

char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

void arena_release(struct arena **arena); /* for SCOPED */

#endif
