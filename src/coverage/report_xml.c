/* report_xml - Cobertura's XML (DTD 04) as coverage.py writes it: a package is a folder, a class is
 * a file, hits are 0 or 1. */
#include <stdlib.h>
#include "coverage/report_rows.h"

#define DTD "https://raw.githubusercontent.com/cobertura/web/master/htdocs/xml/coverage-04.dtd"

struct class
{
    const struct report_file *file;
    struct str name;    /* relative to its source root */
    struct str package; /* its folder, dots for slashes */
};

static void text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            buf_text(b, "&amp;");
            break;
        case '<':
            buf_text(b, "&lt;");
            break;
        case '>':
            buf_text(b, "&gt;");
            break;
        case '"':
            buf_text(b, "&quot;");
            break;
        default: /* control characters cannot stand in XML 1.0 */
            buf_byte(b, (unsigned char)s.p[i] < 0x20 ? '?' : s.p[i]);
        }
    }
}

static void rate(struct buf *b, const char *name, uint64_t hit, uint64_t all)
{
    if (all)
        buf_printf(b, " %s=\"%.4g\"", name, (double)hit / (double)all);
    else
        buf_printf(b, " %s=\"1\"", name);
}

static void branch_rate(struct buf *b, const struct coverage_report *r,
                        const struct coverage_numbers *n)
{
    if (r->branches)
        rate(b, "branch-rate", n->branches - n->missing_branches, n->branches);
    else
        buf_text(b, " branch-rate=\"0\"");
}

/* " missing-branches="9,exit"" */
static void missing(struct buf *b, const struct branch_arc *arcs, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!arcs[i].counts_missing)
            continue;
        buf_text(b, any ? "," : " missing-branches=\"");
        any = true;
        if (arcs[i].arc.to < 0)
            buf_text(b, "exit");
        else
            buf_int(b, arcs[i].arc.to);
    }
    if (any)
        buf_byte(b, '"');
}

static void lines(struct buf *b, const struct file_result *f)
{
    struct bits all = f->analysis->statements;
    size_t at = 0, end; /* branches are sorted by line */
    for (int64_t l = bits_next(all, 0); l >= 0; l = bits_next(all, (uint32_t)l + 1)) {
        buf_printf(b, "\t\t\t\t\t\t<line number=\"%lld\" hits=\"%d\"", (long long)l,
                   !bits_has(f->missing, (uint32_t)l));
        while (at < f->n_branches && f->branches[at].arc.from < l)
            at++;
        unsigned exits = 0, taken = 0;
        for (end = at; end < f->n_branches && f->branches[end].arc.from == l; end++) {
            exits++;
            taken += !f->branches[end].counts_missing;
        }
        if (exits)
            buf_printf(b, " branch=\"true\" condition-coverage=\"%u%% (%u/%u)\"",
                       100 * taken / exits, taken, exits);
        missing(b, f->branches + at, end - at);
        buf_text(b, "/>\n");
    }
}

static void class_write(struct buf *b, const struct coverage_report *r, const struct class *c)
{
    const struct file_result *f = &c->file->result;
    ssize_t slash = str_find_last_byte(c->name, '/');
    buf_text(b, "\t\t\t\t<class name=\"");
    text(b, str_slice(c->name, (size_t)(slash + 1), c->name.n));
    buf_text(b, "\" filename=\"");
    text(b, c->name);
    buf_text(b, "\" complexity=\"0\"");
    rate(b, "line-rate", f->numbers.statements - f->numbers.missing, f->numbers.statements);
    branch_rate(b, r, &f->numbers);
    buf_text(b, ">\n\t\t\t\t\t<methods/>\n");
    if (f->numbers.statements) {
        buf_text(b, "\t\t\t\t\t<lines>\n");
        lines(b, f);
        buf_text(b, "\t\t\t\t\t</lines>\n");
    } else {
        buf_text(b, "\t\t\t\t\t<lines/>\n");
    }
    buf_text(b, "\t\t\t\t</class>\n");
}

static void package(struct buf *b, const struct coverage_report *r, const struct class *classes,
                    size_t n)
{
    struct coverage_numbers all = {0};
    for (size_t i = 0; i < n; i++)
        numbers_add(&all, &classes[i].file->result.numbers);
    buf_text(b, "\t\t<package name=\"");
    text(b, classes[0].package);
    buf_byte(b, '"');
    rate(b, "line-rate", all.statements - all.missing, all.statements);
    branch_rate(b, r, &all);
    buf_text(b, " complexity=\"0\">\n\t\t\t<classes>\n");
    for (size_t i = 0; i < n; i++)
        class_write(b, r, &classes[i]);
    buf_text(b, "\t\t\t</classes>\n\t\t</package>\n");
}

static int class_cmp(const void *va, const void *vb)
{
    const struct class *a = va, *b = vb;
    int r = report_name_cmp(a->package, b->package);
    return r ? r : report_name_cmp(a->name, b->name);
}

static int text_cmp(const void *va, const void *vb)
{
    return report_name_cmp(*(const struct str *)va, *(const struct str *)vb);
}

static bool is_in(const struct str *list, size_t n, struct str s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], s))
            return true;
    return false;
}

/* The file's name below its source root; a root that was not given is added. */
static struct str name_below(const struct coverage_report *r, const struct report_file *f,
                             struct str *roots, size_t *n_roots)
{
    for (size_t i = 0; i < r->n_sources; i++) {
        struct str root = r->sources[i];
        if (str_starts(f->path, root) && f->path.n > root.n && f->path.p[root.n] == '/')
            return str_slice(f->path, root.n + 1, f->path.n);
    }
    struct str root = str_slice(f->path, 0, f->path.n - f->name.n);
    while (root.n && root.p[root.n - 1] == '/')
        root.n--;
    if (!root.n)
        root = S(".");
    if (!is_in(roots, *n_roots, root))
        roots[(*n_roots)++] = root;
    return f->name;
}

static void coverage(struct buf *b, const struct coverage_report *r)
{
    const struct coverage_numbers *n = &r->totals;
    unsigned long long lines_all = n->statements, lines_hit = n->statements - n->missing;
    unsigned long long all = n->branches, hit = n->branches - n->missing_branches;
    buf_printf(b,
               "<?xml version=\"1.0\" ?>\n<coverage version=\"lamina " LAMINA_VERSION
               "\" timestamp=\"%lld\" lines-valid=\"%llu\" lines-covered=\"%llu\"",
               (long long)r->now_ms, lines_all, lines_hit);
    rate(b, "line-rate", lines_hit, lines_all);
    if (r->branches) {
        buf_printf(b, " branches-valid=\"%llu\" branches-covered=\"%llu\"", all, hit);
        rate(b, "branch-rate", hit, all);
    } else {
        buf_text(b, " branches-covered=\"0\" branches-valid=\"0\" branch-rate=\"0\"");
    }
    buf_text(b,
             " complexity=\"0\">\n\t<!-- Generated by lamina -->\n\t<!-- Based on " DTD " -->\n");
}

void coverage_write_xml(struct buf *b, const struct coverage_report *r)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct class *classes = ARENA_ARRAY(&a, struct class, r->n_files);
    struct str *roots = ARENA_ARRAY(&a, struct str, r->n_sources + r->n_files);
    size_t n_roots = 0;
    for (size_t i = 0; i < r->n_sources; i++)
        if (!is_in(roots, n_roots, r->sources[i]))
            roots[n_roots++] = r->sources[i];
    for (size_t i = 0; i < r->n_files; i++) {
        struct class *c = &classes[i];
        c->file = &r->files[i];
        c->name = name_below(r, c->file, roots, &n_roots);
        ssize_t slash = str_find_last_byte(c->name, '/');
        c->package = slash > 0 ? str_slice(c->name, 0, (size_t)slash) : S(".");
    }
    if (r->n_files)
        qsort(classes, r->n_files, sizeof *classes, class_cmp);
    if (n_roots)
        qsort(roots, n_roots, sizeof *roots, text_cmp);
    for (size_t i = 0; i < r->n_files; i++) {
        struct str name = str_copy(&a, classes[i].package);
        for (size_t k = 0; k < name.n; k++)
            if (name.p[k] == '/')
                ((char *)(uintptr_t)name.p)[k] = '.';
        classes[i].package = name;
    }
    coverage(b, r);
    buf_text(b, n_roots ? "\t<sources>\n" : "\t<sources/>\n");
    for (size_t i = 0; i < n_roots; i++) {
        buf_text(b, "\t\t<source>");
        text(b, roots[i]);
        buf_text(b, "</source>\n");
    }
    buf_text(b, n_roots ? "\t</sources>\n" : "");
    buf_text(b, r->n_files ? "\t<packages>\n" : "\t<packages/>\n");
    for (size_t i = 0, end; i < r->n_files; i = end) {
        for (end = i; end < r->n_files && str_eq(classes[end].package, classes[i].package); end++)
            ;
        package(b, r, classes + i, end - i);
    }
    buf_text(b, r->n_files ? "\t</packages>\n</coverage>\n" : "</coverage>\n");
}
