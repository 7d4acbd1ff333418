# SPDX-License-Identifier: MIT
#
# Writes at least `bytes` bytes of text: words of a made-up language, frequent ones short and often
# used as in real ones (Zipf), in sentences and paragraphs. Always the same text.

function next_random() { # Park and Miller's minimal generator: exact in double precision
    seed = (seed * 16807) % 2147483647
    return seed
}

function make_word(length_of,    w, i) {
    w = ""
    for (i = 0; i < length_of; i++)
        w = w substr("bdfgklmnprstvz", next_random() % 14 + 1, 1) \
            substr("aeiou", next_random() % 5 + 1, 1)
    return w
}

BEGIN {
    seed = 19770501
    words = 20000
    for (i = 1; i <= words; i++)
        word[i] = make_word(1 + int(log(i) / log(9)))
    top = log(words)
    while (size < bytes) {
        line = ""
        n = 6 + next_random() % 9
        for (i = 0; i < n; i++) { # an even choice of the logarithm of the rank is Zipf's law
            w = word[int(exp(top * next_random() / 2147483647))]
            line = i ? line " " w : toupper(substr(w, 1, 1)) substr(w, 2)
        }
        line = line (next_random() % 8 ? ".\n" : ".\n\n")
        size += length(line)
        printf "%s", line
    }
}
