/* tar - see tar.h. */
#include "build/tar.h"
#include <errno.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/mem.h"

#define BLOCK 512
#define PAX_MAX 65536

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

/* What headers in front of an entry have said about it. */
struct ahead {
    bool name, target, size;
    int64_t size_is;
};

void tar_init(struct tar *t, tar_source_fn *source, void *user)
{
    t->source = source;
    t->user = user;
    t->pos = t->left = t->padding = 0;
    t->why[0] = t->name[0] = t->target[0] = 0;
}

static int damaged(struct tar *t, const char *what)
{
    snprintf(t->why, sizeof(t->why), "%s at byte %lld", what, (long long)t->pos);
    return -EBADMSG;
}

/* Fills p, or ends early at the end of the source. */
static int take(struct tar *t, void *p, size_t n, size_t *ret_n)
{
    size_t done = 0;
    while (done < n) {
        size_t got;
        int r = t->source(t->user, (char *)p + done, n - done, &got);
        if (r < 0)
            return r;
        if (got == 0)
            break;
        done += got;
        t->pos += (int64_t)got;
    }
    *ret_n = done;
    return 0;
}

static int skip(struct tar *t, int64_t n)
{
    char block[4096];
    while (n > 0) {
        size_t want = n < (int64_t)sizeof(block) ? (size_t)n : sizeof(block), got;
        int r = take(t, block, want, &got);
        if (r < 0)
            return r;
        if (got < want)
            return damaged(t, "the archive is cut off");
        n -= (int64_t)got;
    }
    return 0;
}

/* Octal digits between blanks, or GNU's base 256. */
static bool number(const char *p, size_t n, int64_t *ret)
{
    uint64_t v = 0;
    if ((unsigned char)p[0] & 0x80) {
        if ((unsigned char)p[0] != 0x80)
            return false; /* negative, or beyond any size */
        for (size_t i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | (unsigned char)p[i];
        }
        *ret = (int64_t)v;
        return true;
    }
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (unsigned)(p[i] - '0');
    if (i < n && p[i] != ' ' && p[i] != 0)
        return false;
    *ret = (int64_t)v;
    return true;
}

static bool is_zero(const void *p)
{
    static const char zero[BLOCK];
    return memcmp(p, zero, BLOCK) == 0;
}

static bool checksum_is_right(const struct header *h)
{
    int64_t said;
    if (!number(h->checksum, sizeof(h->checksum), &said))
        return false;
    const unsigned char *p = (const void *)h;
    int64_t sum = 0;
    size_t from = offsetof(struct header, checksum);
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= from && i < from + sizeof(h->checksum) ? ' ' : p[i];
    return sum == said;
}

static size_t text_length(const char *p, size_t n)
{
    const char *end = memchr(p, 0, n);
    return end ? (size_t)(end - p) : n;
}

/* The content of a header-like entry, NUL-terminated. */
static int content(struct tar *t, int64_t size, char *into, size_t room)
{
    if (size < 0 || (size_t)size >= room)
        return damaged(t, "a name or header is too long");
    size_t got;
    int r = take(t, into, (size_t)size, &got);
    if (r < 0)
        return r;
    if (got < (size_t)size)
        return damaged(t, "the archive is cut off");
    into[size] = 0;
    return skip(t, (BLOCK - size % BLOCK) % BLOCK);
}

static int pax_value(struct tar *t, struct ahead *ahead, struct str key, struct str value)
{
    bool name = str_is(key, "path"), target = str_is(key, "linkpath");
    if (str_starts(key, S("GNU.sparse.")))
        return damaged(t, "a sparse file, which is not supported,");
    if (str_is(key, "size")) {
        if (str_to_int64(value, &ahead->size_is) < 0 || ahead->size_is < 0)
            return damaged(t, "a pax header with a bad size");
        ahead->size = true;
    }
    if (!name && !target)
        return 0;
    if (value.n > TAR_NAME_MAX || memchr(value.p, 0, value.n))
        return damaged(t, "a pax header with a bad name");
    char *into = name ? t->name : t->target;
    memcpy(into, value.p, value.n);
    into[value.n] = 0;
    *(name ? &ahead->name : &ahead->target) = true;
    return 0;
}

/* Records "LENGTH KEY=VALUE\n". */
static int pax(struct tar *t, int64_t size, struct ahead *ahead)
{
    auto_free char *text = mem_alloc(PAX_MAX);
    int r = content(t, size, text, PAX_MAX);
    struct str rest = str_of(text, (size_t)size);
    while (r == 0 && rest.n) {
        struct str length, key, value;
        int64_t n;
        if (!str_cut(rest, ' ', &length, &value) || str_to_int64(length, &n) < 0 ||
            n <= (int64_t)length.n + 1 || n > (int64_t)rest.n || rest.p[n - 1] != '\n' ||
            !str_cut(str_slice(rest, length.n + 1, (size_t)n - 1), '=', &key, &value))
            return damaged(t, "a damaged pax header");
        r = pax_value(t, ahead, key, value);
        rest = str_slice(rest, (size_t)n, rest.n);
    }
    return r;
}

static void own_names(struct tar *t, const struct header *h, const struct ahead *ahead)
{
    if (!ahead->name) {
        size_t n = text_length(h->name, sizeof(h->name)), at = 0;
        /* GNU's own format keeps times where ustar has the prefix. */
        size_t prefix =
            memcmp(h->magic, "ustar\0", 6) == 0 ? text_length(h->prefix, sizeof(h->prefix)) : 0;
        memcpy(t->name, h->prefix, prefix);
        at = prefix;
        if (prefix)
            t->name[at++] = '/';
        memcpy(t->name + at, h->name, n);
        t->name[at + n] = 0;
    }
    if (!ahead->target) {
        size_t n = text_length(h->link, sizeof(h->link));
        memcpy(t->target, h->link, n);
        t->target[n] = 0;
    }
}

static int fill(struct tar *t, const struct header *h, const struct ahead *ahead,
                struct tar_entry *ret)
{
    int64_t size, mode;
    if (!number(h->size, sizeof(h->size), &size) || !number(h->mode, sizeof(h->mode), &mode))
        return damaged(t, "a damaged header");
    if (ahead->size)
        size = ahead->size_is;
    own_names(t, h, ahead);
    struct str name = str_from(t->name);
    *ret = (struct tar_entry){.name = name, .target = str_from(t->target), .mode = mode & 07777};
    switch (h->type) {
    case '0':
    case '7':
    case 0:
        ret->type = str_ends(name, S("/")) ? TAR_FOLDER : TAR_FILE;
        break;
    case '1':
        ret->type = TAR_HARDLINK;
        break;
    case '2':
        ret->type = TAR_SYMLINK;
        break;
    case '3':
    case '4':
    case '6':
        ret->type = TAR_OTHER;
        break;
    case '5':
        ret->type = TAR_FOLDER;
        break;
    case 'S':
        return damaged(t, "a sparse file, which is not supported,");
    default:
        return damaged(t, "an entry of an unknown kind");
    }
    /* Links and folders have no content, whatever some writers say of their size. */
    if (ret->type != TAR_FILE)
        size = 0;
    if (size > INT64_MAX - BLOCK)
        return damaged(t, "a file of impossible size");
    ret->size = t->left = size;
    t->padding = (BLOCK - size % BLOCK) % BLOCK;
    return 1;
}

int tar_next(struct tar *t, struct tar_entry *ret)
{
    union {
        struct header header;
        char bytes[BLOCK];
    } u;
    struct ahead ahead = {0};
    int r = skip(t, t->left);
    if (r == 0)
        r = skip(t, t->padding);
    t->left = t->padding = 0;
    while (r == 0) {
        size_t got;
        int64_t size;
        r = take(t, u.bytes, BLOCK, &got);
        if (r < 0)
            return r;
        if (got == 0 || (got == BLOCK && is_zero(u.bytes)))
            return 0;
        if (got < BLOCK)
            return damaged(t, "the archive is cut off");
        if (!checksum_is_right(&u.header))
            return damaged(t, "a header with a wrong checksum");
        if (!number(u.header.size, sizeof(u.header.size), &size) || size > INT64_MAX / 2)
            return damaged(t, "a damaged header");
        switch (u.header.type) {
        case 'L':
            r = content(t, size, t->name, sizeof(t->name));
            ahead.name = true;
            break;
        case 'K':
            r = content(t, size, t->target, sizeof(t->target));
            ahead.target = true;
            break;
        case 'x':
            r = pax(t, size, &ahead);
            break;
        case 'g':
            r = skip(t, size + (BLOCK - size % BLOCK) % BLOCK); /* comments, mostly */
            break;
        default:
            return fill(t, &u.header, &ahead, ret);
        }
    }
    return r;
}

int tar_read(struct tar *t, void *p, size_t n, size_t *ret_n)
{
    if ((int64_t)n > t->left)
        n = (size_t)t->left;
    int r = take(t, p, n, ret_n);
    if (r < 0)
        return r;
    if (*ret_n < n)
        return damaged(t, "the archive is cut off");
    t->left -= (int64_t)n;
    return 0;
}
