/* cold - see cold.h. */
#include "bench/cold.h"
#include <errno.h>
#include "bench/lamina.h"

#define DEFAULT_N 10
#define GIVE_UP_AFTER 5 /* that many in a row were not cold */
#define BATCH 20        /* versions that exist at once: they count against the account's storage */

struct colds {
    struct arena *arena;
    struct aws_client *aws;
    const struct cold_options *options;
    const struct bench_plan *plan;
    struct bench_run *run;
    struct bench_session *session;
    struct change *change;
    struct str endpoint; /* of a Lamina */
    struct str *versions;
    size_t n_versions, next_version;
    int64_t wanted;
    int in_a_row;
    struct cold_result *result;
};

const char *cold_method_name(enum cold_method method)
{
    static const char *const names[] = {"auto", "drop", "description", "version"};
    return (size_t)method <= COLD_VERSION ? names[method] : "unknown";
}

/* ---- new environments ---- */

static int drop(struct colds *c, struct aws_error *err)
{
    const struct bench_function *f = &c->run->function;
    struct lamina_dropped dropped;
    int r = lamina_drop(c->arena, c->endpoint, aws_client_region(c->aws), f->name, f->version,
                        &dropped);
    if (r < 0)
        return aws_fail(err, r,
                        str_printf(c->arena, "the cloud at %.*s does not drop environments: %s",
                                   STR(c->endpoint), strerror(-r)));
    c->result->provisioned = dropped.provisioned;
    return 0;
}

static int more_versions(struct colds *c, int64_t missing, struct aws_error *err)
{
    int64_t n = missing < BATCH ? missing : BATCH;
    c->versions = ARENA_ARRAY(c->arena, struct str, (size_t)n);
    c->n_versions = c->next_version = 0;
    for (int64_t i = 0; i < n; i++) {
        int r = change_configure(c->change, 0, err);
        if (r == 0)
            r = change_publish(c->change, &c->versions[i], err);
        if (r < 0)
            return r;
        c->n_versions++;
        if (c->plan->stop && *c->plan->stop)
            return aws_fail(err, -ECANCELED, S("interrupted"));
    }
    return change_put_back(c->change, &c->result->report, err);
}

/* The next invocation shall find no environment. */
static int make_new(struct colds *c, struct bench_segment *segment, struct aws_error *err)
{
    int r = 0;
    switch (c->result->method) {
    case COLD_DROP:
        return drop(c, err);
    case COLD_DESCRIPTION:
        return change_configure(c->change, 0, err);
    default:
        if (c->next_version == c->n_versions)
            r = more_versions(c, c->wanted - c->result->counted, err);
        if (r < 0)
            return r;
        segment->function = change_function(c->change);
        segment->qualifier = c->versions[c->next_version++];
        return 0;
    }
}

/* ---- samples ---- */

/* 1: it counts. */
static int look_at(struct colds *c, size_t first, struct aws_error *err)
{
    struct bench_run *run = c->run;
    if (run->n_samples == first) /* ended before it was sent */
        return 0;
    const struct bench_sample *s = &run->samples[first];
    if (s->cold || s->outcome != BENCH_OK) {
        c->in_a_row = 0;
        c->result->counted++;
        c->result->cold += s->cold;
        return 1;
    }
    run->n_samples = first;
    c->result->not_cold++;
    if (++c->in_a_row < GIVE_UP_AFTER || c->result->counted)
        return c->in_a_row < 4 * GIVE_UP_AFTER
                   ? 0
                   : aws_fail(err, -ENODATA,
                              S("environments that were there already keep answering"));
    return aws_fail(err, -ENODATA,
                    c->result->provisioned
                        ? S("provisioned environments answer: no invocation is cold")
                        : S("no invocation was cold: each was answered by an environment that was "
                            "there, as far as its REPORT line tells"));
}

static int one(struct colds *c, struct aws_error *err)
{
    struct bench_segment segment = {
        .phase = "cold", .n = 1, .connections = 1, .closed = true, .turn = c->result->counted};
    size_t first = c->run->n_samples;
    int r = make_new(c, &segment, err);
    if (r == 0)
        r = bench_segment(c->session, &segment, err);
    if (r < 0 && c->run->n_samples == first)
        return r;
    int counts = look_at(c, first, err);
    if (r < 0 || counts < 0)
        return r < 0 ? r : counts;
    if (counts && c->options->warm > 0) {
        segment.phase = "warm";
        segment.series = 1;
        segment.n = c->options->warm;
        r = bench_segment(c->session, &segment, err);
    }
    if (r == 0 && c->result->method == COLD_VERSION)
        r = change_drop_version(c->change, segment.qualifier, err);
    return r;
}

static int all(struct colds *c, struct aws_error *err)
{
    int r = 0;
    while (r == 0 && c->result->counted < c->wanted) {
        r = one(c, err);
        if (r == 0 && c->plan->stop && *c->plan->stop)
            r = -ECANCELED;
    }
    return r;
}

static void ask_starts(struct colds *c)
{
    struct str answer,
        path = str_printf(c->arena, "/_lamina/lambda/inspect?region=%.*s&function=%.*s",
                          STR(aws_client_region(c->aws)), STR(c->run->function.name));
    if (lamina_ask(c->arena, c->endpoint, "GET", path, &answer) == 0)
        cold_starts_tell(c->arena, c->run, answer, &c->result->starts);
}

/* ---- a run ---- */

static int choose(struct colds *c, struct aws_error *err)
{
    enum cold_method method = c->options->method;
    const struct bench_function *f = &c->run->function;
    c->endpoint = lamina_endpoint(c->arena, c->aws);
    if (method == COLD_AUTO)
        method = c->endpoint.n ? COLD_DROP : COLD_DESCRIPTION;
    c->result->method = method;
    if (method == COLD_DROP && !c->endpoint.n)
        return aws_fail(err, -EINVAL, S("only the embedded cloud drops environments (lamina up)"));
    if (method == COLD_DROP)
        return 0;
    if (f->version.n && !str_is(f->version, "$LATEST"))
        return aws_fail(
            err, -EINVAL,
            str_printf(c->arena,
                       "a published version cannot be changed, so version %.*s cannot be "
                       "made to start anew: measure $LATEST, without a qualifier",
                       STR(f->version)));
    struct change_options options = {.function = f->name,
                                     .folder = c->options->folder,
                                     .profile = c->options->profile,
                                     .stop = c->plan->stop};
    return change_open(c->arena, c->aws, &options, &c->change, err);
}

int bench_cold(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
               const struct cold_options *options, struct bench_run *run,
               struct bench_progress *progress, struct cold_result *ret, struct aws_error *err)
{
    struct colds c = {.arena = a, .aws = aws, .options = options, .plan = plan, .run = run};
    *ret = (struct cold_result){0};
    c.result = ret;
    c.wanted = options->n > 0 ? options->n : DEFAULT_N;
    struct bench_plan own = *plan; /* the session's: it lives as long as that */
    own.mode = BENCH_COLD;
    own.n = c.wanted;
    own.no_log = false; /* nothing else tells cold from warm */
    int r = bench_open(a, aws, &own, run, progress, &c.session, err);
    if (r < 0)
        return r;
    run->series[0].name = S("cold");
    if (options->warm > 0)
        bench_run_series(run)->name = S("warm");
    r = choose(&c, err);
    if (r == 0)
        r = all(&c, err);
    if (r == -ECANCELED) {
        run->interrupted = true;
        r = 0;
    }
    if (c.endpoint.n)
        ask_starts(&c);
    struct aws_error other = {0};
    change_close(c.change, &ret->report, &other); /* ret->report tells what it could not do */
    bench_close(c.session);
    return r;
}
