/* deploy - `lamina deploy`: code uploaded, a change set made and executed, events and outputs
 * shown. */
#include <errno.h>
#include "base/fs.h"
#include "cli/deploy.h"
#include "cli/source.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

static const struct option_row rows[] = {
    {OPTION(struct deploy_options, template), .name = "template", .letter = 't',
     .type = OPTION_TEXT, .metavar = "FILE",
     .help = "the template; .aws-sam/build/template.yaml or template.yaml otherwise"},
    {OPTION(struct deploy_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {OPTION(struct deploy_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the stack to make or update"},
    {OPTION(struct deploy_options, overrides), .name = "parameter-overrides", .type = OPTION_LIST,
     .many = true, .metavar = "NAME=VALUE...",
     .help =
         "values of parameters; env:VARIABLE and file://PATH keep secrets off the command line"},
    {OPTION(struct deploy_options, capabilities), .name = "capabilities", .type = OPTION_LIST,
     .many = true, .metavar = "CAPABILITY...",
     .help = "CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND"},
    {OPTION(struct deploy_options, tags), .name = "tags", .type = OPTION_LIST, .many = true,
     .metavar = "KEY=VALUE...", .help = "tags of the stack and of what it makes"},
    {OPTION(struct deploy_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket the code is uploaded to"},
    {OPTION(struct deploy_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "in front of the uploaded keys; the stack's name otherwise"},
    {OPTION(struct deploy_options, resolve_s3), .name = "resolve-s3", .type = OPTION_FLAG,
     .help = "use SAM's managed bucket, and make it when it is missing"},
    {OPTION(struct deploy_options, force_upload), .name = "force-upload", .type = OPTION_FLAG,
     .help = "upload also what is there"},
    {OPTION(struct deploy_options, role_arn), .name = "role-arn", .type = OPTION_TEXT,
     .metavar = "ARN", .help = "role that CloudFormation acts as"},
    {OPTION(struct deploy_options, confirm), .name = "confirm-changeset", .type = OPTION_FLAG,
     .help = "show the changes and ask before they are made"},
    {OPTION(struct deploy_options, fail_on_empty), .name = "fail-on-empty-changeset",
     .type = OPTION_FLAG, .default_value = "true", .help = "fail when there is nothing to change"},
    {OPTION(struct deploy_options, execute), .name = "execute-changeset", .type = OPTION_FLAG,
     .default_value = "true", .help = "execute the change set"},
    {OPTION(struct deploy_options, disable_rollback), .name = "disable-rollback",
     .type = OPTION_FLAG, .help = "leave what was made when something fails"},
    {OPTION(struct deploy_options, action), .name = "recorded-as", .type = OPTION_TEXT,
     .metavar = "WORD", .hidden = true, .help = "the record's action; deploy otherwise"},
    {0},
};

/* ---- questions ---- */

static bool nothing_to_do(struct str reason)
{
    return str_find(reason, S("didn't contain changes")) >= 0 ||
           str_find(reason, S("No updates are to be performed")) >= 0;
}

static bool asked(void)
{
    char line[16];
    fprintf(stderr, "Deploy this change set? [y/N]: ");
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* ---- the record ---- */

/* Before anything is changed: who is killed meanwhile leaves a record that says "in progress". */
static void begin_record(struct deployment *d, const struct package_request *q)
{
    struct deployment_record *r = &d->record;
    struct aws_error err = {0};
    const struct json *declared = json_get(d->root, "Parameters");
    *r = (struct deployment_record){
        .run = d->run,
        .aws = d->aws,
        .bucket = d->package.bucket.n ? d->package.bucket : q->s3_bucket,
        .prefix = q->s3_prefix,
        .template_root = d->root,
    };
    r->secrets = ARENA_ARRAY(d->a, struct str, d->n_params + 1);
    for (size_t i = 0; i < d->n_params; i++) {
        const struct json *v = json_get(json_find(declared, d->params[i].key), "NoEcho");
        if (v && (v->boolean || str_eq_nocase(json_str(v), S("true"))))
            r->secrets[r->n_secrets++] = d->params[i].value;
    }
    deployment_begin(r, d->o->action.n ? str_c(d->a, d->o->action) : "deploy",
                     fs_dirname(d->a, d->path));
    struct json *stack = json_set(d->a, r->json, S("stack"), json_new(d->a, JSON_OBJECT));
    json_set(d->a, stack, S("name"), json_new_str(d->a, d->stack_name));
    json_set(d->a, stack, S("id"), json_new_str(d->a, d->stack_id));
    json_set(d->a, r->json, S("change_set"), json_new_str(d->a, d->change_set));
    if (!r->bucket.n && q->resolve_s3)
        package_managed_bucket(d->run, d->aws, true, &r->bucket);
    if (deployment_keep_template(r, template_to_json(d->a, d->root, -1), &err) < 0)
        fprintf(stderr, "lamina: deploy: the template cannot be kept: %.*s\n", STR(err.message));
    else if (r->bucket.n)
        deployment_write(r, "in progress", (struct str){0});
}

static void end_record(struct deployment *d, struct str why)
{
    struct aws_error err = {0};
    struct str status = d->stack ? d->stack->stack_status : (struct str){0};
    const char *result = !d->stack || str_is(status, "UPDATE_FAILED") ||
                                 str_is(status, "CREATE_FAILED") ||
                                 str_ends(status, S("ROLLBACK_FAILED"))
                             ? "failed"
                         : str_find(status, S("ROLLBACK")) >= 0 ? "rolled back"
                                                                : "complete";
    if (d->stack && deployment_add_stack(&d->record, d->stack_id, &err) < 0)
        fprintf(stderr, "lamina: deploy: the record of this deployment is not whole: %.*s\n",
                STR(err.message));
    deployment_write(&d->record, result, why);
}

/* ---- the whole ---- */

static void report(struct deployment *d, const char *result)
{
    struct arena *a = d->a;
    const struct cloudformation_stack *s = d->stack;
    if (!target_of(d->run)->json) {
        for (size_t i = 0; s && i < s->outputs.n; i++)
            printf("%-24.*s %.*s\n", STR(s->outputs.items[i].output_key),
                   STR(s->outputs.items[i].output_value));
        return;
    }
    struct json *v = json_new(a, JSON_OBJECT), *outputs = json_new(a, JSON_OBJECT);
    json_set(a, v, S("stackName"), json_new_str(a, d->stack_name));
    json_set(a, v, S("result"), json_new_str(a, str_from(result)));
    if (s) {
        json_set(a, v, S("stackId"), json_new_str(a, s->stack_id));
        json_set(a, v, S("status"), json_new_str(a, s->stack_status));
        for (size_t i = 0; i < s->outputs.n; i++)
            json_set(a, outputs, s->outputs.items[i].output_key,
                     json_new_str(a, s->outputs.items[i].output_value));
    }
    json_set(a, v, S("outputs"), outputs);
    json_set(a, v, S("uploaded"), json_new_int(a, (int64_t)d->package.uploaded));
    json_set(a, v, S("uploadedBytes"), json_new_int(a, d->package.bytes));
    target_print_json(a, v);
}

static int execute(struct deployment *d, const struct package_request *q)
{
    struct aws_error err = {0};
    struct stacks_watch watch = {.progress = &d->progress, .quiet = target_of(d->run)->json};
    struct cloudformation_execute_change_set_input in = {.change_set_name = d->change_set,
                                                         .stack_name = d->stack_id};
    if (d->o->disable_rollback)
        in.disable_rollback = opt_bool(true);
    stacks_mark(d->run, d->aws, d->stack_id, &watch);
    begin_record(d, q);
    if (aws_call(d->aws, d->a, &cloudformation_execute_change_set_op, &in, NULL, &err) < 0) {
        d->stack = NULL;
        end_record(d, err.message);
        return target_fail(d->run, &err, "the change set cannot be executed");
    }
    d->stack = NULL;
    int e = stacks_wait(d->run, d->aws, d->stack_id, &watch, &d->stack);
    if (e) {
        d->stack = NULL;
        end_record(d, S("what became of the stack is not known"));
        return e;
    }
    struct str status = d->stack->stack_status;
    if (!str_is(status, "CREATE_COMPLETE") && !str_is(status, "UPDATE_COMPLETE")) {
        struct str why = str_has(watch.failure) ? watch.failure : d->stack->stack_status_reason;
        end_record(d, why);
        return verb_fail(d->run, "the stack %.*s is %.*s%s%.*s", STR(d->stack_name), STR(status),
                         str_has(why) ? ": " : "", STR(why));
    }
    progress_line(&d->progress, "%.*s is %.*s", STR(d->stack_name), STR(status));
    progress_clear(&d->progress);
    end_record(d, (struct str){0});
    report(d, str_is(status, "CREATE_COMPLETE") ? "created" : "updated");
    return 0;
}

static int change(struct deployment *d, struct package_request *q)
{
    struct cloudformation_describe_change_set_output *set;
    int e = deploy_create_change_set(d, q);
    if (!e)
        e = deploy_describe_change_set(d, &set);
    if (e)
        return e;
    if (!str_is(set->status, "CREATE_COMPLETE")) {
        deploy_drop_change_set(d);
        if (!nothing_to_do(set->status_reason))
            return verb_fail(d->run, "the change set failed: %.*s", STR(set->status_reason));
        if (d->o->fail_on_empty)
            return verb_fail(
                d->run,
                "nothing to change in %.*s (--no-fail-on-empty-changeset makes this a success)",
                STR(d->stack_name));
        progress_line(&d->progress, "%.*s: nothing to change", STR(d->stack_name));
        report(d, "unchanged");
        return 0;
    }
    if (!target_of(d->run)->json)
        deploy_show_changes(d, set);
    if (!d->o->execute) {
        printf("%.*s\n", STR(d->change_set));
        return 0;
    }
    if (d->o->confirm && !asked()) {
        deploy_drop_change_set(d);
        return verb_fail(d->run, "not deployed");
    }
    return execute(d, q);
}

static int look(struct deployment *d)
{
    struct aws_error err = {0};
    int r = stacks_describe(d->run, d->aws, d->stack_name, &d->stack, &err);
    if (r < 0 && r != -ENOENT)
        return target_fail(d->run, &err, "the stack cannot be described");
    d->exists = r == 0 && !str_is(d->stack->stack_status, "REVIEW_IN_PROGRESS");
    if (d->exists && str_is(d->stack->stack_status, "ROLLBACK_COMPLETE"))
        return verb_fail(
            d->run,
            "the stack %.*s is ROLLBACK_COMPLETE: its creation failed and it can only be removed, "
            "with: lamina delete --stack-name %.*s",
            STR(d->stack_name), STR(d->stack_name));
    return 0;
}

static int deploy(struct deployment *d)
{
    const struct deploy_options *o = d->o;
    struct package_request q = {
        .run = d->run,
        .aws = d->aws,
        .progress = &d->progress,
        .template_path = d->path,
        .root = d->root,
        .s3_bucket = o->s3_bucket,
        .s3_prefix = o->s3_prefix.n ? o->s3_prefix : d->stack_name,
        /* the embedded cloud has nobody who would mind the managed bucket */
        .resolve_s3 = o->resolve_s3 || (aws_client_is_local(d->aws) && !o->s3_bucket.n),
        .force_upload = o->force_upload,
    };
    int e = look(d);
    if (!e)
        e = deploy_check_parameters(d);
    if (!e)
        e = package_run(&q, &d->package);
    if (!e)
        e = change(d, &q);
    progress_clear(&d->progress);
    return e;
}

static int run_deploy(struct verb_run *run)
{
    struct deployment d = {.run = run, .o = run->values[0], .a = run->arena};
    struct str text;
    int e = stacks_name(run, d.o->stack_name, &d.stack_name);
    if (!e)
        e = source_find(run, d.o->template, true, &d.path);
    if (!e)
        e = source_read(run, d.path, &text, &d.root);
    if (!e)
        e = source_parameters(run, &d.o->overrides, &d.params, &d.n_params);
    if (!e)
        e = target_open(run, &d.aws);
    if (e)
        return e;
    progress_init(&d.progress, stderr);
    e = target_announce(run, d.aws);
    if (!e)
        e = deploy(&d);
    aws_client_close(d.aws);
    return e;
}

const struct verb deploy_verb = {
    .name = "deploy",
    .run = run_deploy,
    .sets = {{rows, sizeof(struct deploy_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "deploy a project: upload its code, make or update its stack",
    .details = "Goes to the embedded cloud unless --target aws is given. Parameters that need a "
               "value and have none\n"
               "are told before anything is sent.\n\n"
               "    lamina deploy --stack-name app --capabilities CAPABILITY_IAM \\\n"
               "        --parameter-overrides ApiKey=env:API_KEY Project=demo",
};
