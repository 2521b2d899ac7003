/* stacks - describing and waiting: see stacks.h. */
#include "cli/stacks.h"
#include <errno.h>
#include <poll.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/table.h"
#include "cli/target.h"
#include "wire/lambda.h"

#define NAMES_MAX 1000 /* that are looked at for one that is nearly right */

int stacks_describe(struct verb_run *run, struct aws_client *aws, struct str name,
                    struct cloudformation_stack **ret, struct aws_error *err)
{
    struct cloudformation_describe_stacks_input in = {.stack_name = name};
    struct cloudformation_describe_stacks_output *out;
    int r = aws_call(aws, run->arena, &cloudformation_describe_stacks_op, &in, (void **)&out, err);
    if (r < 0)
        return target_error_is(err, "ValidationError") &&
                       str_find(err->message, S("does not exist")) >= 0
                   ? -ENOENT
                   : r;
    if (!out->stacks.n)
        return -ENOENT;
    *ret = &out->stacks.items[0];
    return 0;
}

static enum style style_of(struct str status)
{
    if (str_find(status, S("FAILED")) >= 0 || str_find(status, S("ROLLBACK")) >= 0)
        return STYLE_RED;
    return str_ends(status, S("_COMPLETE")) ? STYLE_GREEN : STYLE_NONE;
}

static void show_event(struct verb_run *run, struct progress *progress,
                       const struct cloudformation_stack_event *e)
{
    bool colour = term_colour(stderr);
    struct str status = str_printf(run->arena, "%-20.*s", STR(e->resource_status));
    status = term_style(run->arena, colour, style_of(e->resource_status), status);
    progress_line(progress, "  %.*s %-28.*s %.*s%s%.*s", STR(status), STR(e->resource_type),
                  STR(e->logical_resource_id), str_has(e->resource_status_reason) ? "  " : "",
                  STR(e->resource_status_reason));
}

static bool failed(const struct cloudformation_stack_event *e)
{
    return str_ends(e->resource_status, S("_FAILED")) &&
           !str_is(e->resource_type, "AWS::CloudFormation::Stack") &&
           str_find(e->resource_status_reason, S("cancelled")) < 0;
}

/* The events since the last look, newest first as AWS gives them, page by page. */
static void new_events(struct verb_run *run, struct aws_client *aws, struct str name,
                       struct str last, struct cloudformation_stack_event **ret, size_t *ret_n)
{
    struct cloudformation_describe_stack_events_input in = {.stack_name = name};
    struct cloudformation_describe_stack_events_output *out;
    struct aws_error err = {0};
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    do {
        if (aws_call(aws, run->arena, &cloudformation_describe_stack_events_op, &in, (void **)&out,
                     &err) < 0)
            return;
        for (size_t i = 0; i < out->stack_events.n; i++) {
            if (str_eq(out->stack_events.items[i].event_id, last))
                return;
            *(struct cloudformation_stack_event *)arena_push(
                run->arena, (void **)ret, ret_n, &cap, sizeof **ret) = out->stack_events.items[i];
        }
        in.next_token = out->next_token;
    } while (in.next_token.n);
}

static void show_new(struct verb_run *run, struct aws_client *aws, struct str name,
                     struct stacks_watch *watch)
{
    struct cloudformation_stack_event *events;
    size_t n;
    new_events(run, aws, name, watch->last_event, &events, &n);
    if (n)
        watch->last_event = events[0].event_id;
    for (size_t i = n; i-- > 0;) {
        if (watch->progress && !watch->quiet)
            show_event(run, watch->progress, &events[i]);
        if (failed(&events[i]) && !str_has(watch->failure))
            watch->failure =
                str_printf(run->arena, "%.*s (%.*s): %.*s", STR(events[i].logical_resource_id),
                           STR(events[i].resource_type), STR(events[i].resource_status_reason));
    }
}

void stacks_mark(struct verb_run *run, struct aws_client *aws, struct str name,
                 struct stacks_watch *watch)
{
    struct cloudformation_describe_stack_events_input in = {.stack_name = name};
    struct cloudformation_describe_stack_events_output *out;
    struct aws_error err = {0};
    if (aws_call(aws, run->arena, &cloudformation_describe_stack_events_op, &in, (void **)&out,
                 &err) == 0 &&
        out->stack_events.n)
        watch->last_event = out->stack_events.items[0].event_id;
}

int stacks_wait(struct verb_run *run, struct aws_client *aws, struct str name,
                struct stacks_watch *watch, struct cloudformation_stack **ret)
{
    /* The embedded cloud is done in milliseconds; AWS is asked less and less often, up to every 3
     * s. */
    int64_t pause_ms = 2;
    for (;;) {
        struct aws_error err = {0};
        int r = stacks_describe(run, aws, name, ret, &err);
        if (r == -ENOENT)
            return verb_fail(run, "the stack %.*s is gone", STR(name));
        if (r < 0)
            return target_fail(run, &err, "the stack cannot be described");
        if (watch)
            show_new(run, aws, name, watch);
        if (!str_ends((*ret)->stack_status, S("_IN_PROGRESS")) ||
            str_is((*ret)->stack_status, "REVIEW_IN_PROGRESS"))
            return 0;
        poll(NULL, 0, (int)pause_ms);
        pause_ms = pause_ms * 3 / 2 + 1 < 3000 ? pause_ms * 3 / 2 + 1 : 3000;
    }
}

int stacks_resources(struct verb_run *run, struct aws_client *aws, struct str name,
                     struct cloudformation_stack_resource_summary **ret, size_t *ret_n,
                     struct aws_error *err)
{
    struct cloudformation_list_stack_resources_input in = {.stack_name = name};
    struct cloudformation_stack_resource_summary *items = NULL;
    size_t n = 0, cap = 0;
    do {
        struct cloudformation_list_stack_resources_output *out;
        int r = aws_call(aws, run->arena, &cloudformation_list_stack_resources_op, &in,
                         (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->stack_resource_summaries.n; i++)
            *(struct cloudformation_stack_resource_summary *)arena_push(run->arena, (void **)&items,
                                                                        &n, &cap, sizeof *items) =
                out->stack_resource_summaries.items[i];
        in.next_token = out->next_token;
    } while (str_has(in.next_token) && in.next_token.n);
    *ret = items;
    *ret_n = n;
    return 0;
}

int stacks_name(struct verb_run *run, struct str given, struct str *ret)
{
    if (!given.n)
        return verb_usage(run, "which stack? give --stack-name, or stack_name in samconfig.toml");
    *ret = given;
    return 0;
}

struct str stacks_function(struct verb_run *run, struct aws_client *aws, struct str stack,
                           struct str name)
{
    if (!stack.n || str_starts(name, S("arn:")))
        return name;
    struct str logical, qualifier;
    bool qualified = str_cut(name, ':', &logical, &qualifier);
    struct cloudformation_describe_stack_resource_input in = {.stack_name = stack,
                                                              .logical_resource_id = logical};
    struct cloudformation_describe_stack_resource_output *out;
    struct aws_error err = {0};
    if (aws_call(aws, run->arena, &cloudformation_describe_stack_resource_op, &in, (void **)&out,
                 &err) < 0 ||
        !out->stack_resource_detail || !str_has(out->stack_resource_detail->physical_resource_id))
        return name;
    struct str physical = out->stack_resource_detail->physical_resource_id;
    return qualified ? str_printf(run->arena, "%.*s:%.*s", STR(physical), STR(qualifier))
                     : physical;
}

static size_t names_of_stack(struct verb_run *run, struct aws_client *aws, struct str stack,
                             struct str *names, size_t max)
{
    struct cloudformation_stack_resource_summary *items;
    struct aws_error err = {0};
    size_t n, found = 0;
    if (stacks_resources(run, aws, stack, &items, &n, &err) < 0)
        return 0;
    for (size_t i = 0; i < n && found < max; i++)
        if (str_is(items[i].resource_type, "AWS::Lambda::Function"))
            names[found++] = items[i].logical_resource_id;
    return found;
}

/* Of the first pages: who has more finds the name in `lamina list functions`. */
static size_t names_of_account(struct verb_run *run, struct aws_client *aws, struct str given,
                               struct str *names, size_t max, struct str *ret_holds)
{
    struct lambda_list_functions_input in = {0};
    struct lambda_list_functions_output *out;
    struct aws_error err = {0};
    size_t found = 0;
    do {
        if (aws_call(aws, run->arena, &lambda_list_functions_op, &in, (void **)&out, &err) < 0)
            return found;
        for (size_t i = 0; i < out->functions.n && found < max; i++) {
            names[found] = out->functions.items[i].function_name;
            if (!str_has(*ret_holds) && str_find(names[found], given) >= 0)
                *ret_holds = names[found];
            found++;
        }
        in.marker = out->next_marker;
    } while (str_has(in.marker) && found < max);
    return found;
}

int stacks_function_fail(struct verb_run *run, struct aws_client *aws, struct str stack,
                         struct str given, const struct aws_error *err, const char *what)
{
    struct str *names = ARENA_ARRAY(run->arena, struct str, NAMES_MAX), near = {0};
    int code = target_fail(run, err, what);
    if (!target_error_is(err, "ResourceNotFoundException") || str_starts(given, S("arn:")))
        return code;
    str_cut(given, ':', &given, &(struct str){0}); /* NAME:ALIAS */
    size_t n = stack.n ? names_of_stack(run, aws, stack, names, NAMES_MAX) : 0;
    if (n)
        near = options_nearest(given, names, n);
    if (!str_has(near)) {
        n = names_of_account(run, aws, given, names, NAMES_MAX, &near);
        if (!str_has(near))
            near = options_nearest(given, names, n);
    }
    if (str_eq(near, given)) /* there, but no such version or alias */
        return code;
    if (str_has(near))
        fprintf(stderr, "lamina: %s: did you mean %.*s?\n", run->verb->name, STR(near));
    else
        fprintf(stderr, "`lamina list functions` shows which there are.\n");
    return code;
}

struct str stacks_log_group(struct verb_run *run, struct aws_client *aws, struct str function)
{
    struct lambda_get_function_configuration_input in = {.function_name = function};
    struct lambda_function_configuration *out;
    struct aws_error err = {0};
    if (aws_call(aws, run->arena, &lambda_get_function_configuration_op, &in, (void **)&out,
                 &err) == 0 &&
        out->logging_config && str_has(out->logging_config->log_group))
        return out->logging_config->log_group;
    return str_printf(run->arena, "/aws/lambda/%.*s", STR(function));
}
