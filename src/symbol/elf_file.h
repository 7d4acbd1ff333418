/* SPDX-License-Identifier: MIT
 *
 * One ELF file, mapped and checked; see elf_file.c. For this module, and for those above it that
 * want a file's segments and sections rather than names. An open file belongs to one thread. */
#ifndef SYMBOL_ELF_FILE_H
#define SYMBOL_ELF_FILE_H

#include "base/arena.h"

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct section {
    const char *name;
    uint64_t addr, size, offset, entsize;
    uint32_t type, link;
    bool exec, alloc;
};

/* An open ELF file. Section 0 is the null section. */
struct elf_file {
    struct arena *arena; /* the module's: inflated sections */
    Elf *elf;            /* NULL: none is open */
    GElf_Ehdr ehdr;
    GElf_Phdr *phdrs;
    size_t phdr_count;
    struct section *sections;
    size_t section_count;
    const uint8_t *build_id; /* in the file's mapping */
    size_t build_id_size;
};

/* Opens and checks a file. Returns NULL, or the reason why not, a sentence in `a`; nothing is left
 * open then. */
const char *elf_file_open(struct elf_file *f, const char *path, struct arena *a);
/* The same on bytes in memory, which must outlive `f`. */
const char *elf_file_memory(struct elf_file *f, char *bytes, size_t size, struct arena *a);
void elf_file_close(struct elf_file *f);
/* The ELF virtual address of a byte of the file: in the executable segment that holds it where
 * there is one. False if no segment does. */
bool elf_file_vaddr(const struct elf_file *f, uint64_t offset, uint64_t *vaddr);
/* The bytes of the file that are loaded at `vaddr`: `*size` of them, at most to the end of the
 * segment; NULL if there are none. */
const uint8_t *elf_file_at(const struct elf_file *f, uint64_t vaddr, size_t *size);
/* The allocated section that contains `vaddr`, or NULL. */
const struct section *elf_file_section_at(const struct elf_file *f, uint64_t vaddr);
const struct section *elf_file_section(const struct elf_file *f, const char *name);
/* Section contents, inflated if compressed; NULL if there are none. */
Elf_Data *elf_file_data(const struct elf_file *f, const struct section *s);
/* A NUL-terminated string of a string table section, or NULL. */
const char *elf_file_string(const struct elf_file *f, uint32_t strtab, uint64_t offset);
/* A value of the dynamic section; false if the tag is not there. */
bool elf_file_dynamic(const struct elf_file *f, int64_t tag, uint64_t *value);
/* True if `hex` is the file's build id. */
bool elf_file_has_build_id(const struct elf_file *f, const char *hex);

#endif
