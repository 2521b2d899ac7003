/* rollback - `lamina rollback`: a stack or function as a recorded deployment left it. */
#include "cli/rollback.h"
#include <errno.h>
#include <signal.h>
#include "base/table.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

static const struct option_row rows[] = {
    {OPTION(struct rollback_options, to), .name = "to", .type = OPTION_TEXT, .metavar = "ID",
     .default_value = "previous",
     .help = "the deployment to return to: an id or its beginning, previous, latest"},
    {OPTION(struct rollback_options, plan), .name = "plan", .type = OPTION_FLAG,
     .help = "show what would change, and change nothing"},
    {OPTION(struct rollback_options, yes), .name = "yes", .letter = 'y', .type = OPTION_FLAG,
     .help = "do not ask"},
    {OPTION(struct rollback_options, verify), .name = "verify", .type = OPTION_LIST, .many = true,
     .metavar = "PAYLOAD...",
     .help = "invoke with these afterwards: files, or JSON; must not fail"},
    {OPTION(struct rollback_options, tests), .name = "tests", .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "run the cases of this test file afterwards; tests.yaml when it is there"},
    {OPTION(struct rollback_options, report), .name = "report", .type = OPTION_TEXT,
     .metavar = "NAME", .default_value = "rollback-report",
     .help = "write NAME.json and NAME.md; an empty name writes none"},
    {OPTION(struct rollback_options, overrides), .name = "parameter-overrides", .type = OPTION_LIST,
     .many = true, .metavar = "NAME=VALUE...",
     .help = "values instead of the recorded ones, as for deploy"},
    {OPTION(struct rollback_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket of the records; SAM's managed bucket otherwise"},
    {OPTION(struct rollback_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "only records below this prefix; all of the bucket otherwise"},
    {0},
};

/* ---- what is meant ---- */

/* The stack that made a function; absent: none. */
static int owner(struct rollback *r, struct str *ret)
{
    struct lambda_get_function_input in = {.function_name = r->name};
    struct lambda_get_function_output *out;
    struct aws_error err = {0};
    *ret = (struct str){0};
    int e = aws_call(r->aws, r->a, &lambda_get_function_op, &in, (void **)&out, &err);
    if (e < 0 && target_error_is(&err, "ResourceNotFoundException"))
        return -ENOENT;
    if (e < 0)
        return target_fail(r->run, &err, str_c(r->a, r->name));
    for (size_t i = 0; i < out->tags.n; i++)
        if (str_is(out->tags.items[i].key, "aws:cloudformation:stack-name"))
            *ret = out->tags.items[i].value;
    r->name = out->configuration->function_name;
    return 0;
}

static int choose(struct rollback *r)
{
    struct cloudformation_stack *s;
    struct aws_error err = {0};
    struct str stack;
    r->stack = stacks_describe(r->run, r->aws, r->name, &s, &err) == 0;
    if (r->stack)
        return 0;
    int e = owner(r, &stack);
    if (e == -ENOENT) { /* a stack that was deleted is made again */
        r->stack = true;
        return 0;
    }
    if (!e && stack.n)
        return verb_fail(r->run,
                         "%.*s belongs to the stack %.*s; so that both agree: lamina rollback %.*s",
                         STR(r->name), STR(stack), STR(stack));
    return e;
}

/* Of a function alone, records of a stack are no use: there is none. */
static int find(struct rollback *r)
{
    r->query = (struct deployment_query){.run = r->run,
                                         .aws = r->aws,
                                         .bucket = r->query.bucket,
                                         .prefix = r->o->s3_prefix,
                                         .name = r->name};
    int e = deployment_find(&r->query, r->o->to, &r->target);
    if (e)
        return e;
    struct str result = json_get_str(r->target, "result");
    const struct json *functions = json_get(r->target, "functions");
    if (!str_is(result, "complete") && !str_is(result, "captured"))
        return verb_fail(r->run, "the deployment %.*s is %.*s: there is nothing to return to",
                         STR(json_get_str(r->target, "deployment_id")), STR(result));
    if (r->stack != (json_get(r->target, "stack") != NULL))
        return verb_fail(r->run,
                         r->stack ? "the deployment %.*s is one of a function, and %.*s is "
                                    "no function"
                                  : "the deployment %.*s is one of a stack, of which %.*s is "
                                    "no part any more",
                         STR(json_get_str(r->target, "deployment_id")), STR(r->name));
    /* A logical id, or a function that went with its stack: no name for a new stack. */
    struct str stack = json_get_str(json_get(r->target, "stack"), "name");
    if (r->stack && str_has(stack) && !str_eq(stack, r->name) && !str_starts(r->name, S("arn:")))
        return verb_fail(r->run,
                         "%.*s belongs to the stack %.*s; so that both agree: lamina rollback %.*s",
                         STR(r->name), STR(stack), STR(stack));
    if (!r->stack && (!functions || !functions->n))
        return verb_fail(r->run, "the deployment %.*s has no function",
                         STR(json_get_str(r->target, "deployment_id")));
    return 0;
}

/* ---- planned ---- */

static int plan_function(struct rollback *r)
{
    const struct json *want = json_at(json_get(r->target, "functions"), 0);
    struct json *now;
    int e = rollback_now(r, want, &now);
    if (e)
        return e;
    if (!now)
        return verb_fail(r->run, "there is no function %.*s", STR(r->name));
    rollback_check_function(r, want, now);
    return rollback_function(r, want, now, false, false);
}

/* 0 for yes. */
static int ask(struct rollback *r)
{
    char line[16];
    fflush(stdout);
    fprintf(stderr, "Return to it? [y/N]: ");
    if (!fgets(line, sizeof line, stdin)) {
        fputc('\n', stderr);
        return verb_fail(r->run, "nothing was changed: nobody answered; --yes does not ask");
    }
    return line[0] == 'y' || line[0] == 'Y' ? 0 : verb_fail(r->run, "nothing was changed");
}

/* ---- made ---- */

/* What is there now and in no record would be lost. */
static int keep_present(struct rollback *r)
{
    const struct json *want = json_at(json_get(r->target, "functions"), 0);
    struct deployment_query newest = r->query;
    struct json **all, *now;
    size_t n;
    newest.max = 1;
    int e = deployment_list(&newest, &all, &n);
    if (!e)
        e = rollback_now(r, want, &now);
    if (e)
        return e;
    struct deployment_changes changes = {0};
    const struct json *last = n ? json_at(json_get(all[0], "functions"), 0) : NULL;
    if (last)
        deployment_diff_function(r->a, r->name, last, now, false, &changes);
    bool old = last && json_get(now, "permissions") && !json_get(last, "permissions");
    if (last && !old && !changes.n)
        return 0;
    struct deployment_record present = {
        .run = r->run, .aws = r->aws, .bucket = r->query.bucket, .prefix = r->record.prefix};
    struct str why;
    deployment_begin(&present, "record", S("."));
    if (deployment_capture(&present, r->name, &why) < 0)
        return verb_fail(r->run, "what %.*s is now cannot be kept, nothing was changed: %.*s",
                         STR(r->name), STR(why));
    if (deployment_write(&present, "captured", (struct str){0}) < 0)
        return 1;
    rollback_note(r, "what was there before is kept as %.*s", STR(present.id));
    return 0;
}

static int make_function(struct rollback *r)
{
    const struct json *want = json_at(json_get(r->target, "functions"), 0);
    struct aws_error err = {0};
    struct json *now;
    int e = rollback_now(r, want, &now);
    if (e)
        return e;
    size_t planned = r->n_steps;
    r->n_steps = 0; /* planned again, as they are made */
    struct rollback_step *before = arena_copy(r->a, r->steps, planned * sizeof *before + 1);
    e = rollback_function(r, want, now, false, true);
    for (size_t i = r->n_steps; i < planned; i++) /* those behind the one that failed */
        *rollback_step(r, before[i].where, before[i].what, before[i].from, before[i].to,
                       before[i].how) = before[i];
    if (deployment_add_function(&r->record, r->name, &err) == 0 && !e) {
        struct json *entry = json_at(json_get(r->record.json, "functions"), 0);
        JSON_EACH(json_get(want, "code"), v)
            if (!json_find(json_get(entry, "code"), v->key))
                json_set(r->a, json_get(entry, "code"), v->key, json_copy(r->a, v));
    }
    return e;
}

static int make(struct rollback *r)
{
    const struct json *template = json_get(r->target, "template");
    r->record = (struct deployment_record){.run = r->run,
                                           .aws = r->aws,
                                           .bucket = r->query.bucket,
                                           .prefix = r->o->s3_prefix.n ? r->o->s3_prefix : r->name};
    int e = r->stack ? 0 : keep_present(r);
    deployment_begin(&r->record, "rollback", S("."));
    if (e)
        return e;
    json_set(r->a, r->record.json, S("restores"),
             json_new_str(r->a, json_get_str(r->target, "deployment_id")));
    if (template)
        json_set(r->a, r->record.json, S("template"), json_copy(r->a, template));
    if (r->stack) {
        struct json *o = json_set(r->a, r->record.json, S("stack"), json_new(r->a, JSON_OBJECT));
        json_set(r->a, o, S("name"), json_new_str(r->a, r->name));
        deployment_write(&r->record, "in progress", (struct str){0});
    }
    return r->stack ? rollback_make_stack(r) : make_function(r);
}

static struct str first_error(const struct rollback *r)
{
    for (size_t i = 0; i < r->n_steps; i++)
        if (r->steps[i].error.n)
            return r->steps[i].error;
    return S("");
}

static int carry_out(struct rollback *r)
{
    int e = make(r);
    int verified = e ? 0 : rollback_verify(r);
    if (r->validation)
        json_set(r->a, r->record.json, S("validation"), json_copy(r->a, r->validation));
    const char *result = e ? "failed" : "complete";
    bool valid = !verified && r->valid;
    const char *told = e || valid ? result : "complete, verification failed";
    int reported = rollback_report_write(r, told);
    deployment_write(&r->record, result,
                     first_error(r)); /* what it is back at is what counts here */
    rollback_show(r);
    if (target_of(r->run)->json)
        target_print_json(r->a, rollback_report_json(r, told));
    if (e)
        return verb_fail(r->run, "%.*s is not back at %.*s: %.*s; the same command does the rest",
                         STR(r->name), STR(json_get_str(r->target, "deployment_id")),
                         STR(first_error(r)));
    if (!valid)
        return verb_fail(r->run, "%.*s was put back, but is not as it should be", STR(r->name));
    return reported;
}

static int work(struct rollback *r)
{
    int e = deployment_bucket(r->run, r->aws, r->o->s3_bucket, &r->query.bucket);
    if (!e)
        e = choose(r);
    if (!e)
        e = find(r);
    if (!e)
        e = r->stack ? rollback_plan_stack(r) : plan_function(r);
    if (e)
        return e;
    bool json = target_of(r->run)->json;
    r->planned = r->o->plan || !r->n_obstacles;
    if (!json)
        printf("%.*s: back to %.*s of %.*s\n", STR(r->name),
               STR(json_get_str(r->target, "deployment_id")),
               STR(table_printable(r->a, json_get_str(r->target, "timestamp"))));
    if (r->o->plan || r->n_obstacles || (!r->o->yes && !json))
        rollback_show(r);
    if (json && (r->o->plan || r->n_obstacles))
        target_print_json(r->a, rollback_report_json(r, r->n_obstacles ? "impossible" : "planned"));
    if (r->n_obstacles)
        return verb_fail(r->run, "%.*s cannot be put back, and nothing was changed: %.*s",
                         STR(r->name), STR(r->obstacles[0]));
    if (r->o->plan)
        return 0;
    r->planned = false;
    if (!r->o->yes)
        e = ask(r);
    return e ? e : carry_out(r);
}

static int run_rollback(struct verb_run *run)
{
    struct rollback r = {
        .run = run, .o = run->values[0], .a = run->arena, .name = run->parsed.operands[0]};
    int e = target_open(run, &r.aws);
    if (e)
        return e;
    e = target_announce(run, r.aws);
    if (!e)
        e = work(&r);
    aws_client_close(r.aws);
    return e;
}

const struct verb rollback_verb = {
    .name = "rollback",
    .run = run_rollback,
    .sets = {{rows, sizeof(struct rollback_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "STACK|FUNCTION",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "return to what a recorded deployment was: code, layers, configuration, aliases",
    .details = "A stack goes back by a change set of the recorded template, parameters and "
               "artifacts; what was\n"
               "changed past the stack is put back as well. A function outside of stacks gets its "
               "code,\n"
               "configuration and layers, and at last its aliases. Afterwards everything is "
               "compared, and\n"
               "invoked when there are payloads or a tests.yaml. A rollback is a deployment, too: "
               "the next one\n"
               "takes it back. Permissions of single versions and event source mappings stay as "
               "they are.\n\n"
               "    lamina rollback app --plan\n"
               "    lamina rollback app --verify events/ping.json",
};
