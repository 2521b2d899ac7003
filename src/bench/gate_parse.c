/* gate_parse - thresholds as text (gate.h). */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include "base/cleanup.h"
#include "bench/gate.h"

static int refuse(struct arena *a, struct str *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(struct arena *a, struct str *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    *why = str_vprintf(a, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* ---- numbers with units ---- */

static const struct {
    const char *name;
    enum gate_unit unit;
    double factor;
} units[] = {
    {"ns", GATE_MS, 1e-6},
    {"us", GATE_MS, 1e-3},
    {"µs", GATE_MS, 1e-3},
    {"ms", GATE_MS, 1},
    {"s", GATE_MS, 1e3},
    {"m", GATE_MS, 6e4},
    {"min", GATE_MS, 6e4},
    {"%", GATE_RATE, 0.01},
    {"MB", GATE_MB, 1},
    {"GB", GATE_MB, 1024},
    {"", GATE_MB, 1},
    {"", GATE_USD, 1},
    {"$", GATE_USD, 1},
    {"USD", GATE_USD, 1},
    {"/s", GATE_PER_SECOND, 1},
    {"", GATE_PER_SECOND, 1},
    {"/m", GATE_PER_SECOND, 1 / 60.0},
    {"", GATE_COUNT, 1},
    {"", GATE_GBS, 1},
    {"GB-s", GATE_GBS, 1},
};

static const char *unit_examples(enum gate_unit unit)
{
    static const char *const examples[] = {
        [GATE_MS] = "500ms or 1.2s", [GATE_RATE] = "1% or a count",
        [GATE_COUNT] = "a number",   [GATE_MB] = "200MB",
        [GATE_USD] = "$5",           [GATE_PER_SECOND] = "100/s",
        [GATE_GBS] = "12GB-s",
    };
    return examples[unit];
}

/* Digits, one dot, and an exponent; locale and strtod()'s other forms stay out. */
static int parse_number(struct str s, double *ret, struct str *rest)
{
    double value = 0, scale = 1;
    size_t i = 0, digits = 0;
    for (bool dot = false; i < s.n && i < 40; i++) {
        if (s.p[i] == '.' && !dot) {
            dot = true;
            continue;
        }
        if (s.p[i] < '0' || s.p[i] > '9')
            break;
        value = value * 10 + (s.p[i] - '0');
        scale *= dot ? 10 : 1;
        digits++;
    }
    if (!digits)
        return -EINVAL;
    *ret = value / scale;
    *rest = str_trim(str_slice(s, i, s.n));
    return 0;
}

static int parse_limit(struct arena *a, struct str text, struct gate_threshold *t, struct str *why)
{
    struct str rest, number = text;
    bool dollar = number.n && *number.p == '$';
    if (dollar)
        number = str_trim(str_slice(number, 1, number.n));
    double value;
    if (parse_number(number, &value, &rest) < 0)
        return refuse(a, why, "\"%.*s\" is no number", STR(text));
    if (dollar && rest.n)
        return refuse(a, why, "\"%.*s\" has two units", STR(text));
    if (dollar)
        rest = S("$");
    enum gate_unit unit = t->metric.unit;
    if (unit == GATE_RATE && !rest.n) {
        t->count = true;
        t->limit = value;
        if (value != floor(value))
            return refuse(a, why, "\"%.*s\": a share is written with %%, a count is whole",
                          STR(text));
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (units[i].unit == unit && str_is(rest, units[i].name)) {
            t->limit = value * units[i].factor;
            return unit == GATE_RATE && t->limit > 1
                       ? refuse(a, why, "\"%.*s\" is more than all of them", STR(text))
                       : 0;
        }
    return refuse(a, why,
                  rest.n ? "\"%.*s\": %.*s is given as %s"
                         : "\"%.*s\" lacks a unit: %.*s is given as %s",
                  STR(text), STR(t->metric.name), unit_examples(unit));
}

/* ---- conditions ---- */

static const struct {
    const char *text;
    enum gate_op op;
} operators[] = {
    {"<=", GATE_LE}, {">=", GATE_GE}, {"==", GATE_EQ}, {"!=", GATE_NE},
    {"<", GATE_LT},  {">", GATE_GT},  {"=", GATE_EQ},
};

static int parse_one(struct arena *a, struct str text, struct gate_threshold *ret, struct str *why)
{
    struct gate_threshold t = {.text = str_copy(a, text)};
    size_t at = 0;
    while (at < text.n && !strchr("<>=!", text.p[at]))
        at++;
    struct str left = str_trim(str_slice(text, 0, at)), right = str_slice(text, at, text.n);
    size_t op = 0;
    while (op < ARRAY_LEN(operators) && !str_starts(right, str_from(operators[op].text)))
        op++;
    if (op == ARRAY_LEN(operators) || !left.n)
        return refuse(a, why, "\"%.*s\" is no condition: write one like p99<500ms", STR(text));
    t.op = operators[op].op;
    right = str_trim(str_slice(right, strlen(operators[op].text), right.n));
    ssize_t colon = str_find_last_byte(left, ':');
    if (colon >= 0) {
        t.series = str_copy(a, str_trim(str_slice(left, 0, (size_t)colon)));
        left = str_trim(str_slice(left, (size_t)colon + 1, left.n));
    }
    int r = gate_metric_parse(a, left, &t.metric, why);
    if (!r)
        r = parse_limit(a, right, &t, why);
    if (!r)
        *ret = t;
    return r;
}

int gate_parse(struct arena *a, struct str text, struct gate_threshold *list, size_t *n,
               struct str *why)
{
    if (!str_trim(text).n)
        return refuse(a, why, "an empty condition: write one like p99<500ms");
    for (bool more = true; more;) {
        struct str one, rest;
        more = str_cut(text, ',', &one, &rest);
        text = rest;
        if (*n == GATE_MAX)
            return refuse(a, why, "more than %d conditions", GATE_MAX);
        int r = parse_one(a, str_trim(one), &list[*n], why);
        if (r < 0)
            return r;
        ++*n;
    }
    return 0;
}
