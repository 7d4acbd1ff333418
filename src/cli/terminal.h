/* SPDX-License-Identifier: MIT
 *
 * A report for reading, on a terminal: coloured, and in a pager where it is longer than the screen.
 * Nothing happens where standard output is no terminal: what a script reads never changes. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

/* Puts a pager between standard output and the terminal: $STROBE_PAGER, else $PAGER, else less;
 * "" or "cat" is none. Colours unless NO_COLOR is set or TERM is dumb. Not when argv asks for a
 * file (-o, -output) or for help. */
void terminal_begin(int argc, char **argv);
/* Waits until the user has left the pager. Returns `status`. */
int terminal_end(int status);

#endif
