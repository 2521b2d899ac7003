/* invocation - Invoke, and the REPORT line read: see invocation.h. */
#include "cli/invocation.h"
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "wire/eventstream.h"
#include "wire/lambda.h"

/* "Duration: 3.01 ms" behind a tab: absent without it. */
static struct str field(struct str line, const char *name)
{
    struct str part, rest = line, key;
    size_t n = strlen(name);
    while (rest.n) {
        str_cut(rest, '\t', &part, &rest);
        key = str_slice(part, 0, n);
        if (str_is(key, name) && part.n > n + 1 && part.p[n] == ':')
            return str_trim(str_slice(part, n + 1, part.n));
    }
    return (struct str){0};
}

static double number(struct arena *a, struct str s)
{
    return str_has(s) ? strtod(str_c(a, s), NULL) : 0;
}

static void parse_text(struct arena *a, struct str line, struct invocation_report *ret)
{
    struct str init = field(line, "Init Duration");
    *ret = (struct invocation_report){
        .found = true,
        .has_init = str_has(init),
        .duration_ms = number(a, field(line, "Duration")),
        .init_ms = number(a, init),
        .billed_ms = (int64_t)number(a, field(line, "Billed Duration")),
        .memory_mb = (int64_t)number(a, field(line, "Memory Size")),
        .max_memory_mb = (int64_t)number(a, field(line, "Max Memory Used")),
        .status = field(line, "Status"),
        .error_type = field(line, "Error Type"),
    };
}

static double metric(struct arena *a, const struct json *metrics, const char *name)
{
    const struct json *v = json_get(metrics, name);
    return v && v->type == JSON_NUMBER ? number(a, v->text) : 0;
}

static void parse_record(struct arena *a, const struct json *record, struct invocation_report *ret)
{
    const struct json *m = json_get(record, "metrics");
    struct str status = json_get_str(record, "status");
    *ret = (struct invocation_report){
        .found = true,
        .has_init = json_get(m, "initDurationMs") != NULL,
        .duration_ms = metric(a, m, "durationMs"),
        .init_ms = metric(a, m, "initDurationMs"),
        .billed_ms = (int64_t)metric(a, m, "billedDurationMs"),
        .memory_mb = (int64_t)metric(a, m, "memorySizeMB"),
        .max_memory_mb = (int64_t)metric(a, m, "maxMemoryUsedMB"),
        .status = str_is(status, "success") ? (struct str){0} : status,
        .error_type = json_get_str(record, "errorType"),
    };
}

void invocation_parse_report(struct arena *a, struct str log, struct invocation_report *ret)
{
    struct str line, rest = log;
    *ret = (struct invocation_report){0};
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        struct json *v;
        if (str_starts(line, S("REPORT RequestId: ")))
            parse_text(a, line, ret);
        else if (str_starts(line, S("{")) && str_find(line, S("platform.report")) >= 0 &&
                 json_parse(a, line, &v, NULL) == 0)
            parse_record(a, json_get(v, "record"), ret);
    }
}

struct reading {
    struct invocation *inv;
    struct arena *arena;
    struct buf answer;
    struct str complete;
};

static int on_event(void *user, const struct eventstream_message *event)
{
    struct reading *r = user;
    struct str type = eventstream_text(event, ":event-type");
    if (str_is(type, "PayloadChunk") && r->inv->on_piece(r->inv->user, event->payload))
        buf_str(&r->answer, event->payload);
    else if (str_is(type, "InvokeComplete"))
        r->complete = str_copy(r->arena, event->payload);
    return 0;
}

/* What InvokeComplete says. */
static int read_complete(struct reading *r, struct aws_error *err)
{
    struct json *v;
    struct invocation *inv = r->inv;
    if (!str_has(r->complete) || json_parse(r->arena, r->complete, &v, NULL) < 0) {
        *err = (struct aws_error){.r = -EPROTO, .message = S("the stream ended too early")};
        return -EPROTO;
    }
    inv->function_error = json_get_str(v, "ErrorCode");
    if (str_has(inv->function_error))
        inv->answer = json_get_str(v, "ErrorDetails");
    struct str log = json_get_str(v, "LogResult");
    if (str_has(log) && base64_decode(r->arena, log, &inv->log) < 0)
        inv->log = (struct str){0};
    return 0;
}

static int run_stream(struct aws_client *aws, struct arena *a, struct invocation *inv,
                      struct aws_error *err)
{
    struct lambda_invoke_with_response_stream_input in = {
        .function_name = inv->function,
        .qualifier = inv->qualifier,
        .payload = inv->payload,
        .log_type = S("Tail"),
    };
    struct lambda_invoke_with_response_stream_output *out;
    struct reading reading = {.inv = inv, .arena = a};
    buf_init(&reading.answer, SIZE_MAX / 2);
    int64_t from = clock_mono_ns();
    int r = aws_call_events(aws, a, &lambda_invoke_with_response_stream_op, &in, on_event, &reading,
                            (void **)&out, err);
    inv->client_ms = (double)(clock_mono_ns() - from) / 1e6;
    inv->answer = buf_copy(&reading.answer, a);
    buf_done(&reading.answer);
    if (r == 0)
        r = read_complete(&reading, err);
    if (r < 0)
        return r;
    inv->status = out->status_code.is;
    inv->version = out->executed_version;
    inv->request_id = str_copy(a, aws_last_header(aws, "x-amzn-RequestId"));
    invocation_parse_report(a, inv->log, &inv->report);
    return 0;
}

int invocation_run(struct aws_client *aws, struct arena *a, struct invocation *inv,
                   struct aws_error *err)
{
    if (inv->on_piece)
        return run_stream(aws, a, inv, err);
    struct lambda_invoke_input in = {
        .function_name = inv->function,
        .qualifier = inv->qualifier,
        .payload = inv->payload,
        .invocation_type = inv->event ? S("Event") : S("RequestResponse"),
        .log_type = inv->event ? (struct str){0} : S("Tail"),
    };
    struct lambda_invoke_output *out;
    int64_t from = clock_mono_ns();
    int r = aws_call(aws, a, &lambda_invoke_op, &in, (void **)&out, err);
    inv->client_ms = (double)(clock_mono_ns() - from) / 1e6;
    if (r < 0)
        return r;
    inv->status = out->status_code.is;
    inv->answer = out->payload;
    inv->function_error = out->function_error;
    inv->version = out->executed_version;
    inv->request_id = str_copy(a, aws_last_header(aws, "x-amzn-RequestId"));
    if (str_has(out->log_result) && base64_decode(a, out->log_result, &inv->log) < 0)
        inv->log = (struct str){0};
    invocation_parse_report(a, inv->log, &inv->report);
    return 0;
}
