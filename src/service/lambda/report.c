/* report - see report.h. Durations are printed with two decimals, in JSON with three. */
#include "service/lambda/report.h"
#include "base/json.h"

#define NS_PER_MS 1000000

int64_t report_billed_ms(const struct report *r)
{
    int64_t ns = r->duration_ns + r->init_ns;
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

int64_t report_used_mb(const struct report *r)
{
    int64_t mb = (r->peak_bytes + (1 << 20) - 1) >> 20;
    return mb > r->memory_mb ? r->memory_mb : mb;
}

static double ms(int64_t ns)
{
    return (double)ns / NS_PER_MS;
}

static const char *status_text(enum report_status s)
{
    static const char *const names[] = {"success", "error", "timeout", "failure"};
    return names[s];
}

static void json_begin(struct buf *b, const struct report_format *f, const char *type)
{
    buf_printf(b, "{\"time\":\"%.*s\",\"type\":\"%s\",\"record\":{", STR(f->time), type);
}

static void json_text_member(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    json_write_str(b, value);
}

/* JSON figures have up to three decimals and no zeros behind. */
static void json_ms(struct buf *b, const char *name, int64_t ns)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%.3f", ms(ns));
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    buf_printf(b, "\"%s\":%.*s", name, n, text);
}

void report_init_start(struct buf *b, const struct report_format *f, struct str runtime,
                       struct str runtime_arn, struct str function, struct str version,
                       struct str stream, int64_t memory_mb)
{
    if (!f->json) {
        buf_printf(b, "INIT_START Runtime Version: %.*s\tRuntime Version ARN: %.*s\n", STR(runtime),
                   STR(runtime_arn));
        return;
    }
    json_begin(b, f, "platform.initStart");
    buf_text(b, "\"initializationType\":\"on-demand\",\"phase\":\"init\",");
    json_text_member(b, "runtimeVersion", runtime);
    buf_byte(b, ',');
    json_text_member(b, "runtimeVersionArn", runtime_arn);
    buf_byte(b, ',');
    json_text_member(b, "functionName", function);
    buf_byte(b, ',');
    json_text_member(b, "functionVersion", version);
    buf_byte(b, ',');
    json_text_member(b, "instanceId", stream);
    buf_printf(b, ",\"instanceMaxMemory\":%lld}}\n", (long long)memory_mb << 20);
}

void report_init_report(struct buf *b, const struct report_format *f, int64_t init_ns,
                        const char *phase, enum report_status status, struct str error_type)
{
    if (!f->json) {
        buf_printf(b, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s", ms(init_ns),
                   phase, status_text(status));
        if (status == REPORT_ERROR && error_type.n)
            buf_printf(b, "\tError Type: %.*s", STR(error_type));
        buf_byte(b, '\n');
        return;
    }
    json_begin(b, f, "platform.initReport");
    buf_printf(b, "\"initializationType\":\"on-demand\",\"phase\":\"%s\",\"status\":\"%s\",", phase,
               status_text(status));
    if (status == REPORT_ERROR && error_type.n) {
        json_text_member(b, "errorType", error_type);
        buf_byte(b, ',');
    }
    buf_text(b, "\"metrics\":{");
    json_ms(b, "durationMs", init_ns);
    buf_text(b, "}}}\n");
}

void report_start(struct buf *b, const struct report_format *f, struct str request_id,
                  struct str version)
{
    if (!f->json) {
        buf_printf(b, "START RequestId: %.*s Version: %.*s\n", STR(request_id), STR(version));
        return;
    }
    json_begin(b, f, "platform.start");
    json_text_member(b, "requestId", request_id);
    buf_byte(b, ',');
    json_text_member(b, "version", version);
    buf_text(b, "}}\n");
}

static void end_text(struct buf *b, const struct report *r)
{
    buf_printf(b, "END RequestId: %.*s\n", STR(r->request_id));
    buf_printf(b,
               "REPORT RequestId: %.*s\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: "
               "%lld MB\tMax Memory Used: %lld MB\t",
               STR(r->request_id), ms(r->duration_ns), (long long)report_billed_ms(r),
               (long long)r->memory_mb, (long long)report_used_mb(r));
    if (r->init_ns)
        buf_printf(b, "Init Duration: %.2f ms\t", ms(r->init_ns));
    if (r->status != REPORT_SUCCESS) /* no tab at the end of these */
        buf_printf(b, "Status: %s", status_text(r->status));
    if (r->status == REPORT_ERROR && r->error_type.n)
        buf_printf(b, "\tError Type: %.*s", STR(r->error_type));
    buf_byte(b, '\n');
}

/* As it will be read: the bill is the sum of what is printed, not of what was cut off. */
static int64_t as_printed(int64_t ns, bool json)
{
    int64_t unit = json ? 1000 : 10000;
    return (ns + unit / 2) / unit * unit;
}

void report_end(struct buf *b, const struct report_format *f, const struct report *exact)
{
    struct report rounded = *exact, *r = &rounded;
    r->duration_ns = as_printed(exact->duration_ns, f->json);
    r->init_ns = as_printed(exact->init_ns, f->json);
    if (!f->json) {
        end_text(b, r);
        return;
    }
    json_begin(b, f, "platform.report");
    json_text_member(b, "requestId", r->request_id);
    buf_text(b, ",\"metrics\":{");
    json_ms(b, "durationMs", r->duration_ns);
    buf_printf(b, ",\"billedDurationMs\":%lld,\"memorySizeMB\":%lld,\"maxMemoryUsedMB\":%lld",
               (long long)report_billed_ms(r), (long long)r->memory_mb,
               (long long)report_used_mb(r));
    if (r->init_ns) {
        buf_byte(b, ',');
        json_ms(b, "initDurationMs", r->init_ns);
    }
    buf_printf(b, "},\"status\":\"%s\"", status_text(r->status));
    if (r->status == REPORT_ERROR && r->error_type.n) {
        buf_byte(b, ',');
        json_text_member(b, "errorType", r->error_type);
    }
    buf_text(b, "}}\n");
}
