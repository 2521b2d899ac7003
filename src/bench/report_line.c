/* report_line - reads REPORT lines: see report_line.h. */
#include "bench/report_line.h"
#include <stdlib.h>
#include "base/json.h"

static const struct report_line nothing = {
    .duration_ms = -1,
    .init_ms = -1,
    .restore_ms = -1,
    .billed_restore_ms = -1,
    .billed_ms = -1,
    .memory_mb = -1,
    .max_memory_mb = -1,
};

/* Decimal digits, a point, digits: what stands before " ms". -1 when it is no such number. */
static double number(struct str s)
{
    double value = 0, place = 1;
    size_t i = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        value = value * 10 + (s.p[i] - '0');
    if (i == 0)
        return -1;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            value += (s.p[i] - '0') * (place /= 10);
    return i == s.n || s.p[i] == ' ' ? value : -1;
}

static int64_t whole(double v)
{
    return v < 0 || v > 1e15 ? -1 : (int64_t)(v + .999999); /* billed time rounds up */
}

static void text_field(struct str name, struct str value, struct report_line *ret)
{
    if (str_is(name, "Duration"))
        ret->duration_ms = number(value);
    else if (str_is(name, "Billed Duration"))
        ret->billed_ms = whole(number(value));
    else if (str_is(name, "Memory Size"))
        ret->memory_mb = whole(number(value));
    else if (str_is(name, "Max Memory Used"))
        ret->max_memory_mb = whole(number(value));
    else if (str_is(name, "Init Duration"))
        ret->init_ms = number(value);
    else if (str_is(name, "Restore Duration"))
        ret->restore_ms = number(value);
    else if (str_is(name, "Billed Restore Duration"))
        ret->billed_restore_ms = number(value);
    else if (str_is(name, "Status"))
        ret->status = value;
    else if (str_is(name, "Error Type"))
        ret->error_type = value;
    else if (str_is(name, "XRAY TraceId"))
        ret->trace_id = value;
}

static bool parse_text(struct str line, struct report_line *ret)
{
    struct str part, rest = line, name, value;
    *ret = nothing;
    ret->found = true;
    rest = str_slice(line, 7, line.n);
    while (rest.n) {
        str_cut(rest, '\t', &part, &rest);
        if (!str_cut(part, ':', &name, &value))
            continue;
        value = str_trim(value);
        if (str_is(str_trim(name), "RequestId"))
            ret->request_id = value;
        else
            text_field(str_trim(name), value, ret);
    }
    return true;
}

static double metric(const struct json *metrics, const char *name)
{
    const struct json *v = json_get(metrics, name);
    return json_is(v, JSON_NUMBER) ? number(v->text) : -1;
}

static bool parse_record(struct arena *a, struct str line, struct report_line *ret)
{
    struct json *root;
    if (json_parse(a, line, &root, NULL) < 0 ||
        !str_is(json_get_str(root, "type"), "platform.report"))
        return false;
    const struct json *record = json_get(root, "record"), *m = json_get(record, "metrics");
    struct str status = json_get_str(record, "status");
    *ret = nothing;
    ret->found = true;
    ret->request_id = json_get_str(record, "requestId");
    ret->duration_ms = metric(m, "durationMs");
    ret->init_ms = metric(m, "initDurationMs");
    ret->restore_ms = metric(m, "restoreDurationMs");
    ret->billed_restore_ms = metric(m, "billedRestoreDurationMs");
    ret->billed_ms = whole(metric(m, "billedDurationMs"));
    ret->memory_mb = whole(metric(m, "memorySizeMB"));
    ret->max_memory_mb = whole(metric(m, "maxMemoryUsedMB"));
    ret->status = str_is(status, "success") ? (struct str){0} : status;
    ret->error_type = json_get_str(record, "errorType");
    ret->trace_id = json_get_str(json_get(record, "tracing"), "value");
    return true;
}

bool report_line_parse(struct arena *a, struct str line, struct report_line *ret)
{
    line = str_trim(line);
    if (str_starts(line, S("REPORT RequestId: ")))
        return parse_text(line, ret);
    if (str_starts(line, S("{")) && str_find(line, S("platform.report")) >= 0)
        return parse_record(a, line, ret);
    return false;
}

void report_line_find(struct arena *a, struct str log, struct report_line *ret)
{
    struct str line, rest = log;
    struct report_line one;
    *ret = nothing;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (report_line_parse(a, line, &one))
            *ret = one;
    }
}
