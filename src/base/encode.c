/* encode - text forms of bytes, and random ones. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include "base/arena.h"
#include "base/digest.h"

static void hex_write(const uint8_t *from, size_t digits, char *to)
{
    static const char names[] = "0123456789abcdef";
    for (; digits >= 2; digits -= 2, to += 2, from++) {
        to[0] = names[*from >> 4];
        to[1] = names[*from & 15];
    }
    if (digits)
        to[0] = names[*from >> 4];
}

struct str hex_encode(struct arena *a, const void *p, size_t n)
{
    char *out = arena_alloc(a, n * 2 + 1);
    hex_write(p, n * 2, out);
    return (struct str){out, n * 2};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct arena *a, struct str s, struct str *ret)
{
    if (s.n % 2)
        return -EBADMSG;
    char *out = arena_alloc(a, s.n / 2 + 1);
    for (size_t i = 0; i < s.n / 2; i++) {
        int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EBADMSG;
        out[i] = (char)(high << 4 | low);
    }
    *ret = (struct str){out, s.n / 2};
    return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct str base64_encode(struct arena *a, struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t size = (s.n + 2) / 3 * 4, i = 0;
    char *out = arena_alloc(a, size + 1), *to = out;
    for (; i + 3 <= s.n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = base64_digits[v >> 6 & 63];
        *to++ = base64_digits[v & 63];
    }
    if (i < s.n) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < s.n ? (uint32_t)p[i + 1] << 8 : 0);
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = i + 1 < s.n ? base64_digits[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (struct str){out, size};
}

int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int base64_decode(struct arena *a, struct str s, struct str *ret)
{
    if (s.n % 4)
        return -EBADMSG;
    size_t padding = 0;
    while (padding < 2 && padding < s.n && s.p[s.n - 1 - padding] == '=')
        padding++;
    size_t digits = s.n - padding, n = 0;
    char *out = arena_alloc(a, s.n / 4 * 3 + 1);
    uint32_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = base64_digit(s.p[i]);
        if (d < 0)
            return -EBADMSG;
        v = v << 6 | (uint32_t)d;
        if (i % 4 == 3) {
            out[n++] = (char)(v >> 16);
            out[n++] = (char)(v >> 8);
            out[n++] = (char)v;
            v = 0;
        }
    }
    /* Bits beyond the last byte must be zero: one value has one spelling. */
    if (padding == 1) {
        if (v & 3)
            return -EBADMSG;
        out[n++] = (char)(v >> 10);
        out[n++] = (char)(v >> 2);
    } else if (padding == 2) {
        if (v & 15)
            return -EBADMSG;
        out[n++] = (char)(v >> 4);
    }
    *ret = (struct str){out, n};
    return 0;
}

struct str sha256_hex(struct arena *a, struct str data)
{
    uint8_t sum[32];
    digest_sha256(data, sum);
    return hex_encode(a, sum, sizeof(sum));
}

/* A system call costs more than the few bytes that an id wants. What is handed out is wiped here,
 * and the child of a fork begins with none of its parent's. */
static _Thread_local struct {
    uint8_t bytes[512];
    size_t left;
} kept;

static void forget_kept(void)
{
    explicit_bzero(&kept, sizeof(kept));
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, forget_kept) != 0)
        abort();
}

static void ask_kernel(void *p, size_t n)
{
    char *to = p;
    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        to += got;
        n -= (size_t)got;
    }
}

void random_bytes(void *p, size_t n)
{
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    if (n > sizeof(kept.bytes) / 8) {
        ask_kernel(p, n);
        return;
    }
    if (kept.left < n) {
        pthread_once(&watched, watch_forks);
        ask_kernel(kept.bytes, sizeof(kept.bytes));
        kept.left = sizeof(kept.bytes);
    }
    kept.left -= n;
    memcpy(p, kept.bytes + kept.left, n);
    explicit_bzero(kept.bytes + kept.left, n);
}

struct str random_hex(struct arena *a, size_t digits)
{
    uint8_t bytes[64];
    char *out = arena_alloc(a, digits + 1);
    for (size_t at = 0; at < digits;) {
        size_t n = digits - at < 2 * sizeof(bytes) ? digits - at : 2 * sizeof(bytes);
        random_bytes(bytes, (n + 1) / 2);
        hex_write(bytes, n, out + at);
        at += n;
    }
    return (struct str){out, digits};
}

struct str random_uuid(struct arena *a)
{
    uint8_t b[16];
    random_bytes(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    char *out = arena_alloc(a, 37), *to = out;
    const uint8_t *from = b;
    for (size_t i = 0; i < sizeof(groups); i++) {
        if (i)
            *to++ = '-';
        hex_write(from, 2 * (size_t)groups[i], to);
        from += groups[i];
        to += 2 * groups[i];
    }
    return (struct str){out, 36};
}

struct str random_text(struct arena *a, const char *alphabet, size_t n)
{
    size_t letters = strlen(alphabet);
    /* Bytes from the uneven end of the range are thrown away, the others are uniform. */
    unsigned limit = 256 - 256 % (unsigned)letters;
    char *out = arena_alloc(a, n + 1);
    uint8_t pool[64];
    size_t left = 0;
    for (size_t i = 0; i < n;) {
        if (left == 0) {
            left = n - i < sizeof(pool) ? n - i : sizeof(pool);
            random_bytes(pool, left);
        }
        unsigned b = pool[--left];
        if (b < limit)
            out[i++] = alphabet[b % letters];
    }
    return (struct str){out, n};
}
