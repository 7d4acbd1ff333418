/* SPDX-License-Identifier: MIT
 *
 * A malformed binary, as the reader of symbols and DWARF meets it: all of it is a file's bytes.
 * Addresses all over it are looked up in the ways that reports do, and its functions are listed by
 * a pattern. Whatever is answered is text that can be read to its end. */
#include "symbol/object.h"
#include "symbol/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESSES = 48, STEP = 29 };

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_object: %s\n", what);
        abort();
    }
}

static void read_texts(const struct object_frames *frames)
{
    for (uint32_t k = 0; k < frames->count; k++) {
        require(frames->frames[k].name && frames->frames[k].file, "a text that is not there");
        require(strlen(frames->frames[k].name) + strlen(frames->frames[k].file) < 1u << 30,
                "a text without an end");
    }
}

static void look_up(const char *file, uint64_t base, const uint64_t *addresses)
{
    static const enum object_detail details[] = {OBJECT_LINES, OBJECT_NAMES_LLVM, OBJECT_NAMES_GNU};
    struct object_mapping m = {base, base + (1u << 20), 0, ""};
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        struct object_frames out[ADDRESSES];
        struct object *o;
        struct err e = {0};
        if (object_open(&o, file, &m, &e) != 0) {
            require(e.msg[0] != 0, "refused without words");
            return;
        }
        require(object_build_id(o) != NULL, "no build id");
        object_look_up(o, addresses, ADDRESSES, details[i], out);
        for (int k = 0; k < ADDRESSES; k++)
            read_texts(&out[k]);
        object_close(o);
    }
}

static void list_functions(const char *file, uint64_t base)
{
    struct object_mapping m = {base, base + (1u << 20), 0, ""};
    struct object_symbol *symbols;
    struct object *o;
    struct arena a;
    struct err e;
    if (object_open(&o, file, &m, &e) != 0)
        return;
    arena_init(&a);
    struct regex *re = regex_compile("a", 1, &e);
    require(re != NULL, "the pattern is refused");
    uint32_t n = object_symbols(o, re, base + 64, &a, &symbols);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < symbols[i].name_count; k++)
            require(strlen(symbols[i].names[k]) < 1u << 30, "a name without an end");
    regex_free(re);
    arena_free(&a);
    object_close(o);
}

/* As recordings are given their names. */
static void symbolize(const char *file, const uint64_t *addresses)
{
    struct profile p;
    struct err e = {0};
    struct symbol_options options;
    symbol_options_default(&options);
    options.threads = 1;
    profile_init(&p);
    p.sample_types = arena_zarray(&p.arena, 1, sizeof *p.sample_types);
    profile_intern_cstr(&p, "");
    p.sample_types[p.sample_type_count++].type = profile_intern_cstr(&p, "samples");
    p.mappings = arena_zarray(&p.arena, 1, sizeof *p.mappings);
    p.mappings[p.mapping_count++] = (struct profile_mapping){
        .id = 1, .start = 0x400000, .limit = 0x500000, .file = profile_intern_cstr(&p, file)};
    p.locations = arena_zarray(&p.arena, ADDRESSES, sizeof *p.locations);
    for (; p.location_count < ADDRESSES; p.location_count++)
        p.locations[p.location_count] = (struct profile_location){
            .id = p.location_count + 1u, .address = addresses[p.location_count], .mapping = 0};
    require(symbol_profile(&p, &options, NULL, &e) == 0, e.msg);
    if (profile_check(&p, &e) != 0) {
        fprintf(stderr, "fuzz_object: %s\n", e.msg);
        abort();
    }
    profile_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char file[64];
    uint64_t low[ADDRESSES], high[ADDRESSES];
    if (fd < 0) {
        fd = memfd_create("object", MFD_CLOEXEC);
        snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        return 0;
    for (uint64_t i = 0; i < ADDRESSES; i++) {
        low[i] = 0x1000 + i * STEP;
        high[i] = 0x400000 + (i % 2 ? 0x1000 : 0) + i * STEP;
    }
    look_up(file, 0x400000, high);
    look_up(file, 0, low);
    list_functions(file, 0x400000);
    symbolize(file, high);
    return 0;
}
