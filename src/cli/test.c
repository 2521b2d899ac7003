/* test - `lamina test`: cases of a YAML file against deployed functions. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/table.h"
#include "cli/function_wait.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/test_case.h"
#include "cli/test_coverage.h"
#include "cli/verbs_all.h"
#include "wire/lambda.h"

struct test_options {
    struct str stack_name, junit;
    struct option_list only;
    bool coverage;
};

static const struct option_row rows[] = {
    {OPTION(struct test_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which logical ids are looked up"},
    {OPTION(struct test_options, junit), .name = "junit", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "write a JUnit report there"},
    {OPTION(struct test_options, only), .name = "only", .type = OPTION_LIST, .metavar = "TEXT",
     .help = "only cases whose name contains this"},
    {OPTION(struct test_options, coverage), .name = "coverage", .type = OPTION_FLAG,
     .help = "cover the functions while the cases run, and show what was executed"},
    {0},
};

/* Functions whose description was changed to get fresh environments; put back at the end. */
struct touched {
    struct str function, description;
};

struct session {
    struct verb_run *run;
    const struct test_options *o;
    struct arena *a;
    struct aws_client *aws;
    struct str file;
    struct touched *touched;
    size_t n_touched, cap_touched;
    struct test_result *results;
    size_t n, cap, failed;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* ---- fresh environments ---- */

static int describe(struct session *s, struct str function, struct str description,
                    struct aws_error *err)
{
    struct lambda_update_function_configuration_input in = {.function_name = function,
                                                            .description = description};
    struct lambda_function_configuration *c;
    int r = aws_call(s->aws, s->a, &lambda_update_function_configuration_op, &in, NULL, err);
    return r < 0 ? r : function_wait(s->aws, s->a, function, &c, err);
}

/* A change of the configuration makes AWS start new environments; the description is the one
 * setting that the function does not see. */
static int make_cold(struct session *s, struct str function, struct aws_error *err)
{
    size_t i = 0;
    while (i < s->n_touched && !str_eq(s->touched[i].function, function))
        i++;
    if (i == s->n_touched) {
        struct lambda_function_configuration *c;
        int r = function_wait(s->aws, s->a, function, &c, err);
        if (r < 0)
            return r;
        *(struct touched *)arena_push(s->a, (void **)&s->touched, &s->n_touched, &s->cap_touched,
                                      sizeof *s->touched) =
            (struct touched){function, str_has(c->description) ? c->description : S("")};
    }
    struct str old = str_slice(s->touched[i].description, 0, 200);
    return describe(s, function,
                    str_printf(s->a, "%.*s (cold %s)", STR(old), random_hex(s->a, 8).p), err);
}

static bool is_touched(struct session *s, struct str function)
{
    for (size_t i = 0; i < s->n_touched; i++)
        if (str_eq(s->touched[i].function, function))
            return true;
    return false;
}

static void put_back(struct session *s)
{
    for (size_t i = 0; i < s->n_touched; i++) {
        struct aws_error err = {0};
        if (describe(s, s->touched[i].function, s->touched[i].description, &err) < 0)
            fprintf(stderr, "lamina: test: the description of %.*s could not be put back: %.*s\n",
                    STR(s->touched[i].function), STR(err.message));
    }
}

/* ---- running ---- */

static void run_once(struct session *s, const struct test_case *c, int64_t number)
{
    struct test_result *r = arena_push(s->a, (void **)&s->results, &s->n, &s->cap, sizeof *r);
    *r = (struct test_result){.test = c, .number = number, .checks = {.arena = s->a}};
    struct aws_error err = {0};
    r->invocation = (struct invocation){
        .function = stacks_function(s->run, s->aws, s->o->stack_name, c->function),
        .qualifier = c->qualifier,
        .payload = c->payload};
    if (c->cold && make_cold(s, r->invocation.function, &err) < 0)
        expect_fail(&r->checks, "no fresh environment: %.*s", STR(err.message));
    else if (invocation_run(s->aws, s->a, &r->invocation, &err) < 0)
        expect_fail(&r->checks, "the invocation failed: %.*s%s%.*s", STR(err.message),
                    str_has(err.code) ? " " : "", STR(err.code));
    else
        test_case_check(c, &r->invocation, &r->checks);
    s->failed += r->checks.n > 0;
}

static void show(struct session *s, const struct test_result *r)
{
    bool colour = term_colour(stdout);
    bool ok = !r->checks.n;
    const struct invocation_report *rep = &r->invocation.report;
    struct str mark =
        term_style(s->a, colour, ok ? STYLE_GREEN : STYLE_RED, ok ? S("ok  ") : S("FAIL"));
    printf("%.*s  %-52.*s", STR(mark), STR(r->test->name));
    if (r->test->repeat > 1)
        printf(" %lld/%lld", (long long)r->number, (long long)r->test->repeat);
    if (rep->found) {
        printf("  %s %8.2f ms", rep->has_init ? "cold" : "warm", rep->duration_ms);
        if (rep->has_init)
            printf(" + init %.2f ms", rep->init_ms);
        printf(", billed %lld ms, %lld MB", (long long)rep->billed_ms,
               (long long)rep->max_memory_mb);
    }
    putchar('\n');
    for (size_t i = 0; i < r->checks.n; i++)
        printf("        %.*s\n", STR(r->checks.failures[i]));
    if (!ok && r->invocation.log.n) {
        struct str line, rest = r->invocation.log;
        while (rest.n) {
            str_cut(rest, '\n', &line, &rest);
            printf("        | %.*s\n", STR(line));
        }
    }
    fflush(stdout);
}

static bool wanted(const struct session *s, const struct test_case *c)
{
    for (size_t i = 0; i < s->o->only.n; i++)
        if (str_find(c->name, s->o->only.items[i]) >= 0)
            return true;
    return s->o->only.n == 0;
}

static int run_all(struct session *s, const struct test_case *cases, size_t n)
{
    bool json = target_of(s->run)->json;
    int64_t from = clock_mono_ns();
    for (size_t i = 0; i < n && !interrupted; i++)
        for (int64_t k = 1; wanted(s, &cases[i]) && k <= cases[i].repeat && !interrupted; k++) {
            run_once(s, &cases[i], k);
            if (!json)
                show(s, &s->results[s->n - 1]);
        }
    aws_client_cancel_on(s->aws, NULL);
    put_back(s);
    double seconds = (double)(clock_mono_ns() - from) / 1e9;
    if (json)
        target_print_json(s->a, test_report_json(s->a, s->results, s->n));
    else
        printf("%zu passed, %zu failed in %.2f s\n", s->n - s->failed, s->failed, seconds);
    if (s->o->junit.n) {
        struct str xml = test_report_junit(s->a, s->file, s->results, s->n, seconds);
        int r = fs_write(str_c(s->a, s->o->junit), xml, 0644);
        if (r < 0)
            return verb_fail(s->run, "%.*s: %s", STR(s->o->junit), strerror(-r));
    }
    if (interrupted)
        return verb_fail(s->run, "interrupted");
    if (!s->n)
        return verb_fail(s->run, "%.*s: no case was run", STR(s->file));
    return s->failed ? 1 : 0;
}

/* Functions of the cases, as they are called. */
static struct str *functions_of(struct session *s, const struct test_case *cases, size_t n)
{
    struct str *names = ARENA_ARRAY(s->a, struct str, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = cases[i].function;
    return names;
}

static struct test_coverage_case *invoked(struct session *s)
{
    struct test_coverage_case *all = ARENA_ARRAY(s->a, struct test_coverage_case, s->n + 1);
    for (size_t i = 0; i < s->n; i++)
        all[i] = (struct test_coverage_case){.name = s->results[i].test->name,
                                             .function = s->results[i].invocation.function,
                                             .request_id = s->results[i].invocation.request_id};
    return all;
}

static int run_covered(struct session *s, const struct test_case *cases, size_t n)
{
    struct test_coverage coverage;
    if (!s->o->coverage)
        return run_all(s, cases, n);
    int e = test_coverage_begin(s->run, s->aws, s->o->stack_name, functions_of(s, cases, n), n,
                                &coverage);
    if (e)
        return e;
    /* What is covered already has told of what it ran: only new environments tell it again. */
    for (size_t i = 0; i < n && !e; i++) {
        struct aws_error err = {0};
        struct str name = stacks_function(s->run, s->aws, s->o->stack_name, cases[i].function);
        if (wanted(s, &cases[i]) && test_coverage_stays(&coverage, name) && !is_touched(s, name) &&
            make_cold(s, name, &err) < 0)
            e = target_fail(s->run, &err, str_c(s->a, name));
    }
    if (e) {
        aws_client_cancel_on(s->aws, NULL);
        put_back(s);
    }
    e = e ? e : run_all(s, cases, n);
    int shown = interrupted
                    ? test_coverage_abandon(&coverage)
                    : test_coverage_end(&coverage, invoked(s), s->n, !target_of(s->run)->json);
    return e ? e : shown;
}

static int run_test(struct verb_run *run)
{
    struct session s = {.run = run, .o = run->values[0], .a = run->arena};
    struct str text, why;
    struct json *root;
    struct test_case *cases;
    size_t n;
    s.file = run->parsed.n_operands ? run->parsed.operands[0] : S("tests.yaml");
    int e = source_read(run, s.file, &text, &root);
    if (e)
        return e;
    if (test_cases_read(s.a, root, s.file, &cases, &n, &why) < 0)
        return verb_fail(run, "%.*s", STR(why));
    e = target_open(run, &s.aws);
    if (e)
        return e;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    aws_client_cancel_on(s.aws, &interrupted);
    e = run_covered(&s, cases, n);
    aws_client_close(s.aws);
    return e;
}

const struct verb test_verb = {
    .name = "test",
    .run = run_test,
    .sets = {{rows, sizeof(struct test_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[FILE]",
    .max_operands = 1,
    .summary = "run a file of test cases against deployed functions",
    .details =
        "FILE is tests.yaml unless given. Exit code 1 when a case fails. A function error is never "
        "a\n"
        "success unless the case expects it. cold: true gets a fresh environment by changing the\n"
        "function's description, which is put back at the end. --coverage covers the functions of\n"
        "the cases, and of the stack, for the time of the run (see lamina-coverage), and prints\n"
        "what was executed of their sources.\n\n"
        "    cases:\n"
        "      - name: answers\n"
        "        function: MainFunction\n"
        "        payload: {items: []}\n"
        "        cold: true\n"
        "        expect:\n"
        "          payload: {statusCode: 200}\n"
        "          paths: {$.body.total: {ge: 0}}\n"
        "          init_duration: {lt: 500}\n"
        "          logs: [REPORT]",
};
