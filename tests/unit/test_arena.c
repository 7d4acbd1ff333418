/* SPDX-License-Identifier: MIT
 *
 * Memory that arenas give up and others take: whoever asks gets a piece of its own, from any number
 * of threads, while what is kept is changed under them. */
#include "base/arena.h"
#include "base/parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { ROUNDS = 400, PIECES = 5, PARTS = 4, KEPT = 64 << 20 };

static unsigned wrong[PARTS];

/* Makes arenas of small and large pieces, and looks whether what was written is still there. */
static void use_arenas(void *context, unsigned part)
{
    static const size_t sizes[PIECES] = {100, 60000, 3 << 20, 9 << 20, 14 << 20};
    (void)context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena a;
        unsigned *pieces[PIECES];
        arena_init(&a);
        if (part == 0)
            arena_recycle(round % 3 ? KEPT : 0);
        for (unsigned i = 0; i < PIECES; i++) {
            pieces[i] = arena_alloc(&a, sizes[(i + round) % PIECES]);
            pieces[i][0] = part << 16 | round;
            pieces[i][sizes[(i + round) % PIECES] / sizeof **pieces - 1] = part << 16 | round;
        }
        for (unsigned i = 0; i < PIECES; i++)
            wrong[part] += pieces[i][0] != (part << 16 | round);
        arena_free(&a);
    }
}

static void threads_get_pieces_of_their_own(void **state)
{
    (void)state;
    parallel_run(use_arenas, NULL, PARTS);
    for (unsigned part = 0; part < PARTS; part++)
        assert_int_equal(wrong[part], 0);
    arena_recycle(0);
}

static void a_piece_that_was_given_up_is_taken_again(void **state)
{
    (void)state;
    struct arena a;
    assert_int_equal(arena_recycle(KEPT), 0);
    arena_init(&a);
    char *first = arena_alloc(&a, 12 << 20);
    arena_free(&a);
    assert_ptr_equal(arena_alloc(&a, 11 << 20), first);
    arena_free(&a);
    assert_ptr_not_equal(arena_alloc(&a, 2 << 20), first); /* far too large for that */
    arena_free(&a);
    assert_true(arena_keeps(KEPT / 4));
    assert_false(arena_keeps(KEPT / 4 + 1));
    assert_int_equal(arena_recycle(0), KEPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_that_was_given_up_is_taken_again),
        cmocka_unit_test(threads_get_pieces_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
