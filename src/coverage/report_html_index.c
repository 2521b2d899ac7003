/* report_html_index - the pages that list: files, functions, classes, who ran something. */
#include <stdlib.h>
#include "coverage/report_html.h"

const char *const html_index_pages[] = {"index", "functions", "classes", "contexts"};
static const char *const tab_names[] = {"Files", "Functions", "Classes", "Invocations"};
#define N_TABS 4
#define CONTEXTS_MAX 5000 /* rows; nobody reads more */

struct row {
    const struct html_file *file;
    const struct html_region *region; /* NULL: the whole file */
    const struct coverage_numbers *numbers;
    size_t order; /* as the files have it */
};

static void index_link(struct html *h, enum html_index which)
{
    buf_printf(h->b, h->single ? "#%s" : "%s.html", html_index_pages[which]);
}

/* ---- the head ---- */

static void tabs(struct html *h, enum html_index which)
{
    buf_text(h->b, "<nav class=\"tabs\" aria-label=\"Lists\">\n");
    for (int i = 0; i < N_TABS; i++) {
        buf_text(h->b, "<a href=\"");
        index_link(h, (enum html_index)i);
        buf_printf(h->b, "\"%s>%s</a>\n", i == (int)which ? " aria-current=\"page\"" : "",
                   tab_names[i]);
    }
    buf_text(h->b, "</nav>\n");
}

static void figure(struct buf *b, uint64_t n, const char *what, const char *class)
{
    buf_printf(b, "<div class=\"%s\"><dt>%s</dt><dd>%llu</dd></div>\n", class, what,
               (unsigned long long)n);
}

static void hero(struct html *h)
{
    struct buf *b = h->b;
    const struct coverage_numbers *n = &h->r->totals;
    double percent = numbers_percent(n);
    buf_text(b, "<header class=\"hero\">\n<div class=\"title\"><h1>");
    html_text(b, h->title);
    buf_printf(b, "</h1></div>\n<p class=\"total pc %s\"><strong>", html_grade(percent));
    html_percent(h, n);
    buf_text(b, "</strong>");
    html_bar(b, percent);
    buf_text(b, "</p>\n<dl>\n");
    figure(b, n->files, n->files == 1 ? "file" : "files", "");
    figure(b, n->statements, "statements", "");
    figure(b, n->missing, "missing", "m");
    figure(b, n->excluded, "excluded", "x");
    if (h->r->branches) {
        figure(b, n->branches, "branches", "");
        figure(b, n->missing_branches, "branches missing", "m");
        figure(b, n->partial_branches, "partial", "p");
    }
    buf_text(b, "</dl>\n</header>\n");
}

static void controls(struct html *h, enum html_index which)
{
    buf_text(h->b, "<div class=\"controls\">\n");
    tabs(h, which);
    buf_text(h->b, "<div class=\"js tools\"><input type=\"search\" class=\"filter\" "
                   "placeholder=\"Filter\" aria-label=\"Show rows with these words\" "
                   "spellcheck=\"false\" autocomplete=\"off\">\n");
    if (which != HTML_CONTEXTS)
        buf_text(h->b, "<label><input type=\"checkbox\" class=\"hide\"> hide covered</label>\n");
    buf_text(h->b, "</div>\n</div>\n");
}

/* What the numbers do not tell stands before them. */
static void notes(struct html *h)
{
    const struct coverage_report *r = h->r;
    size_t n = r->n_left_out + r->n_unreadable + r->n_missing + (r->warning.n > 0) +
               (r->branches && r->n_lines_only);
    if (!n)
        return;
    buf_text(h->b, "<details class=\"notes\" open><summary>");
    html_count(h->b, n, "thing is", "things are");
    buf_text(h->b, " not in these numbers, or not completely</summary>\n");
    if (r->warning.n) {
        buf_text(h->b, "<p>");
        html_text(h->b, r->warning);
        buf_text(h->b, "</p>\n");
    }
    if (r->branches && r->n_lines_only)
        buf_printf(h->b,
                   "<p>%zu of %zu objects have measured lines only: branches that only they have "
                   "run count as missing.</p>\n",
                   r->n_lines_only, r->n_objects);
    html_list(h, "Sources that are not counted", r->left_out, r->n_left_out);
    html_list(h, "Data that cannot be read", r->unreadable, r->n_unreadable);
    html_list(h, "Data that are not complete", r->missing, r->n_missing);
    buf_text(h->b, "</details>\n");
}

/* ---- tables of numbers ---- */

static int row_cmp(const void *va, const void *vb)
{
    const struct row *a = va, *b = vb;
    const struct coverage_numbers *x = a->numbers, *y = b->numbers;
    if (x->missing != y->missing)
        return x->missing > y->missing ? -1 : 1;
    if (x->missing_branches != y->missing_branches)
        return x->missing_branches > y->missing_branches ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct row *rows_of(struct html *h, enum html_index which, size_t *ret_n)
{
    size_t n = 0, most = 0;
    for (size_t i = 0; i < h->n_files; i++)
        most += 1 + h->files[i].n_functions + h->files[i].n_classes;
    struct row *rows = ARENA_ARRAY(h->arena, struct row, most + 1);
    for (size_t i = 0; i < h->n_files; i++) {
        const struct html_file *f = &h->files[i];
        const struct html_region *regions = which == HTML_CLASSES ? f->classes : f->functions;
        size_t n_regions = which == HTML_FILES     ? 1
                           : which == HTML_CLASSES ? f->n_classes
                                                   : f->n_functions;
        for (size_t k = 0; k < n_regions; k++) {
            const struct html_region *g = which == HTML_FILES ? NULL : &regions[k];
            rows[n] = (struct row){f, g, g ? &g->numbers : &f->file->result.numbers, n};
            /* What is outside of all, in a file with nothing there. */
            n += !g || g->what || g->numbers.statements;
        }
    }
    if (n)
        qsort(rows, n, sizeof *rows, row_cmp);
    *ret_n = n;
    return rows;
}

static void head_cell(struct buf *b, const char *title, const char *key, const char *sort)
{
    buf_printf(b,
               "<th scope=\"col\"%s%s><button type=\"button\" data-key=\"%s\" title=\"sort "
               "(%s)\">%s</button></th>",
               *key == 'n' || *key == 'f' ? "" : " class=\"n\"", sort, key, key, title);
}

static void head_row(struct html *h, enum html_index which)
{
    struct buf *b = h->b;
    buf_text(b, "<thead><tr>");
    head_cell(b, "File", "n", "");
    if (which != HTML_FILES)
        head_cell(b, which == HTML_CLASSES ? "Class" : "Function", "f", "");
    head_cell(b, "Coverage", "c", "");
    head_cell(b, "Statements", "s", "");
    head_cell(b, "Missing", "m", " aria-sort=\"descending\"");
    head_cell(b, "Excluded", "x", "");
    if (h->r->branches) {
        head_cell(b, "Branches", "b", "");
        head_cell(b, "Partial", "p", "");
    }
    buf_text(b, "</tr></thead>\n");
}

static void number(struct buf *b, uint64_t n, const char *class)
{
    buf_text(b, "<td class=\"n");
    if (*class && n)
        buf_printf(b, " %s", class);
    else if (!n)
        buf_text(b, " z");
    buf_text(b, "\">");
    buf_int(b, (int64_t)n);
    buf_text(b, "</td>");
}

static void numbers(struct html *h, const struct coverage_numbers *n)
{
    struct buf *b = h->b;
    double percent = numbers_percent(n);
    buf_printf(b, "<td class=\"n pc %s\" data-v=\"%.9g\">", html_grade(percent), percent);
    html_bar(b, percent);
    buf_text(b, "<span>");
    html_percent(h, n);
    buf_text(b, "</span></td>");
    number(b, n->statements, "");
    number(b, n->missing, "m");
    number(b, n->excluded, "");
    if (h->r->branches) {
        number(b, n->branches, "");
        number(b, n->partial_branches, "p");
    }
}

static void put_row(struct html *h, const struct row *row)
{
    struct buf *b = h->b;
    const struct coverage_numbers *n = row->numbers;
    bool covered = !n->missing && !n->missing_branches;
    buf_printf(b, "<tr%s", covered ? " class=\"ok\"" : "");
    if (n->missing_branches)
        buf_printf(b, " data-mb=\"%llu\"", (unsigned long long)n->missing_branches);
    buf_text(b, "><th scope=\"row\"><a href=\"");
    html_link(h, row->file, row->region ? row->region->line : 0);
    buf_text(b, "\">");
    html_name(b, row->file->file->name);
    buf_text(b, "</a>");
    if (!row->region && !row->file->file->imported)
        buf_text(b, " <span class=\"tag\">never imported</span>");
    buf_text(b, "</th>");
    if (row->region) {
        buf_text(b, "<td><a href=\"");
        html_link(h, row->file, row->region->line);
        buf_text(b, "\"><code>");
        if (row->region->what)
            html_text(b, row->region->what->name);
        buf_text(b, row->region->what ? "</code></a></td>" : "</code>(outside)</a></td>");
    }
    numbers(h, n);
    buf_text(b, "</tr>\n");
}

static void table(struct html *h, enum html_index which)
{
    struct buf *b = h->b;
    size_t n;
    struct row *rows = rows_of(h, which, &n);
    buf_printf(b, "<div class=\"scroll\"><table class=\"list\" data-precision=\"%d\">\n",
               h->r->precision);
    head_row(h, which);
    buf_text(b, "<tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_row(h, &rows[i]);
    buf_text(b, "</tbody>\n<tfoot><tr");
    if (h->r->totals.missing_branches)
        buf_printf(b, " data-mb=\"%llu\"", (unsigned long long)h->r->totals.missing_branches);
    buf_printf(b, "><th scope=\"row\"%s>Total</th>", which == HTML_FILES ? "" : " colspan=\"2\"");
    numbers(h, &h->r->totals);
    buf_text(b, "</tr></tfoot>\n</table></div>\n<p class=\"none\" hidden>Nothing has these "
                "words.</p>\n");
    if (h->skipped) {
        buf_text(b, "<p class=\"hint\">");
        html_count(b, h->skipped, "file is", "files are");
        buf_text(b, " not shown, as was asked for; the total counts them.</p>\n");
    }
}

/* ---- who ran what first ---- */

struct credit {
    uint32_t lines, files, last_file;
};

static struct credit *credits_of(struct html *h)
{
    size_t n = h->r->n_contexts;
    struct credit *all = ARENA_ARRAY(h->arena, struct credit, n + 1);
    for (uint32_t i = 0; i < h->r->n_files; i++) {
        const struct report_file *f = &h->r->files[i];
        for (uint32_t l = 1; l < f->n_first; l++) {
            uint32_t c = f->first[l];
            if (!c || c > n || !bits_has(f->result.executed, l))
                continue;
            all[c].lines++;
            all[c].files += all[c].last_file != i + 1;
            all[c].last_file = i + 1;
        }
    }
    return all;
}

struct ranked {
    uint32_t context, lines;
};

static int ranked_cmp(const void *va, const void *vb)
{
    const struct ranked *a = va, *b = vb;
    if (a->lines != b->lines)
        return a->lines > b->lines ? -1 : 1;
    return a->context < b->context ? -1 : 1;
}

static void context_row(struct html *h, uint32_t c, const struct credit *credit)
{
    struct buf *b = h->b;
    const struct report_context *x = &h->r->contexts[c - 1];
    buf_text(b, "<tr><th scope=\"row\">");
    html_context(b, x);
    buf_text(b, "</th><td>");
    html_text(b, x->function);
    if (x->version.n) {
        buf_text(b, " <span class=\"dir\">");
        html_text(b, x->version);
        buf_text(b, "</span>");
    }
    buf_printf(b, "</td><td data-v=\"%lld\">", (long long)x->start_ms);
    html_time(b, x->start_ms);
    buf_text(b, "</td><td><code>");
    html_text(b, x->log_stream);
    buf_printf(b, "</code></td><td class=\"n\">%u</td><td class=\"n\">%u</td></tr>\n",
               credit->files, credit->lines);
}

static void contexts(struct html *h)
{
    struct buf *b = h->b;
    struct credit *credits = credits_of(h);
    struct ranked *rows = ARENA_ARRAY(h->arena, struct ranked, h->r->n_contexts + 1);
    size_t n = 0;
    for (uint32_t c = 1; c <= h->r->n_contexts; c++)
        if (credits[c].lines)
            rows[n++] = (struct ranked){c, credits[c].lines};
    if (!n) {
        buf_text(b, "<p class=\"hint\">The data do not say who ran what.</p>\n");
        return;
    }
    qsort(rows, n, sizeof *rows, ranked_cmp);
    buf_text(b, "<p class=\"hint\">Who was the first to run a line: initialisations, invocations, "
                "tests.</p>\n<div class=\"scroll\"><table class=\"list\"><thead><tr>");
    head_cell(b, "Invocation, test", "n", "");
    head_cell(b, "Function", "f", "");
    head_cell(b, "Time (UTC)", "n", "");
    head_cell(b, "Log stream", "n", "");
    head_cell(b, "Files", "s", "");
    head_cell(b, "Lines", "m", " aria-sort=\"descending\"");
    buf_text(b, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < CONTEXTS_MAX; i++)
        context_row(h, rows[i].context, &credits[rows[i].context]);
    buf_text(b, "</tbody></table></div>\n<p class=\"none\" hidden>Nothing has these words.</p>\n");
    if (n > CONTEXTS_MAX)
        buf_printf(
            b, "<p class=\"hint\">%zu more are not shown; each file&#39;s page has its own.</p>\n",
            n - CONTEXTS_MAX);
}

void html_index(struct html *h, enum html_index which)
{
    buf_printf(h->b, "<section class=\"view index\" id=\"%s\">\n",
               h->single ? html_index_pages[which] : "content");
    hero(h);
    if (which == HTML_FILES)
        notes(h);
    controls(h, which);
    if (which == HTML_CONTEXTS)
        contexts(h);
    else
        table(h, which);
    buf_text(h->b, "<footer><span>Lamina " LAMINA_VERSION "</span> ");
    if (which == HTML_FILES)
        html_time(h->b, h->r->now_ms);
    buf_text(h->b, "</footer>\n</section>\n");
}

void html_search(struct html *h)
{
    buf_byte(h->b, '[');
    for (size_t i = 0; i < h->n_files; i++) {
        const struct html_file *f = &h->files[i];
        buf_text(h->b, i ? ",\n[" : "\n[");
        html_script_text(h->b, f->file->name);
        buf_byte(h->b, ',');
        html_script_text(h->b, f->page);
        buf_text(h->b, ",[");
        for (size_t k = 0; k + 1 < f->n_functions; k++) {
            buf_text(h->b, k ? ",[" : "[");
            html_script_text(h->b, f->functions[k].what->name);
            buf_printf(h->b, ",%u]", f->functions[k].line);
        }
        buf_text(h->b, "]]");
    }
    buf_byte(h->b, ']');
}
