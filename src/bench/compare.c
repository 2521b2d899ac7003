/* compare - see compare.h. */
#include "bench/compare.h"
#include <errno.h>
#include "base/json.h"
#include "bench/stats.h"
#include "bench/streams.h"
#include "wire/lambda.h"

#define DEFAULT_N 100
#define DEFAULT_BLOCK 5
#define BLOCK_MAX 1000

struct compares {
    struct arena *arena;
    struct aws_client *aws;
    const struct compare_options *options;
    const struct bench_plan *plan;
    struct bench_run *run;
    struct bench_session *session;
    struct stats_random random;
    int64_t sent[2];
    struct compare_result *result;
};

static bool stopped(const struct compares *c)
{
    return c->plan->stop && *c->plan->stop;
}

static int describe(struct compares *c, int side, struct aws_error *err)
{
    const struct compare_side *s = &c->options->sides[side];
    struct bench_function *f = &c->result->functions[side];
    struct lambda_get_function_configuration_input in = {.function_name = s->function,
                                                         .qualifier = s->qualifier};
    struct lambda_function_configuration *out;
    int r =
        aws_call(c->aws, c->arena, &lambda_get_function_configuration_op, &in, (void **)&out, err);
    if (r < 0)
        return r;
    *f = (struct bench_function){
        .name = out->function_name,
        .arn = out->function_arn,
        .qualifier = s->qualifier,
        .runtime = out->runtime,
        .handler = out->handler,
        .package_type = out->package_type,
        .version = out->version,
        .architecture = out->architectures.n ? out->architectures.items[0] : S("x86_64"),
        .memory_mb = (int)out->memory_size.is,
        .timeout_s = (int)out->timeout.is,
        .code_bytes = out->code_size.has ? out->code_size.is : -1,
    };
    streams_watch(c->session, out);
    struct bench_series *series = side ? bench_run_series(c->run) : &c->run->series[0];
    series->name = s->label;
    series->memory_mb = f->memory_mb;
    series->architecture = f->architecture;
    series->version = f->version;
    return 0;
}

/* ---- answers ---- */

static int answer_of(struct compares *c, int side, struct str payload, struct compare_answer *ret,
                     struct aws_error *err)
{
    struct lambda_invoke_input in = {.function_name = c->options->sides[side].function,
                                     .qualifier = c->options->sides[side].qualifier,
                                     .payload = payload};
    struct lambda_invoke_output *out;
    int r = aws_call(c->aws, c->arena, &lambda_invoke_op, &in, (void **)&out, err);
    if (r < 0)
        return r;
    ret->answers[side] = out->payload;
    ret->failed[side] = str_has(out->function_error);
    return 0;
}

/* As values, when both are JSON; otherwise byte by byte. */
static bool same(struct arena *a, struct str one, struct str other)
{
    struct json *x, *y;
    if (json_parse(a, one, &x, NULL) == 0 && json_parse(a, other, &y, NULL) == 0)
        return json_equal(x, y);
    return str_eq(one, other);
}

/* Before anything is measured, and beside it: each payload once. */
static int compare_answers(struct compares *c, struct aws_error *err)
{
    static const struct bench_payload nothing = {.name = S_INIT("payload"), .body = S_INIT("{}")};
    const struct bench_payload *list = c->plan->n_payloads ? c->plan->payloads : &nothing;
    size_t n = c->plan->n_payloads ? c->plan->n_payloads : 1;
    c->result->answers = ARENA_ARRAY(c->arena, struct compare_answer, n);
    for (size_t i = 0; i < n; i++) {
        struct compare_answer *one = &c->result->answers[i];
        one->payload = list[i].name;
        for (int side = 0; side < 2; side++) {
            int r = stopped(c) ? -ECANCELED : answer_of(c, side, list[i].body, one, err);
            if (r < 0)
                return r;
        }
        one->same =
            one->failed[0] == one->failed[1] && same(c->arena, one->answers[0], one->answers[1]);
        c->result->n_answers++;
        c->result->n_different += !one->same;
    }
    return 0;
}

/* ---- blocks ---- */

/* As many of both sides, in an order in which every other one is as likely. */
static void draw(struct compares *c, uint8_t *order, size_t a_side)
{
    size_t n = 2 * a_side;
    for (size_t i = 0; i < n; i++)
        order[i] = i % 2;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(stats_random_unit(&c->random) * (double)i);
        uint8_t other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}

static int send_one(struct compares *c, int side, int64_t n, bool discard, struct aws_error *err)
{
    struct bench_segment segment = {.phase = discard ? "warm-up" : "measuring",
                                    .function = c->options->sides[side].function,
                                    .qualifier = c->options->sides[side].qualifier,
                                    .series = (uint16_t)side,
                                    .n = n,
                                    .connections = 1,
                                    .closed = true,
                                    .discard = discard,
                                    .turn = discard ? 0 : c->sent[side]};
    c->sent[side] += discard ? 0 : n;
    int r = bench_segment(c->session, &segment, err);
    return r < 0 ? r : stopped(c) ? -ECANCELED : 0;
}

static int blocks(struct compares *c, struct aws_error *err)
{
    int64_t n = c->options->n > 0 ? c->options->n : DEFAULT_N;
    int64_t block = c->options->block > 0 ? c->options->block : DEFAULT_BLOCK;
    uint8_t order[2 * BLOCK_MAX];
    block = block < BLOCK_MAX ? block : BLOCK_MAX;
    int r = 0;
    for (int side = 0; side < 2 && r == 0 && c->plan->warmup > 0; side++)
        r = send_one(c, side, c->plan->warmup, true, err);
    while (n > 0 && r == 0) {
        size_t a_side = (size_t)(n < block ? n : block);
        draw(c, order, a_side);
        for (size_t i = 0; i < 2 * a_side && r == 0; i++)
            r = send_one(c, order[i], 1, false, err);
        n -= (int64_t)a_side;
    }
    return r;
}

int bench_compare(struct arena *a, struct aws_client *aws, const struct bench_plan *plan,
                  const struct compare_options *options, struct bench_run *run,
                  struct bench_progress *progress, struct compare_result *ret,
                  struct aws_error *err)
{
    struct compares c = {.arena = a, .aws = aws, .options = options, .plan = plan, .run = run};
    *ret = (struct compare_result){0};
    c.result = ret;
    c.random.state = plan->seed;
    struct bench_plan own = *plan;
    own.mode = BENCH_COMPARE;
    own.function = options->sides[0].function;
    own.qualifier = options->sides[0].qualifier;
    own.n = 2 * (options->n > 0 ? options->n : DEFAULT_N);
    int r = bench_open(a, aws, &own, run, progress, &c.session, err);
    if (r < 0)
        return r;
    for (int side = 0; side < 2 && r == 0; side++)
        r = describe(&c, side, err);
    if (r == 0 && options->same_answers)
        r = compare_answers(&c, err);
    if (r == 0)
        r = blocks(&c, err);
    if (r == -ECANCELED) {
        run->interrupted = true;
        r = 0;
    }
    bench_close(c.session);
    return r;
}
