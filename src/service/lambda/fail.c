/* fail - Lambda's errors carry a Type next to their message. */
#include "service/lambda/lambda.h"

/* A detail struct of the error's own shape with the given member set, or NULL when it has none. */
static void *detail_with(struct call *call, int error, const char *member, struct str value,
                         void *detail)
{
    const struct shape *shape = error_members(&lambda_model.errors[error]);
    const struct member *m = shape ? member_find(shape, str_from(member)) : NULL;
    if (!m)
        return detail;
    if (!detail)
        detail = arena_alloc(call->arena, shape->size);
    *(struct str *)((char *)detail + m->offset) = value;
    return detail;
}

int lambda_fail(struct call *call, int error, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str message = str_vprintf(call->arena, fmt, ap);
    va_end(ap);
    int r = call_fail(call, error, "%.*s", STR(message));
    bool sender = lambda_model.errors[error].status < 500;
    call->error_detail = detail_with(call, error, "Type", sender ? S("User") : S("Service"), NULL);
    return r;
}

int lambda_fail_throttled(struct call *call, struct str reason)
{
    int r = lambda_fail(call, LAMBDA_TOO_MANY_REQUESTS, "Rate Exceeded.");
    void *detail =
        detail_with(call, LAMBDA_TOO_MANY_REQUESTS, "Reason", reason, (void *)call->error_detail);
    call->error_detail =
        detail_with(call, LAMBDA_TOO_MANY_REQUESTS, "retryAfterSeconds", S("1"), detail);
    return r;
}
