/* prepare - templates fetched, parsed and transformed for a stack: see prepare.h. */
#include "service/cloudformation/prepare.h"
#include <errno.h>
#include "base/cleanup.h"
#include "service/policy.h"
#include "wire/iam.h"
#include "wire/request.h"
#include "wire/s3.h"

#define TEMPLATE_BODY_MAX 51200
#define TEMPLATE_MAX (1024 * 1024)

static int invalid(struct call *call, struct str message)
{
    return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "%.*s", STR(message));
}

int prepare_source(struct call *call, const struct cloudformation_record_source *source,
                   const struct cloudformation_record_source *previous, struct str stack_name,
                   struct str stack_id, const struct cloudformation_stack_record *stack,
                   struct template_processed *ret, struct template_error *err)
{
    struct arena *a = call->arena;
    size_t n = source->parameters.n, n_previous = previous ? previous->parameters.n : 0;
    struct template_param *given = ARENA_ARRAY(a, struct template_param, n + 1);
    struct template_param *old = ARENA_ARRAY(a, struct template_param, n_previous + 1);
    for (size_t i = 0; i < n; i++)
        given[i] =
            (struct template_param){.key = source->parameters.items[i].key,
                                    .value = source->parameters.items[i].value,
                                    .use_previous = !str_has(source->parameters.items[i].value)};
    for (size_t i = 0; i < n_previous; i++)
        old[i] = (struct template_param){.key = previous->parameters.items[i].key,
                                         .value = previous->parameters.items[i].value};
    struct template_request request = {
        .text = source->template,
        .params = given,
        .n_params = n,
        .previous = old,
        .n_previous = n_previous,
        .env = {.account_id = call->account,
                .region = call->region,
                .stack_name = stack_name,
                .stack_id = stack_id,
                .notification_arns = stack ? stack->notification_arns.items : NULL,
                .n_notification_arns = stack ? stack->notification_arns.n : 0},
    };
    return template_process(a, &request, ret, err);
}

/* The source with every parameter's final value, as it is kept. */
static void settle(struct request *q)
{
    struct arena *a = q->call->arena;
    const struct template *view = q->processed.view;
    struct cloudformation_record_parameter *items =
        ARENA_ARRAY(a, struct cloudformation_record_parameter, view->n_parameters + 1);
    for (size_t i = 0; i < view->n_parameters; i++)
        items[i] = (struct cloudformation_record_parameter){
            .key = view->parameters[i].name,
            .value = view->parameters[i].value,
            .no_echo = opt_bool(view->parameters[i].no_echo),
        };
    q->source.parameters.items = items;
    q->source.parameters.n = view->n_parameters;
    q->source.processed = q->processed.json;
}

static bool acknowledged(const struct request *q, const char *capability)
{
    for (size_t i = 0; q->capabilities && i < q->capabilities->n; i++)
        if (str_is(q->capabilities->items[i], capability))
            return true;
    return false;
}

static int check_capabilities(struct request *q)
{
    struct str *types;
    size_t n;
    struct call *call = q->call;
    int needs = template_capabilities(call->arena, q->processed.tree, &types, &n);
    if ((needs & CAPABILITY_NAMED_IAM) && !acknowledged(q, "CAPABILITY_NAMED_IAM"))
        return call_fail(call, CLOUDFORMATION_INSUFFICIENT_CAPABILITIES,
                         "Requires capabilities : [CAPABILITY_NAMED_IAM]");
    if ((needs & CAPABILITY_IAM) && !acknowledged(q, "CAPABILITY_IAM") &&
        !acknowledged(q, "CAPABILITY_NAMED_IAM"))
        return call_fail(call, CLOUDFORMATION_INSUFFICIENT_CAPABILITIES,
                         "Requires capabilities : [CAPABILITY_IAM]");
    if (q->expands && q->processed.transformed && !acknowledged(q, "CAPABILITY_AUTO_EXPAND"))
        return call_fail(call, CLOUDFORMATION_INSUFFICIENT_CAPABILITIES,
                         "Requires capabilities : [CAPABILITY_AUTO_EXPAND]");
    return 0;
}

static int check_types(struct request *q)
{
    struct arena *a = q->call->arena;
    const struct template *view = q->processed.view;
    struct str *unknown = ARENA_ARRAY(a, struct str, view->n_resources + 1);
    size_t n = 0;
    for (size_t i = 0; i < view->n_resources; i++)
        if (!provider_find(view->resources[i].type))
            unknown[n++] = view->resources[i].type;
    if (!n)
        return 0;
    struct str names = str_join(a, S(", "), unknown, n);
    return call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR,
                     "Template format error: Unrecognized resource types: [%.*s]", STR(names));
}

/* Snapshots are of databases and volumes, which are not among the types here. */
static int check_policies(struct request *q)
{
    const struct template *view = q->processed.view;
    for (size_t i = 0; i < view->n_resources; i++) {
        const struct template_resource *res = &view->resources[i];
        if (res->deletion_policy == POLICY_SNAPSHOT ||
            res->update_replace_policy == POLICY_SNAPSHOT)
            return call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR,
                             "Template error: resource type %.*s does not support deletion policy "
                             "Snapshot",
                             STR(res->type));
    }
    return 0;
}

static int check_tags(struct request *q)
{
    for (size_t i = 0; q->tags && i < q->tags->n; i++) {
        struct str key = q->tags->items[i].key;
        if (str_starts(key, S("aws:")))
            return call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR,
                             "aws: prefixed tag key names are not allowed for external use.");
        for (size_t k = 0; k < i; k++)
            if (str_eq(key, q->tags->items[k].key))
                return call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR, "Duplicate tag key %.*s",
                                 STR(key));
    }
    return 0;
}

/* ResourceTypes: "AWS::Lambda::Function", "AWS::Lambda::*", "AWS::*". */
static bool type_permitted(const struct request *q, struct str type)
{
    if (!q->types || !q->types->n)
        return true;
    for (size_t i = 0; i < q->types->n; i++) {
        struct str pattern = q->types->items[i];
        if (str_eq(pattern, type) ||
            (str_ends(pattern, S("*")) && str_starts(type, str_slice(pattern, 0, pattern.n - 1))))
            return true;
    }
    return false;
}

static int check_permitted(struct request *q)
{
    const struct template *view = q->processed.view;
    for (size_t i = 0; i < view->n_resources; i++)
        if (!type_permitted(q, view->resources[i].type))
            return call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR,
                             "Resource type %.*s is not allowed by parameter ResourceTypes",
                             STR(view->resources[i].type));
    return 0;
}

/* Another type under the same logical id would be a thing of another provider. */
static int check_changed_types(struct request *q)
{
    struct call *call = q->call;
    const struct template *view = q->processed.view;
    struct stack_resources old;
    if (!q->stack)
        return 0;
    int r = stack_resources_load(call, stack_uuid(q->stack->stack_id), &old);
    struct str *ids = ARENA_ARRAY(call->arena, struct str, view->n_resources + 1);
    size_t n = 0;
    for (size_t i = 0; r == 0 && i < old.n; i++) {
        const struct template_resource *res = template_resource_find(view, old.items[i].logical_id);
        if (res && res->active && str_has(old.items[i].physical_id) &&
            !str_eq(res->type, old.items[i].type))
            ids[n++] = res->logical_id;
    }
    if (n)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Update of resource type is not permitted. The new template modifies "
                         "resource type of the following resources: [%.*s]",
                         STR(str_join(call->arena, S(", "), ids, n)));
    return r;
}

/* Of a stack that exists, and what the template is going to add. */
static int check_stack_policies(struct request *q)
{
    struct policy_scope scope = {.view = q->processed.view};
    int r = q->stack && (str_has(q->policy_body) || str_has(q->during_body))
                ? stack_resources_load(q->call, stack_uuid(q->stack->stack_id), &scope.resources)
                : 0;
    if (r == 0 && str_has(q->policy_body))
        r = policy_validate(q->call, q->policy_body, &scope);
    if (r == 0 && str_has(q->during_body))
        r = policy_validate(q->call, q->during_body, &scope);
    return r;
}

static int process(struct request *q, struct str text)
{
    struct call *call = q->call;
    struct arena *a = call->arena;
    struct template_error err = {0};
    q->source.template = text;
    if (q->text_only)
        return q->then(q);
    if (q->parameters) {
        struct cloudformation_record_parameter *items =
            ARENA_ARRAY(a, struct cloudformation_record_parameter, q->parameters->n + 1);
        for (size_t i = 0; i < q->parameters->n; i++) {
            const struct cloudformation_parameter *p = &q->parameters->items[i];
            if (p->use_previous_value.is && str_has(p->parameter_value))
                return call_fail(
                    call, CLOUDFORMATION_VALIDATION_ERROR,
                    "Invalid input for parameter key %.*s. Cannot specify usePreviousValue as "
                    "true and non empty value for a parameter",
                    STR(p->parameter_key));
            items[i].key = p->parameter_key;
            if (!p->use_previous_value.is)
                items[i].value = str_has(p->parameter_value) ? p->parameter_value : S("");
        }
        q->source.parameters.items = items;
        q->source.parameters.n = q->parameters->n;
    }
    const struct cloudformation_record_source *previous = q->stack ? q->stack->source : NULL;
    if (prepare_source(call, &q->source, previous, q->stack_name, q->stack_id, q->stack,
                       &q->processed, &err) < 0)
        return invalid(call, err.message);
    int r = check_types(q);
    if (r == 0)
        r = check_tags(q);
    if (r == 0)
        r = check_policies(q);
    if (r == 0)
        r = check_permitted(q);
    if (r == 0)
        r = check_changed_types(q);
    if (r == 0)
        r = check_capabilities(q);
    if (r == 0)
        r = check_stack_policies(q);
    if (r < 0)
        return r;
    settle(q);
    return q->then(q);
}

/* ---- templates in S3 ---- */

/* BUCKET and KEY of a path-style or virtual-host S3 address, this cloud's own included. */
static int parse_url(struct arena *a, struct str url, struct str *ret_bucket, struct str *ret_key)
{
    struct str rest = url, host, path, scheme;
    if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
        return -EINVAL;
    str_cut(url, ':', &scheme, &rest);
    rest = str_slice(rest, 2, rest.n);
    if (!str_cut(rest, '/', &host, &path))
        return -EINVAL;
    struct str query;
    str_cut(path, '?', &path, &query);
    str_cut(host, ':', &host, &query);
    ssize_t s3 = str_find(host, S(".s3"));
    if (s3 > 0) {
        *ret_bucket = str_slice(host, 0, (size_t)s3);
        *ret_key = path;
    } else if (!str_cut(path, '/', ret_bucket, ret_key)) {
        return -EINVAL;
    }
    char *decoded = arena_alloc(a, ret_key->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < ret_key->n; i++) {
        struct str hex = str_slice(*ret_key, i + 1, i + 3);
        char two[3] = {hex.n == 2 ? hex.p[0] : 0, hex.n == 2 ? hex.p[1] : 0, 0};
        char *stop = two;
        long v = ret_key->p[i] == '%' && hex.n == 2 ? strtol(two, &stop, 16) : 0;
        bool escaped = stop == two + 2;
        decoded[n++] = escaped ? (char)v : ret_key->p[i];
        i += escaped ? 2 : 0;
    }
    *ret_key = str_of(decoded, n);
    return ret_bucket->n && n ? 0 : -EINVAL;
}

struct document {
    struct call *call;
    int (*then)(void *user, struct str text);
    void *user;
};

static void fetched(struct call *answer, void *user)
{
    struct document *d = user;
    struct call *call = d->call;
    struct str text;
    int r;
    if (answer->result < 0) {
        r = call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                      "S3 error: %.*s\nFor more information "
                      "check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
                      STR(answer->message));
    } else {
        const struct s3_get_object_output *out = answer->out;
        r = body_load(&out->body, TEMPLATE_MAX, call->arena, &text);
        if (r == -EMSGSIZE)
            r = call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                          "Template size exceeds the limit of 1 MB");
        else if (r == 0)
            r = d->then(d->user, text);
    }
    if (r != CALL_LATER)
        call_finish(call, r);
}

int prepare_document(struct call *call, const char *name, struct str url,
                     int (*then)(void *user, struct str text), void *user)
{
    struct s3_get_object_input *in = ARENA_NEW(call->arena, struct s3_get_object_input);
    struct document *d = ARENA_NEW(call->arena, struct document);
    *d = (struct document){call, then, user};
    if (parse_url(call->arena, url, &in->bucket, &in->key) < 0)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "%s must be a supported URL.",
                         name);
    call_send(call, &s3_get_object_op, in, fetched, d);
    return CALL_LATER;
}

static int got_template(void *user, struct str text)
{
    return process(user, text);
}

/* The template's text, wherever it is. */
static int fetch(struct request *q)
{
    struct call *call = q->call;
    if (str_has(q->template_body) + str_has(q->template_url) + q->use_previous_template != 1)
        return invalid(call, S("Either Template URL or Template Body must be specified."));
    if (q->use_previous_template)
        return q->stack && q->stack->source
                   ? process(q, q->stack->source->template)
                   : invalid(call, S("UsePreviousTemplate needs a stack that has a template."));
    if (str_has(q->template_body)) {
        if (q->template_body.n > TEMPLATE_BODY_MAX)
            return call_fail(
                call, CLOUDFORMATION_VALIDATION_ERROR,
                "1 validation error detected: Value at 'templateBody' failed to satisfy "
                "constraint: Member must have length less than or equal to %d",
                TEMPLATE_BODY_MAX);
        return process(q, q->template_body);
    }
    return prepare_document(call, "TemplateURL", q->template_url, got_template, q);
}

/* ---- service role ---- */

static bool trusts_cloudformation(struct call *call, const struct iam_role *role)
{
    struct policy *policy;
    struct str why;
    struct str text = wire_percent_decode(call->arena, role->assume_role_policy_document, false);
    struct policy_request q = {
        .arena = call->arena,
        .action = S("sts:AssumeRole"),
        .resource = S("*"),
        .who = {.service = S("cloudformation.amazonaws.com")},
    };
    return policy_parse(call->arena, POLICY_TRUST, text, &policy, &why) == 0 &&
           policy_evaluate(policy, &q) == POLICY_ALLOWS;
}

static void got_role(struct call *answer, void *user)
{
    struct request *q = user;
    const struct iam_get_role_output *out = answer->out;
    int r;
    if (answer->result < 0 || !out->role || !str_eq(out->role->arn, q->role_arn) ||
        !trusts_cloudformation(q->call, out->role))
        r = call_fail(q->call, CLOUDFORMATION_VALIDATION_ERROR,
                      "Role %.*s is invalid or cannot be assumed", STR(q->role_arn));
    else
        r = fetch(q);
    if (r != CALL_LATER)
        call_finish(q->call, r);
}

static int check_role(struct request *q)
{
    static const struct principal itself = {.type = PRINCIPAL_SERVICE,
                                            .service = S_INIT("cloudformation.amazonaws.com")};
    struct principal *who = arena_copy(q->call->arena, &itself, sizeof itself);
    struct iam_get_role_input *in = ARENA_NEW(q->call->arena, struct iam_get_role_input);
    ssize_t slash = str_find_last_byte(q->role_arn, '/');
    who->account = q->call->account;
    in->role_name = str_slice(q->role_arn, (size_t)(slash + 1), q->role_arn.n);
    call_send_as(q->call, who, &iam_get_role_op, in, got_role, q);
    return CALL_LATER;
}

/* ---- stack policies ---- */

static int fetch_policies(struct request *q);

static int got_policy(void *user, struct str text)
{
    struct request *q = user;
    q->policy_body = text;
    q->policy_url = (struct str){0};
    return fetch_policies(q);
}

static int got_during(void *user, struct str text)
{
    struct request *q = user;
    q->during_body = text;
    q->during_url = (struct str){0};
    return fetch_policies(q);
}

static int fetch_policies(struct request *q)
{
    struct call *call = q->call;
    if (str_has(q->policy_url) && str_has(q->policy_body))
        return invalid(call, S("You cannot specify both StackPolicyURL and StackPolicyBody"));
    if (str_has(q->during_url) && str_has(q->during_body))
        return invalid(call, S("You cannot specify both StackPolicyDuringUpdateURL and "
                               "StackPolicyDuringUpdateBody"));
    if (str_has(q->policy_url))
        return prepare_document(call, "StackPolicyURL", q->policy_url, got_policy, q);
    if (str_has(q->during_url))
        return prepare_document(call, "StackPolicyDuringUpdateURL", q->during_url, got_during, q);
    return str_has(q->role_arn) ? check_role(q) : fetch(q);
}

int prepare(struct request *q)
{
    struct call *call = q->call;
    struct arena *a = call->arena;
    if (q->tags) {
        struct cloudformation_record_pair *items =
            ARENA_ARRAY(a, struct cloudformation_record_pair, q->tags->n + 1);
        for (size_t i = 0; i < q->tags->n; i++)
            items[i] =
                (struct cloudformation_record_pair){q->tags->items[i].key, q->tags->items[i].value};
        q->source.tags.items = items;
        q->source.tags.n = q->tags->n;
    }
    if (q->capabilities) {
        q->source.capabilities.items = q->capabilities->items;
        q->source.capabilities.n = q->capabilities->n;
    }
    return fetch_policies(q);
}

void prepare_show_parameters(struct arena *a, const struct cloudformation_record_source *source,
                             struct cloudformation_parameters *ret)
{
    if (!source || !source->parameters.n)
        return;
    ret->items = ARENA_ARRAY(a, struct cloudformation_parameter, source->parameters.n);
    for (size_t i = 0; i < source->parameters.n; i++) {
        const struct cloudformation_record_parameter *p = &source->parameters.items[i];
        ret->items[ret->n++] = (struct cloudformation_parameter){
            .parameter_key = p->key, .parameter_value = p->no_echo.is ? S("****") : p->value};
    }
}

void prepare_show_tags(struct arena *a, const struct cloudformation_record_source *source,
                       struct cloudformation_tags *ret)
{
    ret->items = ARENA_ARRAY(a, struct cloudformation_tag, source ? source->tags.n + 1 : 1);
    for (size_t i = 0; source && i < source->tags.n; i++)
        ret->items[ret->n++] = (struct cloudformation_tag){.key = source->tags.items[i].key,
                                                           .value = source->tags.items[i].value};
}
