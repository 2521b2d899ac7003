/* json_check - see json_check.h. One pass, one bit of memory a level. */
#include "service/lambda/json_check.h"
#include <ctype.h>
#include "base/utf8.h"

#define DEPTH_MAX 1000

struct check {
    const char *p, *end;
    const char *why;
};

static bool fail(struct check *c, const char *why)
{
    c->why = why;
    return false;
}

static void blanks(struct check *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static bool word(struct check *c, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, w, n) != 0)
        return fail(c, "Unrecognized token");
    c->p += n;
    return true;
}

static bool string(struct check *c)
{
    for (c->p++; c->p < c->end;) {
        unsigned char ch = (unsigned char)*c->p;
        if (ch == '"') {
            c->p++;
            return true;
        }
        if (ch < 0x20)
            return fail(c, "Illegal unquoted character");
        if (ch == '\\') {
            if (c->end - c->p < 2)
                break;
            char e = c->p[1];
            size_t digits = e == 'u' ? 4 : 0;
            if (!strchr("\"\\/bfnrtu", e) || e == 0)
                return fail(c, "Unrecognized character escape");
            c->p += 2;
            for (; digits > 0; digits--, c->p++)
                if (c->p == c->end || !isxdigit((unsigned char)*c->p))
                    return fail(c, "Unexpected character in a unicode escape");
        } else {
            size_t n = utf8_length(c->p, c->end);
            if (n == 0)
                return fail(c, "Invalid UTF-8");
            c->p += n;
        }
    }
    return fail(c, "Unexpected end-of-input in VALUE_STRING");
}

static bool digits(struct check *c)
{
    const char *from = c->p;
    while (c->p < c->end && isdigit((unsigned char)*c->p))
        c->p++;
    return c->p > from || fail(c, "Unexpected character in a number");
}

static bool number(struct check *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return false;
    if (c->p < c->end && *c->p == '.' && (c->p++, !digits(c)))
        return false;
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (!digits(c))
            return false;
    }
    return true;
}

static bool scalar(struct check *c)
{
    switch (*c->p) {
    case '"':
        return string(c);
    case 't':
        return word(c, "true");
    case 'f':
        return word(c, "false");
    case 'n':
        return word(c, "null");
    default:
        if (*c->p == '-' || isdigit((unsigned char)*c->p))
            return number(c);
        return fail(c, "Unexpected character: expected a valid value (JSON String, Number, Array, "
                       "Object or token 'null', 'true' or 'false')");
    }
}

/* After '{' or ',' of an object: the key and its colon. */
static bool key(struct check *c)
{
    blanks(c);
    if (c->p == c->end)
        return fail(c, "Unexpected end-of-input");
    if (*c->p != '"')
        return fail(c, "Unexpected character: was expecting double-quote to start field name");
    if (!string(c))
        return false;
    blanks(c);
    if (c->p == c->end || *c->p != ':')
        return fail(c,
                    "Unexpected character: was expecting a colon to separate field name and value");
    c->p++;
    return true;
}

static bool value(struct check *c)
{
    bool in_object[DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        blanks(c);
        if (c->p == c->end)
            return fail(c, "Unexpected end-of-input");
        bool open = *c->p == '{' || *c->p == '[';
        if (open) {
            bool object = *c->p++ == '{';
            if (depth == DEPTH_MAX)
                return fail(c, "Document nesting depth exceeds the maximum allowed (1000)");
            in_object[depth++] = object;
            blanks(c);
            if (c->p < c->end && *c->p == (object ? '}' : ']')) {
                c->p++;
                depth--;
            } else {
                if (object && !key(c))
                    return false;
                continue;
            }
        } else if (!scalar(c)) {
            return false;
        }
        for (;; c->p++, depth--) { /* what ends with this value */
            if (depth == 0)
                return true;
            blanks(c);
            if (c->p == c->end)
                return fail(c, "Unexpected end-of-input");
            if (*c->p == ',')
                break;
            if (*c->p != (in_object[depth - 1] ? '}' : ']'))
                return fail(c, "Unexpected character: was expecting comma to separate entries");
        }
        c->p++;
        if (in_object[depth - 1] && !key(c))
            return false;
    }
}

bool json_check(struct str text, size_t *ret_at, const char **ret_why)
{
    struct check c = {text.p, text.p + text.n, NULL};
    bool good = value(&c);
    if (good) {
        blanks(&c);
        good = c.p == c.end || fail(&c, "Unexpected character after the value");
    }
    *ret_at = (size_t)(c.p - text.p);
    *ret_why = c.why;
    return good;
}
