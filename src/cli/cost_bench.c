/* cost_bench - measurements in reports of `lamina bench` (cost.h; docs/bench-format.md). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/fs.h"
#include "bench/output.h"
#include "cli/cost.h"

#define REPORT_MAX (256 << 20)

/* A finite number >= 0; NAN otherwise. */
static double number(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    char text[64];
    if (!json_is(v, JSON_NUMBER) || v->text.n >= sizeof text)
        return NAN;
    memcpy(text, v->text.p, v->text.n);
    text[v->text.n] = '\0';
    double d = strtod(text, NULL);
    return isfinite(d) && d >= 0 ? d : NAN;
}

static double known(double v)
{
    return isnan(v) ? 0 : v;
}

/* One group of figures: all of the run, or one series. False: nothing of it was billed. */
static bool read_group(struct arena *a, const struct json *root, const struct json *group,
                       struct cost_measured *ret)
{
    const struct json *function = json_get(root, "function"), *run = json_get(root, "run");
    const struct json *billed = json_get(json_get(group, "all"), "billed");
    const struct json *mean = json_get(billed, "mean");
    struct cost_measured m = {.function = json_get_str(function, "name"),
                              .region = json_get_str(run, "region"),
                              .architecture = json_get_str(group, "architecture"),
                              .log_bytes = -1};
    m.from = json_get_str(group, "name");
    m.memory_mb = known(number(group, "memory_mb"));
    if (!m.memory_mb)
        m.memory_mb = known(number(function, "memory_mb"));
    if (!m.architecture.n)
        m.architecture = json_get_str(function, "architecture");
    m.billed_ms =
        (struct figure){number(mean, "value"), number(mean, "low"), number(mean, "high"), 0};
    m.n = m.billed_ms.n = (size_t)known(number(billed, "n"));
    m.cold = (size_t)known(number(group, "cold_starts"));
    JSON_EACH(json_get(group, "outcomes"), outcome)
        m.cold_known += (size_t)known(number(json_get(group, "outcomes"), str_c(a, outcome->key)));
    m.median_ms = number(json_get(billed, "p50"), "value");
    m.largest_ms = number(json_get(billed, "max"), "value");
    m.gb_seconds =
        m.memory_mb > 0 ? figure_scale(&m.billed_ms, m.memory_mb / 1024 / 1000) : figure_none();
    *ret = m;
    return m.n && figure_known(&m.billed_ms);
}

int cost_from_bench(struct arena *a, struct str path, struct cost_measured **ret, size_t *ret_n,
                    struct str *why)
{
    struct str text;
    struct json *root;
    struct json_error e = {0};
    int r = fs_read(str_c(a, path), REPORT_MAX, a, &text);
    if (r < 0)
        return r;
    if (json_parse(a, text, &root, &e) < 0) {
        *why = str_printf(a, "line %d, column %d: %s", e.line, e.column, e.message);
        return -EBADMSG;
    }
    if (!str_is(json_get_str(root, "format"), BENCH_FORMAT)) {
        *why = S("it is no report of lamina bench (--json, or report.json of --out), or of another "
                 "version of it: its \"format\" is not \"" BENCH_FORMAT "\"");
        return -EBADMSG;
    }
    /* Payloads of one function are one bill; memory sizes, and A and B, are one each. */
    struct str mode = json_get_str(json_get(root, "run"), "mode");
    bool apart = str_is(mode, "memory") || str_is(mode, "compare");
    struct json *series = apart ? json_get(root, "series") : NULL;
    size_t room = series && series->n ? series->n : 1, n = 0;
    struct cost_measured *list = ARENA_ARRAY(a, struct cost_measured, room);
    JSON_EACH(series, group)
        if (read_group(a, root, group, &list[n]))
            n++;
    if (!n && read_group(a, root, json_get(root, "all"), &list[0]))
        n = 1;
    if (!n) {
        *why =
            S("no billed durations are in it: was it measured with --no-log, or a function URL?");
        return -EBADMSG;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}
