/* SPDX-License-Identifier: MIT
 *
 * A search table for .eh_frame where the file has none; see perf_eh_table.c. */
#ifndef RECORD_PERF_EH_TABLE_H
#define RECORD_PERF_EH_TABLE_H

#include "symbol/elf_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room that the table needs at most; 0: the file has one, or no .eh_frame. */
size_t perf_eh_table_bytes(const struct elf_file *f);
/* Makes it at `out`. `base`: where virtual address 0 of the copy of the file is. */
bool perf_eh_table_make(const struct elf_file *f, uint8_t *out, size_t size, uintptr_t base);

#endif
