/* clock - time of day and of the monotonic clock; the text forms AWS uses. */
#include "base/clock.h"
#include <errno.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

int64_t clock_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct civil {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second, ms;
    int weekday; /* 0 Sunday */
};

/* Days since 1970-01-01 of a date of the Gregorian calendar and back, after Howard Hinnant's
 * "chrono-compatible low-level date algorithms": years begin in March, eras have 400 years. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct civil civil_from_ms(int64_t ms)
{
    /* The years 0 to 9999 have text forms; what lies outside is clipped. */
    const int64_t lowest = INT64_C(-62167219200000), highest = INT64_C(253402300799999);
    ms = ms < lowest ? lowest : ms > highest ? highest : ms;
    int64_t days = ms / DAY_MS, of_day = ms % DAY_MS;
    if (of_day < 0) {
        of_day += DAY_MS;
        days--;
    }
    struct civil c;
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = (int)(year + era * 400 + (c.month <= 2));
    c.hour = (int)(of_day / 3600000);
    c.minute = (int)(of_day / 60000 % 60);
    c.second = (int)(of_day / 1000 % 60);
    c.ms = (int)(of_day % 1000);
    return c;
}

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct str clock_iso8601(struct arena *a, int64_t ms)
{
    struct civil c = civil_from_ms(ms);
    return str_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour,
                      c.minute, c.second, c.ms);
}

struct str clock_iso8601_s(struct arena *a, int64_t ms)
{
    struct civil c = civil_from_ms(ms);
    return str_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute,
                      c.second);
}

struct str clock_lambda_time(struct arena *a, int64_t ms)
{
    struct civil c = civil_from_ms(ms);
    return str_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03d+0000", c.year, c.month, c.day, c.hour,
                      c.minute, c.second, c.ms);
}

struct str clock_http_date(struct arena *a, int64_t ms)
{
    struct civil c = civil_from_ms(ms);
    return str_printf(a, "%s, %02d %s %04d %02d:%02d:%02d GMT", day_names[c.weekday], c.day,
                      month_names[c.month - 1], c.year, c.hour, c.minute, c.second);
}

struct str clock_amz_date(struct arena *a, int64_t ms)
{
    struct civil c = civil_from_ms(ms);
    return str_printf(a, "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour, c.minute,
                      c.second);
}

/* Reading: each takes its piece off the front of *s. */

static bool take(struct str *s, struct str what)
{
    if (!str_starts(*s, what))
        return false;
    *s = str_slice(*s, what.n, s->n);
    return true;
}

static bool take_number(struct str *s, size_t digits, int *ret)
{
    if (s->n < digits)
        return false;
    int v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_slice(*s, digits, s->n);
    *ret = v;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static int civil_to_ms(const struct civil *c, int64_t *ret)
{
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_of_month(c->year, c->month) ||
        c->hour > 23 || c->minute > 59 || c->second > 60)
        return -EINVAL;
    *ret = days_from_civil(c->year, c->month, c->day) * DAY_MS + c->hour * INT64_C(3600000) +
           c->minute * INT64_C(60000) + c->second * INT64_C(1000) + c->ms;
    return 0;
}

int clock_parse_iso8601(struct str s, int64_t *ret_ms)
{
    struct civil c = {0};
    if (!take_number(&s, 4, &c.year) || !take(&s, S("-")) || !take_number(&s, 2, &c.month) ||
        !take(&s, S("-")) || !take_number(&s, 2, &c.day))
        return -EINVAL;
    if (!take(&s, S("T")) && !take(&s, S("t")) && !take(&s, S(" ")))
        return -EINVAL;
    if (!take_number(&s, 2, &c.hour) || !take(&s, S(":")) || !take_number(&s, 2, &c.minute) ||
        !take(&s, S(":")) || !take_number(&s, 2, &c.second))
        return -EINVAL;
    if (take(&s, S("."))) {
        int digit, worth = 100, n = 0;
        for (; take_number(&s, 1, &digit); n++, worth /= 10)
            c.ms += digit * worth;
        if (n == 0)
            return -EINVAL;
    }
    int64_t offset_ms = 0;
    if (!take(&s, S("Z")) && !take(&s, S("z"))) {
        bool west = take(&s, S("-"));
        int hours, minutes;
        if ((!west && !take(&s, S("+"))) || !take_number(&s, 2, &hours))
            return -EINVAL;
        take(&s, S(":"));
        if (!take_number(&s, 2, &minutes) || hours > 23 || minutes > 59)
            return -EINVAL;
        offset_ms = (hours * 60 + minutes) * INT64_C(60000) * (west ? -1 : 1);
    }
    int64_t ms;
    if (s.n || civil_to_ms(&c, &ms) < 0)
        return -EINVAL;
    *ret_ms = ms - offset_ms;
    return 0;
}

int clock_parse_http_date(struct str s, int64_t *ret_ms)
{
    struct civil c = {0};
    for (c.weekday = 0; c.weekday < 7; c.weekday++)
        if (take(&s, str_from(day_names[c.weekday])))
            break;
    if (c.weekday == 7 || !take(&s, S(", ")) || !take_number(&s, 2, &c.day) || !take(&s, S(" ")))
        return -EINVAL;
    for (c.month = 1; c.month <= 12; c.month++)
        if (take(&s, str_from(month_names[c.month - 1])))
            break;
    if (c.month == 13 || !take(&s, S(" ")) || !take_number(&s, 4, &c.year) || !take(&s, S(" ")) ||
        !take_number(&s, 2, &c.hour) || !take(&s, S(":")) || !take_number(&s, 2, &c.minute) ||
        !take(&s, S(":")) || !take_number(&s, 2, &c.second) || !take(&s, S(" GMT")) || s.n)
        return -EINVAL;
    return civil_to_ms(&c, ret_ms);
}

int clock_parse_amz_date(struct str s, int64_t *ret_ms)
{
    struct civil c = {0};
    if (!take_number(&s, 4, &c.year) || !take_number(&s, 2, &c.month) ||
        !take_number(&s, 2, &c.day) || !take(&s, S("T")) || !take_number(&s, 2, &c.hour) ||
        !take_number(&s, 2, &c.minute) || !take_number(&s, 2, &c.second) || !take(&s, S("Z")) ||
        s.n)
        return -EINVAL;
    return civil_to_ms(&c, ret_ms);
}
