/* rollback_stack - a stack put back by a change set of the recorded template, parameters and
 * artifacts, so that CloudFormation knows what there is; then whatever of its functions was changed
 * past the stack: see rollback.h. */
#include <errno.h>
#include <poll.h>
#include "base/clock.h"
#include "base/digest.h"
#include "cli/package.h"
#include "cli/rollback.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "template/parse.h"
#include "wire/s3.h"

#define BODY_MAX 51200
#define TEMPLATE_MAX (1024 * 1024)

/* ---- what is needed is there ---- */

static int read_template(struct rollback *r, struct str *ret)
{
    const struct json *t = json_get(r->target, "template");
    struct s3_get_object_input in = {.bucket = json_get_str(t, "bucket"),
                                     .key = json_get_str(t, "key")};
    struct s3_get_object_output *out;
    struct aws_error err = {0};
    if (!in.key.n) {
        rollback_obstacle(r, "the record names no template");
        return -ENOENT;
    }
    if (aws_call(r->aws, r->a, &s3_get_object_op, &in, (void **)&out, &err) < 0 ||
        body_load(&out->body, TEMPLATE_MAX, r->a, ret) < 0) {
        rollback_obstacle(r, "the template s3://%.*s/%.*s cannot be read: %.*s", STR(in.bucket),
                          STR(in.key), STR(err.message));
        return -ENOENT;
    }
    if (!str_eq(sha256_hex(r->a, *ret), json_get_str(t, "sha256"))) {
        rollback_obstacle(r, "the template s3://%.*s/%.*s is not the one that was deployed",
                          STR(in.bucket), STR(in.key));
        return -EBADMSG;
    }
    return 0;
}

static void check_artifact(struct rollback *r, const struct json *code, struct str whose)
{
    struct aws_error err = {0};
    if (!json_get_str(code, "key").n || deployment_artifact_look(r->a, r->aws, code, &err) == 0)
        return;
    rollback_obstacle(r, "%.*s: its code s3://%.*s/%.*s is not there%s%.*s", STR(whose),
                      STR(json_get_str(code, "bucket")), STR(json_get_str(code, "key")),
                      err.message.n ? ": " : "", STR(err.message));
}

static struct template_param *overrides(struct rollback *r, size_t *ret_n)
{
    struct template_param *params = NULL;
    *ret_n = 0;
    return source_parameters(r->run, &r->o->overrides, &params, ret_n) ? NULL : params;
}

static bool has_now(const struct cloudformation_stack *s, struct str name)
{
    for (size_t i = 0; s && i < s->parameters.n; i++)
        if (str_eq(s->parameters.items[i].parameter_key, name))
            return true;
    return false;
}

static struct str value_now(const struct cloudformation_stack *s, struct str name)
{
    for (size_t i = 0; s && i < s->parameters.n; i++)
        if (str_eq(s->parameters.items[i].parameter_key, name))
            return s->parameters.items[i].parameter_value;
    return (struct str){0};
}

static void fill_parameters(struct rollback *r, const struct cloudformation_stack *s,
                            struct cloudformation_parameters *ret)
{
    const struct json *recorded = json_get(r->target, "parameters");
    size_t n;
    struct template_param *given = overrides(r, &n);
    ret->items = ARENA_ARRAY(r->a, struct cloudformation_parameter, recorded ? recorded->n + 1 : 1);
    ret->n = 0;
    JSON_EACH(recorded, p) {
        struct cloudformation_parameter *out = &ret->items[ret->n];
        size_t i = 0;
        while (i < n && !str_eq(given[i].key, p->key))
            i++;
        out->parameter_key = p->key;
        if (i < n)
            out->parameter_value = given[i].value;
        else if (!deployment_is_redacted(p))
            out->parameter_value = p->text;
        else if (has_now(s, p->key))
            out->use_previous_value = opt_bool(true);
        else {
            rollback_obstacle(
                r,
                "the value of the NoEcho parameter %.*s is in no record, and the stack "
                "has none: give --parameter-overrides %.*s=...",
                STR(p->key), STR(p->key));
            continue;
        }
        ret->n++;
    }
}

/* ---- planned ---- */

static int stack_now(struct rollback *r, struct cloudformation_stack **ret)
{
    struct aws_error err = {0};
    int e = stacks_describe(r->run, r->aws, r->name, ret, &err);
    if (e < 0 && e != -ENOENT)
        return target_fail(r->run, &err, "the stack cannot be described");
    if (e == -ENOENT || str_is((*ret)->stack_status, "REVIEW_IN_PROGRESS"))
        *ret = NULL;
    return 0;
}

static void check_status(struct rollback *r, const struct cloudformation_stack *s)
{
    struct str status = s->stack_status;
    if (str_ends(status, S("_IN_PROGRESS")))
        rollback_obstacle(r, "the stack is %.*s: something else is changing it", STR(status));
    else if (str_is(status, "ROLLBACK_COMPLETE") || str_ends(status, S("ROLLBACK_FAILED")) ||
             str_is(status, "DELETE_FAILED"))
        rollback_obstacle(r, "the stack is %.*s, and takes no change sets", STR(status));
}

static void plan_parameters(struct rollback *r, const struct cloudformation_stack *s)
{
    JSON_EACH(json_get(r->target, "parameters"), p) {
        if (deployment_is_redacted(p)) {
            rollback_note(r, "the NoEcho parameter %.*s keeps the value that it has now",
                          STR(p->key));
            continue;
        }
        struct str now = value_now(s, p->key);
        if (!s || !str_eq(now, p->text))
            rollback_step(r, r->name, str_printf(r->a, "parameter %.*s", STR(p->key)), now, p->text,
                          S("change set"));
    }
}

int rollback_now(struct rollback *r, const struct json *want, struct json **ret)
{
    struct str logical = json_get_str(want, "logical_id"), name = json_get_str(want, "name");
    struct aws_error err = {0};
    *ret = NULL;
    if (r->stack && logical.n) {
        struct cloudformation_describe_stack_resource_input in = {.stack_name = r->name,
                                                                  .logical_resource_id = logical};
        struct cloudformation_describe_stack_resource_output *out;
        if (aws_call(r->aws, r->a, &cloudformation_describe_stack_resource_op, &in, (void **)&out,
                     &err) < 0 ||
            !out->stack_resource_detail->physical_resource_id.n)
            return 0;
        name = out->stack_resource_detail->physical_resource_id;
    }
    int e = deployment_function(r->a, r->aws, name, ret, &err);
    if (e < 0 && target_error_is(&err, "ResourceNotFoundException"))
        return 0;
    return e < 0 ? target_fail(r->run, &err, str_c(r->a, name)) : 0;
}

const struct json *rollback_wanted(struct rollback *r, const struct json *want)
{
    const struct json *from = json_get(r->target, "resources");
    struct cloudformation_stack_resource_summary *items;
    struct aws_error err = {0};
    size_t n;
    if (!r->stack || !from || stacks_resources(r->run, r->aws, r->name, &items, &n, &err) < 0)
        return want;
    struct json *to = json_new(r->a, JSON_OBJECT);
    for (size_t i = 0; i < n; i++)
        if (str_has(items[i].physical_resource_id) &&
            !str_is(items[i].resource_status, "DELETE_COMPLETE"))
            json_set(r->a, to, items[i].logical_resource_id,
                     json_new_str(r->a, items[i].physical_resource_id));
    return deployment_rename(r->a, want, from, to);
}

/* What the change set will do to the functions, as differences; it makes them itself. */
static int plan_functions(struct rollback *r)
{
    const struct json *template = r->exists ? deployment_processed(r->a, r->aws, r->name) : NULL;
    JSON_EACH(json_get(r->target, "functions"), want) {
        struct json *now = NULL;
        int e = r->exists ? rollback_now(r, want, &now) : 0;
        if (e)
            return e;
        check_artifact(r, json_get(want, "code"), json_get_str(want, "name"));
        if (!now) {
            rollback_step(r, json_get_str(want, "name"), S("function"), S("(none)"),
                          S("made again"), S("change set"));
            continue;
        }
        struct deployment_changes changes = {0};
        rollback_check_settings(r, rollback_wanted(r, want), now, true);
        /* what is shown must not have today's secrets either */
        deployment_redact(
            r->a, json_get(now, "configuration"),
            json_get(json_find(json_get(template, "Resources"), json_get_str(want, "logical_id")),
                     "Properties"),
            json_get(template, "Parameters"), NULL, 0);
        deployment_diff_function(r->a, json_get_str(want, "name"), now, rollback_wanted(r, want),
                                 true, &changes);
        for (size_t i = 0; i < changes.n; i++)
            if (!rollback_is_beyond(&changes.items[i]) &&
                !rollback_setting_stays(want, &changes.items[i]))
                rollback_step(r, changes.items[i].where, changes.items[i].what,
                              deployment_show(r->a, changes.items[i].from, 200),
                              deployment_show(r->a, changes.items[i].to, 200), S("change set"));
    }
    JSON_EACH(json_get(r->target, "layers"), layer)
        check_artifact(r, layer, json_get_str(layer, "logical_id"));
    return 0;
}

int rollback_plan_stack(struct rollback *r)
{
    struct cloudformation_stack *s;
    struct cloudformation_get_template_input in = {.stack_name = r->name,
                                                   .template_stage = S("Original")};
    struct cloudformation_get_template_output *out;
    struct cloudformation_parameters parameters;
    struct aws_error err = {0};
    struct str text;
    int e = stack_now(r, &s);
    if (e)
        return e;
    r->exists = s != NULL;
    if (s)
        check_status(r, s);
    fill_parameters(r, s, &parameters);
    if (read_template(r, &text) == 0 && s &&
        aws_call(r->aws, r->a, &cloudformation_get_template_op, &in, (void **)&out, &err) == 0 &&
        !str_eq(out->template_body, text))
        rollback_step(r, r->name, S("template"),
                      str_slice(sha256_hex(r->a, out->template_body), 0, 12),
                      str_slice(sha256_hex(r->a, text), 0, 12), S("change set"));
    plan_parameters(r, s);
    return plan_functions(r);
}

/* ---- made ---- */

static void fill_rest(struct rollback *r, struct cloudformation_create_change_set_input *in)
{
    const struct json *tags = json_get(r->target, "tags"),
                      *capabilities = json_get(r->target, "capabilities");
    in->tags.items = ARENA_ARRAY(r->a, struct cloudformation_tag, tags ? tags->n + 1 : 1);
    JSON_EACH(tags, t)
        in->tags.items[in->tags.n++] = (struct cloudformation_tag){t->key, t->text};
    in->capabilities.items = ARENA_ARRAY(r->a, struct str, capabilities ? capabilities->n + 1 : 1);
    JSON_EACH(capabilities, c)
        in->capabilities.items[in->capabilities.n++] = c->text;
    in->role_arn = json_get_str(json_get(r->target, "stack"), "role_arn");
}

/* -ENODATA: there is nothing to change. */
static int make_change_set(struct rollback *r, const struct cloudformation_stack *s,
                           struct str text, struct str *ret, struct aws_error *err)
{
    const struct json *t = json_get(r->target, "template");
    struct cloudformation_create_change_set_input in = {
        .stack_name = r->name,
        .change_set_name = str_printf(r->a, "lamina-rollback-%lld", (long long)clock_now_ms()),
        .change_set_type = s ? S("UPDATE") : S("CREATE"),
        .description =
            str_printf(r->a, "Back to %.*s", STR(json_get_str(r->target, "deployment_id")))};
    struct cloudformation_create_change_set_output *out;
    struct cloudformation_describe_change_set_output *set;
    fill_parameters(r, s, &in.parameters);
    fill_rest(r, &in);
    if (text.n <= BODY_MAX)
        in.template_body = text;
    else
        in.template_url =
            package_url(r->aws, r->a, json_get_str(t, "bucket"), json_get_str(t, "key"));
    int e = aws_call(r->aws, r->a, &cloudformation_create_change_set_op, &in, (void **)&out, err);
    if (e < 0)
        return e;
    *ret = out->id;
    r->stack_id = out->stack_id;
    struct cloudformation_describe_change_set_input ask = {.change_set_name = out->id,
                                                           .stack_name = out->stack_id};
    for (int pause_ms = 2;; pause_ms = pause_ms * 2 < 2000 ? pause_ms * 2 : 2000) {
        e = aws_call(r->aws, r->a, &cloudformation_describe_change_set_op, &ask, (void **)&set,
                     err);
        if (e < 0)
            return e;
        if (!str_ends(set->status, S("_PENDING")) && !str_ends(set->status, S("_IN_PROGRESS")))
            break;
        poll(NULL, 0, pause_ms);
    }
    if (str_is(set->status, "CREATE_COMPLETE"))
        return 0;
    bool nothing = str_find(set->status_reason, S("didn't contain changes")) >= 0 ||
                   str_find(set->status_reason, S("No updates are to be performed")) >= 0;
    struct cloudformation_delete_change_set_input gone = {.change_set_name = out->id,
                                                          .stack_name = out->stack_id};
    struct aws_error ignored = {0};
    aws_call(r->aws, r->a, &cloudformation_delete_change_set_op, &gone, NULL, &ignored);
    err->message = set->status_reason;
    return err->r = nothing ? -ENODATA : -EREMOTEIO;
}

static void finish_steps(struct rollback *r, size_t from, size_t to, enum rollback_state state,
                         struct str why)
{
    for (size_t i = from; i < to; i++) {
        r->steps[i].state = state;
        r->steps[i].error = why;
    }
}

static int execute(struct rollback *r, struct str change_set, struct str *ret_why)
{
    struct progress progress;
    struct stacks_watch watch = {.progress = &progress, .quiet = target_of(r->run)->json};
    struct cloudformation_execute_change_set_input in = {.change_set_name = change_set,
                                                         .stack_name = r->stack_id};
    struct cloudformation_stack *s;
    struct aws_error err = {0};
    progress_init(&progress, stderr);
    stacks_mark(r->run, r->aws, r->stack_id, &watch);
    if (aws_call(r->aws, r->a, &cloudformation_execute_change_set_op, &in, NULL, &err) < 0) {
        *ret_why = err.message;
        return 1;
    }
    int e = stacks_wait(r->run, r->aws, r->stack_id, &watch, &s);
    progress_clear(&progress);
    if (e) {
        *ret_why = S("what became of the stack is not known");
        return 1;
    }
    if (str_is(s->stack_status, "CREATE_COMPLETE") || str_is(s->stack_status, "UPDATE_COMPLETE"))
        return 0;
    *ret_why = str_printf(r->a, "the stack is %.*s: %.*s", STR(s->stack_status),
                          STR(watch.failure.n ? watch.failure : s->stack_status_reason));
    return 1;
}

/* What was changed past the stack, a change set does not see. */
static int mend(struct rollback *r)
{
    int e = 0;
    JSON_EACH(json_get(r->target, "functions"), want) {
        struct json *now = NULL;
        e = e ? e : rollback_now(r, want, &now);
        if (!e && !now) {
            struct rollback_step *step = rollback_step(r, json_get_str(want, "name"), S("function"),
                                                       S("(none)"), S("as recorded"), S(""));
            step->state = ROLLBACK_FAILED;
            step->error = S("it was deleted past the stack, which takes it to be there: deploy "
                            "without it, then roll back again");
            e = 1;
        }
        if (!e)
            e = rollback_function(r, rollback_wanted(r, want), now, true, true);
    }
    return e;
}

int rollback_make_stack(struct rollback *r)
{
    struct cloudformation_stack *s;
    struct aws_error err = {0};
    struct str text, change_set, why = {0};
    size_t planned = r->n_steps;
    int e = stack_now(r, &s);
    if (!e && read_template(r, &text) < 0)
        return verb_fail(r->run, "%.*s", STR(r->obstacles[r->n_obstacles - 1]));
    if (e)
        return e;
    e = make_change_set(r, s, text, &change_set, &err);
    if (e == 0)
        e = execute(r, change_set, &why);
    bool nothing = e == -ENODATA; /* the template is what it was: only functions were changed */
    if (nothing)
        e = 0;
    else if (e < 0)
        why = err.message;
    if (nothing)
        r->n_steps = 0; /* told again as they are made */
    else
        finish_steps(r, 0, planned, e ? ROLLBACK_FAILED : ROLLBACK_DONE, why);
    if (e)
        return 1;
    e = deployment_add_stack(&r->record, r->name, &err);
    if (e < 0)
        return target_fail(r->run, &err, "the stack's functions cannot be read");
    e = mend(r);
    /* what is mended is what shall be recorded */
    json_set(r->a, r->record.json, S("functions"), json_new(r->a, JSON_ARRAY));
    json_set(r->a, r->record.json, S("layers"), json_new(r->a, JSON_ARRAY));
    if (deployment_add_stack(&r->record, r->name, &err) < 0 && !e)
        e = target_fail(r->run, &err, "the stack's functions cannot be read");
    return e;
}
