/* ledger - see ledger.h. */
#include "ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"

#define SOURCE_MAX (16 << 20)

struct set { /* bits that grow */
    uint8_t *p;
    size_t n;
};

struct arcs { /* ascending */
    struct object_arc *p;
    size_t n;
};

struct hits {
    uint32_t context;
    struct set lines;
    struct arcs arcs;
};

struct ledger_file {
    char *path;
    bool looked, has_sha256; /* looked: for its source */
    uint8_t sha256[32];
    struct set raw, lines; /* lines: of all contexts */
    struct arcs arcs;      /* of all contexts */
    struct hits *hits;
    size_t n_hits;
};

struct context {
    char *name;
    int64_t start_ms;
};

struct ledger {
    struct map by_path;
    struct ledger_file **files; /* in the order in which they were met */
    size_t n_files, cap_files;
    struct context *contexts;
    size_t n_contexts, cap_contexts;
    struct context current;
    bool entered; /* the current context is contexts[index] */
    uint32_t index;
    size_t used;
    bool full;
};

struct ledger *ledger_new(void)
{
    struct ledger *l = MEM_NEW(struct ledger);
    map_init(&l->by_path);
    return l;
}

static void free_file(struct ledger_file *f)
{
    for (size_t i = 0; i < f->n_hits; i++) {
        free(f->hits[i].lines.p);
        free(f->hits[i].arcs.p);
    }
    free(f->hits);
    free(f->raw.p);
    free(f->lines.p);
    free(f->arcs.p);
    free(f->path);
    free(f);
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n_files; i++)
        free_file(l->files[i]);
    for (size_t i = 0; i < l->n_contexts; i++)
        free(l->contexts[i].name);
    free(l->current.name);
    free(l->files);
    free(l->contexts);
    map_done(&l->by_path);
    free(l);
}

static char *text_of(struct str s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

void ledger_context(struct ledger *l, struct str name, int64_t start_ms)
{
    free(l->current.name);
    l->current = (struct context){text_of(name), start_ms};
    l->entered = false;
}

/* Where the current context is: a name is there once, also after a load. */
static uint32_t context_index(struct ledger *l)
{
    if (l->entered)
        return l->index;
    l->entered = true;
    const char *name = l->current.name ? l->current.name : "init";
    for (size_t i = l->n_contexts; i > 0; i--)
        if (!strcmp(l->contexts[i - 1].name, name))
            return l->index = (uint32_t)i - 1;
    if (l->n_contexts == l->cap_contexts) {
        l->cap_contexts = l->cap_contexts ? 2 * l->cap_contexts : 8;
        l->contexts = mem_realloc(l->contexts, l->cap_contexts * sizeof(*l->contexts));
    }
    l->contexts[l->n_contexts] = (struct context){mem_dup_text(name), l->current.start_ms};
    l->used += sizeof(struct context) + strlen(name);
    return l->index = (uint32_t)l->n_contexts++;
}

struct ledger_file *ledger_file(struct ledger *l, struct str path)
{
    struct ledger_file *f = map_find(&l->by_path, path);
    if (f || l->n_files >= OBJECT_FILES_MAX || l->full)
        return f;
    if (l->n_files == l->cap_files) {
        l->cap_files = l->cap_files ? 2 * l->cap_files : 16;
        l->files = mem_realloc(l->files, l->cap_files * sizeof(*l->files));
    }
    f = MEM_NEW(struct ledger_file);
    f->path = text_of(path);
    l->files[l->n_files++] = f;
    map_put(&l->by_path, path, f);
    l->used += sizeof(*f) + path.n;
    return f;
}

/* ---- sets ---- */

static void set_reach(struct set *s, size_t n)
{
    if (n <= s->n)
        return;
    s->p = mem_realloc(s->p, n);
    memset(s->p + s->n, 0, n - s->n);
    s->n = n;
}

static void set_join(struct set *s, struct bits b)
{
    b = bits_trim(b);
    set_reach(s, b.n);
    if (b.n)
        bits_join(s->p, b);
}

static struct bits view(const struct set *s)
{
    return (struct bits){s->p, s->n};
}

/* What of `b` is not in `known`, or all of it; p is NULL when that is nothing. */
static struct set set_news(struct bits b, const struct set *known, bool all, size_t *count)
{
    struct set ret = {0};
    b = bits_trim(b);
    for (size_t i = 0; i < b.n; i++) {
        uint8_t fresh = (uint8_t)(b.p[i] & ~(i < known->n ? known->p[i] : 0));
        *count += (size_t)__builtin_popcount(fresh);
        if (all ? b.p[i] : fresh) {
            set_reach(&ret, b.n);
            ret.p[i] = all ? b.p[i] : fresh;
        }
    }
    return ret;
}

/* ---- arcs ---- */

static int compare_arcs(const void *x, const void *y)
{
    const struct object_arc *a = x, *b = y;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to == b->to ? 0 : a->to < b->to ? -1 : 1;
}

static size_t sort_arcs(struct object_arc *arcs, size_t n)
{
    size_t kept = 0;
    if (n)
        qsort(arcs, n, sizeof(*arcs), compare_arcs);
    for (size_t i = 0; i < n; i++)
        if (!kept || compare_arcs(&arcs[kept - 1], &arcs[i]))
            arcs[kept++] = arcs[i];
    return kept;
}

static struct arcs arcs_news(const struct object_arc *p, size_t n, const struct arcs *known,
                             bool all, size_t *count)
{
    struct arcs ret = {0};
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        while (k < known->n && compare_arcs(&known->p[k], &p[i]) < 0)
            k++;
        bool fresh = k == known->n || compare_arcs(&known->p[k], &p[i]);
        *count += fresh;
        if (!fresh && !all)
            continue;
        if (!ret.p)
            ret.p = mem_alloc((n - i) * sizeof(*p));
        ret.p[ret.n++] = p[i];
    }
    return ret;
}

static void arcs_join(struct arcs *to, const struct arcs *from)
{
    if (!from->n)
        return;
    struct object_arc *p = mem_alloc((to->n + from->n) * sizeof(*p));
    size_t n = 0, i = 0, k = 0;
    while (i < to->n || k < from->n) {
        int c = i == to->n ? 1 : k == from->n ? -1 : compare_arcs(&to->p[i], &from->p[k]);
        p[n++] = c <= 0 ? to->p[i] : from->p[k];
        i += c <= 0;
        k += c >= 0;
    }
    free(to->p);
    *to = (struct arcs){p, n};
}

/* ---- entering ---- */

static struct hits *hits_of(struct ledger_file *f, uint32_t context)
{
    for (size_t i = f->n_hits; i > 0; i--)
        if (f->hits[i - 1].context == context)
            return &f->hits[i - 1];
    f->hits = mem_realloc(f->hits, (f->n_hits + 1) * sizeof(*f->hits));
    f->hits[f->n_hits] = (struct hits){.context = context};
    return &f->hits[f->n_hits++];
}

bool ledger_enter(struct ledger *l, struct ledger_file *f, struct bits raw, struct bits lines,
                  struct object_arc *arcs, size_t n_arcs, bool all, struct ledger_counts *counts)
{
    set_join(&f->raw, raw);
    n_arcs = sort_arcs(arcs, n_arcs);
    struct ledger_counts before = *counts;
    struct set new_lines = set_news(lines, &f->lines, all, &counts->lines);
    struct arcs new_arcs = arcs_news(arcs, n_arcs, &f->arcs, all, &counts->arcs);
    l->used += new_lines.n + new_arcs.n * sizeof(*arcs);
    l->full = l->full || l->used > LEDGER_MAX;
    if ((new_lines.p || new_arcs.p) && !l->full) {
        set_join(&f->lines, view(&new_lines));
        arcs_join(&f->arcs, &new_arcs);
        struct hits *h = hits_of(f, context_index(l));
        set_join(&h->lines, view(&new_lines));
        arcs_join(&h->arcs, &new_arcs);
    } else if (l->full) {
        *counts = before;
    }
    free(new_lines.p);
    free(new_arcs.p);
    return !l->full;
}

bool ledger_full(const struct ledger *l)
{
    return l->full;
}

size_t ledger_files(const struct ledger *l)
{
    return l->n_files;
}

/* ---- sources ---- */

int ledger_hash(const char *path, uint8_t ret[32])
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (st.st_size > SOURCE_MAX)
        return -EFBIG;
    struct digest *d = digest_open(DIGEST_SHA256);
    char chunk[16384];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        digest_add(d, chunk, (size_t)n);
    int r = n < 0 ? -errno : 0;
    digest_close(d, ret);
    return r;
}

void ledger_hash_sources(struct ledger *l, struct buf *missing)
{
    size_t failed = 0;
    for (size_t i = 0; i < l->n_files; i++) {
        struct ledger_file *f = l->files[i];
        if (f->looked)
            continue;
        f->looked = true;
        int r = ledger_hash(f->path, f->sha256);
        f->has_sha256 = r == 0;
        if (r < 0 && !failed++)
            buf_printf(missing, "%sno source %s (%s)", missing->n ? "; " : "", f->path,
                       strerror(-r));
    }
    if (failed > 1)
        buf_printf(missing, " and %zu more", failed - 1);
}

/* ---- as an object ---- */

static void fill_file(struct object_file *to, const struct ledger_file *f, struct object_hits *hits)
{
    *to = (struct object_file){
        .path = str_from(f->path),
        .has_sha256 = f->has_sha256,
        .kind = OBJECT_PYTHON,
        .raw = bits_trim(view(&f->raw)),
        .hits = hits,
        .n_hits = f->n_hits,
    };
    memcpy(to->sha256, f->sha256, sizeof(to->sha256));
    for (size_t i = 0; i < f->n_hits; i++)
        hits[i] = (struct object_hits){f->hits[i].context, view(&f->hits[i].lines),
                                       f->hits[i].arcs.p, f->hits[i].arcs.n};
}

int ledger_write(struct ledger *l, const struct object_meta *meta, size_t n_meta,
                 const struct object_file *further, size_t n_further, uint8_t **ret, size_t *ret_n)
{
    size_t n_hits = 0;
    for (size_t i = 0; i < l->n_files; i++)
        n_hits += l->files[i]->n_hits;
    auto_free struct object_context *contexts = mem_alloc((l->n_contexts + 1) * sizeof(*contexts));
    auto_free struct object_file *files = mem_alloc((l->n_files + n_further + 1) * sizeof(*files));
    auto_free struct object_hits *hits = mem_alloc((n_hits + 1) * sizeof(*hits));
    for (size_t i = 0; i < l->n_contexts; i++)
        contexts[i] =
            (struct object_context){str_from(l->contexts[i].name), l->contexts[i].start_ms};
    n_hits = 0;
    for (size_t i = 0; i < l->n_files; i++) {
        fill_file(&files[i], l->files[i], hits + n_hits);
        n_hits += l->files[i]->n_hits;
    }
    if (n_further)
        memcpy(files + l->n_files, further, n_further * sizeof(*further));
    struct object o = {
        .meta = meta,
        .n_meta = n_meta,
        .contexts = contexts,
        .n_contexts = l->n_contexts,
        .files = files,
        .n_files = l->n_files + n_further,
    };
    return object_write(&o, ret, ret_n);
}

static void load_file(struct ledger *l, const struct object_file *from, const uint32_t *order)
{
    struct ledger_file *f = ledger_file(l, from->path);
    if (!f)
        return;
    set_join(&f->raw, from->raw);
    f->looked = f->has_sha256 = from->has_sha256;
    memcpy(f->sha256, from->sha256, sizeof(f->sha256));
    for (size_t i = 0; i < from->n_hits; i++) {
        const struct object_hits *h = &from->hits[i];
        struct arcs arcs = {mem_dup(h->arcs, h->n_arcs * sizeof(*h->arcs)), h->n_arcs};
        arcs.n = sort_arcs(arcs.p, arcs.n);
        set_join(&f->lines, h->lines);
        arcs_join(&f->arcs, &arcs);
        struct hits *to = hits_of(f, order[h->context]);
        set_join(&to->lines, h->lines);
        arcs_join(&to->arcs, &arcs);
        l->used += h->lines.n + arcs.n * sizeof(*arcs.p);
        free(arcs.p);
    }
}

void ledger_load(struct ledger *l, const struct object *o)
{
    auto_free uint32_t *order = mem_alloc((o->n_contexts + 1) * sizeof(*order));
    for (size_t i = 0; i < o->n_contexts; i++) {
        ledger_context(l, o->contexts[i].name, o->contexts[i].start_ms);
        order[i] = context_index(l);
    }
    for (size_t i = 0; i < o->n_files; i++)
        if (o->files[i].kind == OBJECT_PYTHON)
            load_file(l, &o->files[i], order);
    l->full = l->full || l->used > LEDGER_MAX;
}
