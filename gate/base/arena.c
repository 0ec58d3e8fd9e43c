/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in a list, the newest first; pieces are cut from the newest. Invariant: what is not handed out is zero, so a
 * piece is handed out without clearing it. Under AddressSanitizer everything not handed out is poisoned. */
#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif
#if defined(ARENA_POISONS)
#include <sanitizer/asan_interface.h>
#define ARENA_GAP_BYTES 16 /* poisoned between two pieces */
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ARENA_GAP_BYTES 0
#endif

/* An ordinary create needs about 8 KiB: it lives in the first block alone, which one worker keeps. */
#define ARENA_FIRST_BLOCK_BYTES 16384
#define ARENA_BLOCK_BYTES_MAX (1024 * 1024)
#define ARENA_ALIGNMENT 16

/* Times, ids and header values are shorter; URLs may be longer. */
#define ARENA_BRIEF_BYTES 128

struct block {
	struct block *older;
	size_t capacity;
	size_t used;
	_Alignas(ARENA_ALIGNMENT) char bytes[];
};

struct arena {
	size_t bytes_max;
	size_t used;
	struct block *newest;
};

static _Noreturn void arena_die(const char *what, size_t size)
{
	(void)fprintf(stderr, "gatehouse: %s (%zu bytes asked)\n", what, size);
	abort();
}

static struct block *block_new(size_t capacity, struct block *older)
{
	struct block *block = calloc(1, sizeof(*block) + capacity);

	if (block == NULL)
		arena_die("out of memory", capacity);
	block->older = older;
	block->capacity = capacity;
	ASAN_POISON_MEMORY_REGION(block->bytes, capacity);
	return block;
}

static void block_wipe(struct block *block)
{
	ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->capacity);
	explicit_bzero(block->bytes, block->used);
	block->used = 0;
}

struct arena *arena_new(size_t bytes_max)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena == NULL)
		arena_die("out of memory", sizeof(*arena));
	arena->bytes_max = bytes_max;
	arena->newest = block_new(ARENA_FIRST_BLOCK_BYTES, NULL);
	return arena;
}

void arena_reset(struct arena *arena)
{
	while (arena->newest->older != NULL) {
		struct block *block = arena->newest;

		arena->newest = block->older;
		block_wipe(block);
		free(block);
	}
	block_wipe(arena->newest);
	ASAN_POISON_MEMORY_REGION(arena->newest->bytes, arena->newest->capacity);
	arena->used = 0;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	ASAN_UNPOISON_MEMORY_REGION(arena->newest->bytes, arena->newest->capacity);
	free(arena->newest);
	free(arena);
}

/* Blocks double up to a bound, so that a large request costs few of them; a large piece gets a block of its size. */
static size_t arena_next_capacity(const struct arena *arena, size_t size)
{
	size_t capacity = arena->newest->capacity * 2;

	if (capacity > ARENA_BLOCK_BYTES_MAX)
		capacity = ARENA_BLOCK_BYTES_MAX;
	return capacity > size ? capacity : size;
}

static size_t arena_taken_by(size_t size)
{
	return (size + ARENA_GAP_BYTES + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t taken;
	char *piece;

	if (size > arena->bytes_max || arena->used > arena->bytes_max - size)
		arena_die("an arena reached its bound", size);
	taken = arena_taken_by(size);
	if (taken > arena->newest->capacity - arena->newest->used)
		arena->newest = block_new(arena_next_capacity(arena, taken), arena->newest);
	piece = arena->newest->bytes + arena->newest->used;
	arena->newest->used += taken;
	arena->used += size;
	ASAN_UNPOISON_MEMORY_REGION(piece, size);
	return piece;
}

void *arena_extend(struct arena *arena, void *piece, size_t size, size_t new_size)
{
	struct block *block = arena->newest;
	size_t taken = arena_taken_by(size);

	if (new_size > arena->bytes_max || arena->used > arena->bytes_max - new_size || block->used < taken ||
		block->bytes + (block->used - taken) != piece)
		return NULL;
	if (arena_taken_by(new_size) > block->capacity - (block->used - taken))
		return NULL;
	block->used += arena_taken_by(new_size) - taken;
	arena->used += new_size - size;
	ASAN_UNPOISON_MEMORY_REGION(piece, new_size);
	return piece;
}

char *arena_copy_bytes(struct arena *arena, const void *bytes, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (size > 0)
		memcpy(copy, bytes, size);
	return copy;
}

char *arena_copy(struct arena *arena, const char *text)
{
	return text == NULL ? NULL : arena_copy_bytes(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	char brief[ARENA_BRIEF_BYTES];
	va_list arguments;
	char *text;
	int size;

	/* Formatting costs more than copying, so a text that fits is formatted once. */
	va_start(arguments, format);
	size = vsnprintf(brief, sizeof(brief), format, arguments);
	va_end(arguments);
	if (size < 0)
		arena_die("a format does not fit its arguments", 0);
	text = arena_alloc(arena, (size_t)size + 1);
	if ((size_t)size < sizeof(brief)) {
		memcpy(text, brief, (size_t)size);
	} else {
		va_start(arguments, format);
		(void)vsnprintf(text, (size_t)size + 1, format, arguments);
		va_end(arguments);
	}
	explicit_bzero(brief, sizeof(brief));
	return text;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

void arena_release(struct arena **arena)
{
	arena_free(*arena);
}
