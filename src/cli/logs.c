/* logs - `lamina logs`: the log of a function, or of all functions of a stack. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/logs.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "wire/lambda.h"
#include "wire/logs.h"

static const struct option_row rows[] = {
    {OPTION(struct logs_options, tail), .name = "tail", .letter = 't', .type = OPTION_FLAG,
     .help = "go on with what is written from now on, until Ctrl-C"},
    {OPTION(struct logs_options, since_ms), .name = "since", .letter = 's', .type = OPTION_DURATION,
     .unit = "s", .default_value = "10m", .metavar = "TIME",
     .help = "how far to look back: 30s, 10m, 2h, 1d (of a query: 1h unless given)"},
    {OPTION(struct logs_options, filter), .name = "filter", .type = OPTION_TEXT,
     .metavar = "PATTERN", .help = "filter pattern of CloudWatch Logs"},
    {OPTION(struct logs_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {OPTION(struct logs_options, groups), .name = "log-group", .type = OPTION_LIST,
     .metavar = "NAME", .help = "query: a log group by its name"},
    {OPTION(struct logs_options, until_ms), .name = "until", .type = OPTION_DURATION, .unit = "s",
     .default_value = "0", .metavar = "TIME", .help = "query: up to so long ago"},
    {OPTION(struct logs_options, start), .name = "start", .type = OPTION_TEXT, .metavar = "TIME",
     .help = "query: from a time: 2026-11-21T14:30:00Z, or seconds since 1970"},
    {OPTION(struct logs_options, end), .name = "end", .type = OPTION_TEXT, .metavar = "TIME",
     .help = "query: up to a time"},
    {OPTION(struct logs_options, limit), .name = "limit", .type = OPTION_INT, .metavar = "N",
     .min = 1, .max = 10000, .help = "query: rows at most, when the query has no limit"},
    {OPTION(struct logs_options, saved), .name = "saved", .type = OPTION_TEXT, .metavar = "NAME",
     .help = "query: one of those that --list shows"},
    {OPTION(struct logs_options, list), .name = "list", .type = OPTION_FLAG,
     .help = "query: list the queries for --saved"},
    {OPTION(struct logs_options, csv), .name = "csv", .type = OPTION_FLAG,
     .help = "query: print comma-separated values"},
    {OPTION(struct logs_options, markdown), .name = "markdown", .type = OPTION_FLAG,
     .help = "query: print a table in Markdown"},
    {0},
};

struct source {
    struct str group, function;
    struct str *seen; /* event ids of the newest millisecond, not to be shown twice */
    size_t n_seen, cap_seen;
    int64_t from_ms;
};

struct reader {
    struct verb_run *run;
    const struct logs_options *o;
    struct aws_client *aws;
    struct source *sources;
    size_t n, cap;
};

static void add(struct reader *r, struct str function)
{
    struct source *s = arena_push(r->run->arena, (void **)&r->sources, &r->n, &r->cap, sizeof *s);
    *s = (struct source){.function = function, .from_ms = clock_now_ms() - r->o->since_ms};
    s->group = str_starts(function, S("/")) ? function : stacks_log_group(r->run, r->aws, function);
}

/* A name is a function, a logical id of the stack, or a stack itself: all its functions. */
static int find(struct reader *r, struct str name)
{
    struct lambda_get_function_configuration_input in = {.function_name = name};
    struct aws_error err = {0};
    struct str physical = stacks_function(r->run, r->aws, r->o->stack_name, name);
    in.function_name = physical;
    if (str_starts(name, S("/")) || !str_eq(physical, name) ||
        aws_call(r->aws, r->run->arena, &lambda_get_function_configuration_op, &in, NULL, &err) ==
            0) {
        add(r, physical);
        return 0;
    }
    if (!str_has(err.code))
        return target_fail(r->run, &err, NULL);
    struct cloudformation_stack_resource_summary *items;
    size_t n;
    if (stacks_resources(r->run, r->aws, name, &items, &n, &err) == 0) {
        for (size_t i = 0; i < n; i++)
            if (str_is(items[i].resource_type, "AWS::Lambda::Function") &&
                str_has(items[i].physical_resource_id))
                add(r, items[i].physical_resource_id);
        return r->n ? 0 : verb_fail(r->run, "the stack %.*s has no functions", STR(name));
    }
    /* the function may be gone while its log is not */
    add(r, name);
    return 0;
}

static bool seen(const struct source *s, struct str id)
{
    for (size_t i = 0; i < s->n_seen; i++)
        if (str_eq(s->seen[i], id))
            return true;
    return false;
}

static void print(struct reader *r, const struct source *s, const struct logs_filtered_log_event *e)
{
    struct arena *a = r->run->arena;
    struct str message = e->message;
    while (str_ends(message, S("\n")))
        message.n--;
    if (target_of(r->run)->json) {
        struct json *v = json_new(a, JSON_OBJECT);
        json_set(a, v, S("timestamp"), json_new_str(a, clock_iso8601(a, e->timestamp.is)));
        json_set(a, v, S("logGroup"), json_new_str(a, s->group));
        json_set(a, v, S("logStream"), json_new_str(a, e->log_stream_name));
        json_set(a, v, S("message"), json_new_str(a, message));
        struct str line = json_text(a, v, -1);
        printf("%.*s\n", STR(line));
        return;
    }
    if (r->n > 1)
        printf("%-24.*s ", STR(s->function));
    printf("%.*s  %.*s\n", STR(clock_iso8601(a, e->timestamp.is)), STR(message));
}

static int read_source(struct reader *r, struct source *s, bool *ret_missing)
{
    struct logs_filter_log_events_input in = {.log_group_name = s->group,
                                              .start_time = opt_int(s->from_ms),
                                              .filter_pattern = r->o->filter};
    int64_t newest = s->from_ms;
    do {
        struct logs_filter_log_events_output *out;
        struct aws_error err = {0};
        if (aws_call(r->aws, r->run->arena, &logs_filter_log_events_op, &in, (void **)&out, &err) <
            0) {
            *ret_missing = target_error_is(&err, "ResourceNotFoundException");
            return *ret_missing ? 0 : target_fail(r->run, &err, str_c(r->run->arena, s->group));
        }
        for (size_t i = 0; i < out->events.n; i++) {
            const struct logs_filtered_log_event *e = &out->events.items[i];
            if (seen(s, e->event_id))
                continue;
            print(r, s, e);
            if (e->timestamp.is > newest) {
                newest = e->timestamp.is;
                s->n_seen = 0;
            }
            *(struct str *)arena_push(r->run->arena, (void **)&s->seen, &s->n_seen, &s->cap_seen,
                                      sizeof(struct str)) = e->event_id;
        }
        in.next_token = out->next_token;
    } while (in.next_token.n);
    s->from_ms = newest;
    return 0;
}

static int follow(struct reader *r)
{
    bool any = false;
    for (;;) {
        for (size_t i = 0; i < r->n; i++) {
            bool missing = false;
            int e = read_source(r, &r->sources[i], &missing);
            if (e)
                return e;
            any = any || !missing;
        }
        fflush(stdout);
        if (!r->o->tail)
            return any ? 0
                       : verb_fail(r->run,
                                   "there is no log group %.*s: the function has not been invoked, "
                                   "or its role "
                                   "may not write logs",
                                   STR(r->sources[0].group));
        /* `--tail | head` ends when head has its lines */
        struct pollfd out = {.fd = STDOUT_FILENO};
        poll(&out, 1, aws_client_is_local(r->aws) ? 200 : 2000);
        if (out.revents & POLLERR)
            return VERB_READER_LEFT;
    }
}

int logs_groups(struct verb_run *run, struct aws_client *aws, struct str name,
                struct option_list *ret)
{
    struct reader r = {.run = run, .o = run->values[0], .aws = aws};
    int e = find(&r, name);
    struct str *items = ARENA_ARRAY(run->arena, struct str, ret->n + r.n + 1);
    for (size_t i = 0; i < ret->n; i++)
        items[i] = ret->items[i];
    for (size_t i = 0; !e && i < r.n; i++)
        items[ret->n++] = r.sources[i].group;
    ret->items = items;
    ret->cap = ret->n;
    return e;
}

/* The word alone is a function of that name. */
static bool is_query(const struct verb_run *run, const struct logs_options *o)
{
    return run->parsed.n_operands && str_is(run->parsed.operands[0], "query") &&
           (run->parsed.n_operands > 1 || o->list || str_has(o->saved) || o->groups.n);
}

static int run_logs(struct verb_run *run)
{
    struct logs_options *o = run->values[0];
    if (is_query(run, o)) {
        if (!options_given(&run->parsed, run->sets, run->n_sets, "since"))
            o->since_ms = 3600000;
        return logs_query(run, run->parsed.operands + 1, run->parsed.n_operands - 1);
    }
    if (run->parsed.n_operands > 1)
        return verb_usage(run, "one function or stack only");
    if (o->groups.n || str_has(o->saved) || o->list || o->csv || o->markdown || str_has(o->start) ||
        str_has(o->end) || o->limit || o->until_ms)
        return verb_usage(run, "this option is of lamina logs query");
    struct reader r = {.run = run, .o = o};
    struct str name = run->parsed.n_operands ? run->parsed.operands[0] : o->stack_name;
    if (!name.n)
        return verb_usage(run, "which log? name a function or a stack");
    int e = target_open(run, &r.aws);
    if (e)
        return e;
    e = find(&r, name);
    if (!e)
        e = follow(&r);
    aws_client_close(r.aws);
    return e;
}

const struct verb logs_verb = {
    .name = "logs",
    .run = run_logs,
    .sets = {{rows, sizeof(struct logs_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[query QUERY] FUNCTION|STACK",
    .max_operands = 3,
    .summary = "show the log of a function, or of a stack's functions; ask Logs Insights",
    .details =
        "    lamina logs MainFunction --since 1h --filter ERROR\n    lamina logs my-stack --tail\n"
        "    lamina logs query 'stats count(*) by bin(5m)' MainFunction --since 1d\n"
        "    lamina logs query --saved slowest my-stack",
};
