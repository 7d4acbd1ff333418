/* SPDX-License-Identifier: MIT
 *
 * The chunk pool and the process slots, by one thread, by many, and by forked processes, while a
 * reader drains as the recorder does: every committed record is read once and whole. Run under
 * TSan, too; there the writers are threads only, because it sees one process. */
#include "base/shm.h"

#include "record/drain.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

static struct shm *shm;

static int make(void **state)
{
    (void)state;
    shm = mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shm == MAP_FAILED)
        return 1;
    shm_init(shm);
    shm->period_ns = 10000000;
    return 0;
}

static int drop(void **state)
{
    (void)state;
    return munmap(shm, sizeof *shm);
}

/* How many chunks are on the free list; each may be there once. */
static uint32_t free_chunks(void)
{
    static bool seen[SHM_CHUNKS];
    memset(seen, 0, sizeof seen);
    uint32_t n = 0;
    for (uint32_t i = (uint32_t)atomic_load(&shm->free_head); i;
         i = atomic_load(&shm->chunks[i - 1].next)) {
        assert_in_range(i, 1, SHM_CHUNKS);
        assert_false(seen[i - 1]);
        seen[i - 1] = true;
        n++;
    }
    return n;
}

static void a_new_segment_has_all_chunks_free(void **state)
{
    (void)state;
    assert_int_equal(free_chunks(), SHM_CHUNKS);
    assert_true(shm_valid(shm, sizeof *shm));
}

static void a_foreign_segment_is_refused(void **state)
{
    (void)state;
    assert_false(shm_valid(shm, sizeof *shm - 1));
    shm->version++;
    assert_false(shm_valid(shm, sizeof *shm));
    shm->version--;
    shm->magic ^= 1;
    assert_false(shm_valid(shm, sizeof *shm));
    shm->magic ^= 1;
    shm->size_bytes--;
    assert_false(shm_valid(shm, sizeof *shm));
    shm->size_bytes++;
    shm->period_ns = 0; /* every weight divides by it */
    assert_false(shm_valid(shm, sizeof *shm));
}

/* ---- one writer ---- */

static void a_quiet_writer_touches_one_chunk(void **state)
{
    (void)state;
    struct shm_chunk *first = NULL;
    for (int i = 0; i < 100; i++) {
        struct shm_chunk *c = shm_chunk_take(shm, 64, 7);
        assert_non_null(c);
        assert_int_equal(atomic_load(&c->holder), 7);
        if (!first)
            first = c;
        assert_ptr_equal(c, first);
        shm_chunk_put(shm, c, 64);
        assert_int_equal(atomic_load(&c->holder), 0);
    }
    assert_int_equal(atomic_load(&first->committed), 6400);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

static void what_is_put_back_without_bytes_does_not_exist(void **state)
{
    (void)state;
    struct shm_chunk *c = shm_chunk_take(shm, 4096, 7);
    memset(c->data, 0xff, 4096);
    shm_chunk_put(shm, c, 0);
    assert_int_equal(atomic_load(&c->committed), 0);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

static void a_chunk_without_room_waits_for_the_reader(void **state)
{
    (void)state;
    struct shm_chunk *c = shm_chunk_take(shm, SHM_CHUNK_DATA, 7);
    shm_chunk_put(shm, c, SHM_CHUNK_DATA - 8);
    struct shm_chunk *small = shm_chunk_take(shm, 8, 7);
    assert_ptr_equal(small, c); /* its last 8 bytes */
    shm_chunk_put(shm, small, 0);
    struct shm_chunk *next = shm_chunk_take(shm, 16, 7);
    assert_ptr_not_equal(next, c);
    assert_int_equal(atomic_load(&c->full), 1);
    shm_chunk_put(shm, next, 16);
    assert_int_equal(free_chunks(), SHM_CHUNKS - 1);
    shm_chunk_recycle(shm, c);
    assert_int_equal(atomic_load(&c->committed), 0);
    assert_int_equal(atomic_load(&c->full), 0);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

static void an_empty_pool_gives_null_until_the_reader_recycles(void **state)
{
    (void)state;
    static struct shm_chunk *held[SHM_CHUNKS];
    for (uint32_t i = 0; i < SHM_CHUNKS; i++) {
        held[i] = shm_chunk_take(shm, 64, 7);
        assert_non_null(held[i]);
    }
    assert_null(shm_chunk_take(shm, 64, 7));
    shm_chunk_recycle(shm, held[100]);
    assert_ptr_equal(shm_chunk_take(shm, 64, 8), held[100]);
    assert_null(shm_chunk_take(shm, 64, 8));
}

/* The recorded program may write anything: indexes that lead out of the segment are not followed,
 * and sizes beyond a chunk do not become room. */
static void a_scribbled_segment_is_not_followed(void **state)
{
    (void)state;
    atomic_store(&shm->free_head, 0x7fffffff);
    assert_null(shm_chunk_take(shm, 64, 7));
    atomic_store(&shm->free_head, 1);
    atomic_store(&shm->chunks[0].next, SHM_CHUNKS + 1);
    atomic_store(&shm->chunks[0].committed, UINT32_MAX - 4);
    assert_null(shm_chunk_take(shm, 64, 7));
    assert_int_equal(atomic_load(&shm->chunks[0].full), 1);
}

/* ---- slots ---- */

static void slots_are_claimed_once_and_counted_when_gone(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SHM_PROCESSES; i++) {
        struct shm_process *p = shm_process_claim(shm, 1000 + i);
        assert_non_null(p);
        assert_int_equal(shm_process_index(shm, p), i);
        assert_int_equal(atomic_load(&p->state), SHM_CLAIMED);
        assert_int_equal(atomic_load(&p->pid), 1000 + i);
        assert_int_equal(atomic_load(&shm->processes_high), i + 1);
    }
    assert_null(shm_process_claim(shm, 1));
    assert_null(shm_process_claim(shm, 2));
    assert_int_equal(atomic_load(&shm->processes_lost), 2);
    atomic_store(&shm->processes[77].state, SHM_FREE);
    assert_ptr_equal(shm_process_claim(shm, 3), &shm->processes[77]);
    assert_int_equal(atomic_load(&shm->processes_high), SHM_PROCESSES);
}

static void only_the_slot_that_waits_for_an_image_is_found(void **state)
{
    (void)state;
    struct shm_process *a = shm_process_claim(shm, 10), *b = shm_process_claim(shm, 20);
    assert_null(shm_process_find_execing(shm, 10));
    atomic_store(&a->state, SHM_EXECING);
    atomic_store(&b->state, SHM_LIVE);
    assert_ptr_equal(shm_process_find_execing(shm, 10), a);
    assert_null(shm_process_find_execing(shm, 20));
    assert_null(shm_process_find_execing(shm, 30));
}

/* ---- many writers, one reader ---- */

enum { WRITERS = 4, RECORDS = 30000, STACKS = 97 };

/* Writer w's record i has a stack that is a function of i % STACKS and as many frames, so that a
 * torn one, or one with another's tail, makes a stack that was never written. */
static uint64_t frame(uint32_t w, uint32_t kind, uint32_t at)
{
    return 1 + ((uint64_t)w << 40 | (uint64_t)kind << 20 | at);
}

static bool write_record(uint32_t w, uint32_t i)
{
    uint32_t kind = i % STACKS, depth = kind + 1, bytes = (uint32_t)sizeof(struct shm_sample);
    struct shm_chunk *c = shm_chunk_take(shm, bytes + STACKS * 8, (uint32_t)getpid());
    if (!c)
        return false;
    uint32_t at = atomic_load_explicit(&c->committed, memory_order_relaxed);
    struct shm_sample *s = (struct shm_sample *)(c->data + at);
    *s = (struct shm_sample){.r = {.size = bytes + depth * 8, .type = SHM_SAMPLE, .image = 1},
                             .weight = i % 5 + 1,
                             .depth = (uint16_t)depth};
    s->r.process = (uint16_t)w;
    for (uint32_t k = 0; k < depth; k++)
        s->pcs[k] = frame(w, kind, k);
    shm_chunk_put(shm, c, s->r.size);
    return true;
}

/* Writes all records; one for which no chunk is free is tried again, as nothing may be lost here.
 */
static void write_all(uint32_t w)
{
    for (uint32_t i = 0; i < RECORDS; i++)
        while (!write_record(w, i))
            usleep(100);
}

static _Atomic int writing;

static void *write_in_thread(void *arg)
{
    write_all(*(uint32_t *)arg);
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

static void check_stacks(const struct drain *d)
{
    uint64_t samples = 0, points = 0;
    for (uint32_t i = 0; i < d->image_count; i++) {
        const struct drain_image *m = &d->images[i];
        assert_int_equal(m->stack_count, STACKS);
        for (uint32_t k = 0; k < m->stack_count; k++) {
            const struct drain_stack *s = &m->stacks[k];
            for (uint32_t f = 0; f < s->depth; f++)
                assert_int_equal(s->pcs[f], frame(m->slot, s->depth - 1, f));
        }
    }
    for (uint32_t i = 0; i < RECORDS; i++) {
        samples += WRITERS;
        points += WRITERS * (i % 5 + 1);
    }
    assert_int_equal(d->image_count, WRITERS);
    assert_int_equal(d->malformed, 0);
    assert_int_equal(d->samples, samples);
    assert_int_equal(d->points, points);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

static void threads_and_a_reader_lose_and_tear_nothing(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    uint32_t numbers[WRITERS];
    struct drain d;
    drain_init(&d, shm);
    atomic_store(&writing, WRITERS);
    for (uint32_t i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_in_thread, &numbers[i]), 0);
    }
    while (atomic_load(&writing)) {
        drain_read(&d);
        usleep(500);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    drain_read(&d);
    check_stacks(&d);
    drain_free(&d);
}

#ifndef UNDER_TSAN
static void processes_and_a_reader_lose_and_tear_nothing(void **state)
{
    (void)state;
    struct drain d;
    drain_init(&d, shm);
    for (uint32_t i = 0; i < WRITERS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            write_all(i);
            _exit(0);
        }
        assert_true(pid > 0);
    }
    for (uint32_t left = WRITERS; left;) {
        int status;
        drain_read(&d);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            left--;
        }
        usleep(500);
    }
    drain_read(&d);
    check_stacks(&d);
    drain_free(&d);
}

/* Writers are killed wherever they stand, and their chunks come back: what is not on the free list
 * in the end was lost in the few instructions in which a chunk is nobody's. */
static void killed_writers_leave_their_chunks_to_the_reader(void **state)
{
    (void)state;
    enum { VICTIMS = 40 };
    struct drain d;
    drain_init(&d, shm);
    for (uint32_t i = 0; i < VICTIMS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            for (uint32_t k = 0;; k++)
                if (!write_record(i, k))
                    usleep(100);
        assert_true(pid > 0);
        struct shm_process *p = shm_process_claim(shm, (uint32_t)pid);
        atomic_store(&p->state, SHM_LIVE);
        usleep(500 + i * 50);
        drain_read(&d);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        drain_read(&d);
        drain_reap(&d); /* is dead */
        drain_read(&d);
        drain_reap(&d); /* is given back */
        assert_int_equal(atomic_load(&p->state), SHM_FREE);
    }
    assert_int_equal(d.malformed, 0);
    assert_true(free_chunks() >= SHM_CHUNKS - VICTIMS / 4);
    drain_free(&d);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_segment_has_all_chunks_free, make, drop),
        cmocka_unit_test_setup_teardown(a_foreign_segment_is_refused, make, drop),
        cmocka_unit_test_setup_teardown(a_quiet_writer_touches_one_chunk, make, drop),
        cmocka_unit_test_setup_teardown(what_is_put_back_without_bytes_does_not_exist, make, drop),
        cmocka_unit_test_setup_teardown(a_chunk_without_room_waits_for_the_reader, make, drop),
        cmocka_unit_test_setup_teardown(an_empty_pool_gives_null_until_the_reader_recycles, make,
                                        drop),
        cmocka_unit_test_setup_teardown(a_scribbled_segment_is_not_followed, make, drop),
        cmocka_unit_test_setup_teardown(slots_are_claimed_once_and_counted_when_gone, make, drop),
        cmocka_unit_test_setup_teardown(only_the_slot_that_waits_for_an_image_is_found, make, drop),
        cmocka_unit_test_setup_teardown(threads_and_a_reader_lose_and_tear_nothing, make, drop),
#ifndef UNDER_TSAN
        cmocka_unit_test_setup_teardown(processes_and_a_reader_lose_and_tear_nothing, make, drop),
        cmocka_unit_test_setup_teardown(killed_writers_leave_their_chunks_to_the_reader, make,
                                        drop),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
