/* report_llvm - llvm's counters: all .profraw of a function merged by llvm-profdata, and told by
 * llvm-cov of the same version with the program that was run. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "coverage/report_native.h"
#include "coverage/tool.h"

#define NEWEST 26
#define OLDEST 11

struct llvm {
    struct native *native;
    struct str function;
    struct str *programs; /* that were run */
    size_t n_programs, cap_programs;
    int64_t built_s;
};

static void add_program(struct llvm *l, struct str path)
{
    struct stat st;
    if (stat(str_c(l->native->arena, path), &st) < 0 || !S_ISREG(st.st_mode))
        return;
    *(struct str *)arena_push(l->native->arena, (void **)&l->programs, &l->n_programs,
                              &l->cap_programs, sizeof path) = path;
    if (st.st_mtim.tv_sec > l->built_s)
        l->built_s = st.st_mtim.tv_sec;
}

/* --binary; or the function's own `bootstrap`. */
static void find_programs(struct llvm *l)
{
    const struct report_request *q = l->native->mapping->request;
    for (size_t i = 0; i < q->n_binaries; i++)
        add_program(l, q->binaries[i]);
    for (size_t i = 0; i < q->n_roots && !l->n_programs; i++)
        if (!str_has(q->roots[i].function) || str_eq(q->roots[i].function, l->function))
            add_program(l, fs_join(l->native->arena, q->roots[i].dir, S("bootstrap")));
}

/* ---- the tools ---- */

struct tools {
    struct str profdata, cov;
};

/* From the newest to the oldest, after what LLVM_PROFDATA and LLVM_COV name and those without a
 * version: an old one does not know the format of a new one. */
static size_t find_tools(struct arena *a, struct tools ret[NEWEST - OLDEST + 3])
{
    const char *profdata = getenv("LLVM_PROFDATA"), *cov = getenv("LLVM_COV");
    size_t n = 0;
    if (profdata && *profdata && cov && *cov)
        ret[n++] = (struct tools){str_from(profdata), str_from(cov)};
    if (tool_exists(a, S("llvm-profdata")) && tool_exists(a, S("llvm-cov")))
        ret[n++] = (struct tools){S("llvm-profdata"), S("llvm-cov")};
    for (int v = NEWEST; v >= OLDEST; v--) {
        struct tools t = {str_printf(a, "llvm-profdata-%d", v), str_printf(a, "llvm-cov-%d", v)};
        if (tool_exists(a, t.profdata) && tool_exists(a, t.cov))
            ret[n++] = t;
    }
    return n;
}

static int merge(struct llvm *l, const struct tools *t, size_t n, struct tool_result *ret)
{
    struct arena *a = l->native->arena;
    const char **argv = ARENA_ARRAY(a, const char *, n + 6);
    size_t k = 0;
    argv[k++] = str_c(a, t->profdata);
    argv[k++] = "merge";
    argv[k++] = "-sparse";
    argv[k++] = "-o";
    argv[k++] = "all.profdata";
    for (size_t i = 0; i < n; i++)
        argv[k++] = str_printf(a, "%zu.profraw", i).p;
    return tool_run(a, argv, l->native->work, ret);
}

static int tell(struct llvm *l, const struct tools *t, struct tool_result *ret)
{
    struct arena *a = l->native->arena;
    const char **argv = ARENA_ARRAY(a, const char *, 2 * l->n_programs + 6);
    size_t k = 0;
    argv[k++] = str_c(a, t->cov);
    argv[k++] = "export";
    argv[k++] = "-format=lcov";
    argv[k++] = "-instr-profile=all.profdata";
    for (size_t i = 0; i < l->n_programs; i++) {
        if (i)
            argv[k++] = "-object";
        argv[k++] = str_c(a, l->programs[i]);
    }
    return tool_run(a, argv, l->native->work, ret);
}

/* ---- LCOV ---- */

struct lcov {
    struct llvm *llvm;
    struct lines_file *file;
    struct lines_function *functions;
    size_t n, cap;
    uint32_t last; /* line with code */
};

static int64_t field(struct str *rest)
{
    struct str one;
    int64_t n;
    str_cut(*rest, ',', &one, rest);
    return str_to_int64(one, &n) < 0 || n < 0 ? -1 : n;
}

static int function_cmp(const void *va, const void *vb)
{
    const struct lines_function *a = va, *b = vb;
    return (a->first > b->first) - (a->first < b->first);
}

/* llvm says where functions begin: each ends before the next. */
static void end_file(struct lcov *l)
{
    if (l->n)
        qsort(l->functions, l->n, sizeof *l->functions, function_cmp);
    for (size_t i = 0; i < l->n && l->file; i++) {
        l->functions[i].last = i + 1 < l->n && l->functions[i + 1].first > l->functions[i].first
                                   ? l->functions[i + 1].first - 1
                                   : l->last;
        lines_function(l->llvm->native->lines, l->file, l->functions[i]);
    }
    l->n = 0;
    l->last = 0;
    l->file = NULL;
}

static void take_record(struct lcov *l, struct str name, struct str rest)
{
    struct native *n = l->llvm->native;
    if (str_is(name, "SF"))
        l->file = native_source(n, rest, l->llvm->built_s);
    if (!l->file)
        return;
    if (str_is(name, "FN")) {
        int64_t line = field(&rest);
        struct lines_function f = {.name = rest, .first = line > 0 ? (uint32_t)line : 0};
        *(struct lines_function *)arena_push(n->arena, (void **)&l->functions, &l->n, &l->cap,
                                             sizeof f) = f;
    } else if (str_is(name, "DA")) {
        int64_t line = field(&rest);
        if (line > 0)
            lines_statement(l->file, (uint32_t)line, field(&rest) > 0);
        if (line > l->last)
            l->last = (uint32_t)line;
    } else if (str_is(name, "BRDA")) {
        int64_t line = field(&rest), block = field(&rest), branch = field(&rest);
        if (line > 0)
            lines_branch(n->lines, l->file,
                         (struct lines_branch){(uint32_t)line, (uint32_t)line,
                                               (uint64_t)block << 32 | (uint32_t)branch,
                                               field(&rest) > 0});
    }
}

static void take_output(struct llvm *llvm, struct str out)
{
    struct lcov l = {.llvm = llvm};
    struct str line, name, rest;
    while (out.n) {
        str_cut(out, '\n', &line, &out);
        if (str_is(line, "end_of_record"))
            end_file(&l);
        else if (str_cut(line, ':', &name, &rest))
            take_record(&l, name, rest);
    }
}

/* ---- one function ---- */

static struct str why_not(struct arena *a, int e, const struct tool_result *r)
{
    struct str said = e < 0 ? str_from(strerror(-e)) : tool_said(a, r);
    if (e < 0 || str_find(r->err, S("unsupported instrumentation profile format")) < 0)
        return said;
    return str_printf(a,
                      "%.*s: the compiler is newer than all llvm tools here; name its own in "
                      "LLVM_PROFDATA and LLVM_COV",
                      STR(said));
}

static struct str read_all(struct llvm *l, size_t n)
{
    struct arena *a = l->native->arena;
    struct tools *all = ARENA_ARRAY(a, struct tools, NEWEST - OLDEST + 3);
    size_t n_tools = find_tools(a, all);
    struct str why =
        S("llvm-profdata and llvm-cov are not there: install those of the compiler, or "
          "name them in LLVM_PROFDATA and LLVM_COV");
    if (!l->n_programs)
        return S("the program that was run is not known: name it with --binary");
    for (size_t i = 0; i < n_tools; i++) {
        struct tool_result r = {0};
        int e = merge(l, &all[i], n, &r);
        if (e < 0 || r.exit_code) {
            why = why_not(a, e, &r);
            continue;
        }
        e = tell(l, &all[i], &r);
        if (e < 0 || r.exit_code) {
            why = why_not(a, e, &r);
            continue;
        }
        if (str_find(r.err, S("mismatched data")) >= 0)
            return S("the program named is another build than the one that was run");
        take_output(l, r.out);
        return S("");
    }
    return why;
}

static bool is_raw(const struct data_file *f)
{
    return f->kind == OBJECT_BLOB && str_ends(f->path, S(".profraw"));
}

static void one_function(struct native *native, struct str function, uint32_t group)
{
    struct llvm l = {.native = native, .function = function};
    const struct data_view *v = native->mapping->request->data;
    const struct data_file *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < v->n_files; i++)
        for (size_t k = 0; k < v->files[i].n_payloads && is_raw(&v->files[i]) &&
                           v->files[i].group == group && str_eq(v->files[i].function, function);
             k++) {
            /* an empty one was opened, and never mapped */
            if (v->files[i].payloads[k].n &&
                fs_write(str_printf(native->arena, "%s/%zu.profraw", native->work, n).p,
                         v->files[i].payloads[k], 0600) == 0)
                n++;
            first = first ? first : &v->files[i];
        }
    if (!n)
        return;
    find_programs(&l);
    native->lines->group = group;
    struct str why = read_all(&l, n);
    if (why.n)
        native_leave_out(native, first, why);
}

void native_llvm(struct native *native)
{
    const struct data_view *v = native->mapping->request->data;
    struct map seen;
    map_init(&seen);
    for (size_t i = 0; i < v->n_files; i++) {
        const struct data_file *f = &v->files[i];
        struct str key = str_printf(native->arena, "%u/%.*s", f->group, STR(f->function));
        if (is_raw(f) && !map_put(&seen, key, native))
            one_function(native, f->function, f->group);
    }
    map_done(&seen);
}
