/* coverage_status - `lamina coverage status`: which functions are covered, and what has arrived. */
#include <time.h>
#include "base/clock.h"
#include "base/table.h"
#include "cli/coverage.h"
#include "cli/coverage_switch.h"
#include "cli/layer_publish.h"
#include "cli/target.h"
#include "wire/s3.h"

#define LOOK_BACK_DAYS 7

struct seen {
    struct str key;
    int64_t when_ms;
};

/* The newest object of a day; keys have the day in front of the function. */
static int look(struct coverage_switch *s, const struct covered *c, struct str bucket,
                struct str prefix, time_t day, struct seen *ret, struct aws_error *err)
{
    struct tm tm;
    gmtime_r(&day, &tm);
    struct s3_list_objects_v2_input in = {
        .bucket = bucket,
        .prefix = str_printf(s->a, "%.*s%04d/%02d/%02d/%.*s/", STR(prefix), tm.tm_year + 1900,
                             tm.tm_mon + 1, tm.tm_mday, STR(c->config->function_name)),
    };
    do {
        struct s3_list_objects_v2_output *out;
        int r = aws_call(s->aws, s->a, &s3_list_objects_v2_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->contents.n; i++) {
            const struct s3_object *o = &out->contents.items[i];
            if (o->last_modified.has && o->last_modified.ms >= ret->when_ms)
                *ret = (struct seen){o->key, o->last_modified.ms};
        }
        in.continuation_token = out->next_continuation_token;
    } while (str_has(in.continuation_token));
    return 0;
}

int covered_newest(struct coverage_switch *s, const struct covered *c, int64_t since_ms,
                   struct str *ret_key, int64_t *ret_ms, struct aws_error *err)
{
    struct str bucket = covered_variable(c, "COVERAGE_S3_BUCKET"),
               prefix = covered_variable(c, "COVERAGE_S3_PREFIX");
    struct seen seen = {.when_ms = since_ms};
    time_t now = time(NULL);
    prefix = prefix.n ? prefix : S(COVERAGE_PREFIX);
    for (int back = 0; bucket.n && back < LOOK_BACK_DAYS && !seen.key.n; back++) {
        int r = look(s, c, bucket, prefix, now - (time_t)back * 86400, &seen, err);
        if (r < 0)
            return r;
    }
    *ret_key = seen.key.n ? seen.key : S("");
    *ret_ms = seen.when_ms;
    return 0;
}

static struct str newest(struct coverage_switch *s, const struct covered *c, struct seen *ret)
{
    struct aws_error err = {0};
    *ret = (struct seen){0};
    return covered_newest(s, c, 0, &ret->key, &ret->when_ms, &err) < 0 ? err.message
                                                                       : (struct str){0};
}

static struct str ago(struct arena *a, int64_t when_ms)
{
    int64_t s = clock_now_us() / 1000000 - when_ms / 1000;
    if (s < 0)
        s = 0;
    if (s < 120)
        return str_printf(a, "%lld s ago", (long long)s);
    if (s < 7200)
        return str_printf(a, "%lld min ago", (long long)(s / 60));
    if (s < 172800)
        return str_printf(a, "%lld h ago", (long long)(s / 3600));
    return str_printf(a, "%lld days ago", (long long)(s / 86400));
}

/* How the tracer counts under this runtime. */
static struct str mechanism(const struct covered *c)
{
    int64_t minor;
    if (str_starts(c->config->runtime, S("nodejs")))
        return S("v8");
    if (c->native)
        return S("counters");
    struct str version = str_slice(c->config->runtime, 8, c->config->runtime.n);
    if (!str_starts(c->config->runtime, S("python3.")) || str_to_int64(version, &minor) < 0)
        return (struct str){0};
    return minor >= 12 ? S("monitoring") : S("settrace");
}

static void row(struct coverage_switch *s, struct table *t, const struct covered *c)
{
    struct str missing = covered_missing(s, c), prefix = covered_variable(c, "COVERAGE_S3_PREFIX");
    struct seen seen;
    struct str bucket = covered_variable(c, "COVERAGE_S3_BUCKET");
    prefix = prefix.n ? prefix : S(COVERAGE_PREFIX);
    struct str trouble = newest(s, c, &seen);
    bool off = !c->layer.n && !c->has_wrapper && !covered_by_itself(c);
    table_row(t);
    table_cell(t, c->config->function_name);
    table_cell(t, c->config->runtime);
    table_cell(t, c->layer.n             ? layer_arn_version(c->layer)
                  : covered_by_itself(c) ? S("own")
                                         : (struct str){0});
    table_cell(t, off || !bucket.n ? (struct str){0}
                                   : str_printf(s->a, "%.*s/%.*s", STR(bucket), STR(prefix)));
    table_cell(t, off ? (struct str){0} : mechanism(c));
    table_cell(t, seen.key.n ? ago(s->a, seen.when_ms) : off ? (struct str){0} : trouble);
    table_cell_style(t, missing.n ? off ? STYLE_DIM : STYLE_RED : STYLE_GREEN,
                     missing.n ? missing : S("yes"));
}

static void add_json(struct coverage_switch *s, struct json *list, const struct covered *c)
{
    struct arena *a = s->a;
    struct json *v = json_add(list, json_new(a, JSON_OBJECT));
    struct str missing = covered_missing(s, c), prefix = covered_variable(c, "COVERAGE_S3_PREFIX");
    struct str bucket = covered_variable(c, "COVERAGE_S3_BUCKET");
    struct seen seen;
    prefix = prefix.n ? prefix : S(COVERAGE_PREFIX);
    struct str trouble = newest(s, c, &seen);
    json_set(a, v, S("function"), json_new_str(a, c->config->function_name));
    json_set(a, v, S("runtime"), json_new_str(a, c->config->runtime));
    json_set(a, v, S("active"), json_new_bool(a, !missing.n));
    if (missing.n)
        json_set(a, v, S("reason"), json_new_str(a, missing));
    json_set(a, v, S("enabledByLamina"), json_new_bool(a, str_has(c->record)));
    if (c->layer.n)
        json_set(a, v, S("layer"), json_new_str(a, c->layer));
    if (bucket.n) {
        json_set(a, v, S("bucket"), json_new_str(a, bucket));
        json_set(a, v, S("prefix"), json_new_str(a, prefix));
    }
    if (mechanism(c).n)
        json_set(a, v, S("mechanism"), json_new_str(a, mechanism(c)));
    if (seen.key.n)
        json_set(a, v, S("newestObject"), json_new_str(a, seen.key));
    if (trouble.n)
        json_set(a, v, S("trouble"), json_new_str(a, trouble));
}

int coverage_status_run(struct verb_run *run)
{
    static const struct table_column columns[] = {
        {.title = "FUNCTION"},
        {.title = "RUNTIME"},
        {.title = "LAYER", .right = true},
        {.title = "BUCKET"},
        {.title = "MECHANISM"},
        {.title = "NEWEST OBJECT"},
        {.title = "ACTIVE", .shrink = true},
        {0},
    };
    struct coverage_switch s = {
        .run = run, .a = run->arena, .quiet = target_of(run)->json, .any = true};
    struct covered *items;
    size_t n;
    int e = target_open(run, &s.aws);
    if (e)
        return e;
    e = coverage_targets(&s, 1, &items, &n);
    struct table *t = table_new(s.a, columns);
    struct json *list = json_new(s.a, JSON_ARRAY);
    for (size_t i = 0; !e && i < n; i++)
        if (s.quiet)
            add_json(&s, list, &items[i]);
        else
            row(&s, t, &items[i]);
    aws_client_close(s.aws);
    if (e)
        return e;
    if (s.quiet)
        target_print_json(s.a, list);
    else if (n)
        table_print(stdout, t);
    else
        puts("There is no function that can be covered.");
    return 0;
}
