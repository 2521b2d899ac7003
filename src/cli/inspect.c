/* inspect - `lamina inspect`: what a function's environments have done, as a timeline. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/table.h"
#include "cli/daemon.h"
#include "cli/inspect.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "wire/lambda.h"

#define PERIOD_MS 500

static const struct option_row rows[] = {
    {OPTION(struct inspect_options, watch), .name = "watch", .letter = 'w', .type = OPTION_FLAG,
     .help = "show it again and again, until Ctrl-C"},
    {OPTION(struct inspect_options, events), .name = "events", .letter = 'e', .type = OPTION_FLAG,
     .help = "list each init, invocation and end below the timeline"},
    {OPTION(struct inspect_options, last_ms), .name = "last", .type = OPTION_DURATION, .unit = "s",
     .metavar = "TIME", .help = "how far back the timeline reaches; otherwise to the first event"},
    {OPTION(struct inspect_options, limit), .name = "limit", .type = OPTION_INT, .metavar = "N",
     .default_value = "40", .min = 1, .max = 10000, .help = "show at most so many environments"},
    {OPTION(struct inspect_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {0},
};

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static void show(struct verb_run *run, struct arena *a, const struct json *root)
{
    auto_buf struct buf out;
    const struct inspect_options *o = run->values[0];
    struct inspect_paper paper = {
        .width = term_width(stdout), .colour = term_colour(stdout), .utf8 = speaks_utf8()};
    buf_init(&out, 16 << 20);
    if (o->watch && paper.width)
        buf_text(&out, "\033[H\033[2J");
    inspect_write(&out, a, &paper, o, root);
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
}

static int inspect(struct verb_run *run, struct str endpoint, struct str path)
{
    auto_arena struct arena a;
    struct str text;
    struct json *root;
    arena_init(&a);
    int r = daemon_get(&a, endpoint, path, &text);
    if (r == 0 && json_parse(&a, text, &root, NULL) < 0)
        r = -EPROTO;
    if (r == -EPROTO)
        return verb_fail(run,
                         "what answers at %.*s does not show its environments: this needs the "
                         "embedded cloud (lamina up)",
                         STR(endpoint));
    if (r < 0)
        return verb_fail(run, "no cloud answers at %.*s: %s", STR(endpoint), strerror(-r));
    if (target_of(run)->json)
        target_print_json(&a, root);
    else
        show(run, &a, root);
    return 0;
}

/* Its name, once it is known to exist. */
static int find_function(struct verb_run *run, struct aws_client *aws, struct str *ret)
{
    const struct inspect_options *o = run->values[0];
    struct lambda_get_function_configuration_input in = {0};
    struct aws_error err = {0};
    void *out;
    in.function_name = stacks_function(run, aws, o->stack_name, run->parsed.operands[0]);
    if (aws_call(aws, run->arena, &lambda_get_function_configuration_op, &in, &out, &err) < 0)
        return stacks_function_fail(run, aws, o->stack_name, run->parsed.operands[0], &err, NULL);
    *ret = ((struct lambda_function_configuration *)out)->function_name;
    return 0;
}

static int run_inspect(struct verb_run *run)
{
    const struct inspect_options *o = run->values[0];
    struct aws_client *aws;
    struct str function = S("");
    if (str_is(target_of(run)->target, "aws"))
        return verb_fail(run, "AWS does not show the environments of a function; this needs the "
                              "embedded cloud (--target local)");
    int code = target_open(run, &aws);
    if (code)
        return code;
    code = find_function(run, aws, &function);
    struct str endpoint = aws_client_endpoint(aws, &lambda_model, run->arena);
    struct str path = str_printf(run->arena, "/_lamina/lambda/inspect?region=%.*s&function=%.*s",
                                 STR(aws_client_region(aws)), STR(function));
    while (code == 0) {
        struct timespec rest = {0, PERIOD_MS * 1000000L};
        code = inspect(run, endpoint, path);
        if (!o->watch)
            break;
        nanosleep(&rest, NULL);
    }
    aws_client_close(aws);
    return code;
}

const struct verb inspect_verb = {
    .name = "inspect",
    .run = run_inspect,
    .preset = target_preset,
    .sets = {{rows, sizeof(struct inspect_options)}, TARGET_SET},
    .operands = "FUNCTION",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "show what a function's environments have done, as a timeline",
};
