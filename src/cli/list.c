/* list - `lamina list stacks|functions|resources|outputs` and `lamina outputs`. */
#include <errno.h>
#include "base/clock.h"
#include "base/table.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "wire/lambda.h"

struct list_options {
    struct str stack_name;
};

static const struct option_row rows[] = {
    {OPTION(struct list_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the stack"},
    {0},
};

static struct json *text(struct arena *a, struct json *o, const char *key, struct str s)
{
    if (str_has(s))
        json_set(a, o, str_from(key), json_new_str(a, s));
    return o;
}

static int list_stacks(struct verb_run *run, struct aws_client *aws)
{
    static const struct table_column columns[] = {{.title = "STACK"},
                                                  {.title = "STATUS"},
                                                  {.title = "CREATED"},
                                                  {.title = "DESCRIPTION", .shrink = true},
                                                  {0}};
    struct arena *a = run->arena;
    struct cloudformation_describe_stacks_input in = {0};
    struct json *list = json_new(a, JSON_ARRAY);
    struct table *t = table_new(a, columns);
    do {
        struct cloudformation_describe_stacks_output *out;
        struct aws_error err = {0};
        if (aws_call(aws, a, &cloudformation_describe_stacks_op, &in, (void **)&out, &err) < 0)
            return target_fail(run, &err, "stacks cannot be listed");
        for (size_t i = 0; i < out->stacks.n; i++) {
            const struct cloudformation_stack *s = &out->stacks.items[i];
            struct str created = clock_iso8601_s(a, s->creation_time.ms);
            table_row(t);
            table_cell(t, s->stack_name);
            table_cell(t, s->stack_status);
            table_cell(t, created);
            table_cell(t, s->description);
            struct json *o = json_add(list, json_new(a, JSON_OBJECT));
            text(a, text(a, text(a, o, "stackName", s->stack_name), "stackId", s->stack_id),
                 "status", s->stack_status);
            text(a, text(a, o, "created", created), "description", s->description);
        }
        in.next_token = out->next_token;
    } while (in.next_token.n);
    if (target_of(run)->json)
        target_print_json(a, list);
    else
        table_print(stdout, t);
    return 0;
}

static int list_functions(struct verb_run *run, struct aws_client *aws)
{
    static const struct table_column columns[] = {{.title = "FUNCTION"},
                                                  {.title = "RUNTIME"},
                                                  {.title = "MEMORY", .right = true},
                                                  {.title = "TIMEOUT", .right = true},
                                                  {.title = "CODE", .right = true},
                                                  {.title = "MODIFIED"},
                                                  {0}};
    struct arena *a = run->arena;
    struct lambda_list_functions_input in = {0};
    struct json *list = json_new(a, JSON_ARRAY);
    struct table *t = table_new(a, columns);
    do {
        struct lambda_list_functions_output *out;
        struct aws_error err = {0};
        if (aws_call(aws, a, &lambda_list_functions_op, &in, (void **)&out, &err) < 0)
            return target_fail(run, &err, "functions cannot be listed");
        for (size_t i = 0; i < out->functions.n; i++) {
            const struct lambda_function_configuration *f = &out->functions.items[i];
            table_row(t);
            table_cell(t, f->function_name);
            table_cell(t, f->runtime);
            table_printf(t, "%lld MB", (long long)f->memory_size.is);
            table_printf(t, "%lld s", (long long)f->timeout.is);
            table_printf(t, "%.1f kB", (double)f->code_size.is / 1024);
            table_cell(t, f->last_modified);
            struct json *o = json_add(list, json_new(a, JSON_OBJECT));
            text(a,
                 text(a, text(a, o, "functionName", f->function_name), "functionArn",
                      f->function_arn),
                 "runtime", f->runtime);
            json_set(a, o, S("memorySize"), json_new_int(a, f->memory_size.is));
            json_set(a, o, S("timeout"), json_new_int(a, f->timeout.is));
            json_set(a, o, S("codeSize"), json_new_int(a, f->code_size.is));
            text(a, o, "lastModified", f->last_modified);
        }
        in.marker = out->next_marker;
    } while (in.marker.n);
    if (target_of(run)->json)
        target_print_json(a, list);
    else
        table_print(stdout, t);
    return 0;
}

static int list_resources(struct verb_run *run, struct aws_client *aws, struct str stack)
{
    static const struct table_column columns[] = {{.title = "LOGICAL ID"},
                                                  {.title = "TYPE"},
                                                  {.title = "STATUS"},
                                                  {.title = "PHYSICAL ID", .shrink = true},
                                                  {.title = "REASON", .shrink = true},
                                                  {0}};
    struct arena *a = run->arena;
    struct cloudformation_stack_resource_summary *items;
    size_t n;
    struct aws_error err = {0};
    if (stacks_resources(run, aws, stack, &items, &n, &err) < 0)
        return target_fail(run, &err, NULL);
    struct json *list = json_new(a, JSON_ARRAY);
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < n; i++) {
        table_row(t);
        table_cell(t, items[i].logical_resource_id);
        table_cell(t, items[i].resource_type);
        table_cell(t, items[i].resource_status);
        table_cell(t, items[i].physical_resource_id);
        table_cell(t, str_has(items[i].resource_status_reason) ? items[i].resource_status_reason
                                                               : S(""));
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        text(a,
             text(a, text(a, o, "logicalId", items[i].logical_resource_id), "type",
                  items[i].resource_type),
             "status", items[i].resource_status);
        text(a, text(a, o, "physicalId", items[i].physical_resource_id), "reason",
             items[i].resource_status_reason);
    }
    if (target_of(run)->json)
        target_print_json(a, list);
    else
        table_print(stdout, t);
    return 0;
}

static int list_outputs(struct verb_run *run, struct aws_client *aws, struct str stack)
{
    static const struct table_column columns[] = {
        {.title = "OUTPUT"}, {.title = "VALUE"}, {.title = "DESCRIPTION", .shrink = true}, {0}};
    struct arena *a = run->arena;
    struct cloudformation_stack *s;
    struct aws_error err = {0};
    int r = stacks_describe(run, aws, stack, &s, &err);
    if (r < 0)
        return target_fail(run, &err, NULL);
    struct json *o = json_new(a, JSON_OBJECT);
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < s->outputs.n; i++) {
        table_row(t);
        table_cell(t, s->outputs.items[i].output_key);
        table_cell(t, s->outputs.items[i].output_value);
        table_cell(t, str_has(s->outputs.items[i].description) ? s->outputs.items[i].description
                                                               : S(""));
        json_set(a, o, s->outputs.items[i].output_key,
                 json_new_str(a, s->outputs.items[i].output_value));
    }
    if (target_of(run)->json)
        target_print_json(a, o);
    else
        table_print(stdout, t);
    return 0;
}

static int run_on(struct verb_run *run, struct str what)
{
    const struct list_options *o = run->values[0];
    struct aws_client *aws;
    struct str stack = {0};
    bool of_stack = str_is(what, "resources") || str_is(what, "outputs");
    if (!of_stack && !str_is(what, "stacks") && !str_is(what, "functions"))
        return verb_usage(run, "unknown \"%.*s\"; there are: stacks, functions, resources, outputs",
                          STR(what));
    int e = of_stack ? stacks_name(run, o->stack_name, &stack) : 0;
    if (!e)
        e = target_open(run, &aws);
    if (e)
        return e;
    e = str_is(what, "stacks")      ? list_stacks(run, aws)
        : str_is(what, "functions") ? list_functions(run, aws)
        : str_is(what, "resources") ? list_resources(run, aws, stack)
                                    : list_outputs(run, aws, stack);
    aws_client_close(aws);
    return e;
}

static int run_list(struct verb_run *run)
{
    return run_on(run, run->parsed.n_operands ? run->parsed.operands[0] : S("stacks"));
}

static int run_outputs(struct verb_run *run)
{
    return run_on(run, S("outputs"));
}

const struct verb list_verb = {
    .name = "list",
    .run = run_list,
    .sets = {{rows, sizeof(struct list_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[stacks|functions|resources|outputs]",
    .max_operands = 1,
    .summary = "list stacks, functions, or a stack's resources or outputs",
    .details = "    lamina list resources --stack-name app",
};

const struct verb outputs_verb = {
    .name = "outputs",
    .run = run_outputs,
    .sets = {{rows, sizeof(struct list_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "show a stack's outputs",
    .details = "    lamina outputs --stack-name app --json",
};
