/* insights_lex - the words of a query; errors say where they are. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include "service/logs/insights_parse.h"
#include "service/logs/regex.h"

static size_t characters(struct str text, size_t offset)
{
    size_t n = 0;
    for (size_t i = 0; i < offset && i < text.n; i++)
        n += ((uint8_t)text.p[i] & 0xc0) != 0x80;
    return n;
}

void *insights_fail(struct insights_parser *p, size_t begin, size_t end, const char *fmt, ...)
{
    if (p->failed)
        return NULL;
    va_list ap;
    va_start(ap, fmt);
    p->err->message = str_vprintf(p->arena, fmt, ap);
    va_end(ap);
    p->err->begin = characters(p->text, begin);
    p->err->end = characters(p->text, end > begin ? end : begin);
    p->failed = true;
    p->token.type = TOKEN_END;
    p->at = p->text.n;
    return NULL;
}

void *insights_unexpected(struct insights_parser *p)
{
    size_t line = 1, begin = p->token.begin, column = begin;
    for (size_t i = 0; i < begin; i++)
        if (p->text.p[i] == '\n') {
            line++;
            column = begin - i - 1;
        }
    struct str what = str_slice(p->text, begin, p->token.end);
    return insights_fail(
        p, begin, p->token.end, "unexpected symbol found %.*s at line %zu and position %zu",
        what.n ? (int)what.n : 13, what.n ? what.p : "<end of line>", line, column + 1);
}

static bool name_begins(char c)
{
    return isalpha((unsigned char)c) || c == '_' || c == '@' || (c & 0x80);
}

static bool name_goes_on(char c)
{
    return name_begins(c) || isdigit((unsigned char)c) || c == '.';
}

static void read_name(struct insights_parser *p)
{
    char *name = arena_alloc(p->arena, p->text.n - p->at + 1);
    size_t n = 0;
    while (p->at < p->text.n) {
        char c = p->text.p[p->at];
        if (c == '`') {
            ssize_t end = str_find_byte(str_slice(p->text, p->at + 1, p->text.n), '`');
            if (end < 0) {
                insights_fail(p, p->at, p->text.n, "missing ` behind the field name");
                return;
            }
            memcpy(name + n, p->text.p + p->at + 1, (size_t)end);
            n += (size_t)end;
            p->at += (size_t)end + 2;
            p->token.quoted = true;
        } else if (name_goes_on(c)) {
            name[n++] = c;
            p->at++;
        } else {
            break;
        }
        if (p->at < p->text.n && p->text.p[p->at] == '`' && name[n ? n - 1 : 0] != '.')
            break;
    }
    p->token.type = TOKEN_NAME;
    p->token.text = str_of(name, n);
}

static void read_text(struct insights_parser *p, char quote)
{
    char *text = arena_alloc(p->arena, p->text.n - p->at + 1);
    size_t n = 0, begin = p->at++;
    for (; p->at < p->text.n && p->text.p[p->at] != quote; p->at++) {
        char c = p->text.p[p->at];
        if (c == '\\' && p->at + 1 < p->text.n) {
            char next = p->text.p[p->at + 1];
            const char *known = "nnttrr", *found = NULL;
            if (next == 'n' || next == 't' || next == 'r')
                found = strchr(known, next);
            if (found || next == quote || next == '\\') {
                c = next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
                p->at++;
            }
        }
        text[n++] = c;
    }
    if (p->at == p->text.n) {
        insights_fail(p, begin, p->text.n, "missing %c at the end of the text", quote);
        return;
    }
    p->at++;
    p->token.type = TOKEN_TEXT;
    p->token.text = str_of(text, n);
}

static void read_number(struct insights_parser *p)
{
    char digits[64], *stop;
    size_t n = 0, at = p->at;
    while (at < p->text.n && n < sizeof digits - 1 &&
           (isdigit((unsigned char)p->text.p[at]) || p->text.p[at] == '.'))
        digits[n++] = p->text.p[at++];
    digits[n] = 0;
    p->token.number = strtod(digits, &stop);
    if (*stop || n == sizeof digits - 1) {
        insights_fail(p, p->at, at, "not a number: %s", digits);
        return;
    }
    size_t unit = at;
    while (at < p->text.n && isalpha((unsigned char)p->text.p[at]))
        at++;
    p->token.type = TOKEN_NUMBER;
    p->token.text = str_slice(p->text, unit, at);
    p->at = at;
}

static void read_sign(struct insights_parser *p)
{
    static const struct {
        char text[3], sign;
    } pairs[] = {{"<=", 'l'}, {">=", 'g'}, {"!=", '!'}, {"=~", '~'}, {"==", '='}, {"<>", '!'}};
    p->token.type = TOKEN_SIGN;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (p->text.n - p->at >= 2 && memcmp(p->text.p + p->at, pairs[i].text, 2) == 0) {
            p->token.sign = pairs[i].sign;
            p->at += 2;
            return;
        }
    p->token.sign = p->text.p[p->at++];
    if (!strchr("()[],|+-*/^%=<>:.", p->token.sign) || !p->token.sign) {
        p->token.end = p->at;
        insights_unexpected(p);
    }
}

void insights_next(struct insights_parser *p)
{
    p->before = p->at;
    while (p->at < p->text.n) {
        if (isspace((unsigned char)p->text.p[p->at]))
            p->at++;
        else if (p->text.p[p->at] == '#')
            while (p->at < p->text.n && p->text.p[p->at] != '\n')
                p->at++;
        else
            break;
    }
    p->token.begin = p->token.end = p->at;
    p->token.type = TOKEN_END;
    p->token.sign = 0;
    p->token.quoted = false;
    p->token.text = (struct str){0};
    if (p->at == p->text.n)
        return;
    char c = p->text.p[p->at];
    if (name_begins(c) || c == '`')
        read_name(p);
    else if (isdigit((unsigned char)c))
        read_number(p);
    else if (c == '"' || c == '\'')
        read_text(p, c);
    else
        read_sign(p);
    if (!p->failed)
        p->token.end = p->at;
}

bool insights_is(const struct insights_parser *p, char sign)
{
    return p->token.type == TOKEN_SIGN && p->token.sign == sign;
}

bool insights_is_word(const struct insights_parser *p, const char *word)
{
    return p->token.type == TOKEN_NAME && !p->token.quoted &&
           str_eq_nocase(p->token.text, str_from(word));
}

bool insights_take(struct insights_parser *p, char sign)
{
    bool is = insights_is(p, sign);
    if (is)
        insights_next(p);
    return is;
}

bool insights_take_word(struct insights_parser *p, const char *word)
{
    bool is = insights_is_word(p, word);
    if (is)
        insights_next(p);
    return is;
}

bool insights_expect(struct insights_parser *p, char sign)
{
    if (!insights_take(p, sign))
        insights_unexpected(p);
    return !p->failed;
}

/* ---- regular expressions ---- */

struct regex *insights_compile(struct insights_parser *p, struct str text, size_t begin)
{
    static const struct regex_limits limits = {100000, 20000, 8192, true};
    struct insights_query *q = p->query;
    struct regex *regex = ARENA_NEW(p->arena, struct regex);
    int error;
    size_t where;
    if (regex_compile(p->arena, text, &limits, regex, &error, &where) < 0) {
        PCRE2_UCHAR why[128] = "";
        pcre2_get_error_message(error, why, sizeof why);
        return insights_fail(p, begin + where, begin + where + 1, "invalid regular expression: %s",
                             (const char *)why);
    }
    *(struct regex **)arena_push(p->arena, (void **)&q->regexes, &q->n_regexes, &q->cap_regexes,
                                 sizeof regex) = regex;
    return regex;
}

struct regex *insights_read_regex(struct insights_parser *p)
{
    size_t begin = p->token.end, at = begin;
    while (at < p->text.n && p->text.p[at] != '/')
        at += p->text.p[at] == '\\' && at + 1 < p->text.n ? 2 : 1;
    if (at >= p->text.n)
        return insights_fail(p, p->token.begin, p->text.n, "missing / behind the expression");
    struct regex *regex = insights_compile(p, str_slice(p->text, begin, at), begin);
    p->at = at + 1;
    if (regex)
        insights_next(p);
    return regex;
}
