/* SPDX-License-Identifier: MIT
 *
 * C++ and Rust names for people, parsed by GNU's libiberty.
 *
 * pprof shows names without parameters and template arguments. libiberty can leave out the former,
 * not the latter: so its tree of a name is changed before it is printed. A template becomes its
 * name, and a function around a local name loses its parameters' types but keeps its "()". The tree
 * is a graph (substitutions share nodes), every change is made in place and is the same made twice.
 *
 * A short name may stand for an endless one, and nesting costs stack: names longer than
 * LIMIT_MANGLED_NAME, and those that grow beyond LIMIT_DEMANGLED_NAME, are shown as they are. */
#include "symbol/demangle.h"

#include "base/buf.h"
#include "base/limits.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where libiberty prints to. It has no way to be told to stop but this jump, which leaves nothing
 * behind: its printers keep their state on the stack. */
struct output {
    struct buf text;
    jmp_buf too_long;
};

static void append(const char *s, size_t n, void *to)
{
    struct output *out = to;
    if (out->text.len + n > LIMIT_DEMANGLED_NAME)
        longjmp(out->too_long, 1);
    buf_append(&out->text, s, n);
}

/* ---- C++ ---- */

enum { VISITED = 1 << 20 }; /* in d_counting, which libiberty uses as it prints: cleared again */

/* Nodes whose two pointers are subtrees. Those that are not here hold other things, or end a
 * branch. */
static bool is_binary(enum demangle_component_type type)
{
    switch (type) {
    case DEMANGLE_COMPONENT_NAME:
    case DEMANGLE_COMPONENT_TEMPLATE_PARAM:
    case DEMANGLE_COMPONENT_FUNCTION_PARAM:
    case DEMANGLE_COMPONENT_CTOR:
    case DEMANGLE_COMPONENT_DTOR:
    case DEMANGLE_COMPONENT_SUB_STD:
    case DEMANGLE_COMPONENT_BUILTIN_TYPE:
    case DEMANGLE_COMPONENT_EXTENDED_BUILTIN_TYPE:
    case DEMANGLE_COMPONENT_FIXED_TYPE:
    case DEMANGLE_COMPONENT_OPERATOR:
    case DEMANGLE_COMPONENT_EXTENDED_OPERATOR:
    case DEMANGLE_COMPONENT_CHARACTER:
    case DEMANGLE_COMPONENT_NUMBER:
    case DEMANGLE_COMPONENT_UNNAMED_TYPE: return false;
    default: return true;
    }
}

/* Those with one subtree and a number. */
static bool is_unary_number(enum demangle_component_type type)
{
    return type == DEMANGLE_COMPONENT_LAMBDA || type == DEMANGLE_COMPONENT_DEFAULT_ARG;
}

/* The function around a local name: only the fact that it is one is shown. */
static void drop_parameters(struct demangle_component *c)
{
    /* Around the name there may be qualifiers of the method, and no more of them than there are. */
    for (int i = 0; c && c->type != DEMANGLE_COMPONENT_TYPED_NAME; i++) {
        if (c->type == DEMANGLE_COMPONENT_LOCAL_NAME || !is_binary(c->type) || i == 8)
            return;
        c = c->u.s_binary.left;
    }
    struct demangle_component *type = c ? c->u.s_binary.right : NULL;
    for (int i = 0; type && type->type != DEMANGLE_COMPONENT_FUNCTION_TYPE; i++) {
        if (!is_binary(type->type) || i == 8)
            return;
        type = type->u.s_binary.left;
    }
    if (type && type->type == DEMANGLE_COMPONENT_FUNCTION_TYPE)
        type->u.s_binary.left = type->u.s_binary.right = NULL;
}

/* libiberty names a constructor after the last name it read: for an unnamed class that is the class
 * around it, and for a constructor that is inherited, the class it comes from. */
static void name_after_class(struct demangle_component *class, struct demangle_component *method)
{
    if (!method ||
        (method->type != DEMANGLE_COMPONENT_CTOR && method->type != DEMANGLE_COMPONENT_DTOR))
        return;
    while (class && (class->type == DEMANGLE_COMPONENT_QUAL_NAME ||
                     class->type == DEMANGLE_COMPONENT_TEMPLATE))
        class = class->type == DEMANGLE_COMPONENT_QUAL_NAME ? class->u.s_binary.right
                                                            : class->u.s_binary.left;
    if (class &&
        (class->type == DEMANGLE_COMPONENT_UNNAMED_TYPE || class->type == DEMANGLE_COMPONENT_NAME))
        method->u.s_ctor.name = class;
}

/* Argument `index` of a template's list, or NULL. */
static struct demangle_component *argument(struct demangle_component *list, long index)
{
    for (; list && list->type == DEMANGLE_COMPONENT_TEMPLATE_ARGLIST;
         list = list->u.s_binary.right) {
        if (index-- == 0)
            return list->u.s_binary.left;
    }
    return NULL;
}

/* Puts the arguments into the type of a conversion operator: without its template, "operator T"
 * has nothing left that says what T is. */
static void resolve(struct demangle_component *type, struct demangle_component *list)
{
    for (int i = 0; type && type->type != DEMANGLE_COMPONENT_TEMPLATE_PARAM; i++) {
        if (!is_binary(type->type) || i == 16)
            return;
        type = type->u.s_binary.left;
    }
    struct demangle_component *arg = type ? argument(list, type->u.s_number.number) : NULL;
    if (arg && arg->type != DEMANGLE_COMPONENT_TEMPLATE_ARGLIST)
        *type = *arg;
}

/* The parameters of a conversion operator are its own, or those of the class around it. */
static void resolve_conversion(struct demangle_component *c)
{
    struct demangle_component *left = c->u.s_binary.left, *right = c->u.s_binary.right;
    if (c->type == DEMANGLE_COMPONENT_TEMPLATE) {
        while (left && left->type == DEMANGLE_COMPONENT_QUAL_NAME)
            left = left->u.s_binary.right;
        if (left && left->type == DEMANGLE_COMPONENT_CONVERSION)
            resolve(left, right);
        return;
    }
    while (left && left->type == DEMANGLE_COMPONENT_QUAL_NAME)
        left = left->u.s_binary.right;
    if (right && right->type == DEMANGLE_COMPONENT_CONVERSION && left &&
        left->type == DEMANGLE_COMPONENT_TEMPLATE)
        resolve(right, left->u.s_binary.right);
}

/* Takes out what the mode does not show. */
static void strip(struct demangle_component *c, enum demangle_mode mode)
{
    if (!c || c->d_counting == VISITED)
        return;
    c->d_counting = VISITED;
    if (mode == DEMANGLE_SHORT &&
        (c->type == DEMANGLE_COMPONENT_TEMPLATE || c->type == DEMANGLE_COMPONENT_QUAL_NAME))
        resolve_conversion(c);
    if (c->type == DEMANGLE_COMPONENT_TEMPLATE && mode == DEMANGLE_SHORT) {
        struct demangle_component *name = c->u.s_binary.left;
        strip(name, mode);
        if (name) {
            *c = *name;
            c->d_counting = VISITED;
        }
        return;
    }
    if (c->type == DEMANGLE_COMPONENT_SUB_STD) {
        /* "St", "Ss" …: full names of templates where a constructor follows. */
        const char *angle = memchr(c->u.s_string.string, '<', (size_t)c->u.s_string.len);
        if (angle && mode == DEMANGLE_SHORT)
            c->u.s_string.len = (int)(angle - c->u.s_string.string);
        return;
    }
    if (c->type == DEMANGLE_COMPONENT_CTOR || c->type == DEMANGLE_COMPONENT_DTOR) {
        strip(c->u.s_ctor.name, mode);
        return;
    }
    if (is_unary_number(c->type)) {
        strip(c->u.s_unary_num.sub, mode);
        return;
    }
    if (!is_binary(c->type))
        return;
    if (c->type == DEMANGLE_COMPONENT_LOCAL_NAME && mode != DEMANGLE_FULL)
        drop_parameters(c->u.s_binary.left);
    if (c->type == DEMANGLE_COMPONENT_QUAL_NAME)
        name_after_class(c->u.s_binary.left, c->u.s_binary.right);
    strip(c->u.s_binary.left, mode);
    strip(c->u.s_binary.right, mode);
}

/* Undoes the marks: libiberty counts in the same field. */
static void unmark(struct demangle_component *c)
{
    if (!c || c->d_counting != VISITED)
        return;
    c->d_counting = 0;
    if (c->type == DEMANGLE_COMPONENT_CTOR || c->type == DEMANGLE_COMPONENT_DTOR) {
        unmark(c->u.s_ctor.name);
    } else if (is_unary_number(c->type)) {
        unmark(c->u.s_unary_num.sub);
    } else if (is_binary(c->type)) {
        unmark(c->u.s_binary.left);
        unmark(c->u.s_binary.right);
    }
}

/* Suffixes of clones stand around everything else. */
static struct demangle_component *without_clones(struct demangle_component *c)
{
    while (c && c->type == DEMANGLE_COMPONENT_CLONE)
        c = c->u.s_binary.left;
    return c;
}

/* False when the text grew too long. */
static bool print_cxx(struct demangle_component *c, struct output *out)
{
    return !setjmp(out->too_long) &&
           cplus_demangle_print_callback(DMGL_PARAMS | DMGL_ANSI, c, append, out);
}

static bool demangle_cxx(const char *name, enum demangle_mode mode, struct output *out)
{
    void *memory = NULL;
    bool full = mode == DEMANGLE_FULL, done = false;
    struct demangle_component *c =
        cplus_demangle_v3_components(name, full ? DMGL_PARAMS : DMGL_NO_OPTS, &memory);
    if (full)
        c = without_clones(c);
    strip(c, mode);
    unmark(c);
    done = c && print_cxx(c, out);
    free(memory);
    return done;
}

/* ---- Rust ---- */

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (unsigned char)c >= 0x80;
}

/* Does the '<' at `at` open generic arguments? Others open a path ("<T as Trait>::f"), or the
 * lifetimes of "for<'a>". */
static bool opens_arguments(const char *text, const char *at)
{
    if (at == text || (!is_word(at[-1]) && at[-1] != ':'))
        return false;
    bool is_for =
        at - text >= 3 && !memcmp(at - 3, "for", 3) && (at - text == 3 || !is_word(at[-4]));
    return !is_for;
}

/* The '>' that closes the '<' at `at`; the end of the text if there is none. */
static char *closing(char *at)
{
    unsigned depth = 0;
    for (; *at; at++) {
        if (*at == '\'' && at[1] && at[2] == '\'')
            at += 2; /* a character as constant argument */
        else if (*at == '<')
            depth++;
        else if (*at == '>' && at[-1] != '-' && --depth == 0)
            break;
    }
    return at;
}

/* "alloc::vec::Vec<u8>" and "core::mem::swap::<T>" keep "<>", as pprof's demangler leaves them. */
static void drop_generic_arguments(char *text)
{
    char *out = text;
    for (char *in = text; *in; in++) {
        *out++ = *in;
        if (*in != '<' || !opens_arguments(text, out - 1))
            continue;
        in = closing(in);
        if (!*in)
            break;
        *out++ = '>';
    }
    *out = 0;
}

/* libiberty counts through the lifetimes of a binder ("FG" or "DG", a number in base 62, "_")
 * though there be 2^60 of them. No compiler makes more than fit into three digits; what looks
 * longer is nearly always the hash of a crate ("Cs", up to eleven digits, "_"). */
static bool has_endless_binder(const char *name)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *g = strchr(name, 'G'); g; g = strchr(g + 1, 'G')) {
        size_t n = strspn(g + 1, digits);
        if (g == name || (g[-1] != 'F' && g[-1] != 'D') || n <= 3 || g[1 + n] != '_')
            continue;
        const char *hash = g + 1 + n;
        while (hash - name > 1 && (hash[-1] != 's' || hash[-2] != 'C') && g + n - hash < 12)
            hash--;
        if (hash > g || hash - name < 2 || hash[-1] != 's' || hash[-2] != 'C')
            return true;
    }
    return false;
}

static bool demangle_rust(const char *name, enum demangle_mode mode, struct output *out)
{
    bool v0 = !strncmp(name, "_R", 2);
    if ((v0 && has_endless_binder(name)) || setjmp(out->too_long) ||
        !rust_demangle_callback(name, DMGL_NO_OPTS, append, out))
        return false;
    if (v0 && mode == DEMANGLE_SHORT)
        drop_generic_arguments((char *)buf_cstr(&out->text));
    return true;
}

/* ---- names that are readable already ---- */

/* Removes what stands between `open` and `close`, both included; nothing more once they do not
 * match. */
static void remove_matching(char *name, char open, char close)
{
    unsigned nesting = 0;
    char *first = NULL;
    for (char *at = name; *at; at++) {
        if (*at == open) {
            if (nesting++ == 0)
                first = at;
        } else if (*at == close) {
            if (nesting == 0)
                return;
            if (--nesting == 0) {
                memmove(first, at + 1, strlen(at + 1) + 1);
                at = first - 1;
            }
        }
    }
}

/* DWARF without linkage names has "operator()<int>" and the like, which pprof shortens as well,
 * unless the name looks like one of Java or Go. */
static const char *shorten(struct arena *a, const char *name)
{
    if (strstr(name, ".<") || strstr(name, "]).") ||
        (!strpbrk(name, "<>[]") && !strstr(name, "::")))
        return name;
    char *copy = arena_strdup(a, name);
    remove_matching(copy, '(', ')');
    remove_matching(copy, '<', '>');
    return copy;
}

/* Two closing brackets stand apart in pprof, and in libiberty mostly: not behind a list of
 * arguments that is empty. */
static const char *part_brackets(struct arena *a, const struct buf *text)
{
    static const char operator_name[] = "operator";
    size_t n = sizeof operator_name - 1;
    struct buf out;
    buf_init(&out, a);
    for (size_t i = 0; i < text->len; i++) {
        buf_putc(&out, text->data[i]);
        bool two = text->data[i] == '>' && i + 1 < text->len && text->data[i + 1] == '>';
        if (two && !(i >= n && !memcmp(text->data + i - n, operator_name, n)))
            buf_putc(&out, ' ');
    }
    return buf_cstr(&out);
}

const char *demangle_as(struct arena *a, const char *name, enum demangle_mode mode)
{
    if (name[0] != '_' || strlen(name) > LIMIT_MANGLED_NAME)
        return NULL;
    struct output *out = arena_alloc(a, sizeof *out);
    buf_init(&out->text, a);
    if (demangle_rust(name, mode, out))
        return buf_cstr(&out->text);
    out->text.len = 0;
    if (!demangle_cxx(name, mode, out))
        return NULL;
    return mode == DEMANGLE_SHORT ? buf_cstr(&out->text) : part_brackets(a, &out->text);
}

const char *demangle(struct arena *a, const char *name)
{
    if (strlen(name) > LIMIT_MANGLED_NAME)
        return name;
    const char *text = demangle_as(a, name, DEMANGLE_SHORT);
    /* Objects that were made for another system may have one underscore more. */
    if (!text && !strncmp(name, "__Z", 3))
        text = demangle_as(a, name + 1, DEMANGLE_SHORT);
    return text ? text : shorten(a, name);
}
