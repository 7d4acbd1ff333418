/* SPDX-License-Identifier: MIT
 *
 * How programs of a recorded tree get at the shared segment when they cannot open it by its name in
 * /proc: no /proc is mounted, or the program has become another user since. The recorder answers at
 * an address of the abstract namespace, and gives the segment's descriptor to whoever knows a token
 * that only the environment of the tree has.
 *
 * Both sides hold one string, "PATH NAME TOKEN": the path in /proc, which is tried first, the
 * address, and the token. */
#ifndef BASE_DOOR_H
#define BASE_DOOR_H

#include <stdbool.h>
#include <stddef.h>

enum { DOOR_KEY = 32, DOOR_TEXT = 160 }; /* characters of NAME and of TOKEN; room for the string */

/* What one side knows. */
struct door {
    char name[DOOR_KEY + 1], token[DOOR_KEY + 1];
};

/* Picks a name and a token, and opens a socket at that name: its descriptor, close-on-exec and
 * non-blocking, or a negative errno. */
int door_open(struct door *d);
/* Answers all who have asked since the last call; says whether somebody has knocked. Never blocks.
 */
bool door_answer(const struct door *d, int socket, int segment);
/* The asking side: the segment's descriptor, close-on-exec, or a negative errno. Waits at most two
 * seconds. No allocation; libc's socket functions only. */
int door_ask(const struct door *d);
/* Wakes whoever waits for the socket, so that it looks into the segment at once. Never blocks, and
 * may be called between vfork and exec. */
void door_knock(const struct door *d);
/* Takes a string apart: cuts it behind PATH, and fills `d`; -EINVAL if there is no more than that.
 */
int door_parse(struct door *d, char *text);

#endif
