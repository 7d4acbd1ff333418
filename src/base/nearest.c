/* SPDX-License-Identifier: MIT
 *
 * Edit distance with insertions, deletions, substitutions and swaps of neighbours at cost 1
 * (optimal string alignment). Words are cut at 31 bytes, and longer ones are as far as they are
 * there: names that people type are shorter. */
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { MAX = 32, SHORT = 4 };

static int min(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, int n, const char *b, int m)
{
    int d[MAX][MAX];
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            int best = min(d[i - 1][j], d[i][j - 1]) + 1;
            best = min(best, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    }
    return d[n][m];
}

struct nearest nearest_to(const char *word, size_t len)
{
    return (struct nearest){.word = word, .len = len, .distance = len > SHORT ? 3 : 2};
}

void nearest_see(struct nearest *n, const char *known, size_t len)
{
    bool begins = n->len > 1 && len > n->len && !memcmp(known, n->word, n->len);
    int d =
        begins ? 1 : distance(n->word, min((int)n->len, MAX - 1), known, min((int)len, MAX - 1));
    if (d == 0 || d >= n->distance || n->len < 2 || len < 2)
        return;
    n->best = known;
    n->best_len = len;
    n->distance = d;
}
