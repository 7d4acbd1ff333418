/* SPDX-License-Identifier: MIT
 *
 * strobe_start's session, as the ends of the process see it; see session.c. */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include <stdbool.h>

/* A normal end: a session that was not stopped is. */
void session_end(void);
/* A fatal signal, before the profiles are saved, and after: whether the program then ends with
 * status 0, because it was the interrupt that the session waits for. Signal-safe. */
bool session_catch(int sig);
void session_caught(void);

#endif
