/* parse - the head of a request, and chunked bodies. Whatever two readers could understand
 * differently is refused (RFC 9112, 11.2): bare line feeds, folded lines, blanks before the colon,
 * Content-Length beside Transfer-Encoding, repeated lengths. */
#include "http/parse.h"
#include <errno.h>

static bool is_token_char(uint8_t c)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c);
}

int http_head_end(struct str text, size_t *scanned, size_t *ret)
{
    if (text.n && !is_token_char((uint8_t)text.p[0]))
        return -EBADMSG; /* TLS on a plain port, for one */
    for (;;) {
        ssize_t at = str_find_byte(str_slice(text, *scanned, text.n), '\n');
        if (at < 0)
            break;
        size_t lf = *scanned + (size_t)at;
        if (lf == 0 || text.p[lf - 1] != '\r')
            return -EBADMSG;
        *scanned = lf + 1;
        if (lf >= 3 && text.p[lf - 2] == '\n') {
            *ret = lf + 1;
            return 1;
        }
    }
    *scanned = text.n;
    return 0;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((uint8_t)s.p[i]))
            return false;
    return s.n > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str trim_blanks(struct str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_slice(s, 1, s.n);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* One line off the front, without its CRLF; a CR or LF inside of it is an error. */
static bool take_line(struct str *text, struct str *ret)
{
    ssize_t lf = str_find_byte(*text, '\n');
    if (lf < 1 || text->p[lf - 1] != '\r')
        return false;
    *ret = str_slice(*text, 0, (size_t)lf - 1);
    *text = str_slice(*text, (size_t)lf + 1, text->n);
    return str_find_byte(*ret, '\r') < 0;
}

static bool is_target(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] <= 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0;
}

static int parse_request_line(struct str line, struct http_head *head)
{
    struct str rest, version;
    if (!str_cut(line, ' ', &head->method, &rest) || !str_cut(rest, ' ', &head->target, &version))
        return 400;
    if (!is_token(head->method) || !is_target(head->target))
        return 400;
    if (version.n != 8 || !str_starts(version, S("HTTP/")) || version.p[6] != '.')
        return 400;
    if (version.p[5] != '1' || version.p[7] < '0' || version.p[7] > '9')
        return 505;
    head->minor = version.p[7] == '0' ? 0 : 1;
    struct str path = head->target;
    ssize_t scheme = str_find(path, S("://"));
    if (path.p[0] != '/' && scheme > 0) { /* absolute form: what a proxy is sent */
        path = str_slice(path, (size_t)scheme + 3, path.n);
        size_t end = 0;
        while (end < path.n && path.p[end] != '/' && path.p[end] != '?')
            end++;
        path = str_slice(path, end, path.n);
    }
    if (!str_cut(path, '?', &head->path, &head->query))
        head->query = (struct str){0};
    if (head->path.n == 0)
        head->path = S("/");
    return 0;
}

/* Tabs are none. Most values are looked at eight bytes at a time. */
static bool has_control(struct str s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w, del;
        memcpy(&w, s.p + i, 8);
        del = w ^ ones * 0x7f;
        if (((w - ones * 0x20) & ~w & tops) | ((del - ones) & ~del & tops))
            break; /* a byte below 0x20, or 0x7f, or a tab */
    }
    for (; i < s.n; i++)
        if (((uint8_t)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

static int parse_header(struct str line, struct http_header *ret)
{
    struct str name, value;
    if (!str_cut(line, ':', &name, &value) || !is_token(name))
        return 400;
    value = trim_blanks(value);
    if (has_control(value))
        return 400;
    *ret = (struct http_header){name, value};
    return 0;
}

static bool has_word(struct str list, struct str word)
{
    struct str one;
    bool more;
    do {
        more = str_cut(list, ',', &one, &list);
        if (str_eq_nocase(trim_blanks(one), word))
            return true;
    } while (more);
    return false;
}

/* What the headers say about framing and the connection. */
static int parse_meaning(struct http_head *head)
{
    int hosts = 0, lengths = 0, codings = 0;
    bool close = false, keep = false;
    for (size_t i = 0; i < head->n_headers; i++) {
        struct str name = head->headers[i].name, value = head->headers[i].value;
        if (str_eq_nocase(name, S("host"))) {
            hosts++;
        } else if (str_eq_nocase(name, S("content-length"))) {
            lengths++;
            if (!value.n || value.p[0] < '0' || value.p[0] > '9' ||
                str_to_int64(value, &head->content_length) < 0)
                return 400;
        } else if (str_eq_nocase(name, S("transfer-encoding"))) {
            codings++;
            if (!str_eq_nocase(value, S("chunked")))
                return 501;
        } else if (str_eq_nocase(name, S("connection"))) {
            close = close || has_word(value, S("close"));
            keep = keep || has_word(value, S("keep-alive"));
        } else if (str_eq_nocase(name, S("expect")) && head->minor > 0) {
            if (!str_eq_nocase(value, S("100-continue")))
                return 417;
            head->expect_continue = true;
        }
    }
    if (hosts > 1 || (hosts == 0 && head->minor > 0))
        return 400;
    if (lengths > 1 || codings > 1 || (lengths && codings) || (codings && head->minor == 0))
        return 400;
    if (codings)
        head->content_length = HTTP_LENGTH_UNKNOWN;
    head->has_body = lengths || codings;
    head->keep_alive = !close && (head->minor > 0 || keep);
    return 0;
}

int http_head_parse(struct str text, struct arena *a, struct http_head *ret)
{
    struct http_head head = {0};
    struct str line;
    size_t cap = 0;
    if (!take_line(&text, &line))
        return 400;
    int status = parse_request_line(line, &head);
    if (status)
        return status;
    for (;;) {
        if (!take_line(&text, &line))
            return 400;
        if (line.n == 0)
            break;
        if (head.n_headers == HTTP_HEADERS_MAX)
            return 431;
        struct http_header *h = arena_push(a, (void **)&head.headers, &head.n_headers, &cap,
                                           sizeof(struct http_header));
        status = parse_header(line, h);
        if (status)
            return status;
    }
    status = parse_meaning(&head);
    if (status)
        return status;
    *ret = head;
    return 0;
}

#define CHUNK_OVERHEAD_MAX (64 * 1024)

/* RFC 9110, 6.5.1: what frames or routes a message must not come behind it. */
static bool may_trail(struct str name)
{
    static const char *const heads_only[] = {"content-length", "transfer-encoding", "host",
                                             "trailer",        "connection",        "te"};
    for (size_t i = 0; i < sizeof(heads_only) / sizeof(heads_only[0]); i++)
        if (str_eq_nocase(name, str_from(heads_only[i])))
            return false;
    return true;
}

void http_trailers_parse(struct str text, struct arena *a, struct http_header **ret, size_t *ret_n)
{
    struct http_header *list = NULL, one;
    struct str line;
    size_t n = 0, cap = 0;
    while (n < HTTP_HEADERS_MAX && take_line(&text, &line))
        if (line.n && parse_header(line, &one) == 0 && may_trail(one.name))
            *(struct http_header *)arena_push(a, (void **)&list, &n, &cap, sizeof(one)) = one;
    *ret = list;
    *ret_n = n;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The end of the size line: what follows is data, or after the last chunk the trailer. */
static void size_done(struct http_chunks *c)
{
    c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    c->line = 0;
    c->cr = false;
}

static int size_byte(struct http_chunks *c, char byte)
{
    int digit = digit_of(byte);
    if (c->cr) {
        if (byte != '\n')
            return -EBADMSG;
        size_done(c);
        return 0;
    }
    if (c->state == CHUNK_SIZE && digit >= 0) {
        if (c->left > INT64_MAX / 32)
            return -EBADMSG;
        c->left = c->left * 16 + digit;
        c->line++;
        return 0;
    }
    if (c->line == 0 || c->line > 16)
        return -EBADMSG;
    if (byte == '\r') {
        c->cr = true;
        return 0;
    }
    if (c->state == CHUNK_SIZE && byte != ';' && !is_blank(byte))
        return -EBADMSG;
    if ((uint8_t)byte < 0x20 && byte != '\t')
        return -EBADMSG;
    c->state = CHUNK_EXTENSION;
    return ++c->overhead > CHUNK_OVERHEAD_MAX ? -EBADMSG : 0;
}

static int trailer_byte(struct http_chunks *c, char byte)
{
    if (++c->overhead > CHUNK_OVERHEAD_MAX)
        return -EBADMSG;
    if (c->trailers)
        buf_byte(c->trailers, byte);
    if (c->cr) {
        if (byte != '\n')
            return -EBADMSG;
        c->cr = false;
        if (c->line == 0)
            c->state = CHUNK_DONE;
        c->line = 0;
        return 0;
    }
    if (byte == '\r')
        c->cr = true;
    else if ((uint8_t)byte < 0x20 && byte != '\t')
        return -EBADMSG;
    else
        c->line++;
    return 0;
}

int http_chunks_next(struct http_chunks *c, struct str *in, struct str *ret_data)
{
    *ret_data = (struct str){0};
    while (in->n && c->state != CHUNK_DONE) {
        if (c->state == CHUNK_DATA) {
            size_t n = (uint64_t)c->left < in->n ? (size_t)c->left : in->n;
            *ret_data = str_slice(*in, 0, n);
            *in = str_slice(*in, n, in->n);
            c->left -= (int64_t)n;
            if (c->left == 0)
                c->state = CHUNK_DATA_END;
            return 1;
        }
        char byte = in->p[0];
        *in = str_slice(*in, 1, in->n);
        int r = 0;
        if (c->state == CHUNK_DATA_END) {
            if (byte != (c->cr ? '\n' : '\r'))
                return -EBADMSG;
            if (c->cr)
                *c = (struct http_chunks){
                    .state = CHUNK_SIZE, .overhead = c->overhead, .trailers = c->trailers};
            else
                c->cr = true;
        } else if (c->state == CHUNK_TRAILER) {
            r = trailer_byte(c, byte);
        } else {
            r = size_byte(c, byte);
        }
        if (r < 0)
            return r;
    }
    return 0;
}
