/* SPDX-License-Identifier: MIT
 *
 * The recorder's reader on segments made by hand: what processes of every fate leave there, and
 * what a program that scribbles on it could leave. */
#include "record/drain.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct shm *shm;
static struct drain d;

static int make(void **state)
{
    (void)state;
    shm = mmap(NULL, sizeof *shm, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shm == MAP_FAILED)
        return 1;
    shm_init(shm);
    shm->period_ns = 10000000;
    drain_init(&d, shm);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    drain_free(&d);
    return munmap(shm, sizeof *shm);
}

/* ---- writing ---- */

static void put_bytes(const void *bytes, uint32_t size)
{
    struct shm_chunk *c = shm_chunk_take(shm, size, 1);
    assert_non_null(c);
    memcpy(c->data + atomic_load(&c->committed), bytes, size);
    shm_chunk_put(shm, c, size);
}

struct sample {
    uint16_t slot;
    uint32_t image, tid, weight;
    uint16_t flags, depth;
    uint32_t reason, epoch;
    uint64_t first; /* the pcs are first, first + 1 … */
};

static void put_sample(struct sample x)
{
    _Alignas(8) unsigned char bytes[sizeof(struct shm_sample) + LIMIT_STACK_DEPTH * 8] = {0};
    struct shm_sample *s = (struct shm_sample *)bytes;
    uint32_t size = (uint32_t)sizeof *s + x.depth * 8u;
    *s = (struct shm_sample){.r = {size, SHM_SAMPLE, x.slot, x.image, x.epoch},
                             .tid = x.tid,
                             .weight = x.weight,
                             .flags = x.flags,
                             .depth = x.depth,
                             .reason = x.reason};
    for (uint32_t i = 0; i < x.depth; i++)
        s->pcs[i] = x.first + i;
    put_bytes(bytes, size);
}

static void put_image(struct shm_image head, const char *exe)
{
    _Alignas(8) unsigned char bytes[512] = {0};
    head.exe_len = (uint16_t)strlen(exe);
    head.r.type = SHM_IMAGE;
    head.r.size = (uint32_t)(sizeof head + head.exe_len + 7) & ~7u;
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, exe, head.exe_len);
    put_bytes(bytes, head.r.size);
}

static void put_module(struct shm_module head, const char *path)
{
    _Alignas(8) unsigned char bytes[512] = {0};
    head.path_len = (uint16_t)strlen(path);
    head.r.type = SHM_MODULE;
    head.r.size = (uint32_t)(sizeof head + head.path_len + 7) & ~7u;
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, path, head.path_len);
    put_bytes(bytes, head.r.size);
}

static struct drain_image *image_of(uint32_t slot, uint32_t image)
{
    for (uint32_t i = 0; i < d.image_count; i++)
        if (d.images[i].slot == slot && d.images[i].image == image)
            return &d.images[i];
    return NULL;
}

static struct shm_process *begin_process(pid_t pid)
{
    struct shm_process *p = shm_process_claim(shm, (uint32_t)pid);
    assert_non_null(p);
    atomic_store(&p->image, 1);
    atomic_store(&p->state, SHM_LIVE);
    return p;
}

/* A pid that was a process's and is nobody's now. */
static pid_t dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

/* ---- what is right ---- */

static void equal_stacks_of_an_image_are_added(void **state)
{
    (void)state;
    put_sample((struct sample){.slot = 3, .image = 1, .weight = 2, .depth = 3, .first = 100});
    put_sample((struct sample){.slot = 3, .image = 1, .weight = 5, .depth = 3, .first = 100});
    put_sample((struct sample){.slot = 3, .image = 1, .weight = 1, .depth = 2, .first = 100});
    put_sample((struct sample){.slot = 3, .image = 2, .weight = 1, .depth = 3, .first = 100});
    put_sample((struct sample){.slot = 4, .image = 1, .weight = 1, .depth = 3, .first = 100});
    drain_read(&d);
    drain_read(&d); /* nothing twice */
    assert_int_equal(d.image_count, 3);
    assert_int_equal(d.samples, 5);
    assert_int_equal(d.points, 10);
    assert_int_equal(d.malformed, 0);
    struct drain_image *m = image_of(3, 1);
    assert_int_equal(m->stack_count, 2);
    assert_int_equal(m->stacks[0].weight, 7);
    assert_int_equal(m->stacks[0].depth, 3);
    assert_int_equal(m->stacks[0].pcs[2], 102);
}

static void stacks_differ_by_all_but_their_weight(void **state)
{
    (void)state;
    struct sample s = {.image = 1, .tid = 9, .weight = 1, .depth = 2, .first = 50};
    put_image((struct shm_image){.r.image = 1, .pid = 9}, "/bin/x");
    put_sample(s);
    s.flags = SHM_STACK_TRUNCATED;
    put_sample(s);
    s.reason = 2;
    put_sample(s);
    s.epoch = 1;
    put_sample(s);
    s.tid = 10; /* another thread than the process's first */
    put_sample(s);
    s.tid = 11; /* any other */
    put_sample(s);
    s.first = 51;
    put_sample(s);
    drain_read(&d);
    struct drain_image *m = image_of(0, 1);
    assert_int_equal(m->stack_count, 6);
    assert_false(m->stacks[0].other_thread);
    assert_true(m->stacks[4].other_thread);
    assert_int_equal(m->stacks[4].weight, 2);
}

static void what_is_cut_is_counted_by_its_reason(void **state)
{
    (void)state;
    struct sample s = {.image = 1, .weight = 3, .depth = 1, .flags = SHM_STACK_TRUNCATED};
    s.reason = 4;
    put_sample(s);
    s.reason = 1000; /* of a newer library */
    put_sample(s);
    s.flags = SHM_STACK_DEPTH;
    s.reason = 0;
    put_sample(s);
    drain_read(&d);
    assert_int_equal(d.truncated_points, 6);
    assert_int_equal(d.depth_points, 3);
    assert_int_equal(d.reasons[4], 3);
    assert_int_equal(d.points, 9);
}

static void the_deepest_stack_fits(void **state)
{
    (void)state;
    put_sample((struct sample){.image = 1, .weight = 1, .depth = LIMIT_STACK_DEPTH, .first = 7});
    drain_read(&d);
    assert_int_equal(d.malformed, 0);
    assert_int_equal(d.images[0].stacks[0].pcs[LIMIT_STACK_DEPTH - 1], 7 + LIMIT_STACK_DEPTH - 1);
}

static void images_and_modules_are_told(void **state)
{
    (void)state;
    put_image((struct shm_image){.r.image = 1, .pid = 77, .parent_process = UINT32_MAX}, "/bin/sh");
    put_image(
        (struct shm_image){
            .r.image = 1, .r.process = 5, .pid = 78, .parent_process = 0, .parent_image = 1},
        "/bin/cat");
    struct shm_module m = {.r.image = 1,
                           .r.epoch = 6,
                           .start = 0x1000,
                           .limit = 0x3000,
                           .offset = 0x200,
                           .build_id_len = 20};
    memset(m.build_id, 0xab, 20);
    put_module(m, "/lib/with \x01 odd bytes");
    put_module((struct shm_module){.r.image = 1, .start = 0, .limit = 1}, "");
    drain_read(&d);
    assert_int_equal(d.malformed, 0);
    struct drain_image *sh = image_of(0, 1), *cat = image_of(5, 1);
    assert_int_equal(sh->pid, 77);
    assert_string_equal(sh->exe, "/bin/sh");
    assert_int_equal(sh->parent_slot, DRAIN_NONE);
    assert_int_equal(cat->parent_slot, 0);
    assert_int_equal(cat->parent_image, 1);
    assert_int_equal(sh->module_count, 2);
    assert_string_equal(sh->modules[0].path, "/lib/with \x01 odd bytes");
    assert_int_equal(sh->modules[0].path_len, strlen("/lib/with \x01 odd bytes"));
    assert_int_equal(sh->modules[0].epoch, 6);
    assert_int_equal(sh->modules[0].limit, 0x3000);
    assert_int_equal(sh->modules[0].build_id_len, 20);
    assert_int_equal(sh->modules[0].build_id[19], 0xab);
    assert_int_equal(sh->modules[1].path_len, 0);
}

/* Many times the pool's size goes through it. */
static void full_chunks_come_back(void **state)
{
    (void)state;
    enum { ROUNDS = 40, EACH = 1000 };
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++)
            put_sample((struct sample){
                .image = 1, .weight = 1, .depth = 60, .first = (uint64_t)(i % 100) * 1000});
        drain_read(&d);
    }
    assert_int_equal(d.samples, ROUNDS * EACH);
    assert_int_equal(d.images[0].stack_count, 100);
    for (uint32_t i = 0; i < SHM_CHUNKS; i++)
        assert_int_equal(atomic_load(&shm->chunks[i].full), 0);
}

/* ---- processes and their slots ---- */

static void a_slot_is_given_back_one_look_after_its_process_died(void **state)
{
    (void)state;
    struct shm_process *p = begin_process(dead_pid());
    drain_reap(&d);
    assert_int_equal(atomic_load(&p->state), SHM_LIVE);
    put_sample((struct sample){.image = 1, .weight = 4, .depth = 1}); /* its last, not yet read */
    atomic_store(&p->booked_points, 4);
    atomic_store(&p->lost_points, 2);
    atomic_store(&p->threads_lost, 3);
    assert_int_equal(drain_lost(&d), 2);
    drain_read(&d);
    drain_reap(&d);
    assert_int_equal(atomic_load(&p->state), SHM_FREE);
    assert_int_equal(d.points, 4);
    assert_int_equal(d.points_killed, 4); /* its exit hook did not run */
    assert_int_equal(d.lost_points, 2);
    assert_int_equal(d.threads_lost, 3);
    assert_int_equal(drain_lost(&d), 2);
    assert_int_equal(drain_end(&d), 0);
    assert_int_equal(d.points_killed, 4);
}

static void a_living_process_keeps_its_slot(void **state)
{
    (void)state;
    struct shm_process *p = begin_process(getpid());
    for (int i = 0; i < 4; i++)
        drain_reap(&d);
    assert_int_equal(atomic_load(&p->state), SHM_LIVE);
    assert_int_equal(drain_end(&d), 1);
    assert_int_equal(atomic_load(&shm->stop), 1);
}

static void a_slot_is_used_again_and_its_images_stay_apart(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        struct shm_process *p = begin_process(dead_pid());
        assert_int_equal(shm_process_index(shm, p), 0);
        put_image((struct shm_image){.r.image = i, .pid = 100 + i}, "/bin/x");
        put_sample((struct sample){.image = i, .weight = i, .depth = 1});
        atomic_store(&p->cpu_at_end_ns, 1000);
        atomic_store(&p->state, SHM_ENDED);
        drain_reap(&d);
        drain_read(&d);
        drain_reap(&d);
    }
    assert_int_equal(d.image_count, 5);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(image_of(0, i)->pid, 100 + i);
        assert_int_equal(image_of(0, i)->stacks[0].weight, i);
    }
    assert_int_equal(d.cpu_ended_ns, 5000);
    assert_int_equal(d.points_killed, 0);
    assert_int_equal(d.unrecorded, 0);
}

/* A program that libstrobe was not loaded into (a static one) never answers its execve. */
static void an_image_that_never_began_is_unrecorded(void **state)
{
    (void)state;
    struct shm_process *p = shm_process_claim(shm, (uint32_t)dead_pid());
    atomic_store(&p->state, SHM_EXECING);
    drain_reap(&d);
    drain_reap(&d);
    assert_int_equal(d.unrecorded, 1);
    atomic_store(&shm->processes_lost, 2); /* and these had no slot at all */
    p = shm_process_claim(shm, (uint32_t)dead_pid());
    atomic_store(&p->state, SHM_EXECING);
    assert_int_equal(drain_end(&d), 0);
    assert_int_equal(d.unrecorded, 4);
}

static uint32_t free_chunks(void)
{
    uint32_t n = 0;
    for (uint32_t i = (uint32_t)atomic_load(&shm->free_head); i && n <= SHM_CHUNKS; n++)
        i = atomic_load(&shm->chunks[i - 1].next);
    return n;
}

static void chunks_of_a_killed_holder_are_read_and_given_back_once(void **state)
{
    (void)state;
    pid_t pid = dead_pid();
    struct shm_process *p = begin_process(pid);
    put_sample((struct sample){.image = 1, .weight = 8, .depth = 1});
    struct shm_chunk *held = shm_chunk_take(shm, 64, (uint32_t)pid);
    memset(held->data + atomic_load(&held->committed), 0xee, 64); /* half a record */
    struct shm_chunk *full = shm_chunk_take(shm, 64, (uint32_t)pid);
    atomic_store(&full->full, 1);
    struct shm_chunk *other = shm_chunk_take(shm, 64, (uint32_t)getpid());
    assert_int_equal(free_chunks(), SHM_CHUNKS - 3);
    drain_reap(&d);
    drain_reap(&d);
    assert_int_equal(atomic_load(&p->state), SHM_FREE);
    assert_int_equal(free_chunks(), SHM_CHUNKS - 1);
    assert_int_equal(d.points, 8);
    assert_int_equal(d.malformed, 0);
    assert_int_equal(atomic_load(&other->holder), getpid());
    shm_chunk_put(shm, other, 0);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

static void the_last_look_reads_what_killed_holders_left(void **state)
{
    (void)state;
    pid_t pid = dead_pid();
    begin_process(pid);
    put_sample((struct sample){.image = 1, .weight = 8, .depth = 1});
    struct shm_chunk *full = shm_chunk_take(shm, 64, (uint32_t)pid);
    atomic_store(&full->full, 1);
    assert_int_equal(drain_end(&d), 0);
    assert_int_equal(d.points, 8);
    assert_int_equal(free_chunks(), SHM_CHUNKS);
}

/* ---- what is wrong ---- */

/* One chunk with `bytes`, then a good sample in a chunk of its own: the first is counted as
 * malformed, the second is read, and the first one's rest is left alone for ever. */
static void expect_malformed(const void *bytes, uint32_t size)
{
    uint64_t before = d.malformed, samples = d.samples;
    struct shm_chunk *bad = shm_chunk_take(shm, SHM_CHUNK_DATA, 1);
    assert_non_null(bad);
    memset(bad->data, 0, 4096);
    memcpy(bad->data, bytes, size);
    put_sample((struct sample){.slot = 9, .image = 9, .weight = 1, .depth = 2, .first = 5});
    shm_chunk_put(shm, bad, size);
    drain_read(&d);
    drain_read(&d);
    assert_int_equal(d.malformed, before + 1);
    assert_int_equal(d.samples, samples + 1);
    struct shm_chunk *again = shm_chunk_take(shm, 0, 1);
    assert_ptr_equal(again, bad);
    shm_chunk_recycle(shm, bad);
    d.consumed[bad - shm->chunks] = 0;
}

static void damaged_heads_are_counted(void **state)
{
    (void)state;
    struct shm_sample good = {.r = {sizeof good, SHM_SAMPLE, 0, 1, 0}, .weight = 1};
    const uint32_t sizes[] = {
        0, 1, 8, 15, 17, sizeof good - 8, sizeof good + 8, 1u << 31, UINT32_MAX, UINT32_MAX - 7};
    struct shm_sample s;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        s = good;
        s.r.size = sizes[i];
        expect_malformed(&s, sizeof s);
    }
    const uint16_t types[] = {0, SHM_RECORD_TYPES, UINT16_MAX};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        s = good;
        s.r.type = types[i];
        expect_malformed(&s, sizeof s);
    }
    s = good;
    s.r.process = SHM_PROCESSES;
    expect_malformed(&s, sizeof s);
    s.r.process = UINT16_MAX;
    expect_malformed(&s, sizeof s);
    for (uint32_t cut = 8; cut < sizeof s; cut += 8) /* committed in the middle of a record */
        expect_malformed(&good, cut);
    expect_malformed(&good, 13);
}

static void damaged_samples_are_counted(void **state)
{
    (void)state;
    _Alignas(8) unsigned char bytes[8192] = {0};
    struct shm_sample *s = (struct shm_sample *)bytes;
    const struct shm_sample good = {
        .r = {sizeof *s + 16, SHM_SAMPLE, 0, 1, 0}, .weight = 1, .depth = 2};
    *s = good;
    s->weight = 0;
    expect_malformed(bytes, good.r.size);
    const uint16_t depths[] = {3, LIMIT_STACK_DEPTH, LIMIT_STACK_DEPTH + 1, 0x2002, UINT16_MAX};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        *s = good;
        s->depth = depths[i];
        expect_malformed(bytes, good.r.size);
    }
    *s = good;
    s->depth = LIMIT_STACK_DEPTH + 1; /* deeper than any of ours, though it fits */
    s->r.size = (uint32_t)sizeof *s + (LIMIT_STACK_DEPTH + 1) * 8;
    expect_malformed(bytes, s->r.size);
}

static void damaged_modules_and_images_are_counted(void **state)
{
    (void)state;
    struct shm_module m,
        good = {.r = {sizeof m, SHM_MODULE, 0, 1, 0}, .start = 0x1000, .limit = 0x2000};
    m = good;
    m.path_len = 1; /* beyond the record */
    expect_malformed(&m, sizeof m);
    m.path_len = UINT16_MAX;
    expect_malformed(&m, sizeof m);
    m = good;
    m.build_id_len = SHM_BUILD_ID_MAX + 1;
    expect_malformed(&m, sizeof m);
    m = good;
    m.limit = m.start;
    expect_malformed(&m, sizeof m);
    m.limit = 0;
    expect_malformed(&m, sizeof m);
    m = good;
    m.r.size = sizeof m.r;
    expect_malformed(&m, sizeof m.r);
    struct shm_image i = {.r = {sizeof i, SHM_IMAGE, 0, 1, 0}, .exe_len = 1};
    expect_malformed(&i, sizeof i);
    i.exe_len = UINT16_MAX;
    expect_malformed(&i, sizeof i);
    i.exe_len = 0;
    i.r.size = sizeof i.r;
    expect_malformed(&i, sizeof i.r);
}

static void impossible_chunk_heads_are_survived(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        struct shm_chunk *c = &shm->chunks[i];
        atomic_store(&c->committed, i % 2 ? UINT32_MAX : SHM_CHUNK_DATA + 1);
        memset(c->data, (int)(i * 37), sizeof c->data);
    }
    drain_read(&d);
    assert_int_equal(d.malformed, 8);
    for (uint32_t i = 0; i < 8; i++)
        atomic_store(&shm->chunks[i].committed, 8); /* backwards */
    drain_read(&d);
    assert_int_equal(d.malformed, 8);
    assert_int_equal(d.samples, 0);
}

/* A program's processes' slots are as open to it as its chunks. */
static void scribbled_slots_are_survived(void **state)
{
    (void)state;
    atomic_store(&shm->processes_high, UINT32_MAX);
    for (uint32_t i = 0; i < 64; i++) {
        atomic_store(&shm->processes[i].state, i);
        atomic_store(&shm->processes[i].pid, i % 2 ? UINT32_MAX - i : 0);
    }
    drain_reap(&d);
    drain_read(&d);
    drain_reap(&d);
    (void)drain_lost(&d);
    drain_end(&d);
    assert_int_equal(d.points, 0);
}

/* Random bytes in random places, many times: never a crash, and a good process beside it is read.
 */
static void random_scribbling_is_survived(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 300; round++) {
        put_sample((struct sample){
            .slot = 1, .image = 1, .weight = 1, .depth = (uint16_t)(rand() % 40), .first = 900});
        struct shm_chunk *c = &shm->chunks[rand() % 4];
        uint32_t committed = atomic_load(&c->committed) % SHM_CHUNK_DATA;
        for (int i = 0; i < 20; i++)
            c->data[(uint32_t)rand() % (committed + 64)] = (unsigned char)rand();
        if (round % 3 == 0)
            drain_read(&d);
    }
    drain_read(&d);
    assert_true(d.malformed > 0);
    assert_true(d.samples > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_stacks_of_an_image_are_added),
        TEST(stacks_differ_by_all_but_their_weight),
        TEST(what_is_cut_is_counted_by_its_reason),
        TEST(the_deepest_stack_fits),
        TEST(images_and_modules_are_told),
        TEST(full_chunks_come_back),
        TEST(a_slot_is_given_back_one_look_after_its_process_died),
        TEST(a_living_process_keeps_its_slot),
        TEST(a_slot_is_used_again_and_its_images_stay_apart),
        TEST(an_image_that_never_began_is_unrecorded),
        TEST(chunks_of_a_killed_holder_are_read_and_given_back_once),
        TEST(the_last_look_reads_what_killed_holders_left),
        TEST(damaged_heads_are_counted),
        TEST(damaged_samples_are_counted),
        TEST(damaged_modules_and_images_are_counted),
        TEST(impossible_chunk_heads_are_survived),
        TEST(scribbled_slots_are_survived),
        TEST(random_scribbling_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
