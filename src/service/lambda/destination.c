/* destination - the record of an asynchronous invocation's outcome, and its way to a function or a
 * bucket. */
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "service/lambda/event.h"
#include "service/lambda/event_config.h"
#include "service/lambda/json_check.h"
#include "wire/s3.h"

#define RECORD_MAX (16 * 1024 * 1024)

static void member(struct buf *b, const char *name, struct str text)
{
    buf_printf(b, "\"%s\":", name);
    json_write_str(b, text);
}

/* What should be JSON goes in as it is; anything else as a text. */
static void payload(struct buf *b, const char *name, struct str text)
{
    size_t at;
    const char *why;
    buf_printf(b, ",\"%s\":", name);
    if (!text.n)
        buf_text(b, "null");
    else if (json_check(text, &at, &why))
        buf_add(b, text.p, text.n);
    else
        json_write_str(b, text);
}

struct str outcome_text(struct call *call, const struct event_outcome *o)
{
    const struct lambda_event_record *e = o->event;
    struct str qualifier = e->qualifier.n ? e->qualifier : S("$LATEST");
    struct buf b;
    buf_init(&b, RECORD_MAX);
    buf_text(&b, "{\"version\":\"1.0\",");
    member(&b, "timestamp", clock_iso8601(call->arena, clock_now_ms()));
    buf_text(&b, ",\"requestContext\":{");
    member(&b, "requestId", e->request_id);
    buf_byte(&b, ',');
    member(&b, "functionArn", function_arn(call, e->function_name, qualifier));
    buf_byte(&b, ',');
    member(&b, "condition", str_from(o->condition));
    buf_printf(&b, ",\"approximateInvokeCount\":%lld}", (long long)e->attempts.is);
    payload(&b, "requestPayload", e->payload);
    if (o->invoked) {
        buf_text(&b, ",\"responseContext\":{\"statusCode\":200,");
        member(&b, "executedVersion", o->target->version);
        buf_printf(&b, "%s}", o->failed ? ",\"functionError\":\"Unhandled\"" : "");
        payload(&b, "responsePayload", o->answer);
    }
    buf_byte(&b, '}');
    struct str text = b.failed ? (struct str){0} : buf_copy(&b, call->arena);
    buf_done(&b);
    return text;
}

/* ---- delivery ---- */

struct delivery {
    struct call *call;
    const struct lambda_event_record *record;
    struct principal who;
    delivered_fn *done;
    void *user;
};

static void sent(struct call *child, void *user)
{
    struct delivery *d = user;
    int status = child->error ? child->error->status : 500;
    if (child->result == 0) {
        d->done(d->user, 0);
    } else if (status >= 500 || status == 429) {
        d->done(d->user, -EAGAIN);
    } else {
        log_error("lambda: what became of an event of %.*s is not told to %.*s: %s: %.*s",
                  STR(d->record->function_name), STR(d->record->destination), child->error->code,
                  STR(child->message));
        d->done(d->user, -EIO);
    }
}

static void to_function(struct delivery *d)
{
    struct lambda_invoke_input *in = ARENA_NEW(d->call->arena, struct lambda_invoke_input);
    in->function_name = d->record->destination;
    in->invocation_type = S("Event");
    in->payload = d->record->payload;
    d->call->trace_id = d->record->trace_id; /* the chain goes on */
    call_send_as(d->call, &d->who, &lambda_invoke_op, in, sent, d);
}

/* aws/lambda/async/FUNCTION/2025/11/24/2025-11-24T23.11.20-UUID */
static struct str object_key(struct arena *a, struct str function)
{
    struct str now = clock_iso8601_s(a, clock_now_ms());
    return str_printf(a, "aws/lambda/async/%.*s/%.4s/%.2s/%.2s/%.13s.%.2s.%.2s-%.*s", STR(function),
                      now.p, now.p + 5, now.p + 8, now.p, now.p + 14, now.p + 17,
                      STR(random_uuid(a)));
}

static void to_bucket(struct delivery *d)
{
    struct arena *a = d->call->arena;
    struct s3_put_object_input *in = ARENA_NEW(a, struct s3_put_object_input);
    ssize_t colon = str_find_last_byte(d->record->destination, ':');
    in->bucket = str_slice(d->record->destination, (size_t)(colon + 1), d->record->destination.n);
    in->key = object_key(a, d->record->function_name);
    in->content_type = S("application/json");
    in->body = body_mem(d->record->payload);
    call_send_as(d->call, &d->who, &s3_put_object_op, in, sent, d);
}

void destination_send(struct call *call, const struct lambda_event_record *record,
                      delivered_fn *done, void *user)
{
    struct delivery *d = ARENA_NEW(call->arena, struct delivery);
    *d = (struct delivery){.call = call, .record = record, .done = done, .user = user};
    struct str why = destination_unsupported(call->arena, record->destination);
    struct str service = arn_service(record->destination);
    destination_be_role(call, record->role, record->function_name, &d->who);
    if (str_is(service, "lambda")) {
        to_function(d);
    } else if (str_is(service, "s3")) {
        to_bucket(d);
    } else {
        log_error("lambda: what became of an event of %.*s is not told to %.*s: %.*s",
                  STR(record->function_name), STR(record->destination), STR(why));
        done(user, -EOPNOTSUPP);
    }
}
