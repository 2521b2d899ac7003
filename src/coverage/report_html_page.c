/* report_html_page - one file's page: its source, line by line, with what was run of it. */
#include "coverage/report_html.h"

enum kind { NOTHING, RUN, MISSING, EXCLUDED, PARTIAL, KINDS };
static const char *const kind_classes[] = {"", "r", "m", "x", "p"};
static const char *const kind_words[] = {"", "run", "missing", "excluded", "partial"};

struct page {
    struct html *h;
    struct html_file *file;
    const struct report_file *f;
    const struct file_result *result;
    struct str *lines; /* [1..n] */
    uint8_t *kinds;    /* [0..n] */
    uint32_t n;
    uint32_t counts[KINDS];
    uint32_t *ran_first; /* by context: lines that it was the first to run; NULL: nobody told */
};

/* As Python counts lines: ends are \n, \r\n and \r. */
static void split(struct page *p)
{
    struct str text = p->f->text;
    size_t cap = 1;
    for (size_t i = 0; i < text.n; i++)
        cap += text.p[i] == '\n' || text.p[i] == '\r';
    p->lines = ARENA_ARRAY(p->h->arena, struct str, cap + 1);
    for (size_t i = 0, from = 0; i <= text.n; i++) {
        bool end = i == text.n;
        if (!end && text.p[i] != '\n' && text.p[i] != '\r')
            continue;
        if (!end || i > from)
            p->lines[++p->n] = str_slice(text, from, i);
        if (!end && text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n')
            i++;
        from = i + 1;
    }
    if (p->n && str_starts(p->lines[1], S("\xef\xbb\xbf")))
        p->lines[1] = str_slice(p->lines[1], 3, p->lines[1].n);
}

static void classify(struct page *p)
{
    const struct file_result *r = p->result;
    p->kinds = arena_alloc(p->h->arena, p->n + 1);
    for (uint32_t l = 1; l <= p->n; l++)
        p->kinds[l] = bits_has(r->excluded, l)   ? EXCLUDED
                      : bits_has(r->missing, l)  ? MISSING
                      : bits_has(r->executed, l) ? RUN
                                                 : NOTHING;
    for (size_t i = 0; i < r->n_branches; i++) {
        int32_t from = r->branches[i].arc.from;
        if (r->branches[i].counts_missing && from > 0 && (uint32_t)from <= p->n &&
            p->kinds[from] == RUN)
            p->kinds[from] = PARTIAL;
    }
    for (uint32_t l = 1; l <= p->n; l++)
        p->counts[p->kinds[l]]++;
}

static uint32_t first_of(const struct page *p, uint32_t line)
{
    uint32_t c = line < p->f->n_first ? p->f->first[line] : 0;
    return c <= p->h->r->n_contexts && (p->kinds[line] == RUN || p->kinds[line] == PARTIAL) ? c : 0;
}

static void count_contexts(struct page *p)
{
    bool any = false;
    p->ran_first = ARENA_ARRAY(p->h->arena, uint32_t, p->h->r->n_contexts + 1);
    for (uint32_t l = 1; l <= p->n; l++) {
        uint32_t c = first_of(p, l);
        if (c) {
            p->ran_first[c]++;
            any = true;
        }
    }
    if (!any)
        p->ran_first = NULL;
}

/* ---- the head ---- */

static void neighbour(struct html *h, size_t i, const char *rel, const char *word, const char *sign)
{
    if (i >= h->n_files) {
        buf_printf(h->b, "<span class=\"step off\" aria-hidden=\"true\">%s</span>\n", sign);
        return;
    }
    buf_printf(h->b, "<a class=\"step\" rel=\"%s\" href=\"", rel);
    html_link(h, &h->files[i], 0);
    buf_printf(h->b, "\" title=\"%s: ", word);
    html_text(h->b, h->files[i].file->name);
    buf_printf(h->b, "\" aria-label=\"%s\">%s</a>\n", word, sign);
}

static void toggle(struct page *p, enum kind kind, uint64_t n, bool on)
{
    buf_printf(p->h->b,
               "<button type=\"button\" class=\"%s\" data-show=\"%s\" aria-pressed=\"%s\" "
               "title=\"show or hide (%s)\"><b>%llu</b> %s</button>\n",
               kind_classes[kind], kind_classes[kind], on ? "true" : "false", kind_classes[kind],
               (unsigned long long)n, kind_words[kind]);
}

static void head(struct page *p, size_t i)
{
    struct html *h = p->h;
    struct buf *b = h->b;
    const struct coverage_numbers *n = &p->result->numbers;
    double percent = numbers_percent(n);
    buf_printf(b,
               "<header class=\"top\">\n<div class=\"title\">\n<a class=\"up\" href=\"%s\">All "
               "files</a>\n<h1>",
               h->single ? "#index" : "index.html");
    html_name(b, p->f->name);
    buf_text(b, "</h1>\n<nav aria-label=\"Neighbours\">\n");
    neighbour(h, i - 1, "prev", "previous file", "←");
    neighbour(h, i + 1, "next", "next file", "→");
    buf_printf(b, "</nav>\n</div>\n<div class=\"facts\">\n<span class=\"pc %s\">",
               html_grade(percent));
    html_bar(b, percent);
    buf_text(b, "<strong>");
    html_percent(h, n);
    buf_text(b, "</strong></span>\n<span class=\"of\">");
    html_count(b, n->statements, "statement", "statements");
    if (h->r->branches) {
        buf_text(b, ", ");
        html_count(b, n->branches, "branch", "branches");
    }
    buf_text(b,
             "</span>\n<div class=\"toggles js\" role=\"group\" aria-label=\"Lines that are\">\n");
    toggle(p, RUN, n->statements - n->missing, false);
    toggle(p, MISSING, n->missing, true);
    toggle(p, EXCLUDED, n->excluded, true);
    if (h->r->branches)
        toggle(p, PARTIAL, n->partial_branches, true);
    if (p->ran_first)
        buf_text(b, "<button type=\"button\" data-show=\"w\" aria-pressed=\"true\" "
                    "title=\"show or hide (w)\">who ran it</button>\n");
    buf_text(b, "</div>\n</div>\n</header>\n");
    if (!p->f->imported)
        buf_text(b, "<p class=\"note\">No function has imported this file.</p>\n");
}

/* ---- functions, contexts, groups ---- */

static void outline(struct page *p)
{
    struct html *h = p->h;
    struct buf *b = h->b;
    if (p->file->n_functions < 2)
        return;
    buf_text(b, "<details class=\"panel outline\"><summary>");
    html_count(b, p->file->n_functions - 1, "function", "functions");
    buf_text(b, "</summary>\n<ul>\n");
    for (size_t i = 0; i + 1 < p->file->n_functions; i++) {
        const struct html_region *g = &p->file->functions[i];
        double percent = numbers_percent(&g->numbers);
        buf_printf(b, "<li class=\"pc %s\"><a href=\"", html_grade(percent));
        html_link(h, p->file, g->line);
        buf_text(b, "\"><code>");
        html_text(b, g->what->name);
        buf_text(b, "</code></a>");
        html_bar(b, percent);
        buf_text(b, "<span>");
        html_percent(h, &g->numbers);
        buf_text(b, "</span></li>\n");
    }
    buf_text(b, "</ul></details>\n");
}

static void context_row(struct page *p, uint32_t c)
{
    struct buf *b = p->h->b;
    const struct report_context *x = &p->h->r->contexts[c - 1];
    buf_printf(b, "<tr data-context=\"%u\"><th scope=\"row\">", c);
    html_context(b, x);
    buf_text(b, "</th><td>");
    html_text(b, x->function);
    buf_text(b, "</td><td>");
    html_text(b, x->version);
    buf_text(b, "</td><td>");
    html_time(b, x->start_ms);
    buf_text(b, "</td><td><code>");
    html_text(b, x->log_stream);
    buf_printf(b, "</code></td><td class=\"n\">%u</td></tr>\n", p->ran_first[c]);
}

static void contexts(struct page *p)
{
    struct buf *b = p->h->b;
    const struct coverage_report *r = p->h->r;
    uint32_t n = 0;
    if (!p->ran_first)
        return;
    for (uint32_t c = 1; c <= r->n_contexts; c++)
        n += p->ran_first[c] > 0;
    buf_text(b, "<details class=\"panel who\"><summary>first run by ");
    html_count(b, n, "invocation", "invocations");
    buf_text(b, "</summary>\n<p class=\"js hint\">Choose one to see its lines alone.</p>\n"
                "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Invocation, test</th>"
                "<th scope=\"col\">Function</th><th scope=\"col\">Version</th>"
                "<th scope=\"col\">Time (UTC)</th><th scope=\"col\">Log stream</th>"
                "<th scope=\"col\" class=\"n\">Lines</th></tr></thead>\n<tbody>\n");
    for (uint32_t c = 1; c <= r->n_contexts; c++)
        if (p->ran_first[c])
            context_row(p, c);
    buf_text(b, "</tbody></table></div></details>\n");
}

/* "1-4 7": lines that count, of a set. */
static uint32_t ranges(struct page *p, struct bits set, struct buf *ret)
{
    uint32_t n = 0;
    for (uint32_t l = 1, end; l <= p->n; l = end + 1) {
        end = l;
        if (!bits_has(set, l))
            continue;
        while (end < p->n && bits_has(set, end + 1))
            end++;
        for (uint32_t k = l; k <= end; k++)
            n += p->kinds[k] == RUN || p->kinds[k] == PARTIAL;
        buf_printf(ret, end > l ? "%u-%u " : "%u ", l, end);
    }
    return n;
}

static void groups(struct page *p)
{
    struct html *h = p->h;
    if (!p->f->n_groups)
        return;
    buf_text(h->b, "<details class=\"panel groups\"><summary>run by ");
    html_count(h->b, p->f->n_groups, "group", "groups");
    buf_text(h->b, "</summary>\n<p class=\"js hint\">Choose one to see its lines alone.</p>\n"
                   "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Function, version or "
                   "context</th><th scope=\"col\" class=\"n\">Lines</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < p->f->n_groups; i++) {
        const struct report_group_hits *g = &p->f->groups[i];
        buf_text(h->b, "<tr data-lines=\"");
        uint32_t n = ranges(p, g->lines, h->b);
        buf_text(h->b, "\"><th scope=\"row\"><code>");
        struct str label = h->r->groups[g->group];
        html_text(h->b, label.n ? label : S("(no name)"));
        buf_printf(h->b, "</code></th><td class=\"n\">%u</td></tr>\n", n);
    }
    buf_text(h->b, "</tbody></table></div></details>\n");
}

/* ---- the source ---- */

static void sentences(struct page *p, uint32_t line, size_t *next)
{
    const struct file_result *r = p->result;
    struct buf *b = p->h->b;
    while (*next < r->n_branches && r->branches[*next].arc.from < (int32_t)line)
        (*next)++;
    for (size_t i = *next; i < r->n_branches && r->branches[i].arc.from == (int32_t)line; i++) {
        const struct branch_arc *arc = &r->branches[i];
        if (!arc->counts_missing)
            continue;
        buf_text(b, "<small>");
        if (arc->what && arc->what->missing.n)
            html_text(b, arc->what->missing);
        else if (arc->arc.to < 0)
            buf_printf(b, "line %u didn&#39;t exit", line);
        else
            buf_printf(b, "line %u didn&#39;t jump to line %d", line, arc->arc.to);
        buf_text(b, "</small>");
    }
}

/* Lines that go on with a statement look like its first one, only paler. */
static enum kind look(const struct page *p, uint32_t line, bool *ret_goes_on)
{
    enum kind own = p->kinds[line];
    uint32_t first = analysis_first_line(p->result->analysis, line);
    *ret_goes_on = own == NOTHING && first != line && first <= p->n;
    return *ret_goes_on ? (enum kind)p->kinds[first] : own;
}

static void who(struct page *p, uint32_t line, uint32_t *last)
{
    struct buf *b = p->h->b;
    uint32_t c = first_of(p, line);
    if (c && c != *last) {
        buf_printf(b, "<button type=\"button\" class=\"w\" data-c=\"%u\">", c);
        html_label(p->h, p->h->r->contexts[c - 1].name);
        buf_text(b, "</button>");
    } else if (c) {
        buf_printf(b, "<i class=\"w\" data-c=\"%u\"></i>", c);
    }
    if (c || p->kinds[line] == MISSING)
        *last = c;
}

static void put_line(struct page *p, struct html_syntax *syntax, uint32_t line, size_t *branch,
                     uint32_t *last)
{
    struct buf *b = p->h->b;
    bool goes_on;
    enum kind kind = look(p, line, &goes_on);
    buf_text(b, "<p id=\"");
    if (p->h->single) {
        buf_str(b, p->file->page);
        buf_byte(b, '-');
    }
    buf_byte(b, 'L');
    buf_int(b, line);
    buf_byte(b, '"');
    if (kind != NOTHING)
        buf_printf(b, " class=\"%s%s\"", kind_classes[kind], goes_on ? " c" : "");
    buf_text(b, "><a href=\"");
    buf_byte(b, '#');
    if (p->h->single) {
        buf_str(b, p->file->page);
        buf_byte(b, '-');
    }
    buf_byte(b, 'L');
    buf_int(b, line);
    buf_byte(b, '"');
    if (kind > RUN && !goes_on)
        buf_printf(b, " aria-label=\"%u, %s\"", line, kind_words[kind]);
    buf_byte(b, '>');
    buf_int(b, line);
    buf_text(b, "</a><code>");
    html_code(b, syntax, p->lines[line]);
    sentences(p, line, branch);
    buf_text(b, "</code>");
    if (p->ran_first)
        who(p, line, last);
    buf_text(b, "</p>\n");
}

static void put_source(struct page *p)
{
    struct html_syntax syntax;
    size_t branch = 0;
    uint32_t last = 0;
    html_syntax_begin(&syntax, p->f->name);
    buf_text(p->h->b, "<div class=\"src show-m show-x show-p show-w\">\n");
    for (uint32_t l = 1; l <= p->n; l++)
        put_line(p, &syntax, l, &branch, &last);
    if (!p->n)
        buf_text(p->h->b, "<p class=\"empty\"><code>This file is empty.</code></p>\n");
    buf_text(p->h->b, "</div>\n");
}

/* Where what is missing stands in the whole, along the edge of the window. */
static void ruler(struct page *p)
{
    struct buf *b = p->h->b;
    if (!p->counts[MISSING] && !p->counts[PARTIAL] && !p->counts[EXCLUDED])
        return;
    double least = p->n / 300.0;
    buf_printf(b,
               "<svg class=\"ruler\" viewBox=\"0 0 1 %u\" preserveAspectRatio=\"none\" "
               "aria-hidden=\"true\">",
               p->n);
    for (uint32_t l = 1, end; l <= p->n; l = end + 1) {
        bool goes_on;
        enum kind kind = look(p, l, &goes_on);
        for (end = l; end < p->n && look(p, end + 1, &goes_on) == kind;)
            end++;
        double height = end - l + 1;
        if (kind > RUN)
            buf_printf(b, "<rect class=\"%s\" y=\"%u\" width=\"1\" height=\"%.4g\"/>",
                       kind_classes[kind], l - 1, height < least ? least : height);
    }
    buf_text(b, "</svg>\n");
}

void html_page(struct html *h, size_t i)
{
    struct page p = {
        .h = h, .file = &h->files[i], .f = h->files[i].file, .result = &h->files[i].file->result};
    split(&p);
    classify(&p);
    count_contexts(&p);
    buf_text(h->b, "<section class=\"view file\" id=\"");
    buf_str(h->b, h->single ? p.file->page : S("content"));
    buf_text(h->b, "\">\n");
    head(&p, i);
    buf_text(h->b, "<div class=\"panels\">\n");
    outline(&p);
    contexts(&p);
    groups(&p);
    buf_text(h->b, "</div>\n");
    put_source(&p);
    ruler(&p);
    buf_text(h->b, "</section>\n");
}
