/* fuzz_logs_pattern - any filter pattern on any message: the first line is the pattern; and the
 * same as a regular expression, whose machine code and needed text must agree with it. */
#include <stdlib.h>
#include "service/logs/pattern.h"
#include "service/logs/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match_both_ways(struct arena *a, struct str text, struct str message)
{
    static const struct regex_limits limits = {10000, 1000, 1024, true};
    struct regex r;
    int error;
    size_t where;
    if (text.n > 1000 || regex_compile(a, text, &limits, &r, &error, &where) < 0)
        return;
    int slow = regex_match(&r, message);
    if (slow >= 0 && r.literal.n && str_find(message, r.literal) < 0)
        abort();
    regex_speed_up(&r);
    int fast = regex_match(&r, message);
    regex_slow_down(&r);
    bool given_up = slow <= REGEX_TOO_LONG || fast <= REGEX_TOO_LONG;
    if (!given_up && (slow >= 0) != (fast >= 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str pattern, message, why;
    str_cut(str_of((const char *)data, size), '\n', &pattern, &message);
    struct logs_pattern *p;
    if (logs_pattern_parse(&a, pattern, &p, &why) == 0)
        logs_pattern_match(p, message, &a);
    match_both_ways(&a, pattern, message);
    return 0;
}
