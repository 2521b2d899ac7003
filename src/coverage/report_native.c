/* report_native - counters of gcc and llvm as lines of the sources here: see report_foreign.h. */
#include "coverage/report_native.h"
#include <stdlib.h>
#include <sys/stat.h>
#include "base/fs.h"

static bool below(struct str path, struct str dir)
{
    return str_starts(path, dir) && path.n > dir.n + 1 && path.p[dir.n] == '/';
}

/* Headers of the system and what was unpacked somewhere are nobody's coverage. */
static bool is_ours(const struct report_request *q, struct str path)
{
    if (below(path, q->cwd))
        return true;
    for (size_t i = 0; i < q->n_sources; i++)
        if (below(path, q->sources[i]))
            return true;
    return false;
}

/* Built elsewhere: the longest end of the path that is here. */
static struct local_file *find_end(struct native *n, struct str path)
{
    const struct report_request *q = n->mapping->request;
    struct str rest = path, part;
    struct local_file *f = NULL;
    while (!f && str_cut(rest, '/', &part, &rest) && rest.n) {
        f = sources_read(&n->mapping->sources, fs_join(n->arena, q->cwd, rest));
        for (size_t i = 0; !f && i < q->n_sources; i++)
            f = sources_read(&n->mapping->sources, fs_join(n->arena, q->sources[i], rest));
    }
    return f;
}

struct lines_file *native_source(struct native *n, struct str path, int64_t built_s)
{
    const struct report_request *q = n->mapping->request;
    struct stat st;
    path = fs_clean(n->arena, path);
    struct local_file *local = sources_read(&n->mapping->sources, path);
    if (!local && !str_starts(path, S("/usr/")))
        local = find_end(n, path);
    if (!local || !is_ours(q, local->path) || !mapping_wanted(n->mapping, local->path) ||
        str_is(fs_basename(local->path), "lamina_coverage.c"))
        return NULL;
    struct lines_file *known = lines_find(n->lines, local->path);
    if (known)
        return known;
    if (built_s && !q->ignore_changed && stat(str_c(n->arena, local->path), &st) == 0 &&
        st.st_mtim.tv_sec > built_s) {
        mapping_leave_out(
            n->mapping, mapping_name(n->mapping, local->path),
            S("source changed since the program was built: build and deploy again, or "
              "give --ignore-changed"));
        return NULL;
    }
    struct lines_file *f = lines_file(n->lines, local->path, local->text);
    f->told = f->head = true;
    return f;
}

void native_leave_out(struct native *n, const struct data_file *f, struct str reason)
{
    mapping_leave_out(n->mapping, f->path, reason);
}

void report_native(struct mapping *m, struct lines *l)
{
    struct native n = {.mapping = m, .lines = l, .arena = m->arena};
    const struct data_view *v = m->request->data;
    char work[] = "/tmp/lamina-native-XXXXXX";
    bool any = false;
    for (size_t i = 0; i < v->n_files; i++)
        any = any || (v->files[i].kind != OBJECT_PYTHON && v->files[i].kind != OBJECT_V8);
    if (!any || !mkdtemp(work))
        return;
    n.work = work;
    native_gcov(&n);
    native_llvm(&n);
    l->group = 0;
    fs_remove_tree(work);
}
