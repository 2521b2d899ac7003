/* bench_options - options of `lamina bench`, payloads, the plan: see bench_options.h. */
#include "cli/bench_options.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/stacks.h"

#define PAYLOAD_MAX (6 * 1024 * 1024)
#define PAYLOADS_MAX 10000

const struct option_row bench_rows[] = {
    {OPTION(struct bench_options, n), .name = "requests", .letter = 'n', .type = OPTION_INT,
     .metavar = "N", .min = 1, .max = BENCH_SAMPLES_MAX,
     .help = "so many requests; 100 when no --duration is given"},
    {OPTION(struct bench_options, duration_ms), .name = "duration", .letter = 'd',
     .type = OPTION_DURATION, .unit = "s", .metavar = "TIME", .min = 1, .max = 86400000,
     .help = "for so long; with --requests, the sooner of both"},
    {OPTION(struct bench_options, warmup), .name = "warmup", .type = OPTION_INT, .metavar = "N",
     .min = 0, .max = 1000000,
     .help = "requests before it begins, that are not counted; 5 of warm, 1 a size of memory, "
             "otherwise none"},
    {OPTION(struct bench_options, payload), .name = "payload", .letter = 'p', .type = OPTION_TEXT,
     .metavar = "JSON", .help = "the event; otherwise {}"},
    {OPTION(struct bench_options, payloads), .name = "payloads", .type = OPTION_TEXT,
     .metavar = "FILE|DIR",
     .help = "a file with the event, or a folder: each *.json, with the shares that weights.json "
             "says"},
    {OPTION(struct bench_options, random), .name = "random-payloads", .type = OPTION_FLAG,
     .help = "draw payloads by their shares; otherwise they take turns"},
    {OPTION(struct bench_options, seed), .name = "seed", .type = OPTION_INT, .metavar = "N",
     .default_value = "1", .min = 0, .max = INT64_MAX,
     .help = "of all that is drawn: the same seed gives the same requests"},
    {OPTION(struct bench_options, qualifier), .name = "qualifier", .type = OPTION_TEXT,
     .metavar = "VERSION|ALIAS", .help = "version or alias to invoke"},
    {OPTION(struct bench_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {OPTION(struct bench_options, timeout_ms), .name = "timeout", .type = OPTION_DURATION,
     .unit = "s", .metavar = "TIME", .min = 1, .max = 86400000,
     .help = "give up on a request after so long; otherwise the function's timeout and a minute"},
    {OPTION(struct bench_options, log), .name = "log", .type = OPTION_FLAG, .default_value = "true",
     .help = "ask for REPORT lines, which have the handler's time, billing and memory"},
    {OPTION(struct bench_options, threshold), .name = "threshold", .type = OPTION_LIST,
     .metavar = "CONDITION", .help = "fail unless this holds, such as 'p99<500ms' or 'errors<1%'"},
    {OPTION(struct bench_options, min_success), .name = "min-success", .type = OPTION_TEXT,
     .metavar = "SHARE", .help = "fail below this share of successes, such as 95%"},
    {OPTION(struct bench_options, baseline), .name = "baseline", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "report.json of an earlier run, to compare with"},
    {OPTION(struct bench_options, max_regression), .name = "max-regression", .type = OPTION_TEXT,
     .metavar = "SHARE", .default_value = "10%",
     .help = "fail when a figure is shown to be worse than the baseline's by more than this"},
    {OPTION(struct bench_options, out), .name = "out", .letter = 'o', .type = OPTION_TEXT,
     .metavar = "DIR", .help = "write every report there: JSON, CSV, Markdown, HTML, ..."},
    {OPTION(struct bench_options, csv), .name = "csv", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "write each request as a line of CSV; - is stdout"},
    {OPTION(struct bench_options, markdown), .name = "markdown", .type = OPTION_TEXT,
     .metavar = "FILE", .help = "write the figures as Markdown; - is stdout"},
    {OPTION(struct bench_options, html), .name = "html", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "write a page with pictures; - is stdout"},
    {OPTION(struct bench_options, quiet), .name = "quiet", .letter = 'q', .type = OPTION_FLAG,
     .help = "no progress and no table"},
    {0},
};

const struct option_row bench_load_rows[] = {
    {OPTION(struct bench_load_options, connections), .name = "connections", .letter = 'c',
     .type = OPTION_INT, .metavar = "N", .min = 1, .max = 20000,
     .help = "at most so many requests at once; otherwise 1, 1000 in an open loop, 100 "
             "in a ramp"},
    {OPTION(struct bench_load_options, rate), .name = "rate", .letter = 'r', .type = OPTION_TEXT,
     .metavar = "R", .help = "requests a second, whether or not answers keep up (open loop)"},
    {OPTION(struct bench_load_options, arrivals), .name = "arrivals", .type = OPTION_TEXT,
     .choices = "constant|poisson", .default_value = "constant",
     .help = "gaps between requests of an open loop: equal, or drawn as independent callers come"},
    {OPTION(struct bench_load_options, url), .name = "url", .type = OPTION_TEXT, .metavar = "URL",
     .help = "send to this function URL instead of Invoke"},
    {OPTION(struct bench_load_options, http_method), .name = "http-method", .type = OPTION_TEXT,
     .choices = "GET|POST|PUT|PATCH|DELETE", .default_value = "POST",
     .help = "of requests to the URL; a GET has no body unless a payload is given"},
    {OPTION(struct bench_load_options, sign), .name = "sign", .type = OPTION_FLAG,
     .default_value = "true", .help = "sign requests to the URL (AuthType AWS_IAM)"},
    {0},
};

/* ---- numbers ---- */

static int number_parse(struct arena *a, struct str text, double *ret)
{
    char *end, *c = str_c(a, text);
    if (!text.n || text.p[0] == ' ' || strchr("+-nNiIxX", text.p[0]) || strpbrk(c, "xX"))
        return -EINVAL;
    errno = 0;
    *ret = strtod(c, &end);
    return *end || errno || !isfinite(*ret) ? -EINVAL : 0;
}

int bench_share_parse(struct str text, double *ret)
{
    auto_arena struct arena a;
    arena_init(&a);
    bool percent = str_ends(text, S("%"));
    struct str digits = percent ? str_trim(str_slice(text, 0, text.n - 1)) : text;
    double v;
    int r = number_parse(&a, digits, &v);
    if (r < 0)
        return r;
    *ret = percent ? v / 100 : v;
    return 0;
}

int bench_rate_parse(struct str text, double *ret)
{
    auto_arena struct arena a;
    arena_init(&a);
    if (str_ends(text, S("/s")))
        text.n -= 2;
    int r = number_parse(&a, text, ret);
    return r < 0 || !(*ret > 0) || *ret > 1e7 ? -EINVAL : 0;
}

/* ---- payloads ---- */

static int read_payload(struct verb_run *run, struct str path, struct str name,
                        struct bench_payload *ret)
{
    struct json *ignored;
    struct json_error err = {0};
    int r = fs_read(str_c(run->arena, path), PAYLOAD_MAX, run->arena, &ret->body);
    if (r == -EMSGSIZE)
        return verb_fail(run, "%.*s: longer than the 6 MB that Invoke takes", STR(path));
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    if (json_parse(run->arena, ret->body, &ignored, &err) < 0)
        return verb_fail(run, "%.*s:%d:%d: no JSON: %s", STR(path), err.line, err.column,
                         err.message);
    ret->name = name;
    ret->weight = 1;
    return 0;
}

/* {"order.json": 3, "refund.json": 0.5}: what it does not name has 1. */
static int take_weights(struct verb_run *run, struct str path, struct bench_payload *list, size_t n)
{
    struct str text;
    struct json *root;
    struct json_error err = {0};
    int r = fs_read(str_c(run->arena, path), PAYLOAD_MAX, run->arena, &text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    if (json_parse(run->arena, text, &root, &err) < 0 || !json_is(root, JSON_OBJECT))
        return verb_fail(run, "%.*s:%d: no JSON object: %s", STR(path), err.line,
                         err.message ? err.message : "something else");
    JSON_EACH(root, v) {
        size_t i = 0;
        double weight;
        while (i < n && !str_eq(list[i].name, v->key))
            i++;
        if (i == n)
            return verb_fail(run, "%.*s:%d: there is no payload \"%.*s\"", STR(path), v->key_line,
                             STR(v->key));
        if (!json_is(v, JSON_NUMBER) || number_parse(run->arena, v->text, &weight) < 0 ||
            !(weight > 0))
            return verb_fail(run, "%.*s:%d: the share of %.*s is no number above 0", STR(path),
                             v->line, STR(v->key));
        list[i].weight = weight;
    }
    return 0;
}

static int read_folder(struct verb_run *run, struct str dir, struct bench_payload **ret,
                       size_t *ret_n)
{
    struct str *names;
    size_t n, found = 0;
    bool weights = false;
    int r = fs_walk(run->arena, str_c(run->arena, dir), &names, &n);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(dir), strerror(-r));
    struct bench_payload *list = ARENA_ARRAY(run->arena, struct bench_payload, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (str_find_byte(names[i], '/') >= 0 || !str_ends(names[i], S(".json")))
            continue;
        if (str_is(names[i], "weights.json")) {
            weights = true;
            continue;
        }
        if (found == PAYLOADS_MAX)
            return verb_fail(run, "%.*s: more than %d payloads", STR(dir), PAYLOADS_MAX);
        int code = read_payload(run, fs_join(run->arena, dir, names[i]), names[i], &list[found++]);
        if (code)
            return code;
    }
    if (!found)
        return verb_fail(run, "%.*s: no *.json in it", STR(dir));
    *ret = list;
    *ret_n = found;
    return weights ? take_weights(run, fs_join(run->arena, dir, S("weights.json")), list, found)
                   : 0;
}

int bench_payloads_read(struct verb_run *run, const struct bench_options *o,
                        struct bench_payload **ret, size_t *ret_n)
{
    struct json *ignored;
    struct stat st;
    if (str_has(o->payload) && str_has(o->payloads))
        return verb_usage(run, "--payload and --payloads contradict each other");
    if (str_has(o->payloads) && stat(str_c(run->arena, o->payloads), &st) == 0 &&
        S_ISDIR(st.st_mode))
        return read_folder(run, o->payloads, ret, ret_n);
    struct bench_payload *one = ARENA_NEW(run->arena, struct bench_payload);
    *ret = one;
    *ret_n = 1;
    if (str_has(o->payloads))
        return read_payload(run, o->payloads, fs_basename(o->payloads), one);
    *one = (struct bench_payload){S("payload"), str_has(o->payload) ? o->payload : S("{}"), 1};
    if (json_parse(run->arena, one->body, &ignored, NULL) < 0)
        return verb_usage(run, "--payload is no JSON");
    return 0;
}

/* ---- the plan ---- */

static const void *values_of(const struct verb_run *run, const struct option_row *rows)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == rows && (!run->action || run->action->sets & 1u << i))
            return run->values[i];
    return NULL;
}

static int take_load(struct bench_call *call)
{
    struct verb_run *run = call->run;
    const struct bench_load_options *o = call->load;
    struct bench_plan *plan = &call->plan;
    if (!o)
        return 0;
    plan->connections = (int)o->connections;
    plan->poisson = str_is(o->arrivals, "poisson");
    plan->url = o->url;
    plan->unsigned_url = !o->sign;
    plan->method = o->http_method;
    if (str_has(o->url) && str_is(o->http_method, "GET") && !str_has(call->options->payload) &&
        !str_has(call->options->payloads)) {
        static const struct bench_payload none = {S_INIT("nothing"), S_INIT(""), 1};
        plan->payloads = &none;
    }
    if (str_has(o->rate) && bench_rate_parse(o->rate, &plan->rate) < 0)
        return verb_usage(run, "--rate %.*s: no number above 0, at most 10 million", STR(o->rate));
    if (plan->poisson && !plan->rate && plan->mode != BENCH_RAMP)
        return verb_usage(run, "--arrivals poisson needs a --rate");
    return 0;
}

static int take_common(struct bench_call *call)
{
    const struct bench_options *o = call->options;
    struct bench_plan *plan = &call->plan;
    struct bench_payload *payloads;
    plan->n = o->n;
    plan->duration_ms = o->duration_ms;
    plan->warmup = o->warmup;
    plan->timeout_ms = o->timeout_ms;
    plan->seed = (uint64_t)o->seed;
    plan->random_payloads = o->random;
    plan->no_log = !o->log;
    plan->qualifier = o->qualifier;
    int code = bench_payloads_read(call->run, o, &payloads, &plan->n_payloads);
    plan->payloads = payloads;
    return code;
}

/* ---- what is seen while it runs, and Ctrl-C ---- */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

/* The first one ends the run in order; the second one ends the program. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void on_progress(void *user, const struct bench_progress_now *now)
{
    struct bench_call *call = user;
    int64_t failed = now->done - now->outcomes[BENCH_OK];
    char left[32] = "";
    if (now->wanted)
        snprintf(left, sizeof(left), " of %lld", (long long)now->wanted);
    if (now->aside)
        progress_status(&call->line, "%s", now->phase);
    else if (now->p50_ms < 0)
        progress_status(&call->line, "%s  %.1f s  %lld sent, waiting for the first answer",
                        now->phase, (double)now->elapsed_ns / 1e9, (long long)now->sent);
    else
        progress_status(&call->line,
                        "%s  %.1f s  %lld%s  %.0f/s  p50 %.2f ms  p99 %.2f ms  %d at once  "
                        "%lld failed",
                        now->phase, (double)now->elapsed_ns / 1e9, (long long)now->done, left,
                        now->rate, now->p50_ms, now->p99_ms, now->in_flight, (long long)failed);
}

/* ---- calls ---- */

/* A URL is enough; a function is enough. */
static int find_function(struct bench_call *call)
{
    struct verb_run *run = call->run;
    if (run->parsed.n_operands > 1)
        call->plan.function =
            stacks_function(run, call->aws, call->options->stack_name, run->parsed.operands[1]);
    else if (!str_has(call->plan.url))
        return verb_usage(run, "a FUNCTION is missing, or a --url");
    return 0;
}

int bench_call_open(struct verb_run *run, enum bench_mode mode, struct bench_call *ret)
{
    struct bench_call *call = ret;
    *call = (struct bench_call){.run = run, .plan = {.mode = mode, .stop = &stop}};
    call->options = values_of(run, bench_rows);
    call->load = values_of(run, bench_load_rows);
    int code = take_common(call);
    if (!code)
        code = take_load(call);
    if (!code)
        code = bench_report_check(call);
    if (!code)
        code = target_open(run, &call->aws);
    if (!code)
        code = find_function(call);
    if (code) {
        bench_call_close(call);
        return code;
    }
    progress_init(&call->line, stderr);
    call->progress = (struct bench_progress){on_progress, call};
    if (call->options->quiet)
        call->line.terminal = false;
    catch_signals();
    aws_client_cancel_on(call->aws, &stop);
    return 0;
}

int bench_call_fail(struct bench_call *call, const struct aws_error *err)
{
    progress_clear(&call->line);
    if (stop) {
        verb_fail(call->run, "interrupted before anything was measured");
        return 130;
    }
    if (call->run->parsed.n_operands != 2) /* of two it is not known which */
        return target_fail(call->run, err, NULL);
    return stacks_function_fail(call->run, call->aws, call->options->stack_name,
                                call->run->parsed.operands[1], err, NULL);
}

int bench_call_execute(struct bench_call *call)
{
    struct aws_error err = {0};
    bench_run_done(&call->result);
    int r = bench_execute(call->run->arena, call->aws, &call->plan, &call->result, &call->progress,
                          &err);
    progress_clear(&call->line);
    if (call->result.n_samples >= BENCH_SAMPLES_MAX)
        fprintf(stderr, "lamina: bench: ended after %d requests: no more are kept\n",
                BENCH_SAMPLES_MAX);
    return r < 0 ? bench_call_fail(call, &err) : 0;
}

void bench_call_close(struct bench_call *call)
{
    progress_clear(&call->line);
    bench_run_done(&call->result);
    aws_client_close(call->aws);
    call->aws = NULL; /* may be closed twice */
}
