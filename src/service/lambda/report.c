/* report - see report.h. Durations are printed with two decimals, in JSON with three. */
#include "service/lambda/report.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#define NS_PER_MS 1000000

int64_t report_billed_ms(int64_t duration_ns, int64_t init_ns)
{
    return (duration_ns + init_ns + NS_PER_MS - 1) / NS_PER_MS;
}

int64_t report_used_mb(const struct report_facts *f)
{
    int64_t mb = (f->peak_bytes + (1 << 20) - 1) >> 20;
    return mb > f->memory_mb ? f->memory_mb : mb;
}

int64_t report_rounded(int64_t ns, bool json)
{
    int64_t unit = json ? 1000 : 10000;
    return (ns + unit / 2) / unit * unit;
}

const char *report_status_name(enum report_status s)
{
    static const char *const names[] = {"success", "error", "timeout", "failure"};
    return names[s];
}

static double ms(int64_t ns)
{
    return (double)ns / NS_PER_MS;
}

static const char *phase_name(const struct platform_event *e)
{
    return e->phase == PLATFORM_PHASE_INVOKE ? "invoke" : "init";
}

/* ---- levels: AWS's table of system log levels ---- */

enum platform_level report_level(const struct report_facts *f, const struct platform_event *e)
{
    bool failed = e->status != REPORT_SUCCESS || e->error_type.n;
    switch (e->type) {
    case PLATFORM_INIT_START:
        /* One that is repeated inside of an invocation has no line. */
        return f->runtime.n && e->phase == PLATFORM_PHASE_INIT ? PLATFORM_INFO : PLATFORM_DEBUG;
    case PLATFORM_INIT_REPORT:
        return failed ? PLATFORM_WARN : f->provisioned ? PLATFORM_INFO : PLATFORM_DEBUG;
    case PLATFORM_INIT_RUNTIME_DONE:
    case PLATFORM_RUNTIME_DONE:
        return failed ? PLATFORM_WARN : PLATFORM_DEBUG;
    case PLATFORM_REPORT:
    case PLATFORM_EXTENSION:
        return failed ? PLATFORM_WARN : PLATFORM_INFO;
    case PLATFORM_LOGS_DROPPED:
    case PLATFORM_FAULT:
        return PLATFORM_WARN;
    default:
        return PLATFORM_INFO;
    }
}

/* ---- text ---- */

static void text_list(struct buf *b, const struct platform_event *e, bool capital)
{
    for (size_t i = 0; i < e->n_items; i++) {
        struct str item = e->items[i];
        buf_text(b, i ? ", " : "");
        if (capital && item.n && item.p[0] >= 'a' && item.p[0] <= 'z') {
            buf_byte(b, (char)(item.p[0] - 'a' + 'A'));
            item = str_slice(item, 1, item.n);
        }
        buf_str(b, item);
    }
}

static void text_failure(struct buf *b, const struct platform_event *e)
{
    buf_printf(b, "Status: %s", report_status_name(e->status));
    if (e->status == REPORT_ERROR && e->error_type.n)
        buf_printf(b, "\tError Type: %.*s", STR(e->error_type));
}

/* With two decimals, of what is rounded to them. */
static void text_ms(struct buf *b, const char *name, int64_t ns)
{
    int64_t hundredths = ns / (NS_PER_MS / 100);
    buf_printf(b, "%s: %lld.%c%c ms\t", name, (long long)(hundredths / 100),
               (char)('0' + hundredths / 10 % 10), (char)('0' + hundredths % 10));
}

static void text_report(struct buf *b, const struct report_facts *f, const struct platform_event *e)
{
    int64_t duration_ns = report_rounded(e->duration_ns, false);
    int64_t init_ns = report_rounded(e->init_ns, false);
    buf_printf(b, "END RequestId: %.*s\nREPORT RequestId: %.*s\t", STR(e->request_id),
               STR(e->request_id));
    text_ms(b, "Duration", duration_ns);
    buf_printf(b, "Billed Duration: %lld ms\tMemory Size: %lld MB\tMax Memory Used: %lld MB\t",
               (long long)report_billed_ms(duration_ns, init_ns), (long long)f->memory_mb,
               (long long)report_used_mb(f));
    if (init_ns)
        text_ms(b, "Init Duration", init_ns);
    if (e->status != REPORT_SUCCESS) /* no tab at the end of these */
        text_failure(b, e);
    buf_byte(b, '\n');
}

static void text_init_report(struct buf *b, const struct report_facts *f,
                             const struct platform_event *e)
{
    if (e->status == REPORT_SUCCESS && !f->provisioned)
        return;
    buf_printf(b, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\t", ms(e->duration_ns),
               phase_name(e));
    text_failure(b, e); /* "Status: success" of the provisioned ones, too */
    buf_byte(b, '\n');
}

void report_text(struct buf *b, const struct report_facts *f, const struct platform_event *e)
{
    switch (e->type) {
    case PLATFORM_INIT_START:
        if (e->phase == PLATFORM_PHASE_INIT && f->runtime.n) /* images bring what they run */
            buf_printf(b, "INIT_START Runtime Version: %.*s\tRuntime Version ARN: %.*s\n",
                       STR(f->runtime), STR(f->runtime_arn));
        break;
    case PLATFORM_INIT_REPORT:
        text_init_report(b, f, e);
        break;
    case PLATFORM_START:
        buf_printf(b, "START RequestId: %.*s Version: %.*s\n", STR(e->request_id), STR(f->version));
        break;
    case PLATFORM_REPORT:
        text_report(b, f, e);
        break;
    case PLATFORM_EXTENSION:
        buf_printf(b, "EXTENSION\tName: %.*s\tState: %.*s\tEvents: [", STR(e->name), STR(e->state));
        text_list(b, e, false);
        buf_byte(b, ']');
        if (e->error_type.n)
            buf_printf(b, "\tError Type: %.*s", STR(e->error_type));
        buf_byte(b, '\n');
        break;
    case PLATFORM_TELEMETRY_SUBSCRIPTION:
    case PLATFORM_LOGS_SUBSCRIPTION:
        buf_printf(b, "%s\tName: %.*s\tState: %.*s\tTypes: [",
                   e->type == PLATFORM_LOGS_SUBSCRIPTION ? "LOGS" : "TELEMETRY", STR(e->name),
                   STR(e->state));
        text_list(b, e, true);
        buf_text(b, "]\n");
        break;
    default:
        break;
    }
}

/* ---- JSON ---- */

static void json_begin(struct buf *b, int64_t time_ms, const char *type)
{
    auto_arena struct arena a;
    arena_init(&a);
    buf_printf(b, "{\"time\":\"%s\",\"type\":\"%s\",\"record\":", clock_iso8601(&a, time_ms).p,
               type);
}

static void comma(struct buf *b)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[')
        buf_byte(b, ',');
}

static void member(struct buf *b, const char *name, struct str value)
{
    comma(b);
    buf_printf(b, "\"%s\":", name);
    json_write_str(b, value);
}

static void member_int(struct buf *b, const char *name, int64_t value)
{
    comma(b);
    buf_printf(b, "\"%s\":%lld", name, (long long)value);
}

/* Up to three decimals and no zeros behind. */
static void member_ms(struct buf *b, const char *name, int64_t ns)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%.3f", ms(ns));
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    comma(b);
    buf_printf(b, "\"%s\":%.*s", name, n, text);
}

static void member_list(struct buf *b, const char *name, const struct platform_event *e)
{
    comma(b);
    buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; i < e->n_items; i++) {
        comma(b);
        json_write_str(b, e->items[i]);
    }
    buf_byte(b, ']');
}

static void member_status(struct buf *b, const struct platform_event *e)
{
    member(b, "status", str_from(report_status_name(e->status)));
    if (e->status != REPORT_SUCCESS && e->error_type.n)
        member(b, "errorType", e->error_type);
}

static void member_spans(struct buf *b, const struct platform_event *e)
{
    if (!e->n_spans)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    comma(b);
    buf_text(b, "\"spans\":[");
    for (size_t i = 0; i < e->n_spans; i++) {
        const struct platform_span *s = &e->spans[i];
        int64_t start_ms = e->time_ms - (e->mono_ns - s->start_mono_ns) / NS_PER_MS;
        comma(b);
        buf_byte(b, '{');
        member(b, "name", str_from(s->name));
        member(b, "start", clock_iso8601(&a, start_ms));
        member_ms(b, "durationMs", s->duration_ns);
        buf_byte(b, '}');
    }
    buf_byte(b, ']');
}

static void member_tracing(struct buf *b, const struct platform_event *e, enum report_schema schema)
{
    if (!e->trace_id.n || schema < SCHEMA_TELEMETRY_2022_07_01)
        return;
    comma(b);
    buf_text(b, "\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":");
    json_write_str(b, e->trace_id);
    buf_byte(b, '}');
}

static bool has_names(enum report_schema schema)
{
    return schema == SCHEMA_LOG || schema >= SCHEMA_TELEMETRY_2022_12_13;
}

static void init_members(struct buf *b, const struct report_facts *f,
                         const struct platform_event *e)
{
    member(b, "initializationType", f->provisioned ? S("provisioned-concurrency") : S("on-demand"));
    member(b, "phase", str_from(phase_name(e)));
}

static void init_start(struct buf *b, const struct report_facts *f, const struct platform_event *e,
                       enum report_schema schema)
{
    init_members(b, f, e);
    if (f->runtime.n)
        member(b, "runtimeVersion", f->runtime);
    if (f->runtime_arn.n)
        member(b, "runtimeVersionArn", f->runtime_arn);
    if (!has_names(schema))
        return;
    member(b, "functionName", f->function);
    if (schema >= SCHEMA_TELEMETRY_2025_01_29)
        member(b, "functionArn", f->function_arn);
    member(b, "functionVersion", f->version);
    member(b, "instanceId", f->stream);
    member_int(b, "instanceMaxMemory", f->memory_mb << 20);
}

static void report(struct buf *b, const struct report_facts *f, const struct platform_event *e,
                   enum report_schema schema)
{
    int64_t duration_ns = report_rounded(e->duration_ns, true);
    int64_t init_ns = report_rounded(e->init_ns, true);
    member(b, "requestId", e->request_id);
    buf_text(b, ",\"metrics\":{");
    member_ms(b, "durationMs", duration_ns);
    member_int(b, "billedDurationMs", report_billed_ms(duration_ns, init_ns));
    member_int(b, "memorySizeMB", f->memory_mb);
    member_int(b, "maxMemoryUsedMB", report_used_mb(f));
    if (init_ns)
        member_ms(b, "initDurationMs", init_ns);
    buf_byte(b, '}');
    if (schema < SCHEMA_TELEMETRY_2022_07_01 && schema != SCHEMA_LOG)
        return;
    if (schema != SCHEMA_LOG)
        member_spans(b, e);
    member_status(b, e);
    member_tracing(b, e, schema);
}

static void runtime_done(struct buf *b, const struct platform_event *e, enum report_schema schema)
{
    member(b, "requestId", e->request_id);
    member_status(b, e);
    if (schema == SCHEMA_LOGS_2021_03_18)
        return;
    member_tracing(b, e, schema);
    member_spans(b, e);
    comma(b);
    buf_text(b, "\"metrics\":{");
    member_ms(b, "durationMs", e->duration_ns);
    member_int(b, "producedBytes", e->produced_bytes);
    buf_byte(b, '}');
}

static bool schema_has(enum platform_event_type type, enum report_schema schema)
{
    bool logs_api = schema == SCHEMA_LOGS_2020_08_15 || schema == SCHEMA_LOGS_2021_03_18;
    switch (type) {
    case PLATFORM_INIT_START:
    case PLATFORM_INIT_RUNTIME_DONE:
    case PLATFORM_INIT_REPORT:
    case PLATFORM_TELEMETRY_SUBSCRIPTION:
        return !logs_api;
    case PLATFORM_RUNTIME_DONE:
        return schema != SCHEMA_LOGS_2020_08_15;
    case PLATFORM_LOGS_SUBSCRIPTION:
        return logs_api || schema == SCHEMA_LOG;
    case PLATFORM_FAULT:
        return logs_api;
    default:
        return type < PLATFORM_ENV_FROZEN;
    }
}

static const char *const type_names[PLATFORM_EVENT_TYPES] = {
    [PLATFORM_INIT_START] = "platform.initStart",
    [PLATFORM_INIT_RUNTIME_DONE] = "platform.initRuntimeDone",
    [PLATFORM_INIT_REPORT] = "platform.initReport",
    [PLATFORM_START] = "platform.start",
    [PLATFORM_RUNTIME_DONE] = "platform.runtimeDone",
    [PLATFORM_REPORT] = "platform.report",
    [PLATFORM_EXTENSION] = "platform.extension",
    [PLATFORM_TELEMETRY_SUBSCRIPTION] = "platform.telemetrySubscription",
    [PLATFORM_LOGS_SUBSCRIPTION] = "platform.logsSubscription",
    [PLATFORM_LOGS_DROPPED] = "platform.logsDropped",
    [PLATFORM_FAULT] = "platform.fault",
};

static void record_members(struct buf *b, const struct report_facts *f,
                           const struct platform_event *e, enum report_schema schema)
{
    switch (e->type) {
    case PLATFORM_INIT_START:
        init_start(b, f, e, schema);
        break;
    case PLATFORM_INIT_RUNTIME_DONE:
        init_members(b, f, e);
        member_status(b, e);
        break;
    case PLATFORM_INIT_REPORT:
        init_members(b, f, e);
        if (has_names(schema)) /* the first schema did not tell it */
            member_status(b, e);
        comma(b);
        buf_text(b, "\"metrics\":{");
        member_ms(b, "durationMs", e->duration_ns);
        buf_byte(b, '}');
        break;
    case PLATFORM_START:
        member(b, "requestId", e->request_id);
        member(b, "version", f->version);
        if (schema >= SCHEMA_TELEMETRY_2025_01_29 && e->arn.n)
            member(b, "functionArn", e->arn);
        member_tracing(b, e, schema);
        break;
    case PLATFORM_RUNTIME_DONE:
        runtime_done(b, e, schema);
        break;
    case PLATFORM_REPORT:
        report(b, f, e, schema);
        break;
    case PLATFORM_EXTENSION:
        member(b, "name", e->name);
        member(b, "state", e->state);
        member_list(b, "events", e);
        if (e->error_type.n)
            member(b, "errorType", e->error_type);
        break;
    case PLATFORM_LOGS_DROPPED:
        member_int(b, "droppedBytes", e->dropped_bytes);
        member_int(b, "droppedRecords", e->dropped_records);
        member(b, "reason", e->text);
        break;
    default: /* the subscriptions */
        member(b, "name", e->name);
        member(b, "state", e->state);
        member_list(b, "types", e);
        break;
    }
}

bool report_json(struct buf *b, const struct report_facts *f, const struct platform_event *e,
                 enum report_schema schema)
{
    if (!schema_has(e->type, schema))
        return false;
    json_begin(b, e->time_ms, type_names[e->type]);
    if (e->type == PLATFORM_FAULT) {
        json_write_str(b, e->text);
    } else {
        buf_byte(b, '{');
        record_members(b, f, e, schema);
        buf_byte(b, '}');
    }
    buf_byte(b, '}');
    return true;
}

void report_json_end(struct buf *b, const struct platform_event *e)
{
    json_begin(b, e->time_ms, "platform.end");
    buf_byte(b, '{');
    member(b, "requestId", e->request_id);
    buf_text(b, "}}");
}

void report_json_output(struct buf *b, enum platform_source source, int64_t time_ms,
                        struct str text, bool as_object)
{
    json_begin(b, time_ms, source == PLATFORM_FUNCTION ? "function" : "extension");
    if (as_object)
        buf_str(b, text);
    else
        json_write_str(b, text);
    buf_byte(b, '}');
}
