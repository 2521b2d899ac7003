/* insights_functions - the functions of the query language, one row each. */
#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include "base/clock.h"
#include "base/utf8.h"
#include "service/logs/insights_value.h"

#define FUNCTION(name)                                                                             \
    static struct insights_value name(const struct insights_scope *scope,                          \
                                      const struct insights_expr *e,                               \
                                      const struct insights_value *args, size_t n)

static struct str text_of(const struct insights_scope *scope, const struct insights_value *v)
{
    return insights_to_text(scope->scratch, v);
}

/* ---- numbers ---- */

static struct insights_value one_number(const struct insights_value *arg, double (*f)(double))
{
    double v;
    if (!insights_to_number(arg, &v))
        return insights_absent();
    v = f(v);
    return isfinite(v) ? insights_number(v) : insights_absent();
}

FUNCTION(f_abs)
{
    return one_number(args, fabs);
}
FUNCTION(f_ceil)
{
    return one_number(args, ceil);
}
FUNCTION(f_floor)
{
    return one_number(args, floor);
}
FUNCTION(f_log)
{
    return one_number(args, log);
}
FUNCTION(f_sqrt)
{
    return one_number(args, sqrt);
}

static struct insights_value extreme(const struct insights_value *args, size_t n, int sign)
{
    double best = 0, v;
    bool any = false;
    for (size_t i = 0; i < n; i++)
        if (insights_to_number(&args[i], &v) && (!any || (v - best) * sign > 0)) {
            best = v;
            any = true;
        }
    return any ? insights_number(best) : insights_absent();
}

FUNCTION(f_greatest)
{
    return extreme(args, n, 1);
}
FUNCTION(f_least)
{
    return extreme(args, n, -1);
}

/* ---- times ---- */

static struct insights_value floor_time(double ms, const struct insights_period *period, bool up)
{
    if (!(fabs(ms) < 2.5e14))
        return insights_absent();
    int64_t floor = insights_floor((int64_t)ms, period);
    if (up && floor < (int64_t)ms) {
        int64_t step = period->unit == PERIOD_MS ? period->n : period->n * INT64_C(31) * 86400000;
        floor = insights_floor(floor + step, period);
    }
    return insights_time((double)floor);
}

FUNCTION(f_bin)
{
    if (!scope->has_event_ms)
        return insights_absent();
    return floor_time((double)scope->event_ms, &e->period, false);
}
FUNCTION(f_datefloor)
{
    double ms;
    return insights_to_number(args, &ms) ? floor_time(ms, &e->period, false) : insights_absent();
}
FUNCTION(f_dateceil)
{
    double ms;
    return insights_to_number(args, &ms) ? floor_time(ms, &e->period, true) : insights_absent();
}
FUNCTION(f_from_millis)
{
    double ms;
    return insights_to_number(args, &ms) ? insights_time(ms) : insights_absent();
}
FUNCTION(f_to_millis)
{
    double ms;
    return insights_to_number(args, &ms) ? insights_number(ms) : insights_absent();
}
FUNCTION(f_now)
{
    return insights_number((double)(scope->now_ms / 1000)); /* AWS: seconds */
}

/* ---- presence ---- */

FUNCTION(f_ispresent)
{
    return insights_bool(args->type != INSIGHTS_ABSENT);
}
FUNCTION(f_coalesce)
{
    for (size_t i = 0; i < n; i++)
        if (args[i].type != INSIGHTS_ABSENT)
            return args[i];
    return insights_absent();
}
FUNCTION(f_if)
{
    return insights_true(&args[0]) ? args[1] : args[2];
}
FUNCTION(f_isempty)
{
    return insights_bool(!text_of(scope, args).n);
}
FUNCTION(f_isblank)
{
    return insights_bool(!str_trim(text_of(scope, args)).n);
}

/* ---- texts; positions and lengths are in characters ---- */

static bool begins_character(char c)
{
    return ((uint8_t)c & 0xc0) != 0x80;
}

FUNCTION(f_strlen)
{
    struct str s = text_of(scope, args);
    double count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += begins_character(s.p[i]);
    return args->type == INSIGHTS_ABSENT ? insights_absent() : insights_number(count);
}

static size_t offset_of(struct str s, double character)
{
    size_t i = 0;
    for (; i < s.n; i++)
        if (begins_character(s.p[i]) && character-- <= 0)
            break;
    return i;
}

FUNCTION(f_substr)
{
    double from, count = 1e9;
    if (args->type == INSIGHTS_ABSENT || !insights_to_number(&args[1], &from) ||
        (n > 2 && !insights_to_number(&args[2], &count)))
        return insights_absent();
    struct str s = text_of(scope, args);
    from = fmax(floor(from), 0);
    s = str_slice(s, offset_of(s, from), s.n);
    return insights_text(str_slice(s, 0, offset_of(s, fmax(floor(count), 0))));
}

static struct insights_value mapped(const struct insights_scope *scope,
                                    const struct insights_value *arg, int (*f)(int))
{
    if (arg->type == INSIGHTS_ABSENT)
        return insights_absent();
    struct str s = str_copy(scope->scratch, text_of(scope, arg));
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < 0x80)
            ((char *)s.p)[i] = (char)f((unsigned char)s.p[i]);
    return insights_text(s);
}

FUNCTION(f_toupper)
{
    return mapped(scope, args, toupper);
}
FUNCTION(f_tolower)
{
    return mapped(scope, args, tolower);
}

static struct insights_value trimmed(const struct insights_scope *scope,
                                     const struct insights_value *args, size_t n, bool left,
                                     bool right)
{
    if (args->type == INSIGHTS_ABSENT)
        return insights_absent();
    struct str s = text_of(scope, args), set = n > 1 ? text_of(scope, &args[1]) : S(" \t\r\n");
    while (left && s.n && str_find_byte(set, s.p[0]) >= 0)
        s = str_slice(s, 1, s.n);
    while (right && s.n && str_find_byte(set, s.p[s.n - 1]) >= 0)
        s.n--;
    return insights_text(s);
}

FUNCTION(f_trim)
{
    return trimmed(scope, args, n, true, true);
}
FUNCTION(f_ltrim)
{
    return trimmed(scope, args, n, true, false);
}
FUNCTION(f_rtrim)
{
    return trimmed(scope, args, n, false, true);
}

FUNCTION(f_replace)
{
    struct str s = text_of(scope, args), what = text_of(scope, &args[1]),
               with = text_of(scope, &args[2]);
    if (args->type == INSIGHTS_ABSENT || !what.n)
        return args[0];
    auto_buf struct buf b;
    buf_init(&b, 1 << 22);
    for (ssize_t at; (at = str_find(s, what)) >= 0; s = str_slice(s, (size_t)at + what.n, s.n)) {
        buf_add(&b, s.p, (size_t)at);
        buf_str(&b, with);
    }
    buf_str(&b, s);
    return buf_failed(&b) ? insights_absent() : insights_text(buf_copy(&b, scope->scratch));
}

FUNCTION(f_strcontains)
{
    if (args->type == INSIGHTS_ABSENT)
        return insights_bool(false);
    return insights_bool(str_find(text_of(scope, args), text_of(scope, &args[1])) >= 0);
}

FUNCTION(f_concat)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 22);
    for (size_t i = 0; i < n; i++)
        buf_str(&b, text_of(scope, &args[i]));
    return buf_failed(&b) ? insights_absent() : insights_text(buf_copy(&b, scope->scratch));
}

/* ---- JSON ---- */

FUNCTION(f_json_parse)
{
    struct json *v;
    if (args->type == INSIGHTS_JSON)
        return args[0];
    if (args->type != INSIGHTS_TEXT || json_parse(scope->scratch, args->text, &v, NULL) < 0)
        return insights_absent();
    return insights_of_json(v);
}
FUNCTION(f_json_stringify)
{
    return args->type == INSIGHTS_ABSENT ? insights_absent() : insights_text(text_of(scope, args));
}

/* ---- addresses ---- */

struct address {
    int family;
    uint8_t bytes[16];
};

static bool read_address(struct str s, struct address *ret)
{
    char text[64];
    if (!s.n || s.n >= sizeof text || memchr(s.p, 0, s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    ret->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(ret->family, text, ret->bytes) == 1;
}

static struct insights_value is_ip(const struct insights_scope *scope,
                                   const struct insights_value *args, int family)
{
    struct address a;
    return insights_bool(read_address(text_of(scope, args), &a) && (!family || a.family == family));
}

static struct insights_value in_subnet(const struct insights_scope *scope,
                                       const struct insights_value *args, int family)
{
    struct address a, net;
    struct str name, length;
    int64_t bits;
    if (!str_cut(text_of(scope, &args[1]), '/', &name, &length) ||
        str_to_int64(length, &bits) < 0 || !read_address(name, &net) ||
        !read_address(text_of(scope, args), &a) || a.family != net.family ||
        (family && a.family != family) || bits < 0 || bits > (a.family == AF_INET ? 32 : 128))
        return insights_bool(false);
    size_t bytes = (size_t)bits / 8;
    uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));
    return insights_bool(memcmp(a.bytes, net.bytes, bytes) == 0 &&
                         (bits % 8 == 0 || ((a.bytes[bytes] ^ net.bytes[bytes]) & mask) == 0));
}

FUNCTION(f_is_ip)
{
    return is_ip(scope, args, 0);
}
FUNCTION(f_is_ip4)
{
    return is_ip(scope, args, AF_INET);
}
FUNCTION(f_is_ip6)
{
    return is_ip(scope, args, AF_INET6);
}
FUNCTION(f_in_subnet)
{
    return in_subnet(scope, args, 0);
}
FUNCTION(f_in_subnet4)
{
    return in_subnet(scope, args, AF_INET);
}
FUNCTION(f_in_subnet6)
{
    return in_subnet(scope, args, AF_INET6);
}

#define PLAIN(function_name, f, min, max)                                                          \
    {                                                                                              \
        .name = function_name, .run = f, .min_args = min, .max_args = max                          \
    }

static const struct insights_function functions[] = {
    PLAIN("abs", f_abs, 1, 1),
    PLAIN("ceil", f_ceil, 1, 1),
    PLAIN("floor", f_floor, 1, 1),
    PLAIN("greatest", f_greatest, 1, -1),
    PLAIN("least", f_least, 1, -1),
    PLAIN("log", f_log, 1, 1),
    PLAIN("sqrt", f_sqrt, 1, 1),
    {.name = "bin", .run = f_bin, .min_args = 0, .max_args = 0, .period = true},
    {.name = "datefloor", .run = f_datefloor, .min_args = 1, .max_args = 1, .period = true},
    {.name = "dateceil", .run = f_dateceil, .min_args = 1, .max_args = 1, .period = true},
    PLAIN("fromMillis", f_from_millis, 1, 1),
    PLAIN("toMillis", f_to_millis, 1, 1),
    PLAIN("now", f_now, 0, 0),
    PLAIN("ispresent", f_ispresent, 1, 1),
    PLAIN("coalesce", f_coalesce, 1, -1),
    PLAIN("if", f_if, 3, 3),
    PLAIN("isempty", f_isempty, 1, 1),
    PLAIN("isblank", f_isblank, 1, 1),
    PLAIN("strlen", f_strlen, 1, 1),
    PLAIN("substr", f_substr, 2, 3),
    PLAIN("toupper", f_toupper, 1, 1),
    PLAIN("tolower", f_tolower, 1, 1),
    PLAIN("trim", f_trim, 1, 2),
    PLAIN("ltrim", f_ltrim, 1, 2),
    PLAIN("rtrim", f_rtrim, 1, 2),
    PLAIN("replace", f_replace, 3, 3),
    PLAIN("strcontains", f_strcontains, 2, 2),
    PLAIN("concat", f_concat, 1, -1),
    PLAIN("jsonParse", f_json_parse, 1, 1),
    PLAIN("jsonStringify", f_json_stringify, 1, 1),
    PLAIN("isValidIp", f_is_ip, 1, 1),
    PLAIN("isValidIpv4", f_is_ip4, 1, 1),
    PLAIN("isValidIpv6", f_is_ip6, 1, 1),
    PLAIN("isIpInSubnet", f_in_subnet, 2, 2),
    PLAIN("isIpv4InSubnet", f_in_subnet4, 2, 2),
    PLAIN("isIpv6InSubnet", f_in_subnet6, 2, 2),
    {.name = "count", .min_args = 0, .max_args = 1, .aggregate = '*'},
    {.name = "count_distinct", .min_args = 1, .max_args = 1, .aggregate = 'd'},
    {.name = "sum", .min_args = 1, .max_args = 1, .aggregate = '+'},
    {.name = "avg", .min_args = 1, .max_args = 1, .aggregate = 'a'},
    {.name = "min", .min_args = 1, .max_args = 1, .aggregate = '<'},
    {.name = "max", .min_args = 1, .max_args = 1, .aggregate = '>'},
    {.name = "pct", .min_args = 2, .max_args = 2, .aggregate = 'p'},
    {.name = "stddev", .min_args = 1, .max_args = 1, .aggregate = 's'},
    {.name = "earliest", .min_args = 1, .max_args = 1, .aggregate = 'e'},
    {.name = "latest", .min_args = 1, .max_args = 1, .aggregate = 'l'},
    {.name = "sortsFirst", .min_args = 1, .max_args = 1, .aggregate = 'f'},
    {.name = "sortsLast", .min_args = 1, .max_args = 1, .aggregate = 'z'},
};

const struct insights_function *insights_function_find(struct str name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (str_eq_nocase(name, str_from(functions[i].name)))
            return &functions[i];
    return NULL;
}
