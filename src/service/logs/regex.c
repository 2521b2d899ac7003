/* regex - see regex.h. */
#include "service/logs/regex.h"
#include <errno.h>
#include "base/clock.h"

#define TEXT_NS 250000000
#define WINDOW_NS 2000000
#define OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT)

static void *take(size_t n, void *arena)
{
    return arena_alloc(arena, n);
}

static void release(void *p, void *arena)
{
}

int regex_compile(struct arena *a, struct str text, const struct regex_limits *limits,
                  struct regex *ret, int *ret_error, size_t *ret_where)
{
    pcre2_general_context *memory = pcre2_general_context_create(take, release, a);
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    struct regex r = {0};
    r.code = pcre2_compile((PCRE2_SPTR)(text.n ? text.p : ""), text.n, OPTIONS, ret_error,
                           ret_where, context);
    if (!r.code)
        return -EINVAL;
    pcre2_pattern_info(r.code, PCRE2_INFO_CAPTURECOUNT, &r.n_groups);
    r.data = pcre2_match_data_create(limits->groups ? r.n_groups + 1 : 1, memory);
    r.limits = pcre2_match_context_create(memory);
    pcre2_set_match_limit(r.limits, limits->steps);
    pcre2_set_depth_limit(r.limits, limits->depth);
    pcre2_set_heap_limit(r.limits, limits->heap_kib);
    r.literal = regex_literal(a, text);
    *ret = r;
    return 0;
}

/* Of a copy: that it is freed takes the machine code with it and leaves the arena alone. */
void regex_speed_up(struct regex *r)
{
    if (r->fast)
        return;
    r->fast = pcre2_code_copy(r->code);
    if (r->fast && pcre2_jit_compile(r->fast, PCRE2_JIT_COMPLETE) != 0)
        regex_slow_down(r);
}

void regex_slow_down(struct regex *r)
{
    pcre2_code_free(r->fast);
    r->fast = NULL;
}

/* What machine code has no room for on its stack is matched without it. */
static int match_from(const struct regex *r, struct str s, size_t from)
{
    PCRE2_SPTR text = (PCRE2_SPTR)(s.n ? s.p : "");
    int n = PCRE2_ERROR_JIT_STACKLIMIT;
    if (r->fast)
        n = pcre2_match(r->fast, text, s.n, from, 0, r->data, r->limits);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(r->code, text, s.n, from, 0, r->data, r->limits);
    return n;
}

/* The library's limit is for each place where a match may begin, and a long text has many: they are
 * tried in growing numbers, as long as that takes no time. The thread's time, which counts, is only
 * asked for when the cheap clock says that it may be much. */
int regex_match(const struct regex *r, struct str s)
{
    int64_t last = s.n > 64 ? clock_mono_ns() : 0, begun = last, thread_begun = 0;
    size_t window = 64;
    for (size_t from = 0;;) {
        bool whole = s.n - from <= window;
        pcre2_set_offset_limit(r->limits, whole ? PCRE2_UNSET : from + window - 1);
        int n = match_from(r, s, from);
        if (n != PCRE2_ERROR_NOMATCH && n < 0)
            return REGEX_TOO_MANY_STEPS;
        if (n >= 0 || whole)
            return n;
        int64_t now = clock_mono_ns();
        if (!thread_begun && now - begun > WINDOW_NS)
            thread_begun = clock_thread_ns();
        else if (thread_begun && clock_thread_ns() - thread_begun > TEXT_NS)
            return REGEX_TOO_LONG;
        from += window;
        if (now - last < WINDOW_NS / 4)
            window *= 2;
        else if (now - last > WINDOW_NS && window > 1)
            window /= 2;
        last = now;
    }
}
