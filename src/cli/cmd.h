/* SPDX-License-Identifier: MIT
 *
 * The functions behind the verbs, one in each cmd_*.c. See cli.h for what a verb does. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdint.h>

int cmd_callgrind(int argc, char **argv);
int cmd_comments(int argc, char **argv);
int cmd_complete(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_disasm(int argc, char **argv);
int cmd_dot(int argc, char **argv);
int cmd_folded(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_peek(int argc, char **argv);
int cmd_pprof(int argc, char **argv);
int cmd_push(int argc, char **argv);
int cmd_raw(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_suite(int argc, char **argv);
int cmd_svg(int argc, char **argv);
int cmd_tags(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_traces(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_web(int argc, char **argv);

/* The ten functions with the most of a sample type, on stderr; in record_top.c. */
struct profile;
void cmd_record_print_top(struct profile *p, const char *type, const char *unit);
/* What a heap profile adds up to, likewise; in record_heap.c. */
struct record_heap_result;
void cmd_record_print_heap(const struct record_heap_result *x, const char *path, uint64_t rate);

/* The same for a profile of waits of a kind, "block" or "mutex"; in record_waits.c. */
struct record_wait_result;
void cmd_record_print_waits(const struct record_wait_result *x, const char *path, const char *kind,
                            uint64_t rate);

#endif
