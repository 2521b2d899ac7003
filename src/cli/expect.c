/* expect - comparisons, and how a difference is told: see expect.h. */
#include "cli/expect.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include "base/cleanup.h"

void expect_fail(struct expect_result *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = str_vprintf(r->arena, fmt, ap);
    va_end(ap);
    *(struct str *)arena_push(r->arena, (void **)&r->failures, &r->n, &r->cap, sizeof s) = s;
}

static const char *const matcher_keys[] = {"type", "matches", "contains", "lt",     "le",    "gt",
                                           "ge",   "eq",      "ne",       "exists", "length"};

bool expect_is_matcher(const struct json *v)
{
    if (!json_is(v, JSON_OBJECT) || !v->n)
        return false;
    JSON_EACH(v, m) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(matcher_keys); i++)
            known = known || str_is(m->key, matcher_keys[i]);
        if (!known)
            return false;
    }
    return true;
}

bool expect_matches(struct arena *a, struct str pattern, struct str text, struct str *why)
{
    int code;
    PCRE2_SIZE at;
    *why = (struct str){0};
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                                   PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at, NULL);
    if (!re) {
        PCRE2_UCHAR message[128];
        pcre2_get_error_message(code, message, sizeof message);
        *why = str_printf(a, "/%.*s/ is no regular expression: %s", STR(pattern), (char *)message);
        return false;
    }
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(limits, 1000000);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    int n = pcre2_match(re, (PCRE2_SPTR)text.p, text.n, 0, 0, data, limits);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH)
        *why = str_printf(a, "/%.*s/ is too costly on this text", STR(pattern));
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_code_free(re);
    return n >= 0;
}

static struct str shown(struct arena *a, const struct json *v)
{
    struct str s = v ? json_text(a, v, -1) : S("not there");
    return s.n > 200 ? str_printf(a, "%.*s...", 200, s.p) : s;
}

static bool number(struct arena *a, const struct json *v, double *ret)
{
    if (!json_is(v, JSON_NUMBER))
        return false;
    *ret = strtod(str_c(a, v->text), NULL);
    return true;
}

static bool compare(const char *op, double x, double y)
{
    return !strcmp(op, "lt")   ? x < y
           : !strcmp(op, "le") ? x <= y
           : !strcmp(op, "gt") ? x > y
                               : x >= y;
}

static const char *type_name(const struct json *v)
{
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return names[v->type];
}

static void match_one(struct expect_result *r, struct str name, const struct json *m,
                      const struct json *actual)
{
    struct arena *a = r->arena;
    struct str why, is = shown(a, actual);
    double x, y;
    if (str_is(m->key, "exists")) {
        if (m->boolean != (actual != NULL))
            expect_fail(r, "%.*s is %.*s", STR(name), STR(is));
    } else if (!actual) {
        expect_fail(r, "%.*s is not there", STR(name));
    } else if (str_is(m->key, "type")) {
        struct str t = json_str(m);
        int64_t whole;
        bool integer = str_is(t, "integer") && actual->type == JSON_NUMBER &&
                       str_to_int64(actual->text, &whole) == 0;
        if (!str_is(t, type_name(actual)) && !integer)
            expect_fail(r, "%.*s is of type %s (%.*s), expected %.*s", STR(name), type_name(actual),
                        STR(is), STR(t));
    } else if (str_is(m->key, "matches")) {
        struct str text = actual->type == JSON_STRING ? actual->text : json_text(a, actual, -1);
        if (!expect_matches(a, json_str(m), text, &why))
            expect_fail(r, "%.*s is %.*s, expected a match of /%.*s/%s%.*s", STR(name), STR(is),
                        STR(json_str(m)), str_has(why) ? ": " : "", STR(why));
    } else if (str_is(m->key, "contains")) {
        bool in = actual->type == JSON_STRING && json_is(m, JSON_STRING) &&
                  str_find(actual->text, m->text) >= 0;
        if (actual->type == JSON_ARRAY)
            JSON_EACH(actual, item)
                in = in || json_equal(item, m);
        if (!in)
            expect_fail(r, "%.*s is %.*s, which does not contain %.*s", STR(name), STR(is),
                        STR(shown(a, m)));
    } else if (str_is(m->key, "eq")) {
        if (!json_equal(m, actual))
            expect_fail(r, "%.*s is %.*s, expected %.*s", STR(name), STR(is), STR(shown(a, m)));
    } else if (str_is(m->key, "ne")) {
        if (json_equal(m, actual))
            expect_fail(r, "%.*s is %.*s, expected something else", STR(name), STR(is));
    } else if (str_is(m->key, "length")) {
        size_t n = actual->type == JSON_STRING ? actual->text.n : actual->n;
        if (!number(a, m, &y) || (double)n != y)
            expect_fail(r, "%.*s has length %zu, expected %.*s", STR(name), n, STR(shown(a, m)));
    } else if (!number(a, actual, &x) || !number(a, m, &y)) {
        expect_fail(r, "%.*s is %.*s, which cannot be compared with %.*s", STR(name), STR(is),
                    STR(shown(a, m)));
    } else if (!compare(str_c(a, m->key), x, y)) {
        expect_fail(r, "%.*s is %.*s, expected %.*s %.*s", STR(name), STR(is), STR(m->key),
                    STR(shown(a, m)));
    }
}

void expect_value(struct expect_result *r, struct str name, const struct json *wanted,
                  const struct json *actual)
{
    if (expect_is_matcher(wanted)) {
        JSON_EACH(wanted, m)
            match_one(r, name, m, actual);
    } else if (!actual || !json_equal(wanted, actual)) {
        expect_fail(r, "%.*s is %.*s, expected %.*s", STR(name), STR(shown(r->arena, actual)),
                    STR(shown(r->arena, wanted)));
    }
}

void expect_subset(struct expect_result *r, struct str name, const struct json *wanted,
                   const struct json *actual)
{
    bool object = json_is(wanted, JSON_OBJECT) && !expect_is_matcher(wanted);
    if (object && json_is(actual, JSON_OBJECT)) {
        JSON_EACH(wanted, m)
            expect_subset(r, str_printf(r->arena, "%.*s.%.*s", STR(name), STR(m->key)), m,
                          json_find(actual, m->key));
        return;
    }
    if (json_is(wanted, JSON_ARRAY) && json_is(actual, JSON_ARRAY) && wanted->n == actual->n) {
        size_t i = 0;
        JSON_EACH(wanted, m) {
            expect_subset(r, str_printf(r->arena, "%.*s[%zu]", STR(name), i), m,
                          json_at(actual, i));
            i++;
        }
        return;
    }
    expect_value(r, name, wanted, actual);
}

/* One step of a path: .name, ['name'], [3]. */
static int step(const struct json **at, struct str *rest)
{
    struct str p = *rest;
    if (p.p[0] == '.') {
        size_t n = 1;
        while (n < p.n && p.p[n] != '.' && p.p[n] != '[')
            n++;
        if (n == 1)
            return -EINVAL;
        *at = json_find(*at, str_slice(p, 1, n));
        *rest = str_slice(p, n, p.n);
        return 0;
    }
    if (p.p[0] != '[')
        return -EINVAL;
    bool single = str_starts(p, S("['")), twice = str_starts(p, S("[\""));
    ssize_t close = single  ? str_find(p, S("']")) + 1
                    : twice ? str_find(p, S("\"]")) + 1
                            : str_find_byte(p, ']');
    if (close < 2)
        return -EINVAL;
    struct str inside = str_slice(p, 1, (size_t)close);
    int64_t i;
    *rest = str_slice(p, (size_t)close + 1, p.n);
    if (single || twice) {
        if (inside.n < 2)
            return -EINVAL;
        *at = json_find(*at, str_slice(inside, 1, inside.n - 1));
        return 0;
    }
    if (str_to_int64(inside, &i) < 0)
        return -EINVAL;
    if (i < 0 && json_is(*at, JSON_ARRAY))
        i += (int64_t)(*at)->n;
    *at = json_is(*at, JSON_ARRAY) && i >= 0 ? json_at(*at, (size_t)i) : NULL;
    return 0;
}

int expect_path(const struct json *root, struct str path, const struct json **ret)
{
    if (!str_starts(path, S("$")))
        return -EINVAL;
    struct str rest = str_slice(path, 1, path.n);
    const struct json *at = root;
    while (rest.n) {
        int r = step(&at, &rest);
        if (r < 0)
            return r;
    }
    *ret = at;
    return 0;
}
