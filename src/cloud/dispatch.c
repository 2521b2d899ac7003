/* dispatch - a request on its way through the daemon:
 *
 *     dispatch_request   guard, service, copy, operation, signature
 *       -> unwrap_body   hash of a big body, aws-chunked decoding
 *       -> carry_out     input, its constraints, permission, handler
 *       -> dispatch_reply
 *
 * A call may outlive its client (an invocation goes on), so nothing of it points into the HTTP
 * server's memory: the request is copied first. */
#include <errno.h>
#include <fcntl.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "cloud/internal.h"

#define RIE_PATH "/2015-03-31/functions/function/invocations"

static void request_done(struct http_request *req, bool sent)
{
    struct frame *f = req->user;
    log_debug("%.*s %.*s %.*s: %s %d us%s", STR(f->call.request_id), STR(req->method),
              STR(req->path), f->call.op ? operation_name(f->call.op) : "-",
              (int)((clock_mono_ns() - f->began_ns) / 1000), sent ? "" : " (client left)");
    if (!stream_client_left(f))
        frame_release(f);
}

/* The client has left. What runs goes on; who wants to know is told. */
static void request_gone(struct http_request *req)
{
    struct frame *f = req->user;
    f->request = NULL;
    f->call.http = NULL;
    f->call.body_path = NULL;
    req->on_done = NULL;
    if (!f->pending && f->offloads == 0) {
        frame_release(f);
        return;
    }
    if (f->pending && f->call.on_gone)
        f->call.on_gone(&f->call);
}

void dispatch_send(struct frame *f, struct wire_response *resp)
{
    if (!f->request) { /* nobody is there to get it */
        if (resp->body.has && resp->body.in_file)
            close(resp->body.fd);
        frame_release(f);
        return;
    }
    size_t n = resp->n_headers;
    struct http_header *headers = ARENA_ARRAY(f->call.arena, struct http_header, n + 2);
    for (size_t i = 0; i < n; i++)
        headers[i] = (struct http_header){resp->headers[i].name, resp->headers[i].value};
    if (f->call.trace_id.n)
        headers[n++] = (struct http_header){S("X-Amzn-Trace-Id"), f->call.trace_id};
    if (f->call.phases.n)
        headers[n++] = (struct http_header){S("X-Lamina-Phases"), f->call.phases};
    http_reply(f->request, resp->status, headers, n, resp->body);
}

void dispatch_fail(struct frame *f, const struct wire_error *err)
{
    struct wire_response resp = {0};
    log_debug("%.*s %s: %.*s: %.*s", STR(f->call.request_id),
              f->call.op ? operation_name(f->call.op) : "-", STR(err->code), STR(err->message));
    wire_encode_error(&f->route, &f->wire, err, f->call.request_id, f->call.arena, &resp);
    f->finished = true;
    dispatch_send(f, &resp);
}

/* A fault of ours, in the words each service has for it. */
void dispatch_fault(struct frame *f, int error, struct wire_error *err)
{
    const struct service_model *m = f->mounted->model;
    struct str code = S("InternalFailure");
    if (m->protocol == PROTOCOL_REST_XML)
        code = S("InternalError");
    else if (m->protocol == PROTOCOL_REST_JSON)
        code = S("ServiceException");
    else if (m->protocol != PROTOCOL_QUERY)
        code = S("ServiceUnavailableException");
    struct str why =
        error == -ENOSPC
            ? S("The disk that holds the data directory is full: nothing was changed.")
            : str_printf(f->call.arena, "An internal error occurred: %s.", strerror(-error));
    wire_error_set(err, m, code, why);
    err->status = error == -ENOSPC ? 507 : 500;
}

void dispatch_error(struct frame *f, struct wire_error *err)
{
    struct call *call = &f->call;
    if (call->result != CALL_FAILED || !call->error) {
        dispatch_fault(f, call->result == CALL_FAILED ? -EIO : call->result, err);
        return;
    }
    *err = (struct wire_error){
        .code = str_from(call->error->code),
        .message = call->message,
        .status = call->status_override ? call->status_override : call->error->status,
        .shape = call->error,
        .detail = call->error_detail,
        .extra = call->error_elements,
        .n_extra = call->n_error_elements,
        .headers = call->error_headers,
        .n_headers = call->n_error_headers,
    };
}

void dispatch_reply(struct frame *f)
{
    struct call *call = &f->call;
    if (f->streaming) {
        stream_end(f);
        return;
    }
    if (call->result < 0) {
        struct wire_error err = {0};
        dispatch_error(f, &err);
        dispatch_fail(f, &err);
        return;
    }
    struct wire_response resp = {0};
    if (f->answer) {
        resp = *f->answer;
        dispatch_send(f, &resp);
        return;
    }
    wire_encode_output(&f->route, call->out, call->request_id, call->arena, &resp);
    if (call->status_override)
        resp.status = call->status_override;
    dispatch_send(f, &resp);
}

void dispatch_turn_failed(struct http_request *req, int error, void *user)
{
    struct frame *f = req->user;
    struct wire_error err = {0};
    struct wire_response resp = {0};
    if (!f || req->on_done != request_done) {
        http_reply(req, 500, NULL, 0, body_mem(S("the data directory cannot be written\n")));
        return;
    }
    if (f->streaming) {
        stream_turn_failed(f);
        return;
    }
    dispatch_fault(f, error, &err);
    wire_encode_error(&f->route, &f->wire, &err, f->call.request_id, f->call.arena, &resp);
    dispatch_send(f, &resp);
}

void dispatch_carry_out(struct frame *f)
{
    struct call *call = &f->call;
    struct wire_error err = {0};
    void *in = NULL;
    int r = wire_decode_input(&f->route, &f->routed, call->arena, &in, &err);
    call->in = in;
    if (r == 0 && f->handler)
        r = wire_check_input(&f->route, in, call->arena, &err);
    if (r == 0 && f->handler)
        r = authorize_call(f, &err);
    if (r < 0)
        dispatch_fail(f, &err);
    else
        frame_run(f);
}

static struct str *copy_str(struct arena *a, struct str *s)
{
    *s = str_has(*s) ? str_copy(a, *s) : *s;
    return s;
}

static void copy_request(struct frame *f, const struct http_request *req)
{
    struct arena *a = f->call.arena;
    struct wire_header *headers = ARENA_ARRAY(a, struct wire_header, req->n_headers + 1);
    for (size_t i = 0; i < req->n_headers; i++) {
        headers[i] = (struct wire_header){req->headers[i].name, req->headers[i].value};
        copy_str(a, &headers[i].name);
        copy_str(a, &headers[i].value);
    }
    f->wire = (struct wire_request){.method = req->method,
                                    .path = req->path,
                                    .query = req->query,
                                    .headers = headers,
                                    .n_headers = req->n_headers,
                                    .body = req->body};
    copy_str(a, &f->wire.method);
    copy_str(a, &f->wire.path);
    copy_str(a, &f->wire.query);
    if (req->body.has && req->body.in_file) {
        f->body_fd = fcntl(req->body.fd, F_DUPFD_CLOEXEC, 0);
        f->wire.body.fd = f->body_fd;
        f->call.body_path = req->body_path;
    } else if (req->body.has) {
        copy_str(a, &f->wire.body.mem);
    }
    f->routed = f->wire;
    f->call.http = req;
    f->call.source_ip = str_copy(a, req->peer);
    f->call.host = wire_header(&f->wire, "Host");
    f->call.user_agent = wire_header(&f->wire, "User-Agent");
}

/* No service of ours: the answer has to be in some format, so the request's own looks decide. */
static void unknown_service(struct frame *f)
{
    struct cloud *cloud = f->call.cloud;
    struct wire_error err = {0};
    struct str scope = sigv4_scope_service(f->call.arena, &f->wire);
    const char *like = "lambda";
    if (str_has(wire_header(&f->wire, "X-Amz-Target")))
        like = "logs";
    else if (str_starts(wire_header(&f->wire, "Content-Type"),
                        S("application/x-www-form-urlencoded")))
        like = "sts";
    f->mounted = mounted_find(cloud, like);
    f->route.service = f->mounted->model;
    f->route.protocol = f->mounted->model->protocol;
    if (!scope.n)
        scope = wire_target_prefix(&f->wire);
    wire_error_set(&err, f->mounted->model, S("NotImplemented"),
                   str_printf(f->call.arena, "Lamina has no service %.*s yet.", STR(scope)));
    err.status = 501;
    dispatch_fail(f, &err);
}

static void rie_request(struct frame *f, struct str function)
{
    struct arena *a = f->call.arena;
    f->trusted = true;
    f->mounted = mounted_find(f->call.cloud, "lambda");
    f->routed.path = str_printf(a, "/2015-03-31/functions/%.*s/invocations", STR(function));
    f->routed.query = (struct str){0};
}

/* S3's request ids are no UUIDs. */
static void name_request(struct frame *f)
{
    if (f->mounted->model->protocol == PROTOCOL_REST_XML)
        f->call.request_id = random_text(f->call.arena, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 16);
}

static void dispatch_frame(struct frame *f, struct str rie_function)
{
    struct call *call = &f->call;
    struct wire_error err = {0};
    if (str_has(rie_function))
        rie_request(f, rie_function);
    else
        f->mounted = route_service(call->cloud, &f->wire, call->arena);
    if (!f->mounted) {
        unknown_service(f);
        return;
    }
    call->service = f->mounted->service;
    call->state = f->mounted->state;
    name_request(f);
    if (f->mounted->model->protocol == PROTOCOL_REST_XML) {
        struct str bucket = route_bucket(call->arena, call->host);
        if (bucket.n)
            f->routed.path = str_printf(call->arena, "/%.*s%.*s", STR(bucket), STR(f->wire.path));
    }
    int r = wire_route(f->mounted->router, &f->routed, call->arena, &f->route, &err);
    if (r == 0) {
        call->op = f->route.op;
        f->handler = f->mounted->handlers[call->op->index];
        r = identity_verify(f, &err);
    }
    if (r == 0 && !f->handler) {
        frame_run(f); /* says NotImplemented */
        return;
    }
    if (r < 0)
        dispatch_fail(f, &err);
    else
        unwrap_body(f);
}

/* No operation, no service's authorization: the service that gave the URL out does it all. */
static void dispatch_url(struct frame *f, struct str id, struct str path)
{
    struct call *call = &f->call;
    struct mounted *m = mounted_find(call->cloud, "lambda");
    f->mounted = m;
    f->raw = true;
    f->route = (struct wire_route){.service = m->model, .protocol = m->model->protocol};
    f->who = (struct principal){.type = PRINCIPAL_ANONYMOUS, .arn = S("anonymous")};
    call->service = m->service;
    call->state = m->state;
    f->pending = true;
    int r =
        m->service->answer(call, &f->wire, str_copy(call->arena, id), str_copy(call->arena, path));
    if (r != CALL_LATER && !f->finished)
        frame_end(f, r);
}

static void refuse(struct http_request *req, int status, const char *why)
{
    static const struct http_header text[] = {
        {S_INIT("Content-Type"), S_INIT("text/plain; charset=utf-8")}};
    http_reply(req, status, text, 1, body_mem(str_from(why)));
}

/* /_lamina/<id>/...: what a service serves beside its operations. */
static bool served_aside(struct cloud *cloud, struct http_request *req,
                         const struct entrance *entrance)
{
    struct str id, rest;
    bool local = !req->peer.n || str_starts(req->peer, S("127.")) || str_is(req->peer, "::1");
    if (record_wants(req->path)) {
        if (entrance == &cloud->inside || !local)
            refuse(req, 403, "lamina: only programs of this machine may record decisions\n");
        else
            record_serve(cloud, req);
        return true;
    }
    if (!str_starts(req->path, S("/_lamina/")) ||
        !str_cut(str_slice(req->path, 9, req->path.n), '/', &id, &rest))
        return false;
    const struct mounted *m = mounted_find(cloud, str_c(req->arena, id));
    if (m && m->opened && m->service->inspect &&
        (str_is(rest, "inspect") || str_is(rest, "drop"))) {
        if (entrance == &cloud->inside || !local)
            refuse(req, 403, "lamina: only programs of this machine may look at environments\n");
        else
            m->service->inspect(m->state, req);
        return true;
    }
    if (!m || !m->opened || !m->service->serve)
        return false;
    if (entrance == &cloud->inside && !str_starts(rest, S("code/"))) {
        refuse(req, 403, "lamina: this is not for functions\n");
        return true;
    }
    m->service->serve(m->state, req);
    return true;
}

bool dispatch_refuses(struct cloud *cloud, struct http_request *req)
{
    const char *why = guard_refuses(cloud, req);
    if (why)
        refuse(req, 403, why);
    return why != NULL;
}

static struct frame *take_request(struct cloud *cloud, struct http_request *req)
{
    struct frame *f = frame_new(cloud, FRAME_HTTP, NULL);
    cloud->requests++;
    f->request = req;
    req->user = f;
    req->on_done = request_done;
    req->on_gone = request_gone;
    copy_request(f, req);
    return f;
}

void cloud_answer_url(struct cloud *cloud, struct http_request *req, struct str url_id,
                      struct str path)
{
    dispatch_url(take_request(cloud, req), url_id, path);
}

void dispatch_body_refused(struct http_request *req, int status)
{
    const struct entrance *entrance = req->listener_user;
    if (status < 500 || entrance->on_request || str_has(entrance->rie_function) ||
        str_starts(req->path, S("/_lamina/")))
        return;
    struct frame *f = take_request(entrance->cloud, req);
    struct wire_error err = {0};
    f->mounted = route_service(f->call.cloud, &f->wire, f->call.arena);
    if (!f->mounted) {
        unknown_service(f);
        return;
    }
    name_request(f);
    wire_route(f->mounted->router, &f->routed, f->call.arena, &f->route, &err); /* its protocol */
    dispatch_fault(f, status == 507 ? -ENOSPC : -EIO, &err);
    dispatch_fail(f, &err);
}

void dispatch_request(struct http_request *req)
{
    const struct entrance *entrance = req->listener_user;
    struct cloud *cloud = entrance->cloud;
    struct str url_id, url_path;
    if (entrance->on_request) {
        entrance->on_request(entrance->user, req);
        return;
    }
    if (!str_has(entrance->rie_function) &&
        route_url(http_header_get(req, "Host"), req->path, &url_id, &url_path)) {
        dispatch_url(take_request(cloud, req), url_id, url_path);
        return;
    }
    if (str_has(entrance->rie_function)) {
        if (!str_is(req->path, RIE_PATH) || !str_is(req->method, "POST")) {
            refuse(req, 404, "404 page not found");
            return;
        }
    } else if (health_wants(req->path)) {
        health_reply(cloud, req, entrance == &cloud->inside);
        return;
    } else if (served_aside(cloud, req, entrance)) {
        return;
    }
    dispatch_frame(take_request(cloud, req), entrance->rie_function);
}
