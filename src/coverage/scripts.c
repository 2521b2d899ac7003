/* scripts - see scripts.h. */
#include "coverage/scripts.h"
#include <stdlib.h>

#define DEPTH_MAX 256 /* of ${} in texts in backticks */

struct reader {
    struct str s;
    size_t at;
    uint32_t line;
    uint8_t *code, *ignored;
    uint32_t n_lines;
    bool after_value;      /* a slash divides here; else it begins a regular expression */
    int braces[DEPTH_MAX]; /* open ones in each ${ */
    int depth;
    uint32_t ignore_from; /* since this line; 0: not */
};

static char peek(const struct reader *r, size_t more)
{
    return r->at + more < r->s.n ? r->s.p[r->at + more] : 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static void step(struct reader *r)
{
    if (r->at < r->s.n && r->s.p[r->at++] == '\n')
        r->line++;
}

static void mark(struct reader *r)
{
    bits_set(r->code, r->line);
}

/* ---- comments ---- */

static void ignore(struct reader *r, uint32_t from, uint32_t to)
{
    for (uint32_t l = from; l <= to && l <= r->n_lines; l++)
        bits_set(r->ignored, l);
}

static bool word(struct str *s, const char *what)
{
    struct str w = str_from(what);
    *s = str_trim(*s);
    if (!str_starts(*s, w))
        return false;
    *s = str_slice(*s, w.n, s->n);
    return true;
}

/* What c8, V8's and node's own coverage understand. */
static void read_hint(struct reader *r, struct str text)
{
    static const char *const tools[] = {"c8", "v8", "istanbul", "node:coverage"};
    size_t i = 0;
    while (i < 4 && !word(&text, tools[i]))
        i++;
    if (i == 4)
        return;
    int64_t n = 1;
    if (word(&text, "ignore next") || word(&text, "ignore-next")) {
        struct str digits = str_trim(text);
        size_t k = 0;
        while (k < digits.n && k < 6 && digits.p[k] >= '0' && digits.p[k] <= '9')
            k++;
        if (k)
            str_to_int64(str_slice(digits, 0, k), &n);
        ignore(r, r->line + 1, r->line + (uint32_t)n);
    } else if (word(&text, "ignore start") || word(&text, "disable")) {
        r->ignore_from = r->ignore_from ? r->ignore_from : r->line;
    } else if (r->ignore_from && (word(&text, "ignore stop") || word(&text, "enable"))) {
        ignore(r, r->ignore_from, r->line);
        r->ignore_from = 0;
    }
}

static void read_comment(struct reader *r)
{
    bool block = peek(r, 1) == '*';
    size_t from = r->at + 2;
    r->at += 2;
    while (r->at < r->s.n && (block ? peek(r, 0) != '*' || peek(r, 1) != '/' : peek(r, 0) != '\n'))
        step(r);
    read_hint(r, str_slice(r->s, from, r->at));
    if (block)
        r->at = r->at + 2 < r->s.n ? r->at + 2 : r->s.n;
}

/* ---- texts ---- */

static void read_quoted(struct reader *r, char quote)
{
    mark(r);
    step(r);
    while (r->at < r->s.n && peek(r, 0) != quote && peek(r, 0) != '\n') {
        if (peek(r, 0) == '\\')
            step(r);
        step(r);
    }
    if (peek(r, 0) == quote)
        step(r);
    r->after_value = true;
}

/* From the first character behind a backtick, or behind the } of a ${}. */
static void read_template(struct reader *r)
{
    while (r->at < r->s.n) {
        char c = peek(r, 0);
        if (c != '\n')
            mark(r);
        if (c == '\\') {
            step(r);
        } else if (c == '`') {
            step(r);
            r->after_value = true;
            return;
        } else if (c == '$' && peek(r, 1) == '{' && r->depth + 1 < DEPTH_MAX) {
            r->at += 2;
            r->braces[++r->depth] = 0;
            r->after_value = false;
            return;
        }
        step(r);
    }
}

static void read_regex(struct reader *r)
{
    bool set = false;
    mark(r);
    step(r);
    while (r->at < r->s.n && peek(r, 0) != '\n' && (set || peek(r, 0) != '/')) {
        char c = peek(r, 0);
        if (c == '\\')
            step(r);
        else if (c == '[')
            set = true;
        else if (c == ']')
            set = false;
        step(r);
    }
    if (peek(r, 0) == '/')
        step(r);
    r->after_value = true;
}

/* ---- the rest ---- */

static void read_word(struct reader *r)
{
    static const char *const before_regex[] = {"return", "typeof", "case",  "in",        "of",
                                               "do",     "else",   "void",  "new",       "throw",
                                               "delete", "await",  "yield", "instanceof"};
    size_t from = r->at;
    mark(r);
    while (r->at < r->s.n && is_word(peek(r, 0)))
        r->at++;
    struct str w = str_slice(r->s, from, r->at);
    r->after_value = true;
    for (size_t i = 0; i < sizeof before_regex / sizeof *before_regex; i++)
        if (str_is(w, before_regex[i]))
            r->after_value = false;
}

static void read_sign(struct reader *r, char c)
{
    bool closes = c == ')' || c == ']' || c == '}';
    if (!closes && c != '{' && c != '(' && c != '[' && c != ';' && c != ',')
        mark(r);
    if (c == '{')
        r->braces[r->depth]++;
    if (c == '}' && r->depth && r->braces[r->depth] == 0) {
        r->depth--;
        r->at++;
        read_template(r);
        return;
    }
    if (c == '}')
        r->braces[r->depth]--;
    /* behind a block's } a slash begins a regular expression, behind an object's it divides, which
     * is as rare */
    r->after_value = c == ')' || c == ']';
    step(r);
}

static void read_one(struct reader *r)
{
    char c = peek(r, 0);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v')
        step(r);
    else if (c == '/' && (peek(r, 1) == '/' || peek(r, 1) == '*'))
        read_comment(r);
    else if (c == '"' || c == '\'')
        read_quoted(r, c);
    else if (c == '`') {
        mark(r);
        r->at++;
        read_template(r);
    } else if (c == '/' && !r->after_value)
        read_regex(r);
    else if (is_word(c))
        read_word(r);
    else
        read_sign(r, c);
}

static void find_starts(struct arena *a, struct script_text *ret)
{
    uint32_t *start = ARENA_ARRAY(a, uint32_t, ret->n_lines + 3), units = 0, line = 1;
    for (size_t i = 0; i < ret->text.n; i++) {
        unsigned char c = (unsigned char)ret->text.p[i];
        units += (c & 0xc0) != 0x80; /* one for each character */
        units += c >= 0xf0;          /* two for those outside the first plane */
        if (c == '\n')
            start[++line] = units;
    }
    start[ret->n_lines + 1] = units;
    ret->start = start;
}

void script_read(struct arena *a, struct str text, struct script_text *ret)
{
    if (str_starts(text, S("\xef\xbb\xbf")))
        text = str_slice(text, 3, text.n);
    *ret = (struct script_text){.text = text, .n_lines = 1};
    for (size_t i = 0; i < text.n; i++)
        ret->n_lines += text.p[i] == '\n';
    size_t size = bits_size(ret->n_lines + 1);
    struct reader r = {.s = text,
                       .line = 1,
                       .n_lines = ret->n_lines,
                       .code = arena_alloc(a, size),
                       .ignored = arena_alloc(a, size)};
    if (str_starts(text, S("#!")))
        while (r.at < text.n && peek(&r, 0) != '\n')
            r.at++;
    while (r.at < text.n)
        read_one(&r);
    if (r.ignore_from)
        ignore(&r, r.ignore_from, r.n_lines);
    ret->code = (struct bits){r.code, size};
    ret->ignored = (struct bits){r.ignored, size};
    find_starts(a, ret);
}

uint32_t script_line(const struct script_text *s, uint32_t offset)
{
    uint32_t low = 1, high = s->n_lines;
    while (low < high) {
        uint32_t mid = (low + high + 1) / 2;
        if (s->start[mid] <= offset)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

bool script_is(struct str name)
{
    static const char *const ends[] = {".js", ".mjs", ".cjs", ".jsx",
                                       ".ts", ".mts", ".cts", ".tsx"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(name, str_from(ends[i])))
            return !str_ends(name, S(".d.ts")) && !str_ends(name, S(".d.mts")) &&
                   !str_ends(name, S(".d.cts"));
    return false;
}
