/* output_json - the report that machines read, and later runs compare with (docs/bench-format.md).
 *
 * Written straight into the buffer: with its samples a report has hundreds of megabytes. */
#include <math.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "bench/output.h"

struct writer {
    struct buf *b;
    bool first; /* nothing was written yet in this object or array */
};

static void key(struct writer *w, const char *name)
{
    if (!w->first)
        buf_byte(w->b, ',');
    w->first = false;
    if (name) {
        buf_byte(w->b, '"');
        buf_text(w->b, name);
        buf_text(w->b, "\":");
    }
}

static void begin(struct writer *w, const char *name, char bracket)
{
    key(w, name);
    buf_byte(w->b, bracket);
    w->first = true;
}

static void end(struct writer *w, char bracket)
{
    buf_byte(w->b, bracket);
    w->first = false;
}

static void put_text(struct writer *w, const char *name, struct str s)
{
    if (!str_has(s))
        return;
    key(w, name);
    json_write_str(w->b, s);
}

static void put_int(struct writer *w, const char *name, int64_t v)
{
    key(w, name);
    buf_int(w->b, v);
}

/* -1 is "not known", which is absent. */
static void put_known(struct writer *w, const char *name, int64_t v)
{
    if (v >= 0)
        put_int(w, name, v);
}

static void put_double(struct writer *w, const char *name, double v)
{
    if (isnan(v) || isinf(v))
        return;
    key(w, name);
    buf_printf(w->b, "%.9g", v);
}

static void put_share(struct writer *w, const char *name, double v)
{
    if (v >= 0)
        put_double(w, name, v);
}

static void put_bool(struct writer *w, const char *name, bool v)
{
    key(w, name);
    buf_text(w->b, v ? "true" : "false");
}

static void put_figure(struct writer *w, const char *name, const struct figure *f)
{
    if (!figure_known(f))
        return;
    begin(w, name, '{');
    put_double(w, "value", f->value);
    put_double(w, "low", f->low);
    put_double(w, "high", f->high);
    put_int(w, "n", (int64_t)f->n);
    end(w, '}');
}

/* ---- figures ---- */

static void put_spread(struct writer *w, const char *name, const struct bench_spread *s)
{
    if (!s->n)
        return;
    begin(w, name, '{');
    put_int(w, "n", (int64_t)s->n);
    for (int i = 0; gate_statistics[i]; i++) {
        struct figure f = gate_statistic(s, i);
        put_figure(w, gate_statistics[i], &f);
    }
    put_double(w, "effective", s->worth > 0 ? s->worth : NAN);
    put_double(w, "deviation", s->deviation);
    put_double(w, "mad", s->mad);
    put_int(w, "outliers", (int64_t)s->outliers);
    end(w, '}');
}

static void put_population(struct writer *w, const struct bench_group *g, int which)
{
    const struct bench_population *p = which == 0 ? &g->all : which == 1 ? &g->cold : &g->warm;
    if (!p->latency.n && !p->billed.n && !(which == 0 && g->failed.n))
        return;
    begin(w, gate_populations[which], '{');
    for (int i = 0; gate_parts[i]; i++) {
        const struct bench_spread *s = gate_spread(g, which, i);
        bool twice = s == &p->latency && i; /* "uncorrected" of a closed loop */
        if (!twice && (s != &g->failed || !which))
            put_spread(w, gate_parts[i], s);
    }
    if (p->phased) {
        begin(w, "parts", '{');
        put_int(w, "n", (int64_t)p->phased);
        put_double(w, "latency_ms", p->phased_ms);
        for (int i = 0; i < BENCH_PHASES; i++)
            put_double(w, bench_phase_names[i], p->part_ms[i]);
        end(w, '}');
    }
    put_figure(w, "cost", &p->cost);
    if (p->histogram) {
        auto_arena struct arena a;
        arena_init(&a);
        put_text(w, "histogram", histogram_encode(&a, p->histogram));
    }
    end(w, '}');
}

static void put_group(struct writer *w, const struct bench_summary *sum,
                      const struct bench_group *g)
{
    if (g->series) {
        put_text(w, "name", g->name);
        put_text(w, "version", g->series->version);
        put_text(w, "payload", g->series->payload);
        put_text(w, "note", g->series->note);
        put_bool(w, "extrapolated", g->series->extrapolated);
    }
    if (g->memory_mb)
        put_int(w, "memory_mb", g->memory_mb);
    put_text(w, "architecture", g->architecture);
    begin(w, "outcomes", '{');
    for (int i = 0; i < BENCH_OUTCOMES; i++)
        put_int(w, bench_outcome_name(i), (int64_t)g->outcomes[i]);
    end(w, '}');
    put_int(w, "cold_starts", (int64_t)g->n_cold);
    if (g->memory_advice)
        put_int(w, "memory_advice_mb", g->memory_advice);
    put_double(w, "cost_usd", g->cost_usd);
    begin(w, "figures", '{');
    for (int i = 0; gate_names[i]; i++) {
        struct gate_metric m = {.part = -1, .statistic = i};
        struct figure f = gate_figure(sum, g, &m);
        put_figure(w, gate_names[i], &f);
    }
    end(w, '}');
    for (int i = 0; gate_populations[i]; i++)
        put_population(w, g, i);
}

/* ---- the run ---- */

static void put_run(struct writer *w, const struct bench_run *run)
{
    begin(w, "run", '{');
    put_text(w, "mode", run->mode);
    put_text(w, "target", run->target);
    put_text(w, "endpoint", run->endpoint);
    put_text(w, "region", run->region);
    auto_arena struct arena a;
    arena_init(&a);
    if (run->started_ms > 0)
        put_text(w, "started", clock_iso8601(&a, run->started_ms));
    put_double(w, "elapsed_s", (double)run->elapsed_ns / 1e9);
    /* Numbers above 2^53 do not survive most readers. */
    put_text(w, "seed", str_printf(&a, "%llu", (unsigned long long)run->seed));
    put_text(w, "loop", run->loop == BENCH_OPEN ? S("open") : S("closed"));
    put_bool(w, "poisson", run->poisson);
    put_int(w, "connections", run->connections);
    put_double(w, "rate", run->rate);
    put_int(w, "requests", (int64_t)run->n_samples);
    put_int(w, "warmup", run->warmup);
    put_text(w, "payloads_sha256", run->payloads);
    put_bool(w, "interrupted", run->interrupted);
    put_int(w, "late", (int64_t)run->late_sends);
    put_int(w, "dropped", (int64_t)run->dropped);
    put_int(w, "peak_concurrency", run->peak_concurrency);
    put_known(w, "server_concurrency", run->server_concurrency);
    put_known(w, "environments_started", run->environments_started);
    put_double(w, "client_cpu_s", (double)run->client_cpu_ns / 1e9);
    if (run->server_cpu_ns >= 0)
        put_double(w, "server_cpu_s", (double)run->server_cpu_ns / 1e9);
    put_int(w, "bytes_sent", run->bytes_sent);
    put_int(w, "bytes_received", run->bytes_received);
    if (run->knee_rate > 0) {
        put_double(w, "knee_rate", run->knee_rate);
        put_double(w, "knee_precision", run->knee_precision);
    }
    end(w, '}');
}

static void put_function(struct writer *w, const struct bench_function *f)
{
    begin(w, "function", '{');
    put_text(w, "name", f->name);
    put_text(w, "arn", f->arn);
    put_text(w, "qualifier", f->qualifier);
    put_text(w, "version", f->version);
    put_text(w, "runtime", f->runtime);
    put_text(w, "architecture", f->architecture);
    put_text(w, "handler", f->handler);
    put_text(w, "package_type", f->package_type);
    put_text(w, "init_type", f->init_type);
    put_text(w, "url", f->url);
    if (f->memory_mb)
        put_int(w, "memory_mb", f->memory_mb);
    if (f->timeout_s)
        put_int(w, "timeout_s", f->timeout_s);
    put_known(w, "code_bytes", f->code_bytes);
    end(w, '}');
}

static void put_machine(struct writer *w, const struct bench_machine *m)
{
    begin(w, "machine", '{');
    if (m->cores > 0)
        put_int(w, "cores", m->cores);
    put_text(w, "cpu", m->cpu);
    put_share(w, "load_before", m->load_before);
    put_share(w, "load_after", m->load_after);
    put_share(w, "steal", m->steal);
    put_share(w, "others", m->others);
    put_share(w, "client", m->client);
    put_share(w, "timer_late_p99_us", m->loop_late_p99_us);
    put_bool(w, "noisy", m->noisy);
    if (m->noisy)
        put_text(w, "why", m->why);
    end(w, '}');
}

static void put_prices(struct writer *w, const struct bench_summary *sum)
{
    if (!sum->priced)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    begin(w, "prices", '{');
    put_text(w, "date", sum->prices.date);
    put_text(w, "region", sum->prices.region);
    put_text(w, "architecture", sum->prices.architecture);
    put_double(w, "usd_per_request", sum->prices.request);
    if (sum->prices.n_duration)
        put_double(w, "usd_per_gb_second", sum->prices.duration[0].usd);
    put_text(w, "said", price_said(&a, &sum->prices));
    end(w, '}');
}

static void put_errors(struct writer *w, const struct bench_run *run)
{
    begin(w, "errors", '[');
    for (size_t i = 1; i < run->n_errors; i++) {
        begin(w, NULL, '{');
        put_text(w, "outcome", str_from(bench_outcome_name(run->errors[i].outcome)));
        put_text(w, "type", run->errors[i].type);
        put_text(w, "message", run->errors[i].message);
        put_int(w, "count", (int64_t)run->errors[i].count);
        end(w, '}');
    }
    end(w, ']');
}

static void put_stages(struct writer *w, const struct bench_run *run)
{
    if (!run->n_stages)
        return;
    begin(w, "stages", '[');
    for (size_t i = 0; i < run->n_stages; i++) {
        const struct bench_stage *g = &run->stages[i];
        begin(w, NULL, '{');
        put_double(w, "rate", g->rate);
        put_int(w, "connections", g->connections);
        put_int(w, "from_ns", g->from_ns);
        put_int(w, "to_ns", g->to_ns);
        put_int(w, "requests", (int64_t)g->n);
        put_bool(w, "passed", g->passed);
        put_double(w, "p99_ms", g->p99_ms);
        put_double(w, "p99_low_ms", g->p99_low_ms);
        put_double(w, "p99_high_ms", g->p99_high_ms);
        put_bool(w, "close", g->close);
        put_double(w, "achieved", g->achieved);
        put_text(w, "why", g->why);
        end(w, '}');
    }
    end(w, ']');
}

static void put_gates(struct writer *w, const struct gate_report *gates)
{
    if (!gates || !gates->n)
        return;
    begin(w, "gates", '{');
    put_int(w, "failed", (int64_t)gates->failed);
    put_text(w, "baseline", gates->baseline);
    begin(w, "results", '[');
    for (size_t i = 0; i < gates->n; i++) {
        const struct gate_result *r = &gates->results[i];
        begin(w, NULL, '{');
        put_text(w, "condition", r->text);
        put_text(w, "series", r->series);
        put_text(w, "verdict", str_from(gate_verdict_name(r->verdict)));
        put_bool(w, "close", r->close);
        put_figure(w, "figure", &r->figure);
        put_figure(w, "before", &r->before);
        put_figure(w, r->unit == GATE_RATE ? "difference" : "ratio", &r->ratio);
        put_text(w, "why", r->why);
        end(w, '}');
    }
    end(w, ']');
    begin(w, "notes", '[');
    for (size_t i = 0; i < gates->n_notes; i++)
        put_text(w, NULL, gates->notes[i]);
    end(w, ']');
    end(w, '}');
}

/* ---- samples ---- */

/* One row of numbers a request, in the order of `columns`: a tenth of the size of objects. */
static void put_samples(struct writer *w, const struct bench_run *run)
{
    begin(w, "samples", '{');
    key(w, "columns");
    buf_text(w->b, "[\"due_ns\",\"sent_ns\",\"first_ns\",\"done_ns\",\"outcome\",\"cold\","
                   "\"status\",\"series\",\"error\",\"environment\",\"queue_us\",\"sandbox_us\","
                   "\"init_us\",\"handler_us\",\"response_us\",\"after_us\",\"billed_ms\","
                   "\"memory_mb\"]");
    begin(w, "rows", '[');
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        const int64_t row[] = {
            s->due_ns,  s->sent_ns,    s->first_ns,    s->done_ns,     s->outcome,   s->cold,
            s->status,  s->series,     s->error,       s->environment, s->queue_us,  s->sandbox_us,
            s->init_us, s->handler_us, s->response_us, s->after_us,    s->billed_ms, s->memory_mb};
        key(w, NULL);
        for (size_t k = 0; k < ARRAY_LEN(row); k++) {
            buf_byte(w->b, k ? ',' : '[');
            buf_int(w->b, row[k]);
        }
        buf_text(w->b, "]\n");
    }
    end(w, ']');
    end(w, '}');
}

void bench_write_json(struct buf *b, const struct bench_summary *sum,
                      const struct gate_report *gates, bool samples)
{
    const struct bench_run *run = sum->run;
    struct writer w = {b, true};
    begin(&w, NULL, '{');
    put_text(&w, "format", S(BENCH_FORMAT));
    put_text(&w, "lamina", run->lamina);
    put_function(&w, &run->function);
    put_run(&w, run);
    put_machine(&w, &run->machine);
    put_prices(&w, sum);
    begin(&w, "all", '{');
    put_group(&w, sum, &sum->all);
    end(&w, '}');
    begin(&w, "series", '[');
    for (size_t i = 0; i < sum->n_groups; i++) {
        begin(&w, NULL, '{');
        put_group(&w, sum, &sum->groups[i]);
        end(&w, '}');
    }
    end(&w, ']');
    put_errors(&w, run);
    put_stages(&w, run);
    begin(&w, "warnings", '[');
    for (size_t i = 0; i < sum->n_warnings; i++)
        put_text(&w, NULL, sum->warnings[i]);
    end(&w, ']');
    put_gates(&w, gates);
    if (run->details) {
        key(&w, NULL);
        json_write_str(b, run->mode);
        buf_byte(b, ':');
        json_write(b, run->details, -1);
    }
    if (samples)
        put_samples(&w, run);
    end(&w, '}');
    buf_byte(b, '\n');
}
