/* report_json - coverage.py's JSON, format 3, byte for byte: Python's separators, numbers and
 * escapes. */
#include <stdlib.h>
#include <time.h>
#include "base/map.h"
#include "base/utf8.h"
#include "coverage/report_rows.h"

#define SHOWN 64 /* percentages of functions come again and again */

/* Python's json.dump(): ", " and ": ", or an indent of 4. */
struct emit {
    struct buf *b;
    struct arena arena;
    bool pretty, first, branches;
    int depth;
    struct shown {
        double v; /* that these are texts of; none without */
        char repr[32], display[32];
    } shown[SHOWN];
};

static void separate(struct emit *e)
{
    if (!e->first)
        buf_text(e->b, e->pretty ? "," : ", ");
    e->first = false;
    if (!e->pretty || !e->depth)
        return;
    buf_byte(e->b, '\n');
    for (int i = 0; i < e->depth; i++)
        buf_text(e->b, "    ");
}

static void begin(struct emit *e, char c)
{
    buf_byte(e->b, c);
    e->depth++;
    e->first = true;
}

static void end(struct emit *e, char c)
{
    bool empty = e->first;
    e->depth--;
    e->first = true;
    if (!empty && e->pretty) {
        buf_byte(e->b, '\n');
        for (int i = 0; i < e->depth; i++)
            buf_text(e->b, "    ");
    }
    buf_byte(e->b, c);
    e->first = false;
}

static void put_unit(struct buf *b, uint32_t unit)
{
    buf_printf(b, "\\u%04x", unit);
}

static void put_char(struct buf *b, uint32_t c)
{
    static const char letters[] = "\"\"\\\\n\nr\rt\tb\bf\f"; /* how it is written, what it is */
    for (size_t i = 0; c < 0x80 && letters[i]; i += 2)
        if ((uint32_t)letters[i + 1] == c) {
            buf_byte(b, '\\');
            buf_byte(b, letters[i]);
            return;
        }
    if (c >= 0x10000) {
        put_unit(b, 0xd800 + ((c - 0x10000) >> 10));
        put_unit(b, 0xdc00 + ((c - 0x10000) & 0x3ff));
    } else if (c < 0x20 || c >= 0x80) {
        put_unit(b, c);
    } else {
        buf_byte(b, (char)c);
    }
}

/* ensure_ascii; a byte that is no UTF-8 becomes the lone surrogate that Python keeps it as. */
static void put_text(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_length(s.p + i, s.p + s.n);
        put_char(b, n ? utf8_char(s.p + i, n) : 0xdc00u + (unsigned char)s.p[i]);
        i += n ? n : 1;
    }
    buf_byte(b, '"');
}

static void key(struct emit *e, const char *name)
{
    separate(e);
    buf_byte(e->b, '"');
    buf_text(e->b, name);
    buf_text(e->b, "\": ");
}

static void key_text(struct emit *e, struct str name)
{
    separate(e);
    put_text(e->b, name);
    buf_text(e->b, ": ");
}

static void number(struct emit *e, const char *name, uint64_t v)
{
    key(e, name);
    buf_int(e->b, (int64_t)v);
}

static void lines(struct emit *e, const char *name, struct bits set)
{
    key(e, name);
    begin(e, '[');
    for (int64_t l = bits_next(set, 0); l >= 0; l = bits_next(set, (uint32_t)l + 1)) {
        separate(e);
        buf_int(e->b, l);
    }
    end(e, ']');
}

static void keep(char to[32], struct str text)
{
    size_t n = text.n < 31 ? text.n : 31; /* none is as long */
    memcpy(to, text.p, n);
    to[n] = 0;
}

static const struct shown *show(struct emit *e, double v, int precision)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    struct shown *s = &e->shown[bits * 0x9e3779b97f4a7c15u >> 58];
    if (!s->repr[0] || s->v != v) {
        s->v = v;
        keep(s->repr, numbers_repr(&e->arena, v));
        keep(s->display, numbers_display(&e->arena, v, precision));
    }
    return s;
}

static void percent(struct emit *e, const char *name, double v, int precision)
{
    const struct shown *s = show(e, v, precision);
    key(e, name);
    buf_text(e->b, s->repr);
    separate(e);
    buf_byte(e->b, '"');
    buf_text(e->b, name);
    buf_text(e->b, "_display\": \"");
    buf_text(e->b, s->display);
    buf_byte(e->b, '"');
}

static void summary(struct emit *e, const struct coverage_numbers *n, int precision)
{
    begin(e, '{');
    number(e, "covered_lines", n->statements - n->missing);
    number(e, "num_statements", n->statements);
    percent(e, "percent_covered", numbers_percent(n), precision);
    number(e, "missing_lines", n->missing);
    number(e, "excluded_lines", n->excluded);
    percent(e, "percent_statements_covered", numbers_percent_statements(n), precision);
    if (e->branches) {
        number(e, "num_branches", n->branches);
        number(e, "num_partial_branches", n->partial_branches);
        number(e, "covered_branches", n->branches - n->missing_branches);
        number(e, "missing_branches", n->missing_branches);
        percent(e, "percent_branches_covered", numbers_percent_branches(n), precision);
    }
    end(e, '}');
}

static void arcs(struct emit *e, const char *name, const struct file_result *r, bool executed)
{
    key(e, name);
    begin(e, '[');
    for (size_t i = 0; i < r->n_branches; i++) {
        const struct branch_arc *arc = &r->branches[i];
        if (executed ? !arc->executed : !arc->counts_missing)
            continue;
        separate(e);
        begin(e, '[');
        separate(e);
        buf_int(e->b, arc->arc.from);
        separate(e);
        buf_int(e->b, arc->arc.to);
        end(e, ']');
    }
    end(e, ']');
}

static int label_cmp(const void *va, const void *vb)
{
    return str_cmp(*(const struct str *)va, *(const struct str *)vb);
}

/* {"12": ["init", ...], ...}: who ran which line. */
static void contexts(struct emit *e, const struct coverage_report *r, const struct report_file *f)
{
    key(e, "contexts");
    begin(e, '{');
    size_t n = 0;
    for (size_t i = 0; i < f->n_groups; i++)
        n = f->groups[i].lines.n > n ? f->groups[i].lines.n : n;
    struct str *labels = ARENA_ARRAY(&e->arena, struct str, f->n_groups);
    for (uint32_t l = 0; l < n * 8; l++) {
        size_t hit = 0;
        for (size_t i = 0; i < f->n_groups; i++)
            if (bits_has(f->groups[i].lines, l))
                labels[hit++] = r->groups[f->groups[i].group];
        if (!hit)
            continue;
        qsort(labels, hit, sizeof *labels, label_cmp);
        separate(e);
        buf_printf(e->b, "\"%u\": ", l);
        begin(e, '[');
        for (size_t i = 0; i < hit; i++) {
            separate(e);
            put_text(e->b, labels[i]);
        }
        end(e, ']');
    }
    end(e, '}');
}

static void region(struct emit *e, const struct coverage_report *r, const struct report_file *f,
                   struct bits only, uint32_t start, bool with_contexts)
{
    struct file_result part;
    numbers_part(&e->arena, &f->result, only, &part);
    begin(e, '{');
    lines(e, "executed_lines", part.executed);
    key(e, "summary");
    summary(e, &part.numbers, r->precision);
    lines(e, "missing_lines", part.missing);
    lines(e, "excluded_lines", part.excluded);
    number(e, "start_line", start);
    if (with_contexts)
        contexts(e, r, f);
    if (r->branches) {
        arcs(e, "executed_branches", &part, true);
        arcs(e, "missing_branches", &part, false);
    }
    end(e, '}');
}

/* A name that is defined again keeps its first place and has its last contents, as in a dict. */
static void regions(struct emit *e, const struct coverage_report *r, const struct report_file *f,
                    enum analysis_region_kind kind, const char *plural, bool with_contexts)
{
    const struct analysis *an = f->result.analysis;
    uint8_t *outside = arena_alloc(&e->arena, bits_size(an->n_lines));
    for (uint32_t l = 1; l <= an->n_lines; l++)
        bits_set(outside, l);
    struct map last;
    map_init(&last);
    for (size_t i = 0; i < an->n_regions; i++)
        if (an->regions[i].kind == kind)
            map_put(&last, an->regions[i].name, (void *)(uintptr_t)&an->regions[i]);
    key(e, plural);
    begin(e, '{');
    for (size_t i = 0; i < an->n_regions; i++) {
        if (an->regions[i].kind != kind)
            continue;
        struct bits own = an->regions[i].lines;
        for (size_t k = 0; k < own.n && k < bits_size(an->n_lines); k++)
            outside[k] &= (uint8_t)~own.p[k];
        const struct analysis_region *g = map_remove(&last, an->regions[i].name);
        if (!g)
            continue;
        key_text(e, g->name);
        region(e, r, f, g->lines, (uint32_t)g->start, with_contexts);
    }
    map_done(&last);
    struct bits rest = {outside, bits_size(an->n_lines)};
    int64_t start = bits_next(rest, 0);
    key_text(e, S(""));
    region(e, r, f, rest, start < 0 ? 1 : (uint32_t)start, with_contexts);
    end(e, '}');
}

static void file(struct emit *e, const struct coverage_report *r, const struct report_file *f,
                 bool with_contexts)
{
    key_text(e, f->name);
    begin(e, '{');
    lines(e, "executed_lines", f->result.executed);
    key(e, "summary");
    summary(e, &f->result.numbers, r->precision);
    lines(e, "missing_lines", f->result.missing);
    lines(e, "excluded_lines", f->result.excluded);
    if (with_contexts)
        contexts(e, r, f);
    if (r->branches) {
        arcs(e, "executed_branches", &f->result, true);
        arcs(e, "missing_branches", &f->result, false);
    }
    regions(e, r, f, ANALYSIS_FUNCTION, "functions", with_contexts);
    regions(e, r, f, ANALYSIS_CLASS, "classes", with_contexts);
    end(e, '}');
    arena_reset(&e->arena);
}

static void meta(struct emit *e, const struct coverage_report *r, bool with_contexts)
{
    time_t seconds = (time_t)(r->now_ms / 1000);
    struct tm local;
    char text[32];
    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
    key(e, "meta");
    begin(e, '{');
    number(e, "format", 3);
    key(e, "version");
    buf_text(e->b, "\"lamina " LAMINA_VERSION "\"");
    key(e, "timestamp");
    buf_printf(e->b, "\"%s.%06d\"", text, (int)(r->now_ms % 1000) * 1000);
    key(e, "branch_coverage");
    buf_text(e->b, r->branches ? "true" : "false");
    key(e, "show_contexts");
    buf_text(e->b, with_contexts ? "true" : "false");
    end(e, '}');
}

void coverage_write_json(struct buf *b, const struct coverage_report *r, bool pretty,
                         bool with_contexts)
{
    struct emit e = {.b = b, .pretty = pretty, .branches = r->branches, .first = true};
    arena_init(&e.arena);
    begin(&e, '{');
    meta(&e, r, with_contexts);
    key(&e, "files");
    begin(&e, '{');
    for (size_t i = 0; i < r->n_files; i++)
        file(&e, r, &r->files[i], with_contexts);
    end(&e, '}');
    key(&e, "totals");
    summary(&e, &r->totals, r->precision);
    end(&e, '}');
    arena_done(&e.arena);
}
