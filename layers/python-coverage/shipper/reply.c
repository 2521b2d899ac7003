/* reply - see reply.h. Sources: RFC 9112. */
#include "reply.h"
#include <errno.h>

struct framing {
    bool chunked, has_length, closes, old;
    uint64_t length;
};

/* Cuts a line off; its end is LF, and a CR before it belongs to it. */
static bool next_line(struct str *rest, struct str *ret)
{
    ssize_t end = str_find_byte(*rest, '\n');
    if (end < 0)
        return false;
    *ret = str_slice(*rest, 0, (size_t)end);
    *rest = str_slice(*rest, (size_t)end + 1, rest->n);
    if (ret->n && ret->p[ret->n - 1] == '\r')
        ret->n--;
    return true;
}

static int parse_status(struct str line, struct reply *r, struct framing *f)
{
    /* HTTP/1.1 200 OK */
    if (line.n < 12 || !str_starts(line, S("HTTP/1.")) || line.p[8] != ' ')
        return -EBADMSG;
    f->old = line.p[7] == '0';
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return -EBADMSG;
        status = status * 10 + (line.p[i] - '0');
    }
    if (status < 100 || (line.n > 12 && line.p[12] != ' '))
        return -EBADMSG;
    r->status = status;
    return 0;
}

static bool has_token(struct str list, const char *token)
{
    struct str one;
    bool more = true;
    while (more) {
        more = str_cut(list, ',', &one, &list);
        if (str_eq_nocase(str_trim(one), str_from(token)))
            return true;
    }
    return false;
}

static int parse_header(struct str line, struct framing *f)
{
    struct str name, value;
    if (!str_cut(line, ':', &name, &value) || !name.n || name.p[0] == ' ' || name.p[0] == '\t')
        return -EBADMSG;
    value = str_trim(value);
    if (str_eq_nocase(name, S("Content-Length"))) {
        int64_t length;
        if (str_to_int64(value, &length) < 0 || length < 0)
            return -EBADMSG;
        if (f->has_length && f->length != (uint64_t)length)
            return -EBADMSG;
        f->has_length = true;
        f->length = (uint64_t)length;
    } else if (str_eq_nocase(name, S("Transfer-Encoding"))) {
        if (!str_eq_nocase(value, S("chunked")))
            return -EBADMSG;
        f->chunked = true;
    } else if (str_eq_nocase(name, S("Connection"))) {
        f->closes = f->closes || has_token(value, "close");
    }
    return 0;
}

/* The head's bytes; 0: it goes on. */
static ssize_t parse_head(struct str bytes, struct reply *r, struct framing *f)
{
    struct str rest = bytes, line;
    *f = (struct framing){0};
    for (bool first = true;; first = false) {
        if (!next_line(&rest, &line))
            return bytes.n > REPLY_HEAD_MAX ? -EMSGSIZE : 0;
        if ((size_t)(rest.p - bytes.p) > REPLY_HEAD_MAX)
            return -EMSGSIZE;
        if (!first && !line.n)
            break;
        int e = first ? parse_status(line, r, f) : parse_header(line, f);
        if (e < 0)
            return e;
    }
    r->head = str_slice(bytes, 0, (size_t)(rest.p - bytes.p));
    r->keep_alive = !f->closes && !f->old;
    return (ssize_t)r->head.n;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A chunk's size, in front of extensions. */
static int chunk_size(struct str line, size_t *ret)
{
    size_t size = 0, i = 0;
    for (; i < line.n && hex_digit(line.p[i]) >= 0; i++) {
        size = size * 16 + (size_t)hex_digit(line.p[i]);
        if (size > REPLY_BODY_MAX)
            return -EMSGSIZE;
    }
    if (!i || (i < line.n && line.p[i] != ';' && line.p[i] != ' ' && line.p[i] != '\t'))
        return -EBADMSG;
    *ret = size;
    return 0;
}

/* Goes through the chunks of `bytes`; with `to`, moves their contents there. 1: all are there, with
 * *ret_taken bytes and *ret_size of content. */
static int walk_chunks(struct str bytes, char *to, size_t *ret_taken, size_t *ret_size)
{
    struct str rest = bytes, line;
    size_t total = 0;
    for (;;) {
        if (!next_line(&rest, &line))
            return rest.n > REPLY_HEAD_MAX ? -EBADMSG : 0;
        size_t size;
        int r = chunk_size(line, &size);
        if (r < 0)
            return r;
        if (!size)
            break;
        if (total + size > REPLY_BODY_MAX)
            return -EMSGSIZE;
        if (rest.n < size + 2)
            return 0;
        if (to)
            memmove(to + total, rest.p, size);
        total += size;
        rest = str_slice(rest, size, rest.n);
        if (!next_line(&rest, &line))
            return 0;
        if (line.n)
            return -EBADMSG;
    }
    do { /* trailers */
        if (!next_line(&rest, &line))
            return rest.n > REPLY_HEAD_MAX ? -EBADMSG : 0;
    } while (line.n);
    *ret_taken = (size_t)(rest.p - bytes.p);
    *ret_size = total;
    return 1;
}

static int parse_body(char *bytes, size_t n, bool closed, const struct framing *f, struct reply *r)
{
    size_t head = r->head.n, left = n - head;
    if (r->status == 204 || r->status == 304) {
        r->size = head;
        return 1;
    }
    if (f->chunked) {
        size_t taken, size;
        int e = walk_chunks(str_of(bytes + head, left), NULL, &taken, &size);
        if (e <= 0)
            return e;
        walk_chunks(str_of(bytes + head, left), bytes + head, &taken, &size);
        r->body = str_of(bytes + head, size);
        r->size = head + taken;
        return 1;
    }
    if (f->has_length) {
        if (f->length > REPLY_BODY_MAX)
            return -EMSGSIZE;
        if (left < f->length)
            return 0;
        r->body = str_of(bytes + head, (size_t)f->length);
        r->size = head + (size_t)f->length;
        return 1;
    }
    if (left > REPLY_BODY_MAX)
        return -EMSGSIZE;
    if (!closed)
        return 0;
    r->keep_alive = false;
    r->body = str_of(bytes + head, left);
    r->size = n;
    return 1;
}

int reply_parse(char *bytes, size_t n, bool closed, struct reply *ret)
{
    size_t skipped = 0;
    for (;;) {
        struct reply r = {0};
        struct framing f;
        ssize_t head = parse_head(str_of(bytes + skipped, n - skipped), &r, &f);
        if (head <= 0)
            return (int)head;
        if (r.status < 200) { /* 100 Continue and its like */
            skipped += (size_t)head;
            continue;
        }
        int e = parse_body(bytes + skipped, n - skipped, closed, &f, &r);
        if (e > 0) {
            r.size += skipped;
            *ret = r;
        }
        return e;
    }
}

struct str reply_header(const struct reply *r, const char *name)
{
    struct str rest = r->head, line, key, value;
    next_line(&rest, &line);
    while (next_line(&rest, &line))
        if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, str_from(name)))
            return str_trim(value);
    return (struct str){0};
}

struct str reply_element(const struct reply *r, const char *name)
{
    size_t n = strlen(name);
    struct str rest = r->body;
    for (;;) {
        ssize_t at = str_find_byte(rest, '<');
        if (at < 0)
            return (struct str){0};
        rest = str_slice(rest, (size_t)at + 1, rest.n);
        if (rest.n > n && !memcmp(rest.p, name, n) && rest.p[n] == '>') {
            rest = str_slice(rest, n + 1, rest.n);
            ssize_t end = str_find_byte(rest, '<');
            return end < 0 ? (struct str){0} : str_slice(rest, 0, (size_t)end);
        }
    }
}
