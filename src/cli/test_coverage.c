/* test_coverage - coverage of a run of tests: see test_coverage.h. */
#include "cli/test_coverage.h"
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "cli/coverage_report.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "wire/s3.h"

#define ARRIVAL_MAX_MS 30000
#define OTHERS_MAX_MS 2000

extern char **environ;

/* Below the rule by which objects expire, and nobody else's. */
static struct str prefix_of_run(struct arena *a)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[32];
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
    return str_printf(a, COVERAGE_PREFIX "%s-test-%.*s/", text, STR(random_hex(a, 6)));
}

int test_coverage_abandon(struct test_coverage *t)
{
    int e = 0;
    t->s.quiet = true;
    aws_client_cancel_on(t->s.aws, NULL); /* Ctrl-C ends the tests, not the way back */
    for (size_t i = 0; i < t->n; i++) {
        struct aws_error err = {0};
        struct str name = t->functions[i].config->function_name, what;
        if (!t->switched[i])
            continue;
        int one = covered_read(&t->s, name, &t->functions[i], &err) < 0
                      ? target_fail(t->s.run, &err, str_c(t->s.a, name))
                      : coverage_switch_off(&t->s, &t->functions[i], &what);
        if (one)
            fprintf(stderr, "lamina: test: `lamina coverage disable %.*s` does what was not done\n",
                    STR(name));
        e = e ? e : one;
    }
    return e;
}

int test_coverage_begin(struct verb_run *run, struct aws_client *aws, struct str stack,
                        const struct str *names, size_t n, struct test_coverage *ret)
{
    struct arena *a = run->arena;
    *ret = (struct test_coverage){
        .s = {.run = run, .a = a, .aws = aws, .contexts = S("invocation")},
        .stack = stack,
        .prefix = prefix_of_run(a),
        .began_ms = clock_now_ms() / 1000 * 1000, /* S3 tells seconds */
    };
    int e = coverage_targets_of(&ret->s, stack, names, n, &ret->functions, &ret->n);
    if (e)
        return e;
    ret->switched = ARENA_ARRAY(a, bool, ret->n + 1);
    for (size_t i = 0; i < ret->n && !e; i++) {
        struct covered *c = &ret->functions[i];
        struct str what;
        if (!covered_missing(&ret->s, c).n || covered_by_itself(c))
            continue;
        ret->s.prefix = ret->prefix;
        e = coverage_switch_on(&ret->s, c, &what);
        ret->switched[i] = true; /* also half of it is taken back */
    }
    if (e)
        test_coverage_abandon(ret);
    return e;
}

/* ---- afterwards ---- */

static bool is_called(const struct covered *c, struct str name)
{
    ssize_t colon = str_find_last_byte(name, ':'); /* an ARN's last part */
    if (str_starts(name, S("arn:")) && colon > 0)
        name = str_slice(name, (size_t)colon + 1, name.n);
    return str_eq(name, c->config->function_name);
}

bool test_coverage_stays(const struct test_coverage *t, struct str function)
{
    for (size_t i = 0; i < t->n; i++)
        if (!t->switched[i] && is_called(&t->functions[i], function))
            return true;
    return false;
}

static bool was_invoked(const struct covered *c, const struct test_coverage_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_called(c, cases[i].function))
            return true;
    return false;
}

/* An environment sends what is new right after the invocation; the embedded cloud has waited for
 * that already, AWS has not. */
static int wait_for_objects(struct test_coverage *t, const struct test_coverage_case *cases,
                            size_t n)
{
    int64_t from = clock_mono_ns();
    for (size_t i = 0; i < t->n; i++) {
        const struct covered *c = &t->functions[i];
        /* What a template covers may be told not to count: nothing may come of it. */
        int64_t until = from + (t->switched[i] ? ARRIVAL_MAX_MS : OTHERS_MAX_MS) * 1000000LL;
        if (!was_invoked(c, cases, n) || (!t->switched[i] && !covered_by_itself(c)))
            continue;
        for (int pause_ms = 5;; pause_ms = pause_ms < 1000 ? pause_ms * 2 : 1000) {
            struct aws_error err = {0};
            struct str key;
            int64_t when;
            if (covered_newest(&t->s, c, t->began_ms, &key, &when, &err) < 0)
                return target_fail(t->s.run, &err, "coverage cannot be looked for");
            if (key.n)
                break;
            if (clock_mono_ns() > until && !t->switched[i])
                break;
            if (clock_mono_ns() > until) {
                fprintf(stderr, "lamina: test: no coverage has come from %.*s; its log says why\n",
                        STR(c->config->function_name));
                break;
            }
            poll(NULL, 0, pause_ms);
        }
    }
    return 0;
}

/* `lamina coverage report` of one prefix, as its user would call it. */
static int report_prefix(struct test_coverage *t, struct str bucket, struct str prefix, bool here)
{
    const struct target_options *o = target_of(t->s.run);
    struct arena *a = t->s.a;
    const char *argv[24] = {"lamina", "coverage", "report", "--show-missing", "--bucket"};
    size_t n = 5;
    argv[n++] = str_c(a, bucket);
    argv[n++] = "--prefix";
    argv[n++] = str_c(a, prefix);
    struct str since = clock_iso8601_s(a, t->began_ms);
    if (!str_eq(prefix, t->prefix)) {
        argv[n++] = "--since";
        argv[n++] = since.p;
    }
    if (str_is(o->target, "aws")) {
        argv[n++] = "--target";
        argv[n++] = "aws";
    } else if (o->endpoint.n) {
        argv[n++] = "--endpoint";
        argv[n++] = str_c(a, o->endpoint);
    }
    if (str_has(t->stack)) {
        argv[n++] = "--stack-name";
        argv[n++] = str_c(a, t->stack);
    }
    argv[n++] = "--region";
    argv[n++] = str_c(a, aws_client_region(t->s.aws));
    if (o->profile.n) {
        argv[n++] = "--profile";
        argv[n++] = str_c(a, o->profile);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (!here)
        posix_spawn_file_actions_adddup2(&actions, 2, 1);
    fflush(stdout);
    pid_t pid;
    int r = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r)
        return verb_fail(t->s.run, "the report cannot be made: %s", strerror(r));
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return verb_fail(t->s.run, "the report cannot be made: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Which request was which test's. */
static struct str names_of(struct arena *a, const struct test_coverage_case *cases, size_t n)
{
    struct json *root = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < n; i++) {
        struct json *one = json_new(a, JSON_OBJECT);
        if (!cases[i].request_id.n)
            continue;
        json_set(a, one, S("request_id"), json_new_str(a, cases[i].request_id));
        json_set(a, one, S("name"), json_new_str(a, cases[i].name));
        json_add(list, one);
    }
    json_set(a, root, S("tests"), list);
    return json_text(a, root, -1);
}

/* Below the prefix of the run, or, for functions that were covered before, where theirs is. */
static int write_names(struct test_coverage *t, struct str bucket, struct str prefix,
                       struct str names)
{
    struct str run = str_slice(t->prefix, sizeof COVERAGE_PREFIX - 1, t->prefix.n);
    if (str_eq(prefix, t->prefix))
        run = S("");
    struct s3_put_object_input put = {
        .bucket = bucket,
        .key = str_printf(t->s.a, "%.*s%.*s" COVERAGE_TESTS, STR(prefix), STR(run)),
        .body = body_mem(names),
        .content_type = S("application/json"),
        .server_side_encryption = S("AES256")};
    struct aws_error err = {0};
    return aws_call(t->s.aws, t->s.a, &s3_put_object_op, &put, NULL, &err) < 0
               ? target_fail(t->s.run, &err, "the names of the tests cannot be written")
               : 0;
}

/* One table for each place that objects went to; mostly there is one. */
static int report(struct test_coverage *t, struct str names, bool here)
{
    struct str *done = ARENA_ARRAY(t->s.a, struct str, t->n + 1);
    size_t n = 0;
    int e = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct covered *c = &t->functions[i];
        struct str bucket = covered_variable(c, "COVERAGE_S3_BUCKET"),
                   prefix = covered_variable(c, "COVERAGE_S3_PREFIX");
        prefix = prefix.n ? prefix : S(COVERAGE_PREFIX);
        struct str place = str_printf(t->s.a, "%.*s/%.*s", STR(bucket), STR(prefix));
        bool known = !bucket.n;
        for (size_t k = 0; k < n; k++)
            known = known || str_eq(done[k], place);
        if (known)
            continue;
        done[n++] = place;
        int one = write_names(t, bucket, prefix, names);
        one = one ? one : report_prefix(t, bucket, prefix, here);
        e = e ? e : one;
    }
    return e;
}

int test_coverage_end(struct test_coverage *t, const struct test_coverage_case *cases, size_t n,
                      bool here)
{
    int e = wait_for_objects(t, cases, n);
    e = e ? e : report(t, names_of(t->s.a, cases, n), here);
    int back = test_coverage_abandon(t);
    return e ? e : back;
}
