/* events - see events.h. */
#include "events.h"
#include <errno.h>
#include "base/clock.h"
#include "base/json.h"

/* Lamina serves the same at less cost there. Any other address is that of somebody who wants to see
 * what is asked; elsewhere nobody listens. */
#define PLATFORM "169.254.100.1:9001"
#define LOCAL "lamina-runtime-api"

int events_open(struct events *e, struct str api)
{
    *e = (struct events){.conn.fd = -1};
    arena_init(&e->arena);
    struct endpoint to;
    struct str path, url = str_printf(&e->arena, "http://%.*s", STR(api));
    if (!api.n || endpoint_parse(url, &to, &path) < 0)
        return -EINVAL;
    e->api = str_copy(&e->arena, api);
    conn_init(&e->conn, &to);
    if (str_is(api, PLATFORM))
        e->conn.local = LOCAL;
    return 0;
}

void events_close(struct events *e)
{
    conn_done(&e->conn);
    arena_done(&e->arena);
}

int events_register(struct events *e, struct str name, bool invoke)
{
    struct str body =
        invoke ? S("{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}") : S("{\"events\":[\"SHUTDOWN\"]}");
    struct str head = str_printf(&e->arena,
                                 "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: %.*s\r\n"
                                 "Lambda-Extension-Name: %.*s\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %zu\r\n\r\n",
                                 STR(e->api), STR(name), body.n);
    struct reply reply;
    int r = conn_ask(&e->conn, head, body, conn_now_ms() + 5000, &reply);
    if (r < 0)
        return r;
    struct str id = reply_header(&reply, "Lambda-Extension-Identifier");
    if (reply.status != 200 || !id.n) {
        snprintf(e->conn.why, sizeof(e->conn.why), "the answer is %d %.*s", reply.status,
                 (int)(reply.body.n < 120 ? reply.body.n : 120), reply.body.p);
        return -EACCES;
    }
    e->next = str_printf(&e->arena,
                         "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: %.*s\r\n"
                         "Lambda-Extension-Identifier: %.*s\r\n\r\n",
                         STR(e->api), STR(id));
    return 0;
}

int event_parse(struct arena *a, struct str text, struct event *ret)
{
    struct json *json;
    if (json_parse(a, text, &json, NULL) < 0 || !json_is(json, JSON_OBJECT))
        return -EBADMSG;
    struct str type = json_get_str(json, "eventType");
    *ret = (struct event){.type = str_is(type, "INVOKE")     ? EVENT_INVOKE
                                  : str_is(type, "SHUTDOWN") ? EVENT_SHUTDOWN
                                                             : EVENT_OTHER};
    int64_t then;
    if (json_int(json_get(json, "deadlineMs"), &then) < 0)
        then = 0;
    int64_t left = then - clock_now_ms();
    if (left < 0 || left > 16 * 60000) /* it is told by a clock that is not ours */
        left = left < 0 ? 0 : 16 * 60000;
    ret->deadline_ms = conn_now_ms() + left;
    ret->request_id = str_copy(a, json_get_str(json, "requestId"));
    ret->reason = str_copy(a, json_get_str(json, "shutdownReason"));
    return 0;
}

int events_next(struct events *e, struct arena *a, struct event *ret)
{
    struct reply reply;
    int r = conn_ask(&e->conn, e->next, S(""), CONN_FOREVER, &reply);
    if (r < 0)
        return r;
    if (reply.status != 200) {
        snprintf(e->conn.why, sizeof(e->conn.why), "the answer is %d %.*s", reply.status,
                 (int)(reply.body.n < 120 ? reply.body.n : 120), reply.body.p);
        return -EACCES;
    }
    return event_parse(a, reply.body, ret);
}
