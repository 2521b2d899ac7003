/* output_files - CSV, hdrplot, JUnit, and which file gets what (output.h). */
#include <errno.h>
#include <math.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/utf8.h"
#include "bench/output.h"

/* ---- CSV ---- */

/* Quoted when needed. A cell that spreadsheets would run as a formula begins with an apostrophe. */
static void csv_text(struct buf *b, struct str s)
{
    bool formula = s.n && strchr("=+-@\t\r", s.p[0]), quote = formula;
    for (size_t i = 0; i < s.n; i++)
        quote = quote || s.p[i] == ',' || s.p[i] == '"' || (unsigned char)s.p[i] < 0x20;
    if (!quote) {
        buf_str(b, s);
        return;
    }
    buf_text(b, formula ? "\"'" : "\"");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_byte(b, '"');
        buf_byte(b, s.p[i]);
    }
    buf_byte(b, '"');
}

/* Empty: not known. */
static void csv_known(struct buf *b, int64_t v)
{
    buf_byte(b, ',');
    if (v >= 0)
        buf_int(b, v);
}

static void csv_us(struct buf *b, int64_t ns)
{
    bool minus = ns < 0;
    uint64_t size = minus ? (uint64_t)-ns : (uint64_t)ns;
    buf_text(b, minus ? ",-" : ",");
    buf_int(b, (int64_t)(size / 1000));
    char digits[4] = {'.', (char)('0' + size / 100 % 10), (char)('0' + size / 10 % 10),
                      (char)('0' + size % 10)};
    buf_add(b, digits, 4);
}

void bench_write_csv_samples(struct buf *b, const struct bench_run *run)
{
    buf_text(b, "series,outcome,error,status,cold,environment,due_us,sent_us,latency_us,"
                "uncorrected_us,first_byte_us,queue_us,sandbox_us,init_us,handler_us,response_us,"
                "after_us,billed_ms,memory_mb\n");
    for (size_t i = 0; i < run->n_samples; i++) {
        const struct bench_sample *s = &run->samples[i];
        if (s->series < run->n_series)
            csv_text(b, run->series[s->series].name);
        buf_printf(b, ",%s,", bench_outcome_name(s->outcome));
        if (s->error && s->error < run->n_errors)
            csv_text(b, run->errors[s->error].type);
        csv_known(b, s->status ? s->status : -1);
        buf_text(b, s->cold ? ",1," : ",0,");
        if (s->environment && s->environment < run->n_environments)
            csv_text(b, run->environments[s->environment].id);
        csv_us(b, s->due_ns);
        csv_us(b, s->sent_ns);
        csv_us(b, s->done_ns - s->due_ns);
        csv_us(b, s->done_ns - s->sent_ns);
        if (s->first_ns)
            csv_us(b, s->first_ns - s->sent_ns);
        else
            buf_byte(b, ',');
        const int32_t parts[] = {s->queue_us,    s->sandbox_us, s->init_us,   s->handler_us,
                                 s->response_us, s->after_us,   s->billed_ms, s->memory_mb};
        for (size_t k = 0; k < ARRAY_LEN(parts); k++)
            csv_known(b, parts[k]);
        buf_byte(b, '\n');
    }
}

static void csv_number(struct buf *b, double v)
{
    if (isnan(v))
        buf_byte(b, ',');
    else
        buf_printf(b, ",%.9g", v);
}

static void csv_figure(struct buf *b, struct str series, const char *metric, const char *unit,
                       const struct figure *f)
{
    if (!figure_known(f))
        return;
    csv_text(b, series);
    buf_printf(b, ",%s,%s", metric, unit);
    csv_number(b, f->value);
    csv_number(b, f->low);
    csv_number(b, f->high);
    buf_printf(b, ",%zu\n", f->n);
}

static void csv_group(struct buf *b, const struct bench_summary *sum, const struct bench_group *g,
                      struct str series)
{
    static const char *const units[] = {"ms", "share", "", "MB", "USD", "1/s", "GB-s"};
    char name[96];
    for (int p = 0; gate_populations[p]; p++)
        for (int i = 0; gate_parts[i]; i++)
            for (int k = 0; gate_statistics[k]; k++) {
                const struct bench_spread *s = gate_spread(g, p, i);
                if ((s == &g->failed && p) || (s == gate_spread(g, p, 0) && i))
                    continue;
                struct figure f = gate_statistic(s, k);
                snprintf(name, sizeof(name), "%s.%s.%s", gate_populations[p], gate_parts[i],
                         gate_statistics[k]);
                csv_figure(b, series, name, "ms", &f);
            }
    for (int i = 0; gate_names[i]; i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct gate_metric m;
        struct str why;
        if (gate_metric_parse(&a, str_from(gate_names[i]), &m, &why) < 0)
            continue;
        struct figure f = gate_figure(sum, g, &m);
        csv_figure(b, series, gate_names[i], units[m.unit], &f);
    }
}

void bench_write_csv_summary(struct buf *b, const struct bench_summary *sum)
{
    buf_text(b, "series,metric,unit,value,low,high,n\n");
    csv_group(b, sum, &sum->all, S("all"));
    for (size_t i = 0; i < sum->n_groups; i++)
        csv_group(b, sum, &sum->groups[i], sum->groups[i].name);
}

void bench_write_hdrplot(struct buf *b, const struct bench_summary *sum)
{
    auto_arena struct arena a;
    arena_init(&a);
    const struct histogram *h = sum->all.all.histogram;
    histogram_plot(b, h ? h : histogram_new(&a));
}

/* ---- JUnit ---- */

static void xml_text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_length(s.p + i, s.p + s.n);
        unsigned char c = (unsigned char)s.p[i];
        uint32_t code = n ? utf8_char(s.p + i, n) : 0;
        if (!n || (c < 0x20 && c != '\n' && c != '\t') || code == 0xfffe || code == 0xffff)
            buf_text(b, "&#xfffd;");
        else if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\n' || c == '\t')
            buf_printf(b, "&#%d;", c);
        else
            buf_add(b, s.p + i, n);
        i += n ? n : 1;
    }
}

static void junit_case(struct buf *b, const struct bench_summary *sum, const struct gate_result *r)
{
    bool failed = r->verdict == GATE_FAILED || r->verdict == GATE_REGRESSED;
    buf_text(b, "    <testcase classname=\"");
    xml_text(b, sum->run->function.name);
    buf_text(b, "\" name=\"");
    if (str_has(r->series)) {
        xml_text(b, r->series);
        buf_text(b, ": ");
    }
    xml_text(b, r->text);
    buf_text(b, failed ? "\">\n      <failure message=\"" : "\">\n      <system-out>");
    xml_text(b, r->why);
    buf_text(b, failed ? "\"/>\n" : "</system-out>\n");
    buf_text(b, "    </testcase>\n");
}

void bench_write_junit(struct buf *b, const struct bench_summary *sum,
                       const struct gate_report *gates)
{
    size_t n = gates ? gates->n : 0, failed = gates ? gates->failed : 0;
    double seconds = (double)sum->run->elapsed_ns / 1e9;
    buf_text(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_printf(b, "<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n", n,
               failed, seconds);
    buf_text(b, "  <testsuite name=\"lamina bench ");
    xml_text(b, sum->run->mode);
    buf_printf(b, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n",
               n, failed, seconds);
    for (size_t i = 0; i < n; i++)
        junit_case(b, sum, &gates->results[i]);
    buf_text(b, "  </testsuite>\n</testsuites>\n");
}

/* ---- files ---- */

static int write_out(struct arena *a, struct str path, const struct buf *b, struct str *ret_path)
{
    *ret_path = path;
    if (buf_failed(b))
        return -ENOMEM;
    if (str_is(path, "-"))
        return fs_write_all(STDOUT_FILENO, b->p ? b->p : "", b->n);
    return fs_write(str_c(a, path), buf_view(b), 0644);
}

enum file_kind { JSON, HTML, MARKDOWN, SUMMARY, HDRPLOT, JUNIT, TUNING, SAMPLES, FILE_KINDS };

/* -ENODATA: there is nothing of that kind in this run. */
static int fill(struct buf *b, enum file_kind kind, const struct bench_summary *sum,
                const struct gate_report *gates, const struct bench_output *out)
{
    switch (kind) {
    case JSON:
        bench_write_json(b, sum, gates,
                         out->samples && sum->run->n_samples <= BENCH_JSON_SAMPLES_MAX);
        return 0;
    case HTML:
        bench_write_html(b, sum, gates);
        return 0;
    case MARKDOWN:
        bench_write_markdown(b, sum, gates);
        return 0;
    case SUMMARY:
        bench_write_csv_summary(b, sum);
        return 0;
    case HDRPLOT:
        bench_write_hdrplot(b, sum);
        return 0;
    case JUNIT:
        bench_write_junit(b, sum, gates);
        return 0;
    case TUNING:
        return bench_write_tuning(b, sum, str_has(out->strategy) ? out->strategy : S("cost"), 0.5);
    default:
        bench_write_csv_samples(b, sum->run);
        return 0;
    }
}

/* Is this kind written into a folder without being asked for by name? */
static bool in_folder(enum file_kind kind, const struct bench_summary *sum,
                      const struct gate_report *gates, const struct bench_output *out)
{
    switch (kind) {
    case JUNIT:
        return gates && gates->n;
    case TUNING:
        return str_is(sum->run->mode, "memory");
    case SAMPLES:
        return out->samples;
    default:
        return true;
    }
}

int bench_write(struct arena *a, const struct bench_summary *sum, const struct gate_report *gates,
                const struct bench_output *out, struct str *ret_path)
{
    static const char *const names[FILE_KINDS] = {
        [JSON] = "report.json",    [HTML] = "report.html",        [MARKDOWN] = "summary.md",
        [SUMMARY] = "summary.csv", [HDRPLOT] = "latency.hdrplot", [JUNIT] = "junit.xml",
        [TUNING] = "tuning.json",  [SAMPLES] = "samples.csv"};
    const struct str asked[FILE_KINDS] = {
        [JSON] = out->json,           [HTML] = out->html,       [MARKDOWN] = out->markdown,
        [SUMMARY] = out->csv_summary, [HDRPLOT] = out->hdrplot, [JUNIT] = out->junit,
        [TUNING] = out->tuning,       [SAMPLES] = out->csv};
    if (out->dir.n) {
        *ret_path = out->dir;
        int r = fs_mkdirs(str_c(a, out->dir), 0755);
        if (r < 0)
            return r;
    }
    for (int kind = 0; kind < FILE_KINDS; kind++) {
        bool folder = out->dir.n && in_folder(kind, sum, gates, out);
        if (!folder && !asked[kind].n)
            continue;
        auto_buf struct buf b;
        buf_init(&b, SIZE_MAX);
        int r = fill(&b, kind, sum, gates, out);
        if (r == -ENODATA && !asked[kind].n)
            continue;
        *ret_path = asked[kind].n ? asked[kind] : str_from(names[kind]);
        if (!r && folder)
            r = write_out(a, fs_join(a, out->dir, str_from(names[kind])), &b, ret_path);
        if (!r && asked[kind].n)
            r = write_out(a, asked[kind], &b, ret_path);
        if (r < 0)
            return r;
    }
    return 0;
}
