/* deploy_change_set - what `lamina deploy` wants of CloudFormation, as a change set. */
#include <errno.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/table.h"
#include "cli/deploy.h"
#include "cli/source.h"
#include "cli/target.h"

#define BODY_MAX 51200 /* a longer template goes through the bucket */

/* ---- parameters ---- */

static bool known_value(const struct deployment *d, struct str name)
{
    for (size_t i = 0; i < d->n_params; i++)
        if (str_eq(d->params[i].key, name))
            return true;
    for (size_t i = 0; d->exists && i < d->stack->parameters.n; i++)
        if (str_eq(d->stack->parameters.items[i].parameter_key, name))
            return true;
    return false;
}

int deploy_check_parameters(struct deployment *d)
{
    const struct json *declared = json_get(d->root, "Parameters");
    struct str *missing = ARENA_ARRAY(d->a, struct str, declared ? declared->n + 1 : 1);
    size_t n = 0;
    JSON_EACH(declared, p)
        if (!json_get(p, "Default") && !known_value(d, p->key))
            missing[n++] = p->key;
    if (n)
        return verb_fail(d->run,
                         "%.*s:%d: %s without a value and without a default: %.*s; give "
                         "--parameter-overrides %.*s=...",
                         STR(d->path), json_find(declared, missing[0])->key_line,
                         n > 1 ? "parameters" : "a parameter",
                         STR(str_join(d->a, S(", "), missing, n)), STR(missing[0]));
    for (size_t i = 0; i < d->n_params; i++)
        if (!json_find(declared, d->params[i].key))
            fprintf(stderr, "lamina: deploy: %.*s has no parameter %.*s; its value is not used\n",
                    STR(d->path), STR(d->params[i].key));
    return 0;
}

static void fill_parameters(struct deployment *d, struct cloudformation_parameters *ret)
{
    const struct json *declared = json_get(d->root, "Parameters");
    ret->items = ARENA_ARRAY(d->a, struct cloudformation_parameter, declared ? declared->n + 1 : 1);
    JSON_EACH(declared, p) {
        struct cloudformation_parameter *out = &ret->items[ret->n];
        size_t i = 0;
        while (i < d->n_params && !str_eq(d->params[i].key, p->key))
            i++;
        out->parameter_key = p->key;
        if (i < d->n_params)
            out->parameter_value = d->params[i].value;
        else if (d->exists && known_value(d, p->key))
            out->use_previous_value = opt_bool(true);
        else
            continue; /* its default */
        ret->n++;
    }
}

static int fill_tags(struct deployment *d, struct cloudformation_tags *ret)
{
    struct str *words;
    size_t n;
    source_words(d->a, &d->o->tags, &words, &n);
    if (!n)
        return 0;
    ret->items = ARENA_ARRAY(d->a, struct cloudformation_tag, n);
    for (size_t i = 0; i < n; i++) {
        if (!str_cut(words[i], '=', &ret->items[i].key, &ret->items[i].value))
            return verb_usage(d->run, "tag \"%.*s\" is not of the form KEY=VALUE", STR(words[i]));
        ret->n++;
    }
    return 0;
}

/* ---- the change set ---- */

static int fill_template(struct deployment *d, struct package_request *q,
                         struct cloudformation_create_change_set_input *in)
{
    struct str text = template_to_json(d->a, d->root, -1);
    if (text.n <= BODY_MAX) {
        in->template_body = text;
        return 0;
    }
    char path[] = "/tmp/lamina-template-XXXXXX";
    int fd = mkstemp(path), e = 0;
    struct str key;
    if (fd < 0)
        return verb_fail(d->run, "/tmp: %s", strerror(errno));
    if (write(fd, text.p, text.n) != (ssize_t)text.n)
        e = verb_fail(d->run, "%s: %s", path, strerror(errno));
    close(fd);
    if (!e)
        e = package_put(q, path, ".template", &d->package, &key);
    unlink(path);
    if (e)
        return e;
    in->template_url = package_url(d->aws, d->a, d->package.bucket, key);
    return 0;
}

int deploy_create_change_set(struct deployment *d, struct package_request *q)
{
    struct cloudformation_create_change_set_input *in =
        ARENA_NEW(d->a, struct cloudformation_create_change_set_input);
    struct cloudformation_create_change_set_output *out;
    struct aws_error err = {0};
    *in = (struct cloudformation_create_change_set_input){
        .stack_name = d->stack_name,
        .change_set_name = str_printf(d->a, "lamina-deploy-%lld", (long long)clock_now_ms()),
        .change_set_type = d->exists ? S("UPDATE") : S("CREATE"),
        .description = S("Created by lamina deploy"),
        .role_arn = d->o->role_arn,
    };
    source_words(d->a, &d->o->capabilities, &in->capabilities.items, &in->capabilities.n);
    fill_parameters(d, &in->parameters);
    int e = fill_tags(d, &in->tags);
    if (!e)
        e = fill_template(d, q, in);
    if (e)
        return e;
    if (aws_call(d->aws, d->a, &cloudformation_create_change_set_op, in, (void **)&out, &err) < 0) {
        if (target_error_is(&err, "InsufficientCapabilitiesException"))
            return verb_fail(
                d->run,
                "%.*s; the template makes IAM resources: give --capabilities CAPABILITY_IAM "
                "(or CAPABILITY_NAMED_IAM)",
                STR(err.message));
        return target_fail(d->run, &err, "the change set cannot be made");
    }
    d->change_set = out->id;
    d->stack_id = out->stack_id;
    return 0;
}

int deploy_describe_change_set(struct deployment *d,
                               struct cloudformation_describe_change_set_output **ret)
{
    struct cloudformation_describe_change_set_input in = {.change_set_name = d->change_set,
                                                          .stack_name = d->stack_id};
    struct aws_error err = {0};
    for (int64_t pause_ms = 2;; pause_ms = pause_ms * 2 < 2000 ? pause_ms * 2 : 2000) {
        if (aws_call(d->aws, d->a, &cloudformation_describe_change_set_op, &in, (void **)ret,
                     &err) < 0)
            return target_fail(d->run, &err, "the change set cannot be described");
        if (!str_ends((*ret)->status, S("_PENDING")) &&
            !str_ends((*ret)->status, S("_IN_PROGRESS")))
            return 0;
        usleep((useconds_t)pause_ms * 1000);
    }
}

void deploy_show_changes(struct deployment *d,
                         const struct cloudformation_describe_change_set_output *set)
{
    bool colour = term_colour(stderr);
    for (size_t i = 0; i < set->changes.n; i++) {
        const struct cloudformation_resource_change *c = set->changes.items[i].resource_change;
        if (!c)
            continue;
        bool add = str_is(c->action, "Add"), remove = str_is(c->action, "Remove");
        struct str sign = term_style(d->a, colour,
                                     add      ? STYLE_GREEN
                                     : remove ? STYLE_RED
                                              : STYLE_YELLOW,
                                     add      ? S("+")
                                     : remove ? S("-")
                                              : S("~"));
        progress_line(&d->progress, "  %.*s %-9.*s %-28.*s %.*s%s", STR(sign), STR(c->action),
                      STR(c->resource_type), STR(c->logical_resource_id),
                      str_is(c->replacement, "True")          ? "  (replaced)"
                      : str_is(c->replacement, "Conditional") ? "  (perhaps replaced)"
                                                              : "");
    }
}

void deploy_drop_change_set(struct deployment *d)
{
    struct cloudformation_delete_change_set_input in = {.change_set_name = d->change_set,
                                                        .stack_name = d->stack_id};
    struct aws_error err = {0};
    aws_call(d->aws, d->a, &cloudformation_delete_change_set_op, &in, NULL, &err);
    if (d->exists)
        return;
    /* a stack that only ever was in review leaves with it */
    struct cloudformation_delete_stack_input gone = {.stack_name = d->stack_id};
    aws_call(d->aws, d->a, &cloudformation_delete_stack_op, &gone, NULL, &err);
}
