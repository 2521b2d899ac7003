/* cold_starts - see cold_starts.h. */
#include "bench/cold_starts.h"
#include "base/json.h"

/* "spare", "exec" or absent. */
static struct str start_of(const struct json *environments, struct str id)
{
    JSON_EACH(environments, e)
        if (str_eq(json_get_str(e, "id"), id))
            return json_get_str(e, "start");
    return (struct str){0};
}

static void split(struct bench_run *run, const struct str *starts)
{
    uint16_t executed = (uint16_t)run->n_series;
    bench_run_series(run)->name = S("cold, executed");
    run->series[0].name = S("cold, of a spare");
    for (size_t i = 0; i < run->n_samples; i++) {
        struct bench_sample *s = &run->samples[i];
        if (s->series == 0 && s->cold && str_is(starts[s->environment], "exec"))
            s->series = executed;
    }
}

void cold_starts_tell(struct arena *a, struct bench_run *run, struct str inspect,
                      struct cold_starts *ret)
{
    struct json *root;
    struct str *starts = ARENA_ARRAY(a, struct str, run->n_environments + 1);
    *ret = (struct cold_starts){0};
    if (json_parse(a, inspect, &root, NULL) < 0)
        return;
    const struct json *environments = json_get(root, "environments");
    for (size_t i = 1; i < run->n_environments; i++)
        starts[i] = start_of(environments, run->environments[i].id);
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->series != 0 || !s->cold)
            continue;
        bool known = s->environment < run->n_environments && starts[s->environment].n;
        ret->spare += known && str_is(starts[s->environment], "spare");
        ret->exec += known && str_is(starts[s->environment], "exec");
        ret->unknown += !known;
    }
    if (ret->spare && ret->exec)
        split(run, starts);
}
