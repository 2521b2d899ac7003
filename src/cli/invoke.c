/* invoke - `lamina invoke`: calls a function; its answer on stdout. */
#include <errno.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/table.h"
#include "cli/invocation.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct invoke_options {
    struct str event, payload, qualifier, stack_name;
    bool log, async, stream;
};

static const struct option_row rows[] = {
    {OPTION(struct invoke_options, event), .name = "event", .letter = 'e', .type = OPTION_TEXT,
     .metavar = "FILE", .help = "file with the event; - is stdin"},
    {OPTION(struct invoke_options, payload), .name = "payload", .letter = 'p', .type = OPTION_TEXT,
     .metavar = "JSON", .help = "the event itself"},
    {OPTION(struct invoke_options, log), .name = "log", .letter = 'l', .type = OPTION_FLAG,
     .help = "show the invocation's log on stderr"},
    {OPTION(struct invoke_options, async), .name = "async", .type = OPTION_FLAG,
     .help = "put the event into the function's queue and do not wait"},
    {OPTION(struct invoke_options, stream), .name = "stream", .type = OPTION_FLAG,
     .help = "print the answer while the function makes it (InvokeWithResponseStream)"},
    {OPTION(struct invoke_options, qualifier), .name = "qualifier", .type = OPTION_TEXT,
     .metavar = "VERSION|ALIAS", .help = "version or alias to invoke"},
    {OPTION(struct invoke_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {0},
};

#define EVENT_MAX (8 * 1024 * 1024)

static int read_stdin(struct verb_run *run, struct str *ret)
{
    auto_buf struct buf b;
    buf_init(&b, EVENT_MAX);
    char part[65536];
    for (ssize_t n; (n = read(0, part, sizeof part)) != 0;) {
        if (n < 0)
            return verb_fail(run, "stdin: %s", strerror(errno));
        buf_add(&b, part, (size_t)n);
    }
    if (buf_failed(&b))
        return verb_fail(run, "stdin: the event is longer than 8 MB");
    *ret = buf_copy(&b, run->arena);
    return 0;
}

static int event_of(struct verb_run *run, const struct invoke_options *o, struct str *ret)
{
    if (str_has(o->event) && str_has(o->payload))
        return verb_usage(run, "--event and --payload contradict each other");
    *ret = str_has(o->payload) ? o->payload : S("{}");
    if (!str_has(o->event))
        return 0;
    if (str_is(o->event, "-"))
        return read_stdin(run, ret);
    int r = fs_read(str_c(run->arena, o->event), EVENT_MAX, run->arena, ret);
    return r < 0 ? verb_fail(run, "%.*s: %s", STR(o->event), strerror(-r)) : 0;
}

static void print_json(struct arena *a, const struct invocation *inv)
{
    struct json *v = json_new(a, JSON_OBJECT), *answer = NULL, *r = json_new(a, JSON_OBJECT);
    if (json_parse(a, inv->answer, &answer, NULL) < 0)
        answer = json_new_str(a, str_has(inv->answer) ? inv->answer : S(""));
    json_set(a, v, S("statusCode"), json_new_int(a, inv->status));
    json_set(a, v, S("requestId"), json_new_str(a, inv->request_id));
    json_set(a, v, S("executedVersion"),
             json_new_str(a, str_has(inv->version) ? inv->version : S("")));
    json_set(a, v, S("functionError"),
             str_has(inv->function_error) ? json_new_str(a, inv->function_error)
                                          : json_new(a, JSON_NULL));
    json_set(a, v, S("payload"), answer);
    if (inv->report.found) {
        struct json *ms = json_new(a, JSON_NUMBER), *init = json_new(a, JSON_NUMBER);
        ms->text = str_printf(a, "%.2f", inv->report.duration_ms);
        init->text = str_printf(a, "%.2f", inv->report.init_ms);
        json_set(a, r, S("durationMs"), ms);
        json_set(a, r, S("billedDurationMs"), json_new_int(a, inv->report.billed_ms));
        json_set(a, r, S("memorySizeMB"), json_new_int(a, inv->report.memory_mb));
        json_set(a, r, S("maxMemoryUsedMB"), json_new_int(a, inv->report.max_memory_mb));
        json_set(a, r, S("cold"), json_new_bool(a, inv->report.has_init));
        if (inv->report.has_init)
            json_set(a, r, S("initDurationMs"), init);
        json_set(a, v, S("report"), r);
    }
    target_print_json(a, v);
}

static int show(struct verb_run *run, const struct invoke_options *o, const struct invocation *inv)
{
    if (o->log)
        fwrite(inv->log.p, 1, inv->log.n, stderr);
    if (target_of(run)->json) {
        print_json(run->arena, inv);
    } else if (o->stream && !str_has(inv->function_error)) {
        /* it stands there already */
    } else if (!o->async) {
        fwrite(inv->answer.p, 1, inv->answer.n, stdout);
        if (!str_ends(inv->answer, S("\n")))
            putchar('\n');
    } else {
        printf("accepted, request %.*s\n", STR(inv->request_id));
    }
    fflush(stdout);
    if (!str_has(inv->function_error))
        return 0;
    struct str type = inv->report.error_type;
    return verb_fail(run, "%.*s failed (%.*s%s%.*s)", STR(inv->function), STR(inv->function_error),
                     str_has(type) ? ", " : "", STR(type));
}

static bool print_piece(void *user, struct str piece)
{
    struct verb_run *run = user;
    if (target_of(run)->json)
        return true;
    fwrite(piece.p, 1, piece.n, stdout);
    fflush(stdout);
    return false;
}

static int run_invoke(struct verb_run *run)
{
    const struct invoke_options *o = run->values[0];
    struct invocation inv = {.qualifier = o->qualifier, .event = o->async};
    struct aws_client *aws;
    struct aws_error err = {0};
    if (o->stream && o->async)
        return verb_usage(run, "--stream and --async contradict each other");
    if (o->stream) {
        inv.on_piece = print_piece;
        inv.user = run;
    }
    int e = event_of(run, o, &inv.payload);
    if (!e)
        e = target_open(run, &aws);
    if (e)
        return e;
    inv.function = stacks_function(run, aws, o->stack_name, run->parsed.operands[0]);
    if (invocation_run(aws, run->arena, &inv, &err) < 0)
        e = stacks_function_fail(run, aws, o->stack_name, run->parsed.operands[0], &err,
                                 str_c(run->arena, inv.function));
    else
        e = show(run, o, &inv);
    aws_client_close(aws);
    return e;
}

const struct verb invoke_verb = {
    .name = "invoke",
    .run = run_invoke,
    .sets = {{rows, sizeof(struct invoke_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "FUNCTION|LOGICAL_ID",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "invoke a function and print its answer",
    .details = "The answer goes to stdout as the function gave it. Exit code 1 when the function "
               "failed: a\n"
               "handled error is an error too.\n\n"
               "    lamina invoke MainFunction --payload '{\"items\": []}' --log",
};
