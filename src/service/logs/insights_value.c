/* insights_value - see insights_value.h. */
#include "service/logs/insights_value.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include "base/clock.h"

bool insights_to_number(const struct insights_value *v, double *ret)
{
    char text[64], *stop;
    switch (v->type) {
    case INSIGHTS_NUMBER:
    case INSIGHTS_BOOL:
    case INSIGHTS_TIME:
        *ret = v->number;
        return true;
    case INSIGHTS_TEXT:
        break;
    default:
        return false;
    }
    struct str s = v->text;
    if (!s.n || s.n >= sizeof text || !(isdigit((unsigned char)s.p[0]) || strchr("-+.", s.p[0])))
        return false;
    if (s.n <= 15) { /* whole numbers: most of them */
        int64_t n = 0;
        size_t i = s.p[0] == '-';
        for (; i < s.n && isdigit((unsigned char)s.p[i]); i++)
            n = n * 10 + (s.p[i] - '0');
        if (i == s.n && isdigit((unsigned char)s.p[s.n - 1])) {
            *ret = (double)(s.p[0] == '-' ? -n : n);
            return true;
        }
    }
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (strpbrk(text, "xXnN"))
        return false;
    double n = strtod(text, &stop);
    if (*stop || !isfinite(n))
        return false;
    *ret = n;
    return true;
}

bool insights_true(const struct insights_value *v)
{
    double n;
    if (v->type == INSIGHTS_TEXT)
        return str_is(v->text, "true") || (insights_to_number(v, &n) && n != 0);
    return insights_to_number(v, &n) && n != 0;
}

/* Whole, or to four places: as AWS shows them. */
static struct str number_text(struct arena *a, double v)
{
    if (!isfinite(v))
        return isnan(v) ? S("NaN") : v > 0 ? S("Infinity") : S("-Infinity");
    if (v == trunc(v))
        return fabs(v) < 1e15 ? str_printf(a, "%.0f", v == 0 ? 0 : v) : str_printf(a, "%.15g", v);
    struct str s = str_printf(a, "%.4f", v);
    while (s.p[s.n - 1] == '0')
        s.n--;
    if (s.p[s.n - 1] == '.')
        s.n--;
    return str_is(s, "-0") ? S("0") : s;
}

static struct str time_text(struct arena *a, double ms)
{
    if (!(fabs(ms) < 2.5e14))
        return number_text(a, ms);
    struct str s = str_copy(a, clock_iso8601(a, (int64_t)ms)); /* 2025-11-24T23:11:20.123Z */
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 'T')
            ((char *)s.p)[i] = ' ';
    s.n--;
    return s;
}

struct str insights_to_text(struct arena *a, const struct insights_value *v)
{
    switch (v->type) {
    case INSIGHTS_TEXT:
        return v->text;
    case INSIGHTS_NUMBER:
        return number_text(a, v->number);
    case INSIGHTS_BOOL:
        return v->number != 0 ? S("1") : S("0");
    case INSIGHTS_TIME:
        return time_text(a, v->number);
    case INSIGHTS_JSON:
        return json_text(a, v->json, -1);
    case INSIGHTS_ABSENT:
        break;
    }
    return S("");
}

static bool both_numbers(const struct insights_value *x, const struct insights_value *y, double *a,
                         double *b)
{
    return insights_to_number(x, a) && insights_to_number(y, b);
}

int insights_compare(struct arena *a, const struct insights_value *x,
                     const struct insights_value *y)
{
    double m, n;
    if (both_numbers(x, y, &m, &n))
        return m < n ? -1 : m > n;
    return str_cmp(insights_to_text(a, x), insights_to_text(a, y));
}

static bool bool_equals(const struct insights_value *x, const struct insights_value *y)
{
    return x->type == INSIGHTS_BOOL && y->type == INSIGHTS_TEXT &&
           str_eq_nocase(y->text, x->number != 0 ? S("true") : S("false"));
}

bool insights_equal(struct arena *a, const struct insights_value *x, const struct insights_value *y)
{
    if (x->type == INSIGHTS_ABSENT || y->type == INSIGHTS_ABSENT)
        return false;
    return bool_equals(x, y) || bool_equals(y, x) || insights_compare(a, x, y) == 0;
}

/* Runs of digits by their length, then by their value. */
static int natural_order(struct str x, struct str y)
{
    size_t i = 0, k = 0;
    while (i < x.n && k < y.n) {
        if (!isdigit((unsigned char)x.p[i]) || !isdigit((unsigned char)y.p[k])) {
            if (x.p[i] != y.p[k])
                return (uint8_t)x.p[i] < (uint8_t)y.p[k] ? -1 : 1;
            i++;
            k++;
            continue;
        }
        size_t from = i, other = k;
        while (i < x.n && isdigit((unsigned char)x.p[i]))
            i++;
        while (k < y.n && isdigit((unsigned char)y.p[k]))
            k++;
        if (i - from != k - other)
            return i - from < k - other ? -1 : 1;
        int cmp = memcmp(x.p + from, y.p + other, i - from);
        if (cmp)
            return cmp < 0 ? -1 : 1;
    }
    return i < x.n ? 1 : k < y.n ? -1 : 0;
}

int insights_order(struct arena *a, const struct insights_value *x, const struct insights_value *y)
{
    double m, n;
    bool there_x = x->type != INSIGHTS_ABSENT, there_y = y->type != INSIGHTS_ABSENT;
    if (!there_x || !there_y)
        return (int)there_x - (int)there_y;
    bool number_x = insights_to_number(x, &m), number_y = insights_to_number(y, &n);
    if (number_x && number_y)
        return m < n ? -1 : m > n;
    if (number_x != number_y)
        return number_x ? 1 : -1;
    return natural_order(insights_to_text(a, x), insights_to_text(a, y));
}

struct insights_value insights_of_json(const struct json *v)
{
    if (!v || v->type == JSON_NULL)
        return insights_absent();
    switch (v->type) {
    case JSON_STRING:
    case JSON_NUMBER:
        return insights_text(v->text);
    case JSON_BOOL:
        return insights_bool(v->boolean);
    default:
        return (struct insights_value){.type = INSIGHTS_JSON, .json = v};
    }
}

static int64_t floor_div(int64_t x, int64_t y)
{
    return x / y - (x % y != 0 && (x % y < 0) != (y < 0));
}

/* Days before the month, counted from 1970; months from 0. */
static int64_t month_begins(int64_t month)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t year = 1970 + floor_div(month, 12), m = month - floor_div(month, 12) * 12;
    int64_t y = year - 1;
    int64_t leaps = floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 477;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return (year - 1970) * 365 + leaps + before[m] + (leap && m > 1);
}

int64_t insights_floor(int64_t ms, const struct insights_period *period)
{
    const int64_t day = 86400000;
    if (period->unit == PERIOD_MS) {
        /* Weeks begin on Mondays; 1970 began on a Thursday. */
        int64_t shift = period->n % (7 * day) == 0 ? 3 * day : 0;
        return floor_div(ms + shift, period->n) * period->n - shift;
    }
    int64_t days = floor_div(ms, day), month = days / 31; /* too early, by a little */
    while (month_begins(month + 1) <= days)
        month++;
    while (month_begins(month) > days)
        month--;
    return month_begins(floor_div(month, period->n) * period->n) * day;
}
