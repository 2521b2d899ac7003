/* bits - sets of line numbers as bytes: bit n % 8 of byte n / 8, as coverage.py's numbits.
 *
 * A struct bits is a view: whoever made the bytes says how long they live. Sets of different
 * lengths are compared and joined as if the shorter one went on with zeros. Everything stands in
 * this header, so that a program without our libraries can use it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bits {
    const uint8_t *p;
    size_t n; /* bytes */
};

/* The bytes that a set needs whose greatest member is max. */
static inline size_t bits_size(uint32_t max)
{
    return (size_t)max / 8 + 1;
}

static inline bool bits_has(struct bits b, uint32_t line)
{
    return line / 8 < b.n && (b.p[line / 8] >> (line % 8) & 1);
}

/* The set's bytes must reach that far. */
static inline void bits_set(uint8_t *p, uint32_t line)
{
    p[line / 8] |= (uint8_t)(1u << (line % 8));
}

/* Without the zero bytes at the end: two equal sets have equal bytes then. */
static inline struct bits bits_trim(struct bits b)
{
    while (b.n && !b.p[b.n - 1])
        b.n--;
    return b;
}

static inline size_t bits_count(struct bits b)
{
    size_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        n += (size_t)__builtin_popcount(b.p[i]);
    return n;
}

static inline bool bits_none(struct bits b)
{
    return bits_trim(b).n == 0;
}

static inline bool bits_equal(struct bits a, struct bits b)
{
    a = bits_trim(a);
    b = bits_trim(b);
    return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n));
}

/* The smallest member that is at least from, or -1:
 *     for (int64_t l = bits_next(b, 0); l >= 0; l = bits_next(b, (uint32_t)l + 1)) */
static inline int64_t bits_next(struct bits b, uint32_t from)
{
    for (size_t i = from / 8; i < b.n; i++) {
        unsigned byte = b.p[i];
        if (i == from / 8)
            byte &= 0xffu << (from % 8);
        if (byte)
            return (int64_t)i * 8 + __builtin_ctz(byte);
    }
    return -1;
}

/* to |= from; to has from.n bytes or more. */
static inline void bits_join(uint8_t *to, struct bits from)
{
    for (size_t i = 0; i < from.n; i++)
        to[i] |= from.p[i];
}
