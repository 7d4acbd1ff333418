/* SPDX-License-Identifier: MIT
 *
 * A small gzip writer for libstrobe (RFC 1951, RFC 1952): libc only, no malloc, no lock, no static
 * state, so it may run in a signal handler and in a program whose allocator is being watched. Its
 * memory is the caller's `struct deflate`, whatever the input's size. It compresses about as zlib's
 * level 3; the tool has libdeflate (base/gzip.h). */
#ifndef BASE_DEFLATE_H
#define BASE_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

enum {
    DEFLATE_HASH_BITS = 14,
    DEFLATE_WINDOW = 1 << 15,
    DEFLATE_TOKENS = 1 << 14, /* literals and matches of a block */
    DEFLATE_BUFFER = 1 << 12,
    DEFLATE_LITERALS = 286, /* and lengths */
    DEFLATE_DISTANCES = 30,
};

/* Takes the next bytes of the output: 0, or a negative errno that ends the compression. */
typedef int deflate_sink(void *context, const void *bytes, size_t size);

/* One Huffman code: length 0 means the symbol is not used; bits are reversed, ready to be sent. */
struct deflate_code {
    uint8_t length[DEFLATE_LITERALS + 2];
    uint16_t bits[DEFLATE_LITERALS + 2];
};

/* Working memory, about 270 KiB; need not be initialised and holds nothing between calls. */
struct deflate {
    const uint8_t *in;
    size_t size;
    deflate_sink *sink;
    void *context;
    int error;

    uint32_t crc_table[256];
    uint32_t head[1 << DEFLATE_HASH_BITS]; /* last position + 1 with that hash, 0: none */
    uint32_t prev[DEFLATE_WINDOW];         /* the one before it, by position modulo the window */
    size_t next_insert;                    /* positions below are in the chains */

    uint32_t tokens[DEFLATE_TOKENS]; /* a literal, or distance << 16 | length */
    uint32_t token_count;
    size_t block_start;
    uint32_t literal_count[DEFLATE_LITERALS + 2], distance_count[DEFLATE_DISTANCES + 2];
    struct deflate_code literals, distances, lengths;

    uint64_t bits; /* not yet in the buffer, bit_count of them, always below 8 between calls */
    unsigned bit_count;
    uint8_t buffer[DEFLATE_BUFFER];
    size_t buffered;
};

/* Compresses `in` into one gzip member (several beyond 1 GiB) without name or time, and hands it to
 * the sink in pieces. Equal input, equal output. 0, or what the sink returned. */
int deflate_gzip(struct deflate *d, const void *in, size_t size, deflate_sink *sink, void *context);

#endif
