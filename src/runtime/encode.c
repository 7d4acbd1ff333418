/* SPDX-License-Identifier: MIT
 *
 * From program counters to a gzip'ed profile.proto, inside the program: modules as they were noted
 * when a walk met them first, function names from the files' symbol tables. Memory is mapped, not
 * malloc'ed, so that this may run where the allocator must not be entered. */
#include "runtime/encode.h"

#include "base/deflate.h"
#include "base/elfsym.h"

#include <errno.h>
#include <string.h>

const struct module *encode_find_module(const struct module *modules, uint64_t pc, uint32_t epoch)
{
    const struct module *best = NULL;
    for (uint32_t i = 0, empty = 0; modules && i < RUNTIME_MODULES; i++) {
        const struct module *m = &modules[i];
        if (!m->limit && ++empty > ENCODE_GAPS_MAX)
            break;
        if (atomic_load_explicit(&m->ready, memory_order_acquire) && pc >= m->start &&
            pc < m->limit && m->epoch <= epoch)
            best = m;
    }
    return best && best->path_len ? best : NULL;
}

static uint32_t mapping_of(struct profile_build *b, const struct module *m)
{
    struct profile_build_mapping to = {.start = m->start,
                                       .limit = m->limit,
                                       .offset = m->offset,
                                       .file = m->path,
                                       .file_len = m->path_len,
                                       .build_id = m->build_id,
                                       .build_id_len = m->build_id_len};
    if (to.file_len >= sizeof m->path || to.build_id_len > sizeof m->build_id)
        return PROFILE_NONE;
    return profile_build_mapping(b, &to);
}

void encode_program_in(struct profile_build *b, const struct module *modules)
{
    for (uint32_t i = 0, empty = 0; modules && i < RUNTIME_MODULES; i++) {
        const struct module *m = &modules[i];
        if (!m->limit && ++empty > ENCODE_GAPS_MAX)
            break;
        if (atomic_load_explicit(&m->ready, memory_order_acquire) &&
            !strncmp(m->path, rt.exe, sizeof m->path)) {
            mapping_of(b, m);
            return;
        }
    }
}

void encode_program(struct profile_build *b)
{
    encode_program_in(b, rt.modules);
}

uint32_t encode_location_in(struct profile_build *b, const struct module *modules, uint64_t pc,
                            uint32_t epoch)
{
    static const char *const pseudo[SHM_PSEUDO_COUNT] = SHM_PSEUDO_NAMES;
    if (pc > 0 && pc < SHM_PSEUDO_COUNT)
        return profile_build_pseudo(b, pseudo[pc]);
    const struct module *m = encode_find_module(modules, pc, epoch);
    uint32_t mapping = m ? mapping_of(b, m) : PROFILE_NONE;
    if (mapping != PROFILE_NONE) /* loaded elsewhere before: one mapping, its addresses */
        pc = pc - m->start + b->p->mappings[mapping].start;
    return profile_build_location(b, mapping, pc);
}

uint32_t encode_location(struct profile_build *b, uint64_t pc, uint32_t epoch)
{
    return encode_location_in(b, rt.modules, pc, epoch);
}

/* The bytes of a build id in hex. */
static uint32_t read_hex(struct profile_str hex, uint8_t *out, uint32_t max)
{
    uint32_t n = 0;
    for (; n < max && 2 * n + 1 < hex.len; n++) {
        unsigned high = (unsigned char)hex.ptr[2 * n], low = (unsigned char)hex.ptr[2 * n + 1];
        high = high <= '9' ? high - '0' : high - 'a' + 10;
        low = low <= '9' ? low - '0' : low - 'a' + 10;
        out[n] = (uint8_t)(high << 4 | low);
    }
    return n;
}

/* Mapping by mapping, so that one symbol table is open at a time. */
void encode_names(struct profile_build *b)
{
    struct profile *p = b->p;
    for (uint32_t m = 0; m < p->mapping_count; m++) {
        struct arena arena;
        struct elfsym symbols;
        struct profile_mapping *map = &p->mappings[m];
        struct profile_str file = p->strings[map->file];
        arena_init_nullable(&arena);
        char *path = arena_strndup(&arena, file.ptr, file.len);
        uint8_t id[SHM_BUILD_ID_MAX];
        uint32_t id_len = read_hex(p->strings[map->build_id], id, sizeof id);
        if (path && elfsym_open(&symbols, &arena, path, id, id_len) == 0) {
            for (uint32_t i = 0; i < p->location_count; i++) {
                struct profile_location *l = &p->locations[i];
                const struct elfsym_function *f =
                    l->mapping == m ? elfsym_find(&symbols, l->address - map->start + map->offset)
                                    : NULL;
                if (f) {
                    profile_build_name(b, i, f->name, strlen(f->name));
                    map->has_functions = true;
                }
            }
            elfsym_close(&symbols);
        }
        arena_free(&arena);
    }
}

int encode_write(struct profile_build *b, strobe_write_fn write, void *ctx)
{
    struct arena arena;
    struct buf plain;
    arena_init_nullable(&arena);
    buf_init(&plain, &arena);
    int r = profile_build_finish(b);
    if (r == 0)
        r = profile_encode(b->p, &plain);
    struct deflate *packer = arena_alloc(&arena, sizeof *packer);
    if (r == 0)
        r = !packer                                                        ? -ENOMEM
            : deflate_gzip(packer, plain.data, plain.len, write, ctx) != 0 ? -EIO
                                                                           : 0;
    profile_free(b->p);
    arena_free(&arena);
    return r;
}
