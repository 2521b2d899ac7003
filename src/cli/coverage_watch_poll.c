/* coverage_watch_poll - which objects have changed, and what they tell that was not known: see
 * coverage_watch.h. S3 is asked for lists, and for objects only when their ETag is another one. */
#include <errno.h>
#include <time.h>
#include "cli/coverage_watch.h"
#include "wire/s3.h"

#define DAY_S 86400
#define FEW_FUNCTIONS 4 /* so many are listed one by one */

/* Where objects may appear: every n-th look is enough for those that seldom do. */
static const struct place {
    bool tests; /* runs of `lamina test --coverage` */
    int days_ago;
    uint64_t every;
} places[] = {{false, 0, 1}, {true, 0, 2}, {false, 1, 10}};

static struct str pair(struct arena *a, struct str x, struct str y)
{
    struct str r = {arena_alloc(a, x.n + 1 + y.n), x.n + 1 + y.n};
    char *p = (char *)(uintptr_t)r.p;
    if (x.n)
        memcpy(p, x.p, x.n);
    if (y.n)
        memcpy(p + x.n + 1, y.p, y.n);
    return r;
}

/* ---- lists ---- */

struct listing {
    struct arena *a;
    struct str *keys; /* that are new or have changed */
    struct str *etags;
    size_t n, cap, n_etags, cap_etags;
};

static int list(struct watch *w, struct listing *l, struct str prefix, struct aws_error *err)
{
    struct s3_list_objects_v2_input in = {.bucket = w->bucket, .prefix = prefix};
    do {
        struct s3_list_objects_v2_output *out;
        int r = aws_call(w->in.aws, l->a, &s3_list_objects_v2_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->contents.n; i++) {
            const struct s3_object *o = &out->contents.items[i];
            const char *known = map_find(&w->etags, o->key);
            if (!coverage_key_wanted(o->key, w->prefix, w->functions, w->n_functions) ||
                (known && str_is(o->e_tag, known)))
                continue;
            *(struct str *)arena_push(l->a, (void **)&l->keys, &l->n, &l->cap, sizeof *l->keys) =
                o->key;
            *(struct str *)arena_push(l->a, (void **)&l->etags, &l->n_etags, &l->cap_etags,
                                      sizeof *l->etags) = o->e_tag;
        }
        in.continuation_token = out->is_truncated.is ? out->next_continuation_token : S("");
    } while (in.continuation_token.n);
    return 0;
}

static int list_all(struct watch *w, struct listing *l, bool everything, struct aws_error *err)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!everything && w->polls % places[i].every)
            continue;
        char text[32];
        struct tm tm;
        time_t at = time(NULL) - places[i].days_ago * DAY_S;
        gmtime_r(&at, &tm);
        if (places[i].tests)
            strftime(text, sizeof text, "%Y%m%dT", &tm);
        else
            strftime(text, sizeof text, "%Y/%m/%d/", &tm);
        struct str day = str_printf(l->a, "%.*s%s", STR(w->prefix), text);
        bool each = w->n_functions && w->n_functions <= FEW_FUNCTIONS && !places[i].tests;
        int r = each ? 0 : list(w, l, day, err);
        for (size_t k = 0; each && k < w->n_functions && r == 0; k++)
            r = list(w, l, str_printf(l->a, "%.*s%.*s/", STR(day), STR(w->functions[k])), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void keep_etag(struct watch *w, struct str key, struct str etag)
{
    map_put(&w->etags, key, (void *)(uintptr_t)str_c(&w->own, etag));
}

/* ---- what is new in an object ---- */

static size_t weight(const struct object_hits *h)
{
    return 1 + bits_count(h->lines) + h->n_arcs;
}

/* Hits of o that were not known before: in `news`, but in `old` what was there when the watch
 * began. */
static void split(struct watch *w, struct arena *a, struct str key, const struct object *o,
                  struct object *old, struct object *news)
{
    struct object *both[] = {old, news};
    for (size_t b = 0; b < 2; b++) {
        *both[b] = *o;
        both[b]->files = ARENA_ARRAY(a, struct object_file, o->n_files + 1);
        both[b]->n_files = 0;
    }
    for (size_t i = 0; i < o->n_files; i++) {
        const struct object_file *f = &o->files[i];
        struct object_hits *hits[2] = {ARENA_ARRAY(a, struct object_hits, f->n_hits + 1),
                                       ARENA_ARRAY(a, struct object_hits, f->n_hits + 1)};
        size_t n[2] = {0};
        for (size_t k = 0; k < f->n_hits; k++) {
            struct str who = pair(a, key, o->contexts[f->hits[k].context].name);
            struct str what = pair(a, who, f->path);
            size_t known = (size_t)(uintptr_t)map_find(&w->seen, what);
            if (known >= weight(&f->hits[k]))
                continue;
            map_put(&w->seen, what, (void *)(uintptr_t)weight(&f->hits[k]));
            int b = known || !map_find(&w->base, who);
            hits[b][n[b]++] = f->hits[k];
        }
        for (size_t b = 0; b < 2; b++) {
            if (!n[b])
                continue;
            struct object_file *to =
                (struct object_file *)(uintptr_t)&both[b]->files[both[b]->n_files++];
            *to = *f;
            to->hits = hits[b];
            to->n_hits = n[b];
        }
    }
}

/* Without contexts that have no hits: those of each upload would be kept again. */
static void only_used(struct arena *a, struct object *o)
{
    struct object_context *contexts = ARENA_ARRAY(a, struct object_context, o->n_contexts + 1);
    uint32_t *to = ARENA_ARRAY(a, uint32_t, o->n_contexts + 1), n = 0;
    for (size_t i = 0; i < o->n_files; i++)
        for (size_t k = 0; k < o->files[i].n_hits; k++) {
            struct object_hits *h = (struct object_hits *)(uintptr_t)&o->files[i].hits[k];
            if (!to[h->context]) {
                contexts[n] = o->contexts[h->context];
                to[h->context] = ++n;
            }
            h->context = to[h->context] - 1;
        }
    o->contexts = contexts;
    o->n_contexts = n;
}

static bool take(struct watch *w, struct arena *a, struct data *ret, struct str key,
                 struct str bytes)
{
    struct object o, old, news;
    struct object_error wrong;
    struct object_reader *reader = object_reader_new();
    bool any = false;
    if (object_read(reader, bytes, a, &o, &wrong) < 0) {
        w->trouble = str_printf(&w->own, "%.*s is left out: %s", STR(key), wrong.reason);
    } else {
        split(w, a, key, &o, &old, &news);
        any = old.n_files || news.n_files;
        only_used(a, &old);
        only_used(a, &news);
        if (old.n_files)
            data_add_object(w->in.data, key, &old);
        if (news.n_files) {
            data_add_object(w->in.data, key, &news);
            data_add_object(ret, key, &news);
        }
    }
    object_reader_free(reader);
    return any;
}

/* One that has gone since it was listed will come again with its next hits. */
static int fetch(struct watch *w, struct arena *a, struct data *ret, struct str key,
                 struct aws_error *err)
{
    struct s3_get_object_input in = {.bucket = w->bucket, .key = key};
    struct s3_get_object_output *out;
    struct str bytes;
    int r = aws_call(w->in.aws, a, &s3_get_object_op, &in, (void **)&out, err);
    if (r < 0)
        return err->status == 404 ? 0 : r;
    r = body_load(&out->body, OBJECT_BODY_MAX, a, &bytes);
    if (r < 0) {
        *err = (struct aws_error){.r = r, .message = str_from(strerror(-r))};
        return r;
    }
    return take(w, a, ret, key, bytes);
}

int watch_poll(struct watch *w, struct data *ret, struct aws_error *err)
{
    auto_arena struct arena a, one;
    arena_init(&a);
    arena_init(&one);
    struct listing l = {.a = &a};
    int r = list_all(w, &l, false, err), any = 0;
    w->polls++;
    w->trouble = r < 0 ? w->trouble : (struct str){0};
    for (size_t i = 0; i < l.n && r >= 0; i++) {
        arena_reset(&one);
        r = fetch(w, &one, ret, l.keys[i], err);
        any = any || r > 0;
        if (r >= 0) {
            w->n_objects += !map_find(&w->etags, l.keys[i]);
            keep_etag(w, l.keys[i], l.etags[i]);
        }
    }
    if (r < 0) { /* valid longer than the arenas here */
        err->message = str_copy(&w->own, err->message);
        err->code = str_copy(&w->own, err->code);
    }
    return r < 0 ? r : any;
}

int watch_begin(struct watch *w)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct listing l = {.a = &a};
    struct aws_error err = {0};
    struct data_view v;
    /* First the list: what changes while the objects are fetched is looked at once more. */
    if (list_all(w, &l, true, &err) == 0)
        for (size_t i = 0; i < l.n; i++)
            keep_etag(w, l.keys[i], l.etags[i]);
    int e = coverage_fetch(w->run, &w->in, w->bucket, w->prefix, w->functions, w->n_functions, 0);
    if (e)
        return e;
    w->n_objects = w->in.n_read;
    data_finish(w->in.data, &v);
    for (size_t i = 0; i < v.n_contexts; i++)
        map_put(&w->base, pair(&a, v.sources[v.contexts[i].source].name, v.contexts[i].name), w);
    return 0;
}
