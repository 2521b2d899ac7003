/* bench - `lamina bench ACTION FUNCTION`: measures a function; one row an action. */
#include "cli/bench_actions.h"
#include "cli/bench_sweeps.h"
#include "cli/verbs_all.h"

static const struct option_row ramp_rows[] = {
    {OPTION(struct bench_ramp_options, p99_ms), .name = "p99-limit", .type = OPTION_DURATION,
     .unit = "ms", .metavar = "TIME", .default_value = "1s", .min = 1, .max = 900000,
     .help = "a rate holds when p99 is below this, and nothing fails"},
    {OPTION(struct bench_ramp_options, stage_ms), .name = "stage", .type = OPTION_DURATION,
     .unit = "s", .metavar = "TIME", .default_value = "5s", .min = 100, .max = 3600000,
     .help = "how long each rate is tried"},
    {OPTION(struct bench_ramp_options, from), .name = "from", .type = OPTION_TEXT, .metavar = "R",
     .default_value = "10", .help = "the first rate"},
    {OPTION(struct bench_ramp_options, to), .name = "to", .type = OPTION_TEXT, .metavar = "R",
     .help = "not beyond this rate"},
    {OPTION(struct bench_ramp_options, precision), .name = "precision", .type = OPTION_TEXT,
     .metavar = "SHARE", .default_value = "5%",
     .help = "until a rate holds, and one higher by this share does not"},
    {0},
};

static int execute(struct bench_call *call, int code)
{
    if (!code) {
        bench_recover(call->run, call->aws);
        code = bench_call_execute(call);
    }
    if (!code)
        code = bench_call_report(call);
    bench_call_close(call);
    return code;
}

int bench_warm_run(struct verb_run *run)
{
    struct bench_call call;
    int code = bench_call_open(run, BENCH_WARM, &call);
    call.plan.connections = 1;
    bool given = options_given(&run->parsed, run->sets, run->n_sets, "warmup");
    if (!call.plan.warmup && !given) /* the first request may meet a cold start */
        call.plan.warmup = 5;
    return execute(&call, code);
}

int bench_load_run(struct verb_run *run)
{
    struct bench_call call;
    int code = bench_call_open(run, BENCH_LOAD, &call);
    return execute(&call, code);
}

int bench_rate_run(struct verb_run *run)
{
    struct bench_call call;
    int code = bench_call_open(run, BENCH_RATE, &call);
    if (!code && !call.plan.rate)
        code = verb_usage(run, "--rate is missing");
    return execute(&call, code);
}

int bench_burst_run(struct verb_run *run)
{
    struct bench_call call;
    int code = bench_call_open(run, BENCH_BURST, &call);
    if (!code && (call.plan.rate || call.plan.duration_ms))
        code = verb_usage(run, "burst sends --requests at once: no --rate, no --duration");
    if (!call.plan.n)
        call.plan.n = 100;
    call.plan.connections = (int)(call.plan.n < 20000 ? call.plan.n : 20000);
    return execute(&call, code);
}

static int take_ramp(struct verb_run *run, const struct bench_ramp_options *o,
                     struct bench_plan *plan)
{
    plan->ramp_p99_ms = (double)o->p99_ms;
    plan->ramp_stage_ms = o->stage_ms;
    if (bench_rate_parse(o->from, &plan->ramp_from) < 0)
        return verb_usage(run, "--from %.*s: no number above 0", STR(o->from));
    if (str_has(o->to) && bench_rate_parse(o->to, &plan->ramp_to) < 0)
        return verb_usage(run, "--to %.*s: no number above 0", STR(o->to));
    if (plan->ramp_to > 0 && plan->ramp_to < plan->ramp_from)
        return verb_usage(run, "--to is below --from");
    if (bench_share_parse(o->precision, &plan->ramp_precision) < 0 || plan->ramp_precision < .001)
        return verb_usage(run, "--precision %.*s: no share like 5%%, at least 0.1%%",
                          STR(o->precision));
    return plan->rate || plan->n || plan->duration_ms
               ? verb_usage(run, "ramp finds the rate: no --rate, --requests, --duration; "
                                 "--stage says how long each rate is tried")
               : 0;
}

int bench_ramp_run(struct verb_run *run)
{
    struct bench_call call;
    int code = bench_call_open(run, BENCH_RAMP, &call);
    for (size_t i = 0; !code && i < run->n_sets; i++)
        if (run->sets[i].rows == ramp_rows)
            code = take_ramp(run, run->values[i], &call.plan);
    return execute(&call, code);
}

#define FUNCTION "FUNCTION|LOGICAL_ID"
#define LOADS (BENCH_COMMON | BENCH_LOADS | BENCH_TARGET)

static const struct verb_action actions[] = {
    {.name = "warm",
     .run = bench_warm_run,
     .sets = BENCH_COMMON | BENCH_TARGET,
     .operands = FUNCTION,
     .min_operands = 1,
     .max_operands = 1,
     .summary = "one request after the other on a warm environment",
     .details = "Five requests before it begins are not counted (--warmup).\n\n"
                "    lamina bench warm MainFunction -n 500"},
    {.name = "load",
     .run = bench_load_run,
     .sets = LOADS,
     .operands = FUNCTION,
     .max_operands = 1,
     .summary = "a closed loop: -c callers, each waiting for its answer",
     .details = "With --rate it is an open loop, as `lamina bench rate`.\n\n"
                "    lamina bench load MainFunction -c 16 -d 30s --payloads events/"},
    {.name = "rate",
     .run = bench_rate_run,
     .sets = LOADS,
     .operands = FUNCTION,
     .max_operands = 1,
     .summary = "an open loop: requests leave at --rate, answered or not",
     .details =
         "Latency counts from when a request was due, so that a stall is seen by all whom it\n"
         "would have met; the uncorrected figures are shown as well. Requests that left late, and\n"
         "those that were never sent because all connections were busy, are counted.\n\n"
         "    lamina bench rate MainFunction --rate 200 --arrivals poisson -d 1m"},
    {.name = "ramp",
     .run = bench_ramp_run,
     .sets = LOADS | BENCH_RAMPS,
     .operands = FUNCTION,
     .max_operands = 1,
     .summary = "find the highest rate that holds",
     .details =
         "The rate doubles until a stage fails (p99 at --p99-limit or above, a throttle, an\n"
         "error), then the knee is searched between the highest that held and the lowest\n"
         "that did not.\n\n"
         "    lamina bench ramp MainFunction --p99-limit 200ms --precision 5%"},
    {.name = "burst",
     .run = bench_burst_run,
     .sets = LOADS,
     .operands = FUNCTION,
     .max_operands = 1,
     .summary = "-n requests at once",
     .details = "    lamina bench burst MainFunction -n 50"},
    {.name = "cold",
     .run = bench_cold_run,
     .sets = BENCH_COMMON | BENCH_COLD_OWN | BENCH_JOURNAL | BENCH_TARGET,
     .operands = FUNCTION,
     .min_operands = 1,
     .max_operands = 1,
     .summary = "a new environment for each request",
     .details =
         "An answer whose REPORT line has no Init Duration was not cold: it is not counted, and\n"
         "said. --method says how a new environment is had: `drop` asks the embedded cloud to "
         "give\n"
         "up idle ones, which changes nothing of the function, also of a version; `description`\n"
         "gives $LATEST another description each time and puts it back; `version` publishes one "
         "for\n"
         "each sample and deletes it. `auto` drops where it can, and else changes the "
         "description.\n\n"
         "    lamina bench cold MainFunction -n 20 --warm 5"},
    {.name = "memory",
     .run = bench_memory_run,
     .sets = BENCH_COMMON | BENCH_MEMORY_OWN | BENCH_JOURNAL | BENCH_TARGET,
     .operands = FUNCTION,
     .min_operands = 1,
     .max_operands = 1,
     .summary = "one memory size against the other: time and cost",
     .details =
         "-n requests a size (50), the first one of each, which is cold, not counted. Each size "
         "is\n"
         "a published version, so that they take turns, in an order that is drawn for each round;\n"
         "$LATEST is what it was before the first request leaves, and the versions are deleted at\n"
         "the end. A size is measured no further when its median is known (--stop-at). Running "
         "out\n"
         "of memory and of time are rows. Sizes of more processors than this machine has are\n"
         "marked. What is changed is in a journal first: after a kill, the next `lamina bench`\n"
         "or `lamina bench restore` puts it back. What somebody else has changed is left alone.\n\n"
         "    lamina bench memory MainFunction --memory 512-2048:256 --strategy balanced --apply"},
    {.name = "compare",
     .run = bench_compare_run,
     .sets = BENCH_COMMON | BENCH_COMPARE_OWN | BENCH_JOURNAL | BENCH_TARGET,
     .operands = "A [B]",
     .min_operands = 1,
     .max_operands = 2,
     .summary = "A against B, or against a --baseline",
     .details =
         "-n requests a side (100), in blocks whose order is drawn. For each figure: the ratio "
         "B/A,\n"
         "its interval of 95 %, and what that shows. --same-answers asks both for each payload\n"
         "first, and fails when they differ.\n\n"
         "    lamina bench compare MainFunction:1 MainFunction:live --payloads events/ \\\n"
         "        --same-answers\n"
         "    lamina bench compare MainFunction --baseline report.json --max-regression 5%"},
    {.name = "restore",
     .run = bench_restore_run,
     .sets = BENCH_JOURNAL | BENCH_RESTORE_OWN | BENCH_TARGET,
     .max_operands = 0,
     .summary = "put back what a run that was killed has left changed",
     .details = "Every other action does so, too, when it starts, for the endpoint it speaks to.\n"
                "--forget removes journals that cannot be undone: of a cloud that is gone, say.\n\n"
                "    lamina bench restore"},
    {0},
};

const struct verb bench_verb = {
    .name = "bench",
    .actions = actions,
    .sets = {BENCH_SET,
             BENCH_LOAD_SET,
             {ramp_rows, sizeof(struct bench_ramp_options)},
             BENCH_SWEEP_SET(bench_cold_rows),
             BENCH_SWEEP_SET(bench_memory_rows),
             BENCH_SWEEP_SET(bench_compare_rows),
             BENCH_SWEEP_SET(bench_journal_rows),
             BENCH_SWEEP_SET(bench_restore_rows),
             TARGET_SET},
    .preset = target_preset,
    .operands = "ACTION FUNCTION|LOGICAL_ID",
    .min_operands = 1,
    .max_operands = 3,
    .summary = "measure a function: latency, errors, cold starts, memory, cost",
};
