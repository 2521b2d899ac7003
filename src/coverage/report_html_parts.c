/* report_html_parts - small things that several pages show. */
#include <time.h>
#include "coverage/report_html.h"

const char *html_grade(double percent)
{
    return percent >= 90 ? "hi" : percent >= 70 ? "mid" : "lo";
}

void html_bar(struct buf *b, double percent)
{
    buf_printf(b,
               "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
               "aria-hidden=\"true\"><rect width=\"%.1f\" height=\"1\"/></svg>",
               percent);
}

void html_percent(struct html *h, const struct coverage_numbers *n)
{
    buf_str(h->b, numbers_display(h->arena, numbers_percent(n), h->r->precision));
    buf_byte(h->b, '%');
}

void html_name(struct buf *b, struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    size_t base = (size_t)(slash + 1);
    if (base)
        buf_text(b, "<span class=\"dir\">");
    for (size_t i = 0, from = 0; i < name.n; i++) {
        /* Long names are broken there, rather than anywhere. */
        if (i + 1 < name.n && name.p[i] != '/' && name.p[i] != '_')
            continue;
        html_text(b, str_slice(name, from, i + 1));
        from = i + 1;
        buf_text(b, from == base ? "</span><wbr>" : from < name.n ? "<wbr>" : "");
    }
}

static bool is_uuid(struct str s)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (s.n != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (shape[i] == '-' ? s.p[i] != '-' : !strchr("0123456789abcdefABCDEF", s.p[i]) || !s.p[i])
            return false;
    return true;
}

void html_label(struct html *h, struct str context)
{
    enum { MOST = 16 };
    if (is_uuid(context)) {
        html_text(h->b, str_slice(context, 0, 8));
        return;
    }
    ssize_t colon = str_find_last_byte(context, ':');
    if (colon >= 0 && (size_t)colon + 1 < context.n)
        context = str_slice(context, (size_t)colon + 1, context.n);
    size_t n = context.n;
    if (n > MOST)
        for (n = MOST - 1; n && ((unsigned char)context.p[n] & 0xc0) == 0x80;)
            n--;
    html_text(h->b, context.n ? str_slice(context, 0, n) : S("(no name)"));
    if (n < context.n)
        buf_text(h->b, "…");
}

void html_context(struct buf *b, const struct report_context *x)
{
    buf_text(b, "<code>");
    html_text(b, x->name.n ? x->name : S("(no name)"));
    buf_text(b, "</code>");
    if (!x->id.n || str_eq(x->id, x->name))
        return;
    buf_text(b, " <span class=\"dir\">"); /* a test: its request */
    html_text(b, x->id);
    buf_text(b, "</span>");
}

void html_time(struct buf *b, int64_t ms)
{
    struct tm tm;
    char text[40];
    time_t s = (time_t)(ms / 1000);
    if (ms <= 0 || !gmtime_r(&s, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return;
    buf_printf(b, "<time datetime=\"%s\">%.10s %.8s</time>", text, text, text + 11);
}

void html_link(struct html *h, const struct html_file *f, uint32_t line)
{
    if (h->single)
        buf_byte(h->b, '#');
    buf_str(h->b, f->page);
    if (line)
        buf_printf(h->b, h->single ? "-L%u" : "#L%u", line);
}

void html_count(struct buf *b, uint64_t n, const char *one, const char *many)
{
    buf_printf(b, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

void html_list(struct html *h, const char *title, const struct report_left_out *items, size_t n)
{
    if (!n)
        return;
    buf_printf(h->b, "<h3>%s</h3>\n<ul>\n", title);
    for (size_t i = 0; i < n; i++) {
        buf_text(h->b, "<li><code>");
        html_text(h->b, items[i].name);
        buf_text(h->b, "</code> ");
        html_text(h->b, items[i].reason);
        buf_text(h->b, "</li>\n");
    }
    buf_text(h->b, "</ul>\n");
}

/* ---- functions and classes ---- */

static struct html_region *part(struct html *h, const struct html_file *f, struct bits only,
                                struct html_region *ret)
{
    struct file_result r;
    numbers_part(h->arena, &f->file->result, only, &r);
    ret->numbers = r.numbers;
    return ret;
}

static size_t regions_of(struct html *h, const struct html_file *f, enum analysis_region_kind kind,
                         struct html_region *out)
{
    const struct analysis *an = f->file->result.analysis;
    size_t n = 0, size = bits_size(an->n_lines);
    uint8_t *outside = arena_alloc(h->arena, size);
    memset(outside, 0xff, size);
    outside[0] &= 0xfe;
    for (size_t i = 0; i < an->n_regions; i++) {
        const struct analysis_region *g = &an->regions[i];
        if (g->kind != kind)
            continue;
        for (size_t k = 0; k < g->lines.n && k < size; k++)
            outside[k] &= (uint8_t)~g->lines.p[k];
        out[n].what = g;
        out[n].line = (uint32_t)g->start;
        part(h, f, g->lines, &out[n++]);
    }
    out[n].line = 0;
    part(h, f, (struct bits){outside, size}, &out[n++]);
    return n;
}

void html_regions(struct html *h, struct html_file *f)
{
    size_t n = f->file->result.analysis->n_regions + 1;
    struct html_region *functions = ARENA_ARRAY(h->arena, struct html_region, n),
                       *classes = ARENA_ARRAY(h->arena, struct html_region, n);
    f->n_functions = regions_of(h, f, ANALYSIS_FUNCTION, functions);
    f->n_classes = regions_of(h, f, ANALYSIS_CLASS, classes);
    f->functions = functions;
    f->classes = classes;
}
