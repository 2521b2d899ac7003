/* deployments - `lamina deployments list|show|diff|record`: what was deployed, when, by whom. */
#include <errno.h>
#include "base/table.h"
#include "cli/deployment.h"
#include "cli/deployment_artifact.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct deployments_options {
    struct str s3_bucket, s3_prefix, of, stack_name;
    int64_t max;
};

static const struct option_row rows[] = {
    {OPTION(struct deployments_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket of the records; SAM's managed bucket otherwise"},
    {OPTION(struct deployments_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "only records below this prefix; all of the bucket otherwise"},
    {0},
};

static const struct option_row list_rows[] = {
    {OPTION(struct deployments_options, max), .name = "max", .letter = 'n', .type = OPTION_INT,
     .metavar = "N", .default_value = "25", .help = "at most so many, the newest; 0: all"},
    {0},
};

static const struct option_row of_rows[] = {
    {OPTION(struct deployments_options, of), .name = "of", .type = OPTION_TEXT,
     .metavar = "STACK|FUNCTION", .help = "whose latest and previous are meant; any otherwise"},
    {0},
};

static const struct option_row record_rows[] = {
    {OPTION(struct deployments_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {0},
};

static int open_query(struct verb_run *run, struct deployment_query *q)
{
    const struct deployments_options *o = run->values[0];
    const struct deployments_options *of = run->values[2];
    *q = (struct deployment_query){.run = run, .prefix = o->s3_prefix, .name = of->of};
    int e = target_open(run, &q->aws);
    return e ? e : deployment_bucket(run, q->aws, o->s3_bucket, &q->bucket);
}

/* ---- list ---- */

static struct str subject(const struct json *record)
{
    struct str stack = json_get_str(json_get(record, "stack"), "name");
    if (stack.n)
        return stack;
    const struct json *f = json_at(json_get(record, "functions"), 0);
    return json_get_str(f ? f : json_at(json_get(record, "layers"), 0), "name");
}

static struct str commit_of(struct arena *a, const struct json *record)
{
    const struct json *git = json_get(record, "git");
    struct str commit = str_slice(json_get_str(git, "commit"), 0, 8);
    if (!commit.n)
        return (struct str){0};
    const struct json *dirty = json_get(git, "dirty");
    return str_printf(a, "%.*s%s", STR(commit), dirty && dirty->boolean ? "+" : "");
}

/* The last part of an ARN says who. */
static struct str who(const struct json *record)
{
    struct str arn = json_get_str(record, "caller");
    ssize_t colon = str_find_last_byte(arn, ':');
    return str_slice(arn, (size_t)(colon + 1), arn.n);
}

static void print_list(struct arena *a, struct json **items, size_t n)
{
    static const struct table_column columns[] = {{.title = "DEPLOYMENT"},
                                                  {.title = "TIME"},
                                                  {.title = "OF"},
                                                  {.title = "ACTION"},
                                                  {.title = "RESULT"},
                                                  {.title = "FUNCTIONS", .right = true},
                                                  {.title = "COMMIT"},
                                                  {.title = "BY", .shrink = true},
                                                  {0}};
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < n; i++) {
        struct str result = json_get_str(items[i], "result");
        const struct json *functions = json_get(items[i], "functions");
        table_row(t);
        table_cell(t, json_get_str(items[i], "deployment_id"));
        table_cell(t, str_slice(json_get_str(items[i], "timestamp"), 0, 19));
        table_cell(t, subject(items[i]));
        table_cell(t, json_get_str(items[i], "action"));
        table_cell_style(t,
                         str_is(result, "complete")      ? STYLE_GREEN
                         : str_is(result, "in progress") ? STYLE_YELLOW
                                                         : STYLE_RED,
                         result);
        table_printf(t, "%zu", functions ? functions->n : 0);
        table_cell(t, commit_of(a, items[i]));
        table_cell(t, who(items[i]));
    }
    table_print(stdout, t);
}

static int run_list(struct verb_run *run)
{
    const struct deployments_options *o = run->values[1];
    struct deployment_query q;
    struct json **items;
    size_t n;
    if (o->max < 0)
        return verb_usage(run, "--max is a number of deployments, not %lld", (long long)o->max);
    int e = open_query(run, &q);
    q.max = (size_t)o->max;
    if (run->parsed.n_operands > 1)
        q.name = run->parsed.operands[1];
    if (!e)
        e = deployment_list(&q, &items, &n);
    if (!e && target_of(run)->json) {
        struct json *list = json_new(run->arena, JSON_ARRAY);
        for (size_t i = 0; i < n; i++)
            json_add(list, json_copy(run->arena, items[i]));
        target_print_json(run->arena, list);
    } else if (!e) {
        print_list(run->arena, items, n);
    }
    aws_client_close(q.aws);
    return e;
}

/* ---- show ---- */

static void line(struct arena *a, const char *name, struct str value)
{
    if (value.n)
        printf("%-14s %.*s\n", name, STR(table_printable(a, value)));
}

static void show_functions(struct arena *a, const struct json *record)
{
    static const struct table_column columns[] = {{.title = "FUNCTION"},
                                                  {.title = "CODE"},
                                                  {.title = "VERSION"},
                                                  {.title = "ALIASES"},
                                                  {.title = "MEMORY", .right = true},
                                                  {.title = "LAYERS", .shrink = true},
                                                  {0}};
    struct table *t = table_new(a, columns);
    JSON_EACH(json_get(record, "functions"), f) {
        const struct json *c = json_get(f, "configuration"), *memory = json_get(c, "MemorySize");
        struct str aliases = {0}, layers = {0};
        JSON_EACH(json_get(f, "aliases"), v)
            aliases = str_printf(a, "%.*s%s%.*s -> %.*s", STR(aliases), aliases.n ? ", " : "",
                                 STR(json_get_str(v, "name")), STR(json_get_str(v, "version")));
        JSON_EACH(json_get(f, "layers"), l) {
            struct str arn = json_get_str(l, "arn");
            ssize_t at = str_find(arn, S(":layer:"));
            layers = str_printf(a, "%.*s%s%.*s", STR(layers), layers.n ? ", " : "",
                                STR(str_slice(arn, at < 0 ? 0 : (size_t)at + 7, arn.n)));
        }
        table_row(t);
        table_cell(t, json_get_str(f, "name"));
        table_cell(t, str_slice(json_get_str(json_get(f, "code"), "sha256"), 0, 12));
        table_cell(t, json_get_str(f, "version"));
        table_cell(t, aliases);
        table_printf(t, "%.*s MB", STR(memory ? memory->text : S("?")));
        table_cell(t, layers);
    }
    table_print(stdout, t);
}

static void show(struct arena *a, const struct json *r)
{
    struct str reason = json_get_str(r, "reason"), result = json_get_str(r, "result");
    const struct json *template = json_get(r, "template"), *git = json_get(r, "git");
    line(a, "deployment", json_get_str(r, "deployment_id"));
    line(a, "time", json_get_str(r, "timestamp"));
    line(a, "stack", json_get_str(json_get(r, "stack"), "name"));
    line(a, "action", json_get_str(r, "action"));
    line(a, "restores", json_get_str(r, "restores"));
    line(a, "result", reason.n ? str_printf(a, "%.*s: %.*s", STR(result), STR(reason)) : result);
    line(a, "by", json_get_str(r, "caller"));
    line(a, "region", json_get_str(r, "region"));
    line(a, "commit", json_get_str(git, "commit"));
    if (template)
        line(a, "template",
             str_printf(a, "s3://%.*s/%.*s", STR(json_get_str(template, "bucket")),
                        STR(json_get_str(template, "key"))));
    JSON_EACH(json_get(r, "parameters"), p)
        line(a, "parameter",
             str_printf(a, "%.*s = %.*s", STR(p->key), STR(deployment_show(a, p, 80))));
    JSON_EACH(json_get(r, "tags"), p)
        line(a, "tag", str_printf(a, "%.*s = %.*s", STR(p->key), STR(deployment_show(a, p, 80))));
    if (json_get(r, "functions") && json_get(r, "functions")->n) {
        putchar('\n');
        show_functions(a, r);
    }
}

static int run_show(struct verb_run *run)
{
    struct deployment_query q;
    struct json *record;
    int e = open_query(run, &q);
    if (!e)
        e = deployment_find(&q, run->parsed.operands[1], &record);
    if (!e && target_of(run)->json)
        target_print_json(run->arena, record);
    else if (!e)
        show(run->arena, record);
    aws_client_close(q.aws);
    return e;
}

/* ---- diff ---- */

static void print_changes(struct arena *a, const struct deployment_changes *c)
{
    static const struct table_column columns[] = {{.title = "WHERE"},
                                                  {.title = "WHAT"},
                                                  {.title = "FROM", .shrink = true},
                                                  {.title = "TO", .shrink = true},
                                                  {0}};
    struct table *t = table_new(a, columns);
    for (size_t i = 0; i < c->n; i++) {
        table_row(t);
        table_cell(t, c->items[i].where);
        table_cell(t, c->items[i].what);
        table_cell(t, deployment_show(a, c->items[i].from, 72));
        table_cell(t, deployment_show(a, c->items[i].to, 72));
    }
    table_print(stdout, t);
}

static int run_diff(struct verb_run *run)
{
    struct deployment_query q;
    struct json *from, *to;
    struct deployment_changes changes = {0};
    int e = open_query(run, &q);
    if (!e)
        e = deployment_find(&q, run->parsed.operands[1], &from);
    if (!e)
        e = deployment_find(&q, run->parsed.operands[2], &to);
    if (!e) {
        deployment_diff(run->arena, from, to, &changes);
        if (target_of(run)->json)
            target_print_json(run->arena, deployment_changes_json(run->arena, &changes));
        else if (changes.n)
            print_changes(run->arena, &changes);
        else
            printf("no difference\n");
    }
    aws_client_close(q.aws);
    return e;
}

/* ---- record ---- */

/* What somebody else has deployed, so that it can be returned to. */
static int run_record(struct verb_run *run)
{
    const struct deployments_options *o = run->values[0], *of = run->values[4];
    struct str name = run->parsed.operands[1], why = {0};
    struct deployment_record r = {.run = run};
    struct cloudformation_stack *stack;
    struct aws_error err = {0};
    int e = target_open(run, &r.aws);
    if (!e && stacks_describe(run, r.aws, name, &stack, &err) < 0)
        name = stacks_function(run, r.aws, of->stack_name, name);
    if (!e)
        e = deployment_bucket(run, r.aws, o->s3_bucket, &r.bucket);
    if (!e) {
        r.prefix = o->s3_prefix.n ? o->s3_prefix : name;
        deployment_begin(&r, "record", S("."));
        e = deployment_capture(&r, name, &why) < 0 ? verb_fail(run, "%.*s", STR(why)) : 0;
    }
    if (!e)
        e = deployment_write(&r, "complete", (struct str){0}) < 0;
    if (!e && target_of(run)->json)
        target_print_json(run->arena, r.json);
    else if (!e)
        printf("%.*s\n", STR(r.id));
    aws_client_close(r.aws);
    return e;
}

static const struct verb_action actions[] = {
    {.name = "list",
     .run = run_list,
     .sets = 1 | 2 | 8,
     .max_operands = 1,
     .operands = "[STACK|FUNCTION]",
     .summary = "list what was deployed, the newest first",
     .details = "    lamina deployments list app"},
    {.name = "show",
     .run = run_show,
     .sets = 1 | 4 | 8,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "ID",
     .summary = "show one deployment: parameters, functions, layers, aliases",
     .details = "The beginning of an id is enough where it is the only one; latest and previous "
                "are ids, too.\n\n"
                "    lamina deployments show latest"},
    {.name = "diff",
     .run = run_diff,
     .sets = 1 | 4 | 8,
     .min_operands = 2,
     .max_operands = 2,
     .operands = "ID ID",
     .summary = "show what differs between two deployments",
     .details = "    lamina deployments diff previous latest"},
    {.name = "record",
     .run = run_record,
     .sets = 1 | 8 | 16,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "STACK|FUNCTION",
     .summary = "record what is deployed now, whoever has deployed it",
     .details =
         "A function's code is copied to the bucket, so that `lamina rollback` can return to "
         "it. Permissions of single versions and event source mappings are in no record.\n\n"
         "    lamina deployments record my-function"},
    {0},
};

const struct verb deployments_verb = {
    .name = "deployments",
    .actions = actions,
    .sets = {{rows, sizeof(struct deployments_options)},
             {list_rows, sizeof(struct deployments_options)},
             {of_rows, sizeof(struct deployments_options)},
             TARGET_SET,
             {record_rows, sizeof(struct deployments_options)}},
    .preset = target_preset,
    .operands = "list [STACK|FUNCTION] | show ID | diff ID ID | record STACK|FUNCTION",
    .min_operands = 1,
    .max_operands = 3,
    .summary = "list, show and compare what was deployed",
    .details = "    lamina deployments list app",
};
