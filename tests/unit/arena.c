/* SPDX-License-Identifier: Apache-2.0 */
/* The arena hands out zeroed, aligned memory, and takes all of it back at once. */
#include "unit.h"

#include "base/arena.h"

static void pieces_are_zeroed_and_aligned(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t size = 0; size < 3000; size += 7) {
		char *piece = arena_alloc(arena, size);

		assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 'x', size);
	}
}

static void reset_wipes_and_reuses_the_first_block(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	char *first = arena_copy(arena, "a secret");
	char *again;

	(void)state;
	(void)arena_alloc(arena, 100000);
	assert_true(arena_used(arena) > 100000);
	arena_reset(arena);
	assert_int_equal(arena_used(arena), 0);
	again = arena_alloc(arena, 9);
	assert_ptr_equal(first, again);
	assert_memory_equal(again, "\0\0\0\0\0\0\0\0\0", 9);
}

static void large_pieces_get_their_own_block(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(8 << 20);
	char *large = arena_alloc(arena, 5 << 20);
	char *small = arena_alloc(arena, 1);

	(void)state;
	large[(5 << 20) - 1] = 'x';
	*small = 'y';
	assert_int_equal(arena_used(arena), (5 << 20) + 1);
}

static void copies_end_with_nul(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);

	(void)state;
	assert_null(arena_copy(arena, NULL));
	assert_string_equal(arena_copy(arena, "text"), "text");
	assert_string_equal(arena_copy_bytes(arena, "text", 2), "te");
	assert_string_equal(arena_copy_bytes(arena, "", 0), "");
	assert_string_equal(arena_printf(arena, "%s-%d", "a", 7), "a-7");
	arena_free(NULL);
}

static void only_the_last_piece_grows_where_it_stands(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	char *first = arena_alloc(arena, 10);
	size_t used = arena_used(arena);

	(void)state;
	char *longer = arena_extend(arena, first, 10, 1000);
	assert_ptr_equal(longer, first);
	assert_int_equal(arena_used(arena), used + 990);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(longer[i], 0);
	memset(longer, 'x', 1000);
	char *second = arena_alloc(arena, 10);
	assert_true(second >= longer + 1000);
	assert_null(arena_extend(arena, longer, 1000, 1001));
	second = arena_extend(arena, second, 10, 20);
	assert_non_null(second);
	/* Neither over the end of its block nor over the bound of the arena. */
	assert_null(arena_extend(arena, second, 20, 100000));
	assert_null(arena_extend(arena, second, 20, 2 << 20));
	assert_int_equal(arena_used(arena), 1020);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_and_aligned),
		cmocka_unit_test(reset_wipes_and_reuses_the_first_block),
		cmocka_unit_test(large_pieces_get_their_own_block),
		cmocka_unit_test(copies_end_with_nul),
		cmocka_unit_test(only_the_last_piece_grows_where_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
