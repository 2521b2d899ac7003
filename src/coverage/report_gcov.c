/* report_gcov - gcc's counters: each .gcda with the .gcno of the same build, read by the gcov of
 * the same gcc. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/json.h"
#include "coverage/report_native.h"
#include "coverage/tool.h"

#define HEAD 12 /* magic, version, stamp: 4 bytes each */
#define EACH 400
#define NOTES_MAX ((size_t)256 << 20)

/* One file of counters and the notes that say what they count. */
struct unit {
    const struct data_file *data;
    struct str counters;
    struct str notes; /* path */
    int64_t built_s;
};

struct gcov {
    struct native *native;
    struct unit *units;
    size_t n, cap;
    struct str *notes; /* paths of all .gcno files below --gcno */
    size_t n_notes, cap_notes;
};

static bool is_counters(struct str s)
{
    return s.n >= HEAD && (!memcmp(s.p, "adcg", 4) || !memcmp(s.p, "gcda", 4));
}

static void walk_notes(struct gcov *g)
{
    const struct report_request *q = g->native->mapping->request;
    struct arena *a = g->native->arena;
    for (size_t i = 0; i < q->n_gcno; i++) {
        struct str *names;
        size_t n;
        if (fs_walk(a, str_c(a, q->gcno[i]), &names, &n) < 0)
            continue;
        for (size_t k = 0; k < n; k++)
            if (str_ends(names[k], S(".gcno")))
                *(struct str *)arena_push(a, (void **)&g->notes, &g->n_notes, &g->cap_notes,
                                          sizeof(struct str)) = fs_join(a, q->gcno[i], names[k]);
    }
}

/* Of the same compiler and build: version and stamp are equal. */
static bool is_of(struct gcov *g, struct str path, struct str counters, int64_t *ret_built_s)
{
    struct str text;
    struct stat st;
    char *name = str_c(g->native->arena, path);
    if (stat(name, &st) < 0 || fs_read(name, NOTES_MAX, g->native->arena, &text) < 0 ||
        text.n < HEAD || memcmp(text.p + 4, counters.p + 4, 8) != 0)
        return false;
    *ret_built_s = st.st_mtim.tv_sec;
    return true;
}

/* Where the compiler left them, or below --gcno. */
static struct str find_notes(struct gcov *g, struct str path, struct str counters,
                             int64_t *ret_built_s)
{
    struct arena *a = g->native->arena;
    struct str own = str_printf(a, "%.*s.gcno", (int)(path.n - 5), path.p), base = fs_basename(own);
    if (is_of(g, own, counters, ret_built_s))
        return own;
    for (size_t i = 0; i < g->n_notes; i++)
        if (str_eq(fs_basename(g->notes[i]), base) && is_of(g, g->notes[i], counters, ret_built_s))
            return g->notes[i];
    return (struct str){0};
}

static void add_units(struct gcov *g, const struct data_file *f)
{
    struct arena *a = g->native->arena;
    struct str path = str_starts(f->path, S("gcov/")) ? str_slice(f->path, 4, f->path.n)
                                                      : str_printf(a, "/%.*s", STR(f->path));
    for (size_t i = 0; i < f->n_payloads; i++) {
        struct unit u = {.data = f, .counters = f->payloads[i]};
        if (!is_counters(u.counters)) {
            native_leave_out(g->native, f, S("its counters are no gcc's"));
            continue;
        }
        u.notes = find_notes(g, path, u.counters, &u.built_s);
        if (!u.notes.n) {
            native_leave_out(g->native, f,
                             str_printf(a,
                                        "%.*s.gcno of its build is not here: name the folder of "
                                        "the build with --gcno",
                                        (int)(path.n - 5), path.p));
            continue;
        }
        *(struct unit *)arena_push(a, (void **)&g->units, &g->n, &g->cap, sizeof u) = u;
    }
}

/* "B22*" is gcc 12.2, "A94*" is 9.4; the bytes stand the other way round. */
static const char *program(struct gcov *g, const struct unit *u)
{
    struct arena *a = g->native->arena;
    const char *own = getenv("GCOV"), *v = u->counters.p + 4;
    bool little = u->counters.p[0] == 'a';
    int major = little ? (v[3] - 'A') * 10 + v[2] - '0' : (v[0] - 'A') * 10 + v[1] - '0';
    struct str named = str_printf(a, "gcov-%d", major);
    if (own && *own)
        return own;
    return tool_exists(a, named) ? named.p : "gcov";
}

/* ---- what gcov says ---- */

static int64_t number(const struct json *v, const char *key)
{
    int64_t n;
    return json_int(json_get(v, key), &n) < 0 || n < 0 ? 0 : n;
}

static void take_line(struct gcov *g, struct lines_file *f, const struct json *line)
{
    uint32_t at = (uint32_t)number(line, "line_number");
    uint64_t id = 0;
    lines_statement(f, at, number(line, "count") > 0);
    JSON_EACH(json_get(line, "branches"), b) {
        const struct json *throws = json_get(b, "throw");
        id++;
        if (!json_is(throws, JSON_BOOL) || !throws->boolean) /* ways of exceptions are no choice */
            lines_branch(g->native->lines, f,
                         (struct lines_branch){at, at, id, number(b, "count") > 0});
    }
}

static void take_file(struct gcov *g, const struct json *file, struct str cwd, int64_t built_s)
{
    struct str name = json_get_str(file, "file");
    struct lines_file *f =
        name.n ? native_source(g->native, fs_join(g->native->arena, cwd, name), built_s) : NULL;
    if (!f)
        return;
    JSON_EACH(json_get(file, "lines"), line)
        take_line(g, f, line);
    JSON_EACH(json_get(file, "functions"), fn)
        lines_function(g->native->lines, f,
                       (struct lines_function){.name = json_get_str(fn, "demangled_name"),
                                               .first = (uint32_t)number(fn, "start_line"),
                                               .last = (uint32_t)number(fn, "end_line")});
}

/* One line of JSON for each file of counters: "data_file": "12.gcda". */
static void take_output(struct gcov *g, struct str out)
{
    struct str line;
    while (out.n) {
        struct json *root;
        int64_t at;
        str_cut(out, '\n', &line, &out);
        if (!line.n || json_parse(g->native->arena, line, &root, NULL) < 0)
            continue;
        struct str data = json_get_str(root, "data_file"), stem, rest;
        str_cut(fs_basename(data), '.', &stem, &rest);
        if (str_to_int64(stem, &at) < 0 || at < 0 || (size_t)at >= g->n)
            continue;
        g->native->lines->group = g->units[at].data->group;
        JSON_EACH(json_get(root, "files"), file)
            take_file(g, file, json_get_str(root, "current_working_directory"),
                      g->units[at].built_s);
    }
}

static int place(struct gcov *g, size_t at)
{
    struct arena *a = g->native->arena;
    struct str notes;
    int r = fs_read(str_c(a, g->units[at].notes), NOTES_MAX, a, &notes);
    if (r == 0)
        r = fs_write(str_printf(a, "%s/%zu.gcno", g->native->work, at).p, notes, 0600);
    if (r == 0)
        r = fs_write(str_printf(a, "%s/%zu.gcda", g->native->work, at).p, g->units[at].counters,
                     0600);
    return r;
}

/* Units from..to, which one gcov reads. */
static void run(struct gcov *g, size_t from, size_t to)
{
    struct arena *a = g->native->arena;
    const char **argv = ARENA_ARRAY(a, const char *, to - from + 5);
    struct tool_result r = {0};
    size_t n = 0;
    argv[n++] = program(g, &g->units[from]);
    argv[n++] = "--json-format";
    argv[n++] = "--branch-probabilities";
    argv[n++] = "--stdout";
    int e = 0;
    for (size_t i = from; i < to && !e; i++) {
        argv[n++] = str_printf(a, "%zu.gcda", i).p;
        e = place(g, i);
    }
    e = e ? e : tool_run(a, argv, g->native->work, &r);
    if (e < 0 || r.exit_code) {
        struct str why = e < 0 ? str_from(strerror(-e))
                         : r.exit_code == 127
                             ? str_printf(a,
                                          "%s is not there: install the gcov of the gcc that "
                                          "has built it, or name it in GCOV",
                                          argv[0])
                             : str_printf(a, "%s: %.*s", argv[0], STR(tool_said(a, &r)));
        for (size_t i = from; i < to; i++)
            native_leave_out(g->native, g->units[i].data, why);
        return;
    }
    take_output(g, r.out);
}

static int unit_cmp(const void *va, const void *vb)
{
    const struct unit *a = va, *b = vb;
    return memcmp(a->counters.p + 4, b->counters.p + 4, 4);
}

void native_gcov(struct native *native)
{
    struct gcov g = {.native = native};
    const struct data_view *v = native->mapping->request->data;
    walk_notes(&g);
    for (size_t i = 0; i < v->n_files; i++)
        if (v->files[i].kind == OBJECT_BLOB && str_ends(v->files[i].path, S(".gcda")))
            add_units(&g, &v->files[i]);
    if (g.n)
        qsort(g.units, g.n, sizeof *g.units, unit_cmp);
    for (size_t i = 0, end; i < g.n; i = end) {
        for (end = i; end < g.n && end - i < EACH && !unit_cmp(&g.units[i], &g.units[end]); end++)
            ;
        run(&g, i, end);
    }
}
