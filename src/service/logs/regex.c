/* regex - see regex.h. */
#include "service/logs/regex.h"
#include "base/clock.h"

#define TEXT_NS 250000000
#define WINDOW_NS 2000000

/* The library's limit is for each place where a match may begin, and a long text has many: they are
 * tried in growing numbers, as long as that takes no time. */
int regex_match(const pcre2_code *code, pcre2_match_data *data, pcre2_match_context *limits,
                struct str s)
{
    int64_t begun = s.n > 64 ? clock_thread_ns() : 0, last = begun;
    size_t window = 64;
    for (size_t from = 0;;) {
        bool whole = s.n - from <= window;
        pcre2_set_offset_limit(limits, whole ? PCRE2_UNSET : from + window - 1);
        int r = pcre2_match(code, (PCRE2_SPTR)(s.n ? s.p : ""), s.n, from, 0, data, limits);
        if (r != PCRE2_ERROR_NOMATCH && r < 0)
            return REGEX_TOO_MANY_STEPS;
        if (r >= 0 || whole)
            return r;
        int64_t now = clock_thread_ns();
        if (now - begun > TEXT_NS)
            return REGEX_TOO_LONG;
        from += window;
        if (now - last < WINDOW_NS / 4)
            window *= 2;
        else if (now - last > WINDOW_NS && window > 1)
            window /= 2;
        last = now;
    }
}
