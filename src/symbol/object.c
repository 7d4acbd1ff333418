/* SPDX-License-Identifier: MIT
 *
 * Opens a binary and answers what is at its addresses: the frames that DWARF knows, with the name
 * of the physical function taken from the symbol table wherever that has one, as llvm-symbolizer
 * does it. */
#include "symbol/object_internal.h"

#include "base/gotext.h"
#include "base/sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

static int check_magic(const char *file, struct err *e)
{
    struct stat st;
    char magic[4];
    if (stat(file, &st))
        return err_set(e, -errno, "stat %s: %s", file, gotext_errno(errno));
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set(e, -errno, "error opening %s: open %s: %s", file, file, gotext_errno(errno));
    ssize_t n = read(fd, magic, sizeof magic);
    int error = errno;
    close(fd);
    if (n < 0)
        return err_set(e, -error, "error reading magic number from %s: read %s: %s", file, file,
                       gotext_errno(error));
    if (n < 4)
        return err_set(e, -EINVAL, "error reading magic number from %s: %s", file,
                       n ? "unexpected EOF" : "EOF");
    if (memcmp(magic, ELFMAG, 4))
        return err_set(e, -EINVAL, "unrecognized binary format: %s", file);
    return 0;
}

/* The address of the symbol that a kernel's mapping begins at. */
static void find_kernel_offset(struct object *o)
{
    const struct object_mapping *m = &o->mapping;
    if (!strstr(o->module.file, "vmlinux") && m->start % 4096 == 0 && m->limit % 4096 == 0 &&
        m->offset % 4096 == 0)
        return;
    const char *name = m->kernel_symbol && *m->kernel_symbol ? m->kernel_symbol : "_stext";
    o->has_kernel_offset = object_symbol_value(o, name, &o->kernel_offset);
}

static const char *hex(struct arena *a, const uint8_t *bytes, size_t n)
{
    struct buf out;
    buf_init(&out, a);
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%02x", bytes[i]);
    return buf_cstr(&out);
}

int object_open(struct object **out, const char *file, const struct object_mapping *m,
                struct err *e)
{
    int rc = check_magic(file, e);
    if (rc)
        return rc;
    elf_version(EV_CURRENT);
    struct object *o = calloc(1, sizeof *o);
    if (!o)
        return err_set(e, -ENOMEM, "error reading ELF file %s: out of memory", file);
    struct module *module = &o->module;
    module->file = arena_strdup(&module->arena, file);
    module->base = strrchr(module->file, '/') ? strrchr(module->file, '/') + 1 : module->file;
    module->places.sysroot = module->build_id = "";
    module->lines = module->as_llvm = true;
    o->mapping = *m;
    const char *reason = elf_file_open(&module->elf, file, &module->arena);
    if (reason) {
        rc = err_set(e, -EINVAL, "error reading ELF file %s: error parsing %s: %s", file, file,
                     reason);
        arena_free(&module->arena);
        free(o);
        return rc;
    }
    find_kernel_offset(o);
    o->build_id = hex(&module->arena, module->elf.build_id, module->elf.build_id_size);
    rc = object_check_base(o, e);
    if (rc) {
        err_prefix(e, "error reading ELF file %s: could not identify base for %s", file, file);
        object_close(o);
        return rc;
    }
    *out = o;
    return 0;
}

void object_close(struct object *o)
{
    if (!o)
        return;
    module_close(&o->module);
    free(o);
}

const char *object_build_id(const struct object *o)
{
    return o->build_id;
}

const char *object_not_fetched(struct object *o)
{
    struct module *m = &o->module;
    if (!m->not_fetched)
        return NULL;
    return arena_printf(&m->arena, "no debug file of %s: %s", m->file, m->not_fetched);
}

bool object_address(struct object *o, uint64_t address, uint64_t *file_address)
{
    if (!o->based) {
        o->based = true;
        o->base_failed = !object_find_base(o, address, &o->base);
    }
    *file_address = address - o->base;
    return !o->base_failed;
}

/* ---- looking up ---- */

static int by_address(const void *a, const void *b)
{
    const struct query *x = a, *y = b;
    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    return x->location < y->location ? -1 : x->location > y->location;
}

static void find_debug_file(struct object *o)
{
    struct module *m = &o->module;
    if (o->looked_for_debug)
        return;
    o->looked_for_debug = true;
    char *real = realpath(m->file, NULL);
    if (!real)
        return;
    m->file = arena_strdup(&m->arena, real);
    free(real);
    debug_file_find(m);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static void answer(struct object *o, const struct query *q, const struct object_name *symbol,
                   struct object_frames *out)
{
    struct arena *a = &o->module.arena;
    out->count = q->frame_count ? q->frame_count : 1;
    out->frames = arena_zarray(a, out->count, sizeof *out->frames);
    for (uint32_t i = 0; i < out->count; i++) {
        static const struct frame unknown;
        const struct frame *f = i < q->frame_count ? &q->frames[i] : &unknown;
        bool last = i + 1 == out->count;
        const char *name = last && symbol->name ? symbol->name : f->name;
        const char *file = f->file ? f->file : last ? symbol->file : NULL;
        out->frames[i] =
            (struct object_frame){or_empty(name), or_empty(file), f->line, f->column, f->decl_line};
    }
}

static void look_up_lines(struct object *o, struct object_frames *out)
{
    struct module *m = &o->module;
    struct object_name *names = arena_zarray(&m->arena, m->query_count, sizeof *names);
    find_debug_file(o);
    object_names(o, names);
    lines_find(m);
    for (uint32_t i = 0; i < m->query_count; i++)
        answer(o, &m->queries[i], &names[i], &out[m->queries[i].location]);
}

/* addr2LinerNM.addrInfo: the last symbol at or before the address, to the end of the last one of
 * all; data only as far as it goes. */
static const struct nm_symbol *find_listed(const struct nm_symbol *s, uint32_t count,
                                           uint64_t address)
{
    if (!count || address < s[0].address || address >= s[count - 1].address + s[count - 1].size)
        return NULL;
    uint32_t low = 0, high = count;
    while (low + 1 < high) {
        uint32_t mid = (low + high) / 2;
        if (address == s[mid].address) {
            low = mid;
            break;
        }
        if (address > s[mid].address)
            low = mid;
        else
            high = mid;
    }
    return s[low].is_data && address >= s[low].address + s[low].size ? NULL : &s[low];
}

/* GNU's nm prints no size of 0, and pprof then passes over the line; over names with a blank, too.
 */
static uint32_t usable_symbols(struct object *o, bool gnu, struct nm_symbol **list)
{
    uint32_t count = 0;
    object_list_symbols(o);
    *list = arena_array(&o->module.arena, o->symbol_count, sizeof **list);
    for (uint32_t i = 0; i < o->symbol_count; i++)
        if (!(gnu && !o->symbols[i].size) && !strchr(o->symbols[i].name, ' '))
            (*list)[count++] = o->symbols[i];
    return count;
}

static void look_up_names(struct object *o, bool gnu, struct object_frames *out)
{
    struct module *m = &o->module;
    struct nm_symbol *list;
    uint32_t count = usable_symbols(o, gnu, &list);
    for (uint32_t i = 0; i < m->query_count; i++) {
        const struct nm_symbol *s = find_listed(list, count, m->queries[i].addr);
        struct object_frames *f = &out[m->queries[i].location];
        if (!s)
            continue;
        f->count = 1;
        f->frames = arena_zalloc(&m->arena, sizeof *f->frames);
        *f->frames = (struct object_frame){.name = s->name, .file = ""};
    }
}

void object_look_up(struct object *o, const uint64_t *addresses, uint32_t count,
                    enum object_detail detail, struct object_frames *out)
{
    struct module *m = &o->module;
    m->queries = arena_zarray(&m->arena, count, sizeof *m->queries);
    m->query_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct query *q = &m->queries[m->query_count];
        out[i] = (struct object_frames){0};
        q->location = i;
        if (object_address(o, addresses[i], &q->addr))
            m->query_count++;
    }
    sort_list(m->queries, m->query_count, sizeof *m->queries, by_address);
    if (detail == OBJECT_LINES)
        look_up_lines(o, out);
    else
        look_up_names(o, detail == OBJECT_NAMES_GNU, out);
}
