/* coverage_function - functions as `lamina coverage` finds them: see coverage_switch.h. */
#include <errno.h>
#include "build/coverage_layer.h"
#include "cli/coverage.h"
#include "cli/coverage_switch.h"
#include "cli/function_wait.h"
#include "cli/layer_publish.h"
#include "cli/stacks.h"
#include "cli/target.h"

/* arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER] without its qualifier */
static struct str unqualified_arn(struct str arn)
{
    struct str part, rest = arn;
    for (int i = 0; i < 7; i++)
        if (!str_cut(rest, ':', &part, &rest))
            return arn;
    return str_slice(arn, 0, (size_t)(part.p - arn.p) + part.n);
}

static int read_tags(struct coverage_switch *s, struct covered *c, struct aws_error *err)
{
    struct lambda_list_tags_input in = {.resource = unqualified_arn(c->config->function_arn)};
    struct lambda_list_tags_output *out;
    int r = aws_call(s->aws, s->a, &lambda_list_tags_op, &in, (void **)&out, err);
    if (r < 0)
        return r;
    c->tags = out->tags;
    for (size_t i = 0; i < c->tags.n; i++)
        if (str_is(c->tags.items[i].key, COVERAGE_TAG))
            c->record = c->tags.items[i].value;
    return 0;
}

static bool is_ours(struct str arn)
{
    return layer_arn_is(arn, S(COVERAGE_LAYER_NAME)) ||
           layer_arn_is(arn, S(COVERAGE_LAYER_NAME "-arm64"));
}

int covered_read(struct coverage_switch *s, struct str function, struct covered *ret,
                 struct aws_error *err)
{
    *ret = (struct covered){0};
    int r = function_wait(s->aws, s->a, function, &ret->config, err);
    if (r < 0)
        return r;
    if (ret->config->environment)
        ret->variables = ret->config->environment->variables;
    for (size_t i = 0; i < ret->config->layers.n; i++)
        if (is_ours(ret->config->layers.items[i].arn))
            ret->layer = ret->config->layers.items[i].arn;
    ret->architecture =
        ret->config->architectures.n ? ret->config->architectures.items[0] : S("x86_64");
    ret->native = str_starts(ret->config->runtime, S("provided"));
    ret->has_wrapper =
        ret->native
            ? str_is(covered_variable(ret, "GCOV_PREFIX"), COVERAGE_GCOV_PREFIX)
            : str_is(covered_variable(ret, "AWS_LAMBDA_EXEC_WRAPPER"), COVERAGE_LAYER_WRAPPER);
    return read_tags(s, ret, err);
}

struct str covered_variable(const struct covered *c, const char *name)
{
    for (size_t i = 0; i < c->variables.n; i++)
        if (str_is(c->variables.items[i].key, name))
            return c->variables.items[i].value;
    return (struct str){0};
}

static bool turned_off(const struct covered *c)
{
    struct str enabled = covered_variable(c, "COVERAGE_ENABLED");
    return str_eq_nocase(enabled, S("false")) || str_eq_nocase(enabled, S("no")) ||
           str_eq_nocase(enabled, S("off")) || str_is(enabled, "0");
}

struct str covered_obstacle(struct coverage_switch *s, const struct covered *c)
{
    const struct lambda_function_configuration *f = c->config;
    if (str_is(f->package_type, "Image"))
        return S("a container image takes no layers: copy the layer's content to /opt in the "
                 "image, and set the variables there");
    if (!coverage_layer_runs(f->runtime))
        return str_printf(s->a,
                          "the runtime %.*s is not covered: python3.8 to python3.14, nodejs18.x to "
                          "nodejs24.x and provided.al2, provided.al2023 are",
                          STR(f->runtime));
    return turned_off(c) ? S("its variable COVERAGE_ENABLED turns coverage off") : (struct str){0};
}

/* By its template, or by hand: a layer of whatever name, and where objects go. */
bool covered_by_itself(const struct covered *c)
{
    return !str_has(c->record) && c->config->layers.n &&
           covered_variable(c, "COVERAGE_S3_BUCKET").n;
}

struct str covered_missing(struct coverage_switch *s, const struct covered *c)
{
    struct str obstacle = covered_obstacle(s, c);
    if (obstacle.n)
        return obstacle;
    if (!c->has_wrapper && covered_by_itself(c))
        return S("only what its code asks for");
    if (!c->layer.n && !c->has_wrapper)
        return S("off");
    if (!c->layer.n && !covered_by_itself(c))
        return S("the layer is missing");
    if (!c->has_wrapper && c->native)
        return S("GCOV_PREFIX is not set to " COVERAGE_GCOV_PREFIX);
    if (!c->has_wrapper)
        return S("AWS_LAMBDA_EXEC_WRAPPER is not set to " COVERAGE_LAYER_WRAPPER);
    if (!covered_variable(c, "COVERAGE_S3_BUCKET").n)
        return S("COVERAGE_S3_BUCKET is not set");
    if (str_is(c->config->last_update_status, "Failed"))
        return c->config->last_update_status_reason;
    return S("");
}

/* ---- which functions ---- */

struct targets {
    struct coverage_switch *s;
    struct covered *items;
    size_t n, cap;
};

static int add_one(struct targets *t, struct str name, struct aws_error *err)
{
    struct covered c;
    int r = covered_read(t->s, name, &c, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->items[i].config->function_arn, c.config->function_arn))
            return 0;
    *(struct covered *)arena_push(t->s->a, (void **)&t->items, &t->n, &t->cap, sizeof c) = c;
    return 0;
}

/* One of many: gone meanwhile, or not to be covered, is no reason to leave the others out. */
static int add_of_many(struct targets *t, struct str name)
{
    struct aws_error err = {0};
    size_t before = t->n;
    if (add_one(t, name, &err) < 0)
        return target_error_is(&err, "ResourceNotFoundException")
                   ? 0
                   : target_fail(t->s->run, &err, str_c(t->s->a, name));
    struct str obstacle = {0};
    if (t->n > before && !str_has(t->items[before].record))
        obstacle = covered_obstacle(t->s, &t->items[before]);
    if (obstacle.n) {
        t->n = before;
        if (!t->s->quiet)
            fprintf(stderr, "lamina: coverage: %.*s is left out: %.*s\n", STR(name), STR(obstacle));
    }
    return 0;
}

static int add_all(struct targets *t)
{
    struct lambda_list_functions_input in = {0};
    do {
        struct lambda_list_functions_output *out;
        struct aws_error err = {0};
        if (aws_call(t->s->aws, t->s->a, &lambda_list_functions_op, &in, (void **)&out, &err) < 0)
            return target_fail(t->s->run, &err, "functions cannot be listed");
        for (size_t i = 0; i < out->functions.n; i++) {
            int e = add_of_many(t, out->functions.items[i].function_name);
            if (e)
                return e;
        }
        in.marker = out->next_marker;
    } while (in.marker.n);
    return 0;
}

static int add_stack(struct targets *t, struct str name)
{
    struct cloudformation_stack_resource_summary *r;
    struct aws_error err = {0};
    size_t n;
    if (stacks_resources(t->s->run, t->s->aws, name, &r, &n, &err) < 0)
        return str_is(err.code, "ValidationError")
                   ? verb_fail(t->s->run,
                               "there is no function and no stack %.*s; \"lamina list\" shows "
                               "stacks, \"lamina list functions\" functions",
                               STR(name))
                   : target_fail(t->s->run, &err, str_c(t->s->a, name));
    for (size_t i = 0; i < n; i++) {
        int e = str_is(r[i].resource_type, "AWS::Lambda::Function") &&
                        str_has(r[i].physical_resource_id)
                    ? add_of_many(t, r[i].physical_resource_id)
                    : 0;
        if (e)
            return e;
    }
    return 0;
}

static int add_named(struct targets *t, struct str stack, struct str name)
{
    struct aws_error err = {0};
    if (str_is(name, "all"))
        return add_all(t);
    struct str function = stacks_function(t->s->run, t->s->aws, stack, name);
    size_t before = t->n;
    int r = add_one(t, function, &err);
    if (r < 0)
        return target_error_is(&err, "ResourceNotFoundException") ||
                       target_error_is(&err, "ValidationException")
                   ? add_stack(t, name)
                   : target_fail(t->s->run, &err, str_c(t->s->a, name));
    struct str obstacle = {0};
    if (t->n > before && !str_has(t->items[before].record) && !t->s->any)
        obstacle = covered_obstacle(t->s, &t->items[before]);
    return obstacle.n ? verb_fail(t->s->run, "%.*s: %.*s", STR(function), STR(obstacle)) : 0;
}

int coverage_targets(struct coverage_switch *s, size_t first, struct covered **ret, size_t *ret_n)
{
    struct targets t = {.s = s};
    struct str stack = coverage_options_of(s->run)->stack_name;
    const struct option_result *parsed = &s->run->parsed;
    int e = 0;
    for (size_t i = first; i < parsed->n_operands && !e; i++)
        e = add_named(&t, stack, parsed->operands[i]);
    if (!e && parsed->n_operands <= first)
        e = str_has(stack) ? add_stack(&t, stack) : add_all(&t);
    *ret = t.items;
    *ret_n = t.n;
    return e;
}

int coverage_targets_of(struct coverage_switch *s, struct str stack, const struct str *names,
                        size_t n_names, struct covered **ret, size_t *ret_n)
{
    struct targets t = {.s = s};
    bool quiet = s->quiet;
    s->quiet = true; /* others of the stack are nobody's question */
    int e = str_has(stack) ? add_stack(&t, stack) : 0;
    s->quiet = quiet;
    for (size_t i = 0; i < n_names && !e; i++)
        e = add_of_many(&t, stacks_function(s->run, s->aws, stack, names[i]));
    *ret = t.items;
    *ret_n = t.n;
    return e;
}
