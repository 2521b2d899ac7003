/* verify_html - what was checked as one page that needs nothing else (verify.h). No script; the
 * only style is its own, by its hash. */
#include <math.h>
#include "base/clock.h"
#include "base/digest.h"
#include "cli/verify.h"

static const char style[] =
    ":root{--ink:#1c2126;--dim:#69737d;--line:#dfe3e7;--page:#fff;--soft:#f5f7f8;--pass:#1a7f4b;"
    "--warn:#9a6700;--fail:#c0362c;--skipped:#69737d;--bar:#4a78b5}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--dim:#9aa4ad;--line:#343b42;"
    "--page:#171a1d;--soft:#20252a;--pass:#56c08a;--warn:#d9a93a;--fail:#f07a70;--skipped:#9aa4ad;"
    "--bar:#6f9bd6}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}main{max-width:64rem;margin:0 auto;padding:2rem 1.25rem}"
    "h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.25rem 0 .5rem;"
    "overflow-wrap:anywhere}p{margin:.25rem 0;color:var(--dim)}"
    ".sum{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.25rem 0}"
    ".sum div{border:1px solid var(--line);border-radius:6px;padding:.5rem 1rem;min-width:6.5rem}"
    ".sum b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
    "padding:.35rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
    "th{font-weight:600;color:var(--dim);font-size:.85rem}td:first-child{white-space:nowrap;"
    "font-weight:600}td:nth-child(2){white-space:nowrap;color:var(--dim)}"
    "td:nth-child(3){width:22%}.pass{color:var(--pass)}.warn{color:var(--warn)}"
    ".fail{color:var(--fail)}.skipped{color:var(--skipped)}i{color:var(--dim);font-style:normal;"
    "display:block;font-size:.9rem}svg{display:block;width:100%;height:auto;margin:.75rem 0}"
    "svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .d{fill:var(--dim)}"
    "svg .b{fill:var(--bar)}svg .l{stroke:var(--ink);stroke-width:1.5;fill:none}"
    "@media(max-width:40rem){thead{display:none}tr{display:block;padding:.4rem 0;"
    "border-bottom:1px solid var(--line)}td,td:nth-child(3){display:inline-block;width:auto;"
    "border:0;padding:0 .5rem 0 0}td:nth-child(4){display:block}svg{display:none}}";

static void head(struct buf *b, const struct verify *v)
{
    uint8_t digest[32];
    digest_sha256(str_of(style, sizeof style - 1), digest);
    struct str hash = base64_encode(v->a, str_of((const char *)digest, sizeof digest));
    buf_text(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta name=\"referrer\" content=\"no-referrer\">\n");
    buf_printf(b,
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "base-uri 'none'; form-action 'none'; style-src 'sha256-%.*s'\">\n<title>Verify ",
               STR(hash));
    buf_markup(b, v->subject);
    buf_printf(b, "</title>\n<style>%s</style></head>\n<body><main>\n<h1>Verification of ", style);
    buf_markup(b, v->subject);
    buf_text(b, "</h1>\n<p>");
    buf_markup(b, str_printf(v->a, "%.*s, %.*s, %.*s run, %.*s, %.1f s", STR(v->target),
                             STR(v->region), STR(v->mode_name),
                             STR(clock_iso8601_s(v->a, v->started_ms)), v->seconds));
    buf_text(b, "</p>\n<div class=\"sum\">");
    /* by verdict */
    static const char *const words[] = {"passed", "warnings", "failed", "skipped"};
    static const enum verify_verdict order[] = {VERIFY_FAIL, VERIFY_WARN, VERIFY_PASS,
                                                VERIFY_SKIPPED};
    for (size_t i = 0; i < 4; i++) {
        size_t n = verify_count(v, order[i]);
        buf_printf(b, "<div><b%s%s%s>%zu</b>%s</div>", n ? " class=\"" : "",
                   n ? verify_verdict_name(order[i]) : "", n ? "\"" : "", n, words[order[i]]);
    }
    buf_text(b, "</div>\n");
}

/* ---- latency as bars: p50, with marks at p95 and the longest ---- */

#define WIDTH 960.0
#define LEFT 90.0
#define RIGHT 300.0

static double longest(const struct verify *v, struct str function)
{
    double most = 0;
    for (size_t i = 0; i < v->n_measured; i++) {
        const struct bench_spread *s = &v->measured[i].summary->all.all.latency;
        if (str_eq(v->measured[i].function, function) && s->n && s->max > most)
            most = s->max;
    }
    return most;
}

static void bars(struct buf *b, const struct verify *v, struct str function)
{
    double most = longest(v, function), y = 6;
    size_t n = 0;
    for (size_t i = 0; i < v->n_measured; i++)
        n += str_eq(v->measured[i].function, function) &&
             v->measured[i].summary->all.all.latency.n > 0;
    if (!n || !(most > 0))
        return;
    buf_printf(b,
               "<svg viewBox=\"0 0 %.0f %zu\" role=\"img\" aria-label=\"latency of each step: bar "
               "to p50, thin line to p95, tick at the longest\">\n",
               WIDTH, 12 + 28 * n);
    for (size_t i = 0; i < v->n_measured; i++) {
        const struct verify_measured *m = &v->measured[i];
        const struct bench_spread *s = &m->summary->all.all.latency;
        if (!str_eq(m->function, function) || !s->n)
            continue;
        double scale = (WIDTH - LEFT - RIGHT) / most, middle = y + 11;
        double p95 = isnan(s->p95.value) ? s->p50.value : s->p95.value;
        buf_printf(b, "<text x=\"0\" y=\"%.0f\">%s</text>", middle + 4, m->step);
        buf_printf(b, "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\"/>",
                   LEFT, middle - 6, fmax(1, s->p50.value * scale));
        buf_printf(b, "<path class=\"l\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv10\"/>",
                   LEFT + s->p50.value * scale, middle, LEFT + p95 * scale, LEFT + s->max * scale,
                   middle - 5);
        struct str words = str_printf(
            v->a, "p50 %.*s, p95 %.*s, max %.*s", STR(gate_value(v->a, s->p50.value, GATE_MS)),
            STR(gate_value(v->a, p95, GATE_MS)), STR(gate_value(v->a, s->max, GATE_MS)));
        buf_printf(b, "<text class=\"d\" x=\"%.0f\" y=\"%.0f\">", WIDTH - RIGHT + 14, middle + 4);
        buf_markup(b, words);
        buf_text(b, "</text>\n");
        y += 28;
    }
    buf_text(b, "</svg>\n");
}

static void row(struct buf *b, const struct verify_row *r)
{
    const char *name = verify_verdict_name(r->verdict);
    buf_printf(b, "<tr><td class=\"%s\">%s</td><td>%s</td><td>", name, name, r->group);
    buf_markup(b, r->check);
    buf_text(b, "</td><td>");
    buf_markup(b, r->message);
    if (r->advice.n) {
        buf_text(b, "<i>");
        buf_markup(b, r->advice);
        buf_text(b, "</i>");
    }
    buf_text(b, "</td></tr>\n");
}

void verify_write_html(struct buf *b, const struct verify *v)
{
    head(b, v);
    for (size_t i = 0; i < v->n; i++) {
        struct str function = v->rows[i].function;
        if (!i || !str_eq(function, v->rows[i - 1].function)) {
            buf_printf(b, "%s<h2>", i ? "</tbody></table>\n" : "");
            buf_markup(b, function);
            buf_text(b, "</h2>\n");
            bars(b, v, function);
            buf_text(b, "<table><thead><tr><th>verdict</th><th>part</th><th>check</th>"
                        "<th>found</th></tr></thead><tbody>\n");
        }
        row(b, &v->rows[i]);
    }
    buf_printf(b, "%s<p>lamina %s</p>\n</main></body></html>\n", v->n ? "</tbody></table>\n" : "",
               LAMINA_VERSION);
}
