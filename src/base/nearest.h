/* SPDX-License-Identifier: MIT
 *
 * The word that somebody may have meant, of those that there are: for "did you mean". */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word, *best; /* what was typed; what is nearest so far, or NULL. Neither is ended */
    size_t len, best_len;    /* by a NUL, these are their lengths */
    int distance;            /* of the next that is nearer, at most, plus 1 */
};

/* Only what is one change away is near to a word of up to four letters, else two. */
struct nearest nearest_to(const char *word, size_t len);
/* One of the words that there are; it has to stay until the answer is used. Of equally near ones
 * the first wins; what the word typed is the beginning of is one change away, and the word itself
 * was not meant. */
void nearest_see(struct nearest *n, const char *known, size_t len);

#endif
