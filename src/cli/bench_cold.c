/* bench_cold - `lamina bench cold`. */
#include "bench/cold.h"
#include "cli/bench_sweeps.h"

static enum cold_method method_of(struct str name)
{
    for (int m = COLD_AUTO; m <= COLD_VERSION; m++)
        if (str_is(name, cold_method_name((enum cold_method)m)))
            return (enum cold_method)m;
    return COLD_AUTO;
}

static void tell(struct verb_run *run, const struct bench_call *call, const struct cold_result *r)
{
    static const char *const how[] = {
        "",
        "idle environments dropped before each (nothing of the function was changed)",
        "another description of $LATEST before each (put back)",
        "a published version for each (deleted)",
    };
    if (!call->options->quiet && !target_of(run)->json) {
        printf("new environments: %s\n", how[r->method]);
        if (r->starts.spare || r->starts.exec)
            printf("%lld begun from a spare interpreter, %lld with a process of their own\n",
                   (long long)r->starts.spare, (long long)r->starts.exec);
    }
    if (r->cold < r->counted)
        fprintf(stderr,
                "lamina: bench: %lld of %lld failed without telling whether they were cold\n",
                (long long)(r->counted - r->cold), (long long)r->counted);
    if (r->not_cold)
        fprintf(stderr,
                "lamina: bench: %lld answer%s came from an environment that was there already: "
                "not counted\n",
                (long long)r->not_cold, r->not_cold > 1 ? "s" : "");
}

static struct json *details(struct arena *a, const struct cold_result *r)
{
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("method"), json_new_str(a, str_from(cold_method_name(r->method))));
    json_set(a, o, S("counted"), json_new_int(a, r->counted));
    json_set(a, o, S("cold"), json_new_int(a, r->cold));
    json_set(a, o, S("not_cold"), json_new_int(a, r->not_cold));
    if (r->starts.spare || r->starts.exec) {
        json_set(a, o, S("spare"), json_new_int(a, r->starts.spare));
        json_set(a, o, S("exec"), json_new_int(a, r->starts.exec));
    }
    return o;
}

int bench_cold_run(struct verb_run *run)
{
    const struct bench_sweep_options *o = bench_sweeps_of(run);
    struct bench_call call;
    struct aws_error err = {0};
    struct cold_result result;
    int code = bench_sweep_check(run);
    if (!code)
        code = bench_call_open(run, BENCH_COLD, &call);
    if (code)
        return code;
    bench_recover(run, call.aws);
    struct cold_options options = {
        .method = method_of(o->method),
        .n = call.plan.n,
        .warm = o->warm,
        .folder = bench_journal_folder(run),
        .profile = target_of(run)->profile,
    };
    int r = bench_cold(run->arena, call.aws, &call.plan, &options, &call.result, &call.progress,
                       &result, &err);
    bench_sweep_tell(run, &result.report);
    if (r < 0) {
        code = bench_call_fail(&call, &err);
    } else {
        call.result.details = details(run->arena, &result);
        code = bench_call_report(&call);
        tell(run, &call, &result);
    }
    if (!code && result.report.failed)
        code = 1;
    bench_call_close(&call);
    return code;
}
