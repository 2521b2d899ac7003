/* verify - `lamina verify`: everything that should hold before a release, in one go. */
#include "cli/verify.h"
#include <errno.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/table.h"
#include "cli/bench_sweeps.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct verify_options {
    struct str file, stack_name, junit, html, markdown, report, baseline, max_regression;
    bool quick, full, strict, update_baseline;
};

static const struct option_row rows[] = {
    {OPTION(struct verify_options, file), .name = "file", .letter = 'f', .type = OPTION_TEXT,
     .metavar = "FILE", .help = "what is to hold; otherwise verify.yaml, when it is there"},
    {OPTION(struct verify_options, quick), .name = "quick", .type = OPTION_FLAG,
     .help = "few samples, no load"},
    {OPTION(struct verify_options, full), .name = "full", .type = OPTION_FLAG,
     .help = "more samples, a minute of load, and memory sizes"},
    {OPTION(struct verify_options, strict), .name = "strict", .type = OPTION_FLAG,
     .help = "warnings and skipped checks fail, too"},
    {OPTION(struct verify_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack whose functions are checked, and their logical ids"},
    {OPTION(struct verify_options, baseline), .name = "baseline", .type = OPTION_TEXT,
     .metavar = "DIR", .help = "folder of earlier figures to compare with"},
    {OPTION(struct verify_options, max_regression), .name = "max-regression", .type = OPTION_TEXT,
     .metavar = "SHARE",
     .help = "how much worse than there is right; otherwise the file's, or 10%"},
    {OPTION(struct verify_options, update_baseline), .name = "update-baseline", .type = OPTION_FLAG,
     .help = "write the figures there, of functions that pass"},
    {OPTION(struct verify_options, report), .name = "report", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write the JSON report there, beside what is printed"},
    {OPTION(struct verify_options, junit), .name = "junit", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "write a JUnit report there"},
    {OPTION(struct verify_options, html), .name = "html", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "write a page there"},
    {OPTION(struct verify_options, markdown), .name = "markdown", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write tables for a job summary there; - is standard output"},
    {0},
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* ---- functions ---- */

static void add_function(struct verify *v, struct str name, struct str physical)
{
    struct verify_plan *p = v->plan;
    *(struct verify_function *)arena_push(v->a, (void **)&p->functions, &p->n_functions,
                                          &p->cap_functions, sizeof(struct verify_function)) =
        (struct verify_function){.name = name, .physical = physical};
}

static int add_stack(struct verify *v, struct str stack)
{
    struct cloudformation_stack_resource_summary *items;
    struct aws_error err = {0};
    size_t n;
    if (stacks_resources(v->run, v->aws, stack, &items, &n, &err) < 0)
        return target_fail(v->run, &err, str_printf(v->a, "stack %.*s", STR(stack)).p);
    for (size_t i = 0; i < n; i++)
        if (str_is(items[i].resource_type, "AWS::Lambda::Function") &&
            str_has(items[i].physical_resource_id))
            add_function(v, items[i].logical_resource_id, items[i].physical_resource_id);
    return v->plan->n_functions ? 0
                                : verb_fail(v->run, "the stack %.*s has no functions", STR(stack));
}

/* Operands, or the file's functions, or all of the stack. */
static int find_functions(struct verify *v, const struct verify_options *o)
{
    struct verify_plan *p = v->plan;
    struct str stack = o->stack_name.n ? o->stack_name : p->stack;
    size_t operands = v->run->parsed.n_operands;
    if (operands) { /* payloads of the file still belong to the names */
        struct verify_function *known = p->functions;
        size_t n_known = p->n_functions;
        p->functions = NULL;
        p->n_functions = p->cap_functions = 0;
        for (size_t i = 0; i < operands; i++) {
            add_function(v, v->run->parsed.operands[i], (struct str){0});
            for (size_t k = 0; k < n_known; k++)
                if (str_eq(known[k].name, v->run->parsed.operands[i]))
                    p->functions[i].event = known[k].event;
        }
    }
    if (!p->n_functions && !stack.n)
        return verb_usage(v->run, "what is to be verified? name functions, give --stack-name, or "
                                  "write verify.yaml");
    int e = p->n_functions ? 0 : add_stack(v, stack);
    for (size_t i = 0; !e && i < p->n_functions; i++) {
        struct verify_function *f = &p->functions[i];
        if (!f->physical.n)
            f->physical = stacks_function(v->run, v->aws, stack, f->name);
        if (!f->event.body.n)
            f->event.body = p->payload.n ? p->payload : S("{}");
        f->event.name = S("payload");
        f->event.weight = 1;
    }
    v->subject = stack.n && !operands  ? stack
                 : p->n_functions == 1 ? p->functions[0].name
                                       : str_printf(v->a, "%zu functions", p->n_functions);
    return e;
}

static void check_function(struct verify *v, const struct verify_function *f)
{
    struct lambda_get_function_configuration_input in = {.function_name = f->physical};
    struct lambda_function_configuration *c;
    struct aws_error err = {0};
    if (interrupted) {
        verify_add(v, f->name, "configuration", S("read"), VERIFY_FAIL, S("interrupted"),
                   (struct str){0});
        return;
    }
    if (aws_call(v->aws, v->a, &lambda_get_function_configuration_op, &in, (void **)&c, &err) < 0) {
        verify_add(v, f->name, "configuration", S("read"), VERIFY_FAIL,
                   str_printf(v->a, "it could not be read: %.*s", STR(err.message)),
                   (struct str){0});
        v->unanswered += !err.status;
        return;
    }
    verify_configuration(v, f, c);
    verify_measure(v, f, c);
}

/* ---- reports ---- */

static int write_file(struct verify *v, struct str path,
                      void (*write)(struct buf *, const struct verify *))
{
    struct buf b;
    int r = 0;
    if (!path.n)
        return 0;
    buf_init(&b, 64 << 20);
    if (write)
        write(&b, v);
    else
        json_write(&b, verify_json(v->a, v), 2);
    if (buf_failed(&b))
        r = -EMSGSIZE;
    else if (str_is(path, "-"))
        fwrite(b.p, 1, b.n, stdout);
    else if (str_find_last_byte(path, '/') > 0)
        r = fs_mkdirs(fs_dirname(v->a, path).p, 0755);
    if (r == 0 && !str_is(path, "-"))
        r = fs_write(str_c(v->a, path), buf_view(&b), 0644);
    buf_done(&b);
    return r < 0 ? verb_fail(v->run, "%.*s: %s", STR(path), strerror(-r)) : 0;
}

static int report(struct verify *v, const struct verify_options *o)
{
    bool taken = str_is(o->markdown, "-") || str_is(o->junit, "-") || str_is(o->html, "-") ||
                 str_is(o->report, "-");
    if (target_of(v->run)->json) {
        target_print_json(v->a, verify_json(v->a, v));
    } else if (!taken) {
        struct buf b;
        buf_init(&b, 64 << 20);
        verify_write_text(&b, v, term_width(stdout), term_colour(stdout));
        fwrite(b.p, 1, b.n, stdout);
        buf_done(&b);
    }
    int e = write_file(v, o->report, NULL);
    int codes[] = {write_file(v, o->junit, verify_write_junit),
                   write_file(v, o->html, verify_write_html),
                   write_file(v, o->markdown, verify_write_markdown)};
    for (size_t i = 0; i < 3; i++)
        e = e ? e : codes[i];
    return e;
}

static void show_step(struct verify *v, struct str function, const char *step)
{
    if (term_colour(stderr))
        fprintf(stderr, "\r\033[K%.*s: %s ...", STR(function), step);
}

static void listen(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int verify_all(struct verify *v, const struct verify_options *o)
{
    int64_t from = clock_mono_ns();
    v->started_ms = clock_now_ms();
    v->target = aws_client_is_local(v->aws) ? S("local") : S("aws");
    v->region = aws_client_region(v->aws);
    bench_recover(v->run, v->aws);
    listen();
    for (size_t i = 0; i < v->plan->n_functions; i++)
        check_function(v, &v->plan->functions[i]);
    if (term_colour(stderr))
        fputs("\r\033[K", stderr);
    v->seconds = (double)(clock_mono_ns() - from) / 1e9;
    int e = report(v, o);
    if (e)
        return e;
    if (interrupted)
        return 130;
    if (v->unanswered && v->unanswered == v->plan->n_functions)
        return verb_fail(v->run, "nothing could be verified: the service does not answer");
    size_t failed = verify_count(v, VERIFY_FAIL);
    if (o->strict)
        failed += verify_count(v, VERIFY_WARN) + verify_count(v, VERIFY_SKIPPED);
    return failed ? VERIFY_EXIT_FAILED : 0;
}

static int run_verify(struct verb_run *run)
{
    const struct verify_options *o = run->values[0];
    struct verify_plan plan;
    struct verify v = {.run = run,
                       .a = run->arena,
                       .plan = &plan,
                       .mode = o->quick  ? VERIFY_QUICK
                               : o->full ? VERIFY_FULL
                                         : VERIFY_NORMAL,
                       .mode_name = o->quick  ? S("quick")
                                    : o->full ? S("full")
                                              : S("normal"),
                       .stop = &interrupted,
                       .update_baseline = o->update_baseline,
                       .on_step = show_step};
    if (o->quick && o->full)
        return verb_usage(run, "--quick or --full, not both");
    int e = verify_plan_read(run, o->file, v.mode, &plan);
    if (!e && o->baseline.n)
        plan.baseline = o->baseline;
    if (!e && o->max_regression.n &&
        (bench_share_parse(o->max_regression, &plan.max_regression) < 0 || plan.max_regression < 0))
        e = verb_usage(run, "--max-regression: \"%.*s\" is no share like 10%%",
                       STR(o->max_regression));
    if (!e && o->update_baseline && !plan.baseline.n)
        e = verb_usage(run, "--update-baseline: into which folder? --baseline DIR, or baseline: "
                            "{folder: DIR} in verify.yaml");
    if (!e)
        e = target_open(run, &v.aws);
    if (!e)
        e = find_functions(&v, o);
    if (!e)
        e = verify_all(&v, o);
    for (size_t i = 0; i < v.n_measured; i++)
        bench_run_done(v.measured[i].run);
    aws_client_close(v.aws);
    return e;
}

const struct verb verify_verb = {
    .name = "verify",
    .run = run_verify,
    .sets = {{rows, sizeof(struct verify_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[FUNCTION...]",
    .max_operands = 64,
    .summary = "the production check in one go: configuration, cold, warm, load, memory, cost, "
               "baselines",
    .details = "Exit code 3 when a check fails, 1 when it could not be carried out.\n\n"
               "    lamina verify --stack-name hello --quick\n"
               "    lamina verify -f verify.yaml --full --html verify.html --junit verify.xml",
};
