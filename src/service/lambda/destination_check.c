/* destination_check - may events of a function be told to a destination?
 *
 * One that nothing could be delivered to is refused when it is configured: it has to exist, and the
 * function's role has to be allowed, by its own policies or the destination's. */
#include <errno.h>
#include "service/lambda/event_config.h"
#include "wire/s3.h"

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

struct str arn_service(struct str arn)
{
    struct str part = {0}, rest = arn;
    for (int i = 0; i < 3; i++)
        str_cut(rest, ':', &part, &rest);
    return part;
}

struct str destination_unsupported(struct arena *a, struct str arn)
{
    static const struct {
        const char *service, *name;
    } missing[] = {{"sqs", "Amazon SQS"}, {"sns", "Amazon SNS"}, {"events", "Amazon EventBridge"}};
    struct str service = arn_service(arn);
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
        if (str_is(service, missing[i].service))
            return str_printf(a, "this cloud has no %s yet", missing[i].name);
    if (str_starts(arn, S("kafka://")))
        return S("this cloud delivers nothing to Kafka");
    return (struct str){0};
}

void destination_be_role(struct call *call, struct str role, struct str function,
                         struct principal *ret)
{
    ssize_t slash = str_find_last_byte(role, '/');
    *ret = (struct principal){
        .type = PRINCIPAL_ROLE_SESSION,
        .account = call->account,
        .role_name = str_slice(role, (size_t)(slash + 1), role.n),
    };
    ret->arn = str_printf(call->arena, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s",
                          STR(ret->account), STR(ret->role_name), STR(function));
}

static int check_role(struct call *call, const struct destination_wish *w, const char *action,
                      struct str resource, struct str arn)
{
    struct principal who;
    struct str why;
    const char *service = strcmp(action, "PutObject") == 0 ? "s3" : "lambda";
    destination_be_role(call, w->role, w->function, &who);
    int r =
        call_allowed(call, &who, str_printf(call->arena, "%s:%s", service, action), resource, &why);
    return r == -EACCES ? INVALID("The function execution role does not have permissions to call "
                                  "%s on %.*s",
                                  action, STR(arn))
                        : r;
}

static int check_function(struct call *call, const struct destination_wish *w, struct str arn)
{
    struct function_name f;
    struct lambda_function_record record = {0};
    if (!function_name_parse(arn, &f) || !str_eq(f.account, call->account) ||
        !str_eq(f.region, call->region))
        return INVALID("The destination ARN %.*s is invalid.", STR(arn));
    int r = function_load(call, f.name, &record);
    if (r == -ENOENT)
        return INVALID("The destination ARN %.*s is invalid.", STR(arn));
    if (r == 0 && str_eq(f.name, w->function))
        return INVALID("You can't specify the function as a destination for itself.");
    return r == 0 ? check_role(call, w, "InvokeFunction", arn, arn) : r;
}

/* One object as the function would be told of. The bucket is looked for afterwards. */
static int check_bucket(struct call *call, const struct destination_wish *w, struct str arn)
{
    struct str object =
        str_printf(call->arena, "%.*s/aws/lambda/async/%.*s/record", STR(arn), STR(w->function));
    return check_role(call, w, "PutObject", object, arn);
}

static struct str destination_text(struct arena *a, const char *name, struct str arn)
{
    return arn.n ? str_printf(a, "%s(destination=%.*s)", name, STR(arn)) : S("null");
}

/* 1: a bucket, which may not be there. */
static int check_one(struct call *call, const struct destination_wish *w, struct str arn,
                     bool failure)
{
    if (!arn.n)
        return 0;
    struct str why = destination_unsupported(call->arena, arn), service = arn_service(arn);
    if (why.n)
        return INVALID("The destination ARN %.*s is invalid: %.*s", STR(arn), STR(why));
    if (str_is(service, "lambda"))
        return check_function(call, w, arn);
    if (str_is(service, "s3") && failure) {
        int r = check_bucket(call, w, arn);
        return r < 0 ? r : 1;
    }
    const struct lambda_destination_config *c = w->config;
    struct str success = c->on_success ? c->on_success->destination : (struct str){0};
    struct str failed = c->on_failure ? c->on_failure->destination : (struct str){0};
    return INVALID("The provided destination config DestinationConfig(onSuccess=%.*s, "
                   "onFailure=%.*s) is invalid.",
                   STR(destination_text(call->arena, "OnSuccess", success)),
                   STR(destination_text(call->arena, "OnFailure", failed)));
}

/* ---- the bucket ---- */

struct looking {
    struct call *call;
    struct str arn;
    destinations_done_fn *done;
    void *user;
};

static void looked(struct call *child, void *user)
{
    struct looking *l = user;
    struct call *call = l->call;
    int r = child->result;
    if (r == CALL_FAILED)
        r = INVALID("The destination ARN %.*s is invalid.", STR(l->arn));
    l->done(call, r, l->user);
}

static const struct principal lambda_itself = {
    .type = PRINCIPAL_SERVICE,
    .service = S_INIT("lambda.amazonaws.com"),
};

static void look_for_bucket(struct call *call, struct str arn, destinations_done_fn *done,
                            void *user)
{
    struct looking *l = ARENA_NEW(call->arena, struct looking);
    struct s3_head_bucket_input *in = ARENA_NEW(call->arena, struct s3_head_bucket_input);
    *l = (struct looking){call, arn, done, user};
    ssize_t colon = str_find_last_byte(arn, ':');
    in->bucket = str_slice(arn, (size_t)(colon + 1), arn.n);
    call_send_as(call, &lambda_itself, &s3_head_bucket_op, in, looked, l);
}

int destinations_check(struct call *call, const struct destination_wish *w,
                       destinations_done_fn *done, void *user)
{
    const struct lambda_destination_config *c = w->config;
    struct str failure = c && c->on_failure ? c->on_failure->destination : (struct str){0};
    struct str success = c && c->on_success ? c->on_success->destination : (struct str){0};
    int bucket = check_one(call, w, failure, true);
    int r = bucket < 0 ? bucket : check_one(call, w, success, false);
    if (r < 0 || !bucket)
        return r;
    look_for_bucket(call, failure, done, user);
    return CALL_LATER;
}
