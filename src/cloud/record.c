/* record - every decision of authorize.c, while somebody asks for it: who, what, on which resource,
 * under which conditions. `lamina policy` makes policies of it.
 *
 *     POST /_lamina/policy/start     begins; 409 when it has begun
 *     GET  /_lamina/policy/record    what there is so far
 *     POST /_lamina/policy/stop      the same, and it ends
 *
 * Equal decisions are one entry with a count. At most RECORD_MAX entries of RECORD_BYTES altogether
 * are kept; what comes then is only counted. */
#include <stdlib.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cloud/question.h"

#define RECORD_MAX 20000
#define RECORD_BYTES (32 << 20)
#define PREFIX S("/_lamina/policy/")

struct decision {
    struct json *facts;
    int64_t first_ms, last_ms, count;
};
struct record {
    struct arena arena;
    struct map by_facts; /* their text -> struct decision */
    struct decision **items;
    size_t n, cap, bytes;
    int64_t started_ms, dropped;
};

static struct record *record_new(int64_t now_ms)
{
    struct record *r = MEM_NEW(struct record);
    arena_init(&r->arena);
    map_init(&r->by_facts);
    r->started_ms = now_ms;
    return r;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    map_done(&r->by_facts);
    arena_done(&r->arena);
    free(r);
}

/* ---- decisions ---- */

/* What stays the same from one call to the next; aws:CurrentTime is the entry's own. */
static struct json *context(struct question *q)
{
    static const char *const keys[] = {
        "aws:RequestedRegion",  "aws:SourceIp",        "aws:SecureTransport", "aws:PrincipalArn",
        "aws:PrincipalAccount", "aws:PrincipalType",   "aws:userid",          "aws:ResourceAccount",
        "aws:TagKeys",          "iam:PassedToService", "s3:prefix",           "s3:delimiter",
    };
    struct arena *a = q->call->arena;
    struct json *out = json_new(a, JSON_OBJECT);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] + q->call->n_conditions; i++) {
        struct policy_values v = {0};
        size_t own = i - sizeof keys / sizeof keys[0];
        struct str key =
            i < sizeof keys / sizeof keys[0] ? str_from(keys[i]) : q->call->conditions[own].name;
        if (str_is(key, "iam:PassedToService") && !str_is(q->action, "iam:PassRole"))
            continue;
        if (!condition_value(q, a, key, &v) || !v.n)
            continue;
        struct json *list = json_new(a, JSON_ARRAY);
        for (size_t j = 0; j < v.n; j++)
            json_add(list, json_new_str(a, v.items[j]));
        json_set(a, out, key, list);
    }
    return out;
}

static void set(struct arena *a, struct json *object, const char *name, struct str value)
{
    if (value.n)
        json_set(a, object, str_from(name), json_new_str(a, value));
}

void record_decision(struct question *q, bool allowed, struct str why)
{
    struct record *rec = q->call->cloud->record;
    struct arena *a = q->call->arena;
    if (!rec || q->who->type == PRINCIPAL_SERVICE)
        return; /* what services do by themselves needs no policy of anybody */
    static const char *const types[] = {"root", "role", "user", "service", "anonymous"};
    struct json *facts = json_new(a, JSON_OBJECT);
    bool session = q->who->type == PRINCIPAL_ROLE_SESSION;
    set(a, facts, "principalType", str_from(types[q->who->type]));
    set(a, facts, "principal", session && q->has_access ? q->access.role.arn : q->who->arn);
    if (session)
        set(a, facts, "session", q->who->arn);
    set(a, facts, "action", q->action);
    set(a, facts, "resource", q->resource);
    set(a, facts, "region", q->call->region);
    json_set(a, facts, S("allowed"), json_new_bool(a, allowed));
    if (!allowed)
        set(a, facts, "message", why);
    json_set(a, facts, S("context"), context(q));
    struct str key = json_text(a, facts, -1);
    struct decision *d = map_find(&rec->by_facts, key);
    struct json *readable;
    if (!d && (rec->n == RECORD_MAX || rec->bytes + key.n > RECORD_BYTES ||
               json_parse(a, key, &readable, NULL) < 0)) { /* bytes that are no UTF-8 */
        rec->dropped++;
        return;
    }
    if (!d) {
        d = ARENA_NEW(&rec->arena, struct decision);
        d->facts = json_copy(&rec->arena, readable);
        rec->bytes += key.n;
        d->first_ms = q->call->now_ms;
        struct decision **slot =
            arena_push(&rec->arena, (void **)&rec->items, &rec->n, &rec->cap, sizeof *slot);
        *slot = d;
        map_put(&rec->by_facts, key, d);
    }
    d->last_ms = q->call->now_ms;
    d->count++;
}

/* ---- what it is asked ---- */

static struct json *show(struct arena *a, const struct record *r, bool recording)
{
    struct json *root = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, root, S("format"), json_new_str(a, S("lamina-policy-record/1")));
    json_set(a, root, S("recording"), json_new_bool(a, recording));
    json_set(a, root, S("started"), json_new_str(a, clock_iso8601_s(a, r->started_ms)));
    json_set(a, root, S("dropped"), json_new_int(a, r->dropped));
    for (size_t i = 0; i < r->n; i++) {
        struct json *one = json_add(list, json_copy(a, r->items[i]->facts));
        json_set(a, one, S("first"), json_new_str(a, clock_iso8601_s(a, r->items[i]->first_ms)));
        json_set(a, one, S("last"), json_new_str(a, clock_iso8601_s(a, r->items[i]->last_ms)));
        json_set(a, one, S("count"), json_new_int(a, r->items[i]->count));
    }
    json_set(a, root, S("decisions"), list);
    return root;
}

static void answer(struct http_request *req, int status, struct json *v)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("Cache-Control"), S_INIT("no-store")},
    };
    http_reply(req, status, headers, 2, body_mem(json_text(req->arena, v, -1)));
}

static void refuse(struct http_request *req, int status, const char *why)
{
    struct json *v = json_new(req->arena, JSON_OBJECT);
    set(req->arena, v, "message", str_from(why));
    answer(req, status, v);
}

bool record_wants(struct str path)
{
    return str_starts(path, PREFIX);
}

void record_serve(struct cloud *cloud, struct http_request *req)
{
    struct str what = str_slice(req->path, PREFIX.n, req->path.n);
    bool start = str_is(what, "start"), stop = str_is(what, "stop");
    if (!start && !stop && !str_is(what, "record")) {
        refuse(req, 404, "there are start, stop and record");
    } else if (!str_is(req->method, start || stop ? "POST" : "GET")) {
        refuse(req, 405, start || stop ? "this takes POST" : "this takes GET");
    } else if (start && cloud->record) {
        refuse(req, 409, "decisions are being recorded already");
    } else if (start) {
        cloud->record = record_new(clock_now_ms());
        answer(req, 200, show(req->arena, cloud->record, true));
    } else if (!cloud->record) {
        refuse(req, 409, "no decisions are being recorded");
    } else {
        answer(req, 200, show(req->arena, cloud->record, !stop));
        if (stop) {
            record_free(cloud->record);
            cloud->record = NULL;
        }
    }
}
