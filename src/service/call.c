/* call - the parts of a call that need no daemon: its failure, its ARNs, its records. */
#include <errno.h>
#include "service/call.h"
#include "base/log.h"
#include "wire/walk.h"

#define RECORD_MAX (64 * 1024 * 1024)

static bool error_declared(const struct operation *op, const struct error_shape *error)
{
    if (error->common || !op || !op->modelled)
        return true;
    for (size_t i = 0; i < op->n_errors; i++)
        if (operation_error(op, i) == error)
            return true;
    return false;
}

int call_fail(struct call *call, int error, const char *fmt, ...)
{
    const struct error_shape *shape = &call->service->model->errors[error];
    if (!error_declared(call->op, shape)) {
        log_error("%s does not declare the error %s", operation_name(call->op), shape->name);
#ifdef __SANITIZE_ADDRESS__ /* the tests' build: a user's daemon answers and goes on */
        abort();
#endif
    }
    va_list ap;
    va_start(ap, fmt);
    call->message = str_vprintf(call->arena, fmt, ap);
    va_end(ap);
    call->error = shape;
    /* Those of an error that was thought better of. */
    call->error_elements = call->error_headers = NULL;
    call->n_error_elements = call->n_error_headers = 0;
    return CALL_FAILED;
}

int call_fail_element(struct call *call, const char *name, struct str value)
{
    size_t cap = call->n_error_elements; /* one or two: grown one by one */
    struct wire_pair *pair = arena_push(call->arena, (void **)&call->error_elements,
                                        &call->n_error_elements, &cap, sizeof *pair);
    *pair = (struct wire_pair){str_from(name), value};
    return CALL_FAILED;
}

int call_fail_header(struct call *call, const char *name, struct str value)
{
    size_t cap = call->n_error_headers;
    struct wire_pair *pair = arena_push(call->arena, (void **)&call->error_headers,
                                        &call->n_error_headers, &cap, sizeof *pair);
    *pair = (struct wire_pair){str_from(name), value};
    return CALL_FAILED;
}

int call_fail_code(struct call *call, struct str code, int status, struct str message)
{
    const struct error_shape *known = call->service ? error_find(call->service->model, code) : NULL;
    if (!known) {
        struct error_shape *made = ARENA_NEW(call->arena, struct error_shape);
        made->name = made->code = str_c(call->arena, code);
        made->status = status ? status : 400;
        made->sender = made->status < 500;
        known = made;
    }
    call->error = known;
    call->message = str_copy(call->arena, message);
    if (status && status != known->status)
        call->status_override = status;
    return CALL_FAILED;
}

struct str call_arn(struct call *call, const char *service, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str rest = str_vprintf(call->arena, fmt, ap);
    va_end(ap);
    bool is_s3 = strcmp(service, "s3") == 0;
    bool global = is_s3 || strcmp(service, "iam") == 0 || strcmp(service, "sts") == 0;
    struct str region = global ? S("") : call->region, account = is_s3 ? S("") : call->account;
    return str_printf(call->arena, "arn:aws:%s:%.*s:%.*s:%.*s", service, STR(region), STR(account),
                      STR(rest));
}

int record_get(struct call *call, struct str key, const struct shape *shape, void *ret)
{
    struct str text;
    int r = store_get(call->store, key, call->arena, &text);
    if (r < 0)
        return r;
    struct wire_read_error error;
    r = wire_json_read(call->arena, text, shape, ret, &error);
    if (r < 0) {
        log_error("a stored %s is damaged: %s at %zu", shape_name(shape), error.message,
                  error.offset);
        return -EIO;
    }
    return 0;
}

int record_put(struct call *call, struct str key, const struct shape *shape, const void *record)
{
    struct buf b;
    buf_init(&b, RECORD_MAX);
    wire_json_write(&b, shape, record);
    int r = buf_failed(&b) ? -EMSGSIZE : store_put(call->store, key, buf_view(&b));
    buf_done(&b);
    return r;
}

int record_delete(struct call *call, struct str key)
{
    return store_delete(call->store, key);
}
