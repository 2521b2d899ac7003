/* local_lambda - `lamina local start-lambda`: Invoke for the functions of a template, at a port of
 * its own, as SAM CLI serves it: functions go by their logical ids, too, and signatures are not
 * looked at (clients send them, or none: --no-sign-request). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "http/server.h"
#include "wire/request.h"

#define DEFAULT_PORT 3001
#define FUNCTIONS "/2015-03-31/functions/"
#define INVOCATIONS "/invocations"

struct asked {
    struct http_request *req; /* NULL: the client has left */
};

static void answer_error(struct http_request *req, int status, const char *code, struct str message)
{
    struct arena *a = req->arena;
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("Type"), json_new_str(a, status < 500 ? S("User") : S("LocalService")));
    json_set(a, o, S("Message"), json_new_str(a, message));
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, 2);
    headers[0] = (struct http_header){S("Content-Type"), S("application/json")};
    headers[1] = (struct http_header){S("x-amzn-ErrorType"), str_from(code)};
    http_reply(req, status, headers, 2, body_mem(json_text(a, o, -1)));
}

static void add(struct http_header *headers, size_t *n, struct arena *a, struct str name,
                struct str value)
{
    if (value.n)
        headers[(*n)++] = (struct http_header){name, str_copy(a, value)};
}

static void over(struct call *call, void *user)
{
    struct asked *asked = user;
    struct http_request *req = asked->req;
    const struct lambda_invoke_output *out = call->out;
    free(asked);
    if (!req)
        return;
    struct arena *a = req->arena;
    if (call->result < 0) {
        answer_error(req, call->error ? call->error->status : 500,
                     call->error ? call->error->code : "ServiceException",
                     str_copy(a, call->message));
        return;
    }
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, 5);
    size_t n = 0;
    add(headers, &n, a, S("Content-Type"), S("application/json"));
    add(headers, &n, a, S("x-amzn-RequestId"), call->request_id);
    add(headers, &n, a, S("X-Amz-Function-Error"), out->function_error);
    add(headers, &n, a, S("X-Amz-Log-Result"), out->log_result);
    add(headers, &n, a, S("X-Amz-Executed-Version"), out->executed_version);
    http_reply(req, (int)out->status_code.is, headers, n,
               out->payload.n ? body_mem(str_copy(a, out->payload)) : (struct body){0});
}

static void left(struct http_request *req)
{
    struct asked *asked = req->user;
    asked->req = NULL;
}

/* /2015-03-31/functions/NAME/invocations; NAME may be an ARN with its colons escaped. */
static bool function_of(struct http_request *req, struct str *ret)
{
    struct str path = req->path;
    if (!str_starts(path, S(FUNCTIONS)) || !str_ends(path, S(INVOCATIONS)) ||
        path.n <= sizeof(FUNCTIONS) + sizeof(INVOCATIONS) - 2)
        return false;
    struct str name = str_slice(path, sizeof(FUNCTIONS) - 1, path.n - sizeof(INVOCATIONS) + 1);
    if (str_find_byte(name, '/') >= 0)
        return false;
    *ret = wire_percent_decode(req->arena, name, false);
    return str_has(*ret);
}

/* NAME, NAME:QUALIFIER, or an ARN: its function part. */
static struct str name_part(struct str text)
{
    ssize_t at = str_find(text, S(":function:"));
    struct str name = at < 0 ? text : str_slice(text, (size_t)at + 10, text.n), rest;
    str_cut(name, ':', &name, &rest);
    return name;
}

/* Big ones stand in a file. */
static struct str body_of(struct http_request *req)
{
    const struct body *body = &req->body;
    if (!body->has || !body->in_file)
        return body->has ? body->mem : S("");
    char *p = arena_alloc(req->arena, (size_t)body->size + 1);
    int64_t done = 0;
    for (ssize_t n = 1; done < body->size && n > 0; done += n > 0 ? n : 0)
        n = pread(body->fd, p + done, (size_t)(body->size - done), body->offset + done);
    return str_of(p, (size_t)done);
}

static int check_event(struct http_request *req, struct str *ret)
{
    struct json *v;
    *ret = body_of(req);
    if (!ret->n || json_parse(req->arena, *ret, &v, NULL) == 0)
        return 0;
    answer_error(req, 400, "InvalidRequestContentException",
                 S("Could not parse request body into json: no JSON object could be decoded"));
    return -EINVAL;
}

static void on_request(void *user, struct http_request *req)
{
    struct local *l = user;
    struct str text, event;
    if (str_is(req->method, "GET") && str_is(req->path, "/")) { /* what waits for the port asks */
        http_reply(req, 200, NULL, 0, body_mem(S("ready\n")));
        return;
    }
    if (!str_is(req->method, "POST") || !function_of(req, &text)) {
        answer_error(req, 404, "PathNotFoundLocally",
                     S("Only POST " FUNCTIONS "NAME" INVOCATIONS " is served here; `lamina up` "
                       "serves the whole API"));
        return;
    }
    const struct local_function *f = local_function_find(l, name_part(text));
    if (!f) {
        answer_error(req, 404, "ResourceNotFoundException",
                     str_printf(req->arena,
                                "Function not found: arn:aws:lambda:%.*s:000000000000:function:"
                                "%.*s",
                                STR(l->region), STR(name_part(text))));
        return;
    }
    if (check_event(req, &event) < 0)
        return;
    struct asked *asked = MEM_NEW(struct asked); /* outlives a client that leaves */
    asked->req = req;
    req->user = asked;
    req->on_gone = left;
    struct lambda_invoke_input in = {
        .function_name = f->name,
        .payload = event,
        .invocation_type = http_header_get(req, "X-Amz-Invocation-Type"),
        .log_type = http_header_get(req, "X-Amz-Log-Type"),
        .client_context = http_header_get(req, "X-Amz-Client-Context"),
    };
    local_invoke_function(l, &in, over, asked);
}

static void ready(struct local *l)
{
    struct cloud_error err = {{0}};
    int port;
    if (cloud_listen(l->daemon.cloud, str_c(l->arena, l->o->host),
                     l->o->port ? (int)l->o->port : DEFAULT_PORT, on_request, l, &port, &err) < 0) {
        local_leave(l, verb_fail(l->run, "%s", err.message));
        return;
    }
    printf("ready http://%.*s:%d\n", STR(l->o->host), port);
    for (size_t i = 0; i < l->n_functions; i++)
        fprintf(stderr, "  %.*s\n", STR(l->functions[i].logical_id));
    fflush(stdout);
}

int local_start_lambda(struct verb_run *run)
{
    return local_run(run, ready, NULL);
}
