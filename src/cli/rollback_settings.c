/* rollback_settings - tags, retries, addresses, provisioned concurrency and permissions of a
 * function put back: see rollback.h. */
#include <ctype.h>
#include <errno.h>
#include "base/cleanup.h"
#include "cli/rollback.h"
#include "cli/target.h"
#include "wire/walk.h"

/* One setting's way back. */
struct way {
    struct rollback *r;
    struct arena *a;
    struct str name, arn, qualifier, sid;
    const struct deployment_change *change;
    bool make;
};

/* The recorded JSON as an operation's input. */
static int read_input(struct way *w, const struct operation *op, const struct json *v, void *in,
                      struct aws_error *err)
{
    struct wire_read_error why;
    if (wire_json_read(w->a, json_text(w->a, v, -1), operation_input(op), in, &why) == 0)
        return 0;
    err->message = S("what is recorded cannot be read");
    return err->r = -EBADMSG;
}

static int call(struct way *w, const struct operation *op, const void *in, struct aws_error *err)
{
    return w->make ? aws_call(w->r->aws, w->a, op, in, NULL, err) : 0;
}

static int put_tag(struct way *w, struct aws_error *err)
{
    const struct json *to = w->change->to;
    struct str key = w->qualifier;
    if (to) {
        struct lambda_tags_entry tag = {key, json_str(to)};
        struct lambda_tag_resource_input in = {w->arn, {&tag, 1}};
        return call(w, &lambda_tag_resource_op, &in, err);
    }
    struct lambda_untag_resource_input in = {w->arn, {&key, 1}};
    return call(w, &lambda_untag_resource_op, &in, err);
}

static int put_retries(struct way *w, struct aws_error *err)
{
    if (w->change->to) {
        struct lambda_put_function_event_invoke_config_input in = {0};
        int e = read_input(w, &lambda_put_function_event_invoke_config_op, w->change->to, &in, err);
        in.function_name = w->name;
        in.qualifier = w->qualifier;
        return e < 0 ? e : call(w, &lambda_put_function_event_invoke_config_op, &in, err);
    }
    struct lambda_delete_function_event_invoke_config_input in = {w->name, w->qualifier};
    return call(w, &lambda_delete_function_event_invoke_config_op, &in, err);
}

static int put_url(struct way *w, struct aws_error *err)
{
    const struct deployment_change *c = w->change;
    bool latest = str_is(w->qualifier, "$LATEST");
    struct str qualifier = latest ? (struct str){0} : w->qualifier;
    int e;
    if (!c->to) {
        struct lambda_delete_function_url_config_input in = {w->name, qualifier};
        return call(w, &lambda_delete_function_url_config_op, &in, err);
    }
    if (!c->from) {
        struct lambda_create_function_url_config_input in = {0};
        e = read_input(w, &lambda_create_function_url_config_op, c->to, &in, err);
        in.function_name = w->name;
        in.qualifier = qualifier;
        rollback_note(w->r, "the function URL of %.*s (%.*s) is made again: its address is new",
                      STR(w->name), STR(w->qualifier));
        return e < 0 ? e : call(w, &lambda_create_function_url_config_op, &in, err);
    }
    struct lambda_update_function_url_config_input in = {0};
    struct lambda_cors none = {0};
    e = read_input(w, &lambda_update_function_url_config_op, c->to, &in, err);
    in.function_name = w->name;
    in.qualifier = qualifier;
    if (!in.cors && json_get(c->from, "Cors"))
        in.cors = &none; /* an empty one takes it away */
    return e < 0 ? e : call(w, &lambda_update_function_url_config_op, &in, err);
}

static int put_provisioned(struct way *w, struct aws_error *err)
{
    int64_t n;
    if (w->change->to && json_int(w->change->to, &n) == 0) {
        struct lambda_put_provisioned_concurrency_config_input in = {w->name, w->qualifier,
                                                                     opt_int(n)};
        return call(w, &lambda_put_provisioned_concurrency_config_op, &in, err);
    }
    struct lambda_delete_provisioned_concurrency_config_input in = {w->name, w->qualifier};
    return call(w, &lambda_delete_provisioned_concurrency_config_op, &in, err);
}

static int put_recursion(struct way *w, struct aws_error *err)
{
    struct lambda_put_function_recursion_config_input in = {w->name, json_str(w->change->to)};
    return call(w, &lambda_put_function_recursion_config_op, &in, err);
}

/* ---- permissions ---- */

/* One condition, as AddPermission takes it. */
static bool take_condition(const struct json *v, struct lambda_add_permission_input *in)
{
    const struct {
        const char *key;
        struct str *to;
    } texts[] = {{"aws:SourceArn", &in->source_arn},
                 {"aws:SourceAccount", &in->source_account},
                 {"aws:PrincipalOrgID", &in->principal_org_id},
                 {"lambda:FunctionUrlAuthType", &in->function_url_auth_type},
                 {"lambda:EventSourceToken", &in->event_source_token}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq_nocase(v->key, str_from(texts[i].key)) && json_is(v, JSON_STRING)) {
            *texts[i].to = v->text;
            return true;
        }
    if (!str_eq_nocase(v->key, S("lambda:InvokedViaFunctionUrl")))
        return false;
    in->invoked_via_function_url =
        opt_bool(json_is(v, JSON_BOOL) ? v->boolean : str_eq_nocase(json_str(v), S("true")));
    return true;
}

static bool read_statement(const struct json *s, struct lambda_add_permission_input *in)
{
    const struct json *principal = json_get(s, "Principal");
    struct str who = json_str(
        json_is(principal, JSON_OBJECT) && principal->n == 1 ? principal->first : principal);
    in->principal = who;
    in->action = json_get_str(s, "Action");
    JSON_EACH(json_get(s, "Condition"), operator)
        JSON_EACH(operator, v)
            if (!take_condition(v, in))
                return false;
    return who.n && in->action.n && str_is(json_get_str(s, "Effect"), "Allow");
}

static int add_statement(struct way *w, const struct json *s, struct aws_error *err)
{
    struct lambda_add_permission_input in = {0};
    if (!read_statement(s, &in)) {
        err->message = S("AddPermission cannot make this statement");
        return err->r = -EINVAL;
    }
    in.function_name = w->name;
    in.statement_id = w->sid;
    if (!str_is(w->qualifier, "$LATEST"))
        in.qualifier = w->qualifier;
    return call(w, &lambda_add_permission_op, &in, err);
}

/* A statement cannot be changed: it goes, and comes again. When the other one cannot be made, the
 * first is put back. */
static int put_permission(struct way *w, struct aws_error *err)
{
    const struct deployment_change *c = w->change;
    struct lambda_remove_permission_input gone = {.function_name = w->name, .statement_id = w->sid};
    if (!str_is(w->qualifier, "$LATEST"))
        gone.qualifier = w->qualifier;
    if (c->to && !read_statement(c->to, &(struct lambda_add_permission_input){0}))
        return add_statement(w, c->to, err);
    int e = c->from ? call(w, &lambda_remove_permission_op, &gone, err) : 0;
    if (e < 0 || !c->to)
        return e;
    e = add_statement(w, c->to, err);
    if (e < 0 && c->from) {
        struct aws_error ignored = {0};
        add_statement(w, c->from, &ignored);
    }
    return e;
}

/* ---- which ---- */

static const struct kind {
    const char *word, *how, *away;
    int (*put)(struct way *w, struct aws_error *err);
} kinds[] = {
    {"tag", "TagResource", "UntagResource", put_tag},
    {"retries", "PutFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig", put_retries},
    {"url", "function URL", "DeleteFunctionUrlConfig", put_url},
    {"provisioned concurrency", "PutProvisionedConcurrencyConfig",
     "DeleteProvisionedConcurrencyConfig", put_provisioned},
    {"recursion", "PutFunctionRecursionConfig", "", put_recursion},
    {"permission", "AddPermission", "RemovePermission", put_permission},
};

static const struct kind *kind_of(struct str what, struct str *ret_rest)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct str word = str_from(kinds[i].word);
        if (!str_starts(what, word) || (what.n > word.n && what.p[word.n] != ' '))
            continue;
        *ret_rest = str_slice(what, word.n + 1, what.n);
        return &kinds[i];
    }
    return NULL;
}

static bool has_alias(const struct json *entry, struct str name)
{
    JSON_EACH(json_get(entry, "aliases"), alias)
        if (str_eq(json_get_str(alias, "name"), name))
            return true;
    return false;
}

/* An alias that is not in the record stays as it is, and so does a version. */
bool rollback_setting_stays(const struct json *want, const struct deployment_change *c)
{
    struct str rest, qualifier, sid;
    const struct kind *kind = kind_of(c->what, &rest);
    if (!kind || kind->put == put_tag || kind->put == put_recursion)
        return false;
    str_cut(rest, ' ', &qualifier, &sid);
    return !str_is(qualifier, "$LATEST") && !isdigit((unsigned char)*qualifier.p) &&
           !has_alias(want, qualifier);
}

static bool version_is_gone(struct way *w)
{
    struct lambda_get_function_configuration_input in = {.function_name = w->name,
                                                         .qualifier = w->qualifier};
    struct aws_error err = {0};
    return isdigit((unsigned char)*w->qualifier.p) &&
           aws_call(w->r->aws, w->a, &lambda_get_function_configuration_op, &in, NULL, &err) < 0;
}

int rollback_setting(struct rollback *r, const struct json *want, const struct json *now,
                     const struct deployment_change *c, bool make)
{
    struct way w = {.r = r,
                    .a = r->a,
                    .name = json_get_str(now, "name"),
                    .arn = json_get_str(now, "arn"),
                    .change = c,
                    .make = make};
    struct aws_error err = {0};
    struct str rest;
    const struct kind *kind = kind_of(c->what, &rest);
    if (!kind || rollback_setting_stays(want, c))
        return 0;
    if (kind->put == put_permission)
        str_cut(rest, ' ', &w.qualifier, &w.sid);
    else
        w.qualifier = rest;
    if (kind->put != put_tag && w.qualifier.n && version_is_gone(&w)) {
        rollback_note(r, "version %.*s of %.*s is gone, and with it: %.*s", STR(w.qualifier),
                      STR(w.name), STR(c->what));
        return 0;
    }
    struct rollback_step *step = rollback_step(
        r, w.name, c->what, c->from ? deployment_show(r->a, c->from, 200) : S("(none)"),
        c->to ? deployment_show(r->a, c->to, 200) : S("(none)"),
        str_from(c->to ? kind->how : kind->away));
    size_t at = (size_t)(step - r->steps);
    int e = kind->put(&w, &err);
    return rollback_done(r, &r->steps[at], make, e, &err);
}

void rollback_check_settings(struct rollback *r, const struct json *want, const struct json *now,
                             bool by_content)
{
    struct deployment_changes changes = {0};
    struct str name = json_get_str(now, "name");
    deployment_diff_settings(r->a, name, now, want, by_content, &changes);
    for (size_t i = 0; i < changes.n; i++) {
        const struct deployment_change *c = &changes.items[i];
        struct lambda_add_permission_input in = {0};
        if (c->to && str_starts(c->what, S("permission ")) && !rollback_setting_stays(want, c) &&
            !read_statement(c->to, &in))
            rollback_obstacle(r, "%.*s: AddPermission cannot make the statement %.*s", STR(name),
                              STR(deployment_show(r->a, c->to, 300)));
    }
}
