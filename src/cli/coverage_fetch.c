/* coverage_fetch - objects of a bucket or a folder, read by several threads: each has its own
 * connection and its own union, which are joined at the end. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fs.h"
#include "cli/coverage_report.h"
#include "cli/target.h"
#include "coverage/sqlite.h"
#include "wire/s3.h"

#define FETCHERS 8
#define READERS 4
#define FILE_MAX ((size_t)1 << 30)
#define EACH 64       /* as many objects of a bucket are worth a thread */
#define EACH_FILE 512 /* as many files */

struct fetcher;

struct fetch {
    struct verb_run *run;
    struct str bucket; /* absent: keys are paths of files */
    int (*one)(struct fetcher *w, struct arena *a, struct str key);
    struct str *keys;
    size_t n, cap;
    enum data_by by;
    atomic_size_t next;
    pthread_mutex_t lock; /* of what follows */
    struct coverage_inputs *in;
    struct aws_error error; /* the first that ends it all */
    bool failed;
};

struct fetcher {
    struct fetch *fetch;
    struct arena arena; /* of its client: the verb's arena is everybody's */
    struct aws_client *aws;
    struct data *data;
    size_t n_read;
    pthread_t thread;
    bool started;
};

/* coverage/2025/11/24/FUNCTION/231120-ENVIRONMENT.coverage */
bool coverage_key_wanted(struct str key, struct str prefix, const struct str *functions, size_t n)
{
    if (!str_ends(key, S(".coverage")))
        return false;
    if (!n)
        return true;
    struct str rest = str_slice(key, prefix.n, key.n), part;
    while (str_cut(rest, '/', &part, &rest))
        for (size_t i = 0; i < n; i++)
            if (str_eq(part, functions[i]))
                return true;
    return false;
}

/* Without the names, requests are told by their ids. */
static void fetch_tests(struct fetch *f, struct str key)
{
    struct s3_get_object_input in = {.bucket = f->bucket, .key = key};
    struct s3_get_object_output *out;
    struct aws_error err = {0};
    struct str text;
    if (aws_call(f->in->aws, f->run->arena, &s3_get_object_op, &in, (void **)&out, &err) == 0 &&
        body_load(&out->body, OBJECT_BODY_MAX, f->run->arena, &text) == 0)
        coverage_add_tests(f->run, f->in, text);
}

static int list(struct fetch *f, struct str prefix, const struct str *functions, size_t n,
                int64_t since_ms, struct aws_error *err)
{
    struct s3_list_objects_v2_input in = {.bucket = f->bucket, .prefix = prefix};
    do {
        struct s3_list_objects_v2_output *out;
        int r =
            aws_call(f->in->aws, f->run->arena, &s3_list_objects_v2_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->contents.n; i++) {
            const struct s3_object *o = &out->contents.items[i];
            if (coverage_is_tests(o->key))
                fetch_tests(f, o->key);
            if (!coverage_key_wanted(o->key, prefix, functions, n) ||
                (o->last_modified.has && o->last_modified.ms < since_ms))
                continue;
            *(struct str *)arena_push(f->run->arena, (void **)&f->keys, &f->n, &f->cap,
                                      sizeof *f->keys) = o->key;
        }
        in.continuation_token = out->is_truncated.is ? out->next_continuation_token : S("");
    } while (in.continuation_token.n);
    return 0;
}

static void stop(struct fetch *f, const struct aws_error *err)
{
    pthread_mutex_lock(&f->lock);
    if (!f->failed) {
        f->failed = true;
        f->error = *err;
        f->error.code = str_copy(f->run->arena, err->code);
        f->error.message = str_copy(f->run->arena, err->message);
    }
    pthread_mutex_unlock(&f->lock);
    atomic_store(&f->next, f->n);
}

static void unreadable(struct fetch *f, struct str key, struct str reason)
{
    pthread_mutex_lock(&f->lock);
    coverage_unreadable(f->run, f->in, key, reason);
    pthread_mutex_unlock(&f->lock);
}

/* One that has gone since it was listed, or that may not be read, is told by name. */
static int fetch_one(struct fetcher *w, struct arena *a, struct str key)
{
    struct s3_get_object_input in = {.bucket = w->fetch->bucket, .key = key};
    struct s3_get_object_output *out;
    struct aws_error err = {0};
    struct object_error wrong;
    struct str bytes;
    if (aws_call(w->aws, a, &s3_get_object_op, &in, (void **)&out, &err) < 0) {
        if (err.status != 404 && err.status != 403) {
            stop(w->fetch, &err);
            return -EIO;
        }
        unreadable(w->fetch, key, err.message);
        return 0;
    }
    int r = body_load(&out->body, OBJECT_BODY_MAX, a, &bytes);
    if (r < 0) {
        unreadable(w->fetch, key, str_from(strerror(-r)));
    } else if (data_add(w->data, key, bytes, &wrong) < 0) {
        unreadable(w->fetch, key, str_from(wrong.reason));
    } else {
        w->n_read++;
    }
    return 0;
}

static int read_one(struct fetcher *w, struct arena *a, struct str path)
{
    struct str bytes, reason;
    struct object_error wrong;
    int r = fs_read(str_c(a, path), FILE_MAX, a, &bytes);
    if (r < 0) {
        unreadable(w->fetch, path, str_from(strerror(-r)));
    } else if (sqlite_is(bytes)) {
        if (sqlite_read(a, w->data, path, str_c(a, path), &reason) < 0)
            unreadable(w->fetch, path, reason);
        else
            w->n_read++;
    } else if (data_add(w->data, path, bytes, &wrong) < 0) {
        unreadable(w->fetch, path, str_from(wrong.reason));
    } else {
        w->n_read++;
    }
    return 0;
}

static void *work(void *user)
{
    struct fetcher *w = user;
    auto_arena struct arena a;
    arena_init(&a);
    for (;;) {
        size_t i = atomic_fetch_add(&w->fetch->next, 1);
        if (i >= w->fetch->n || w->fetch->one(w, &a, w->fetch->keys[i]) < 0)
            return NULL;
        arena_reset(&a);
    }
}

static int fetcher_start(struct fetch *f, struct fetcher *w)
{
    struct verb_run own = *f->run;
    arena_init(&w->arena);
    own.arena = &w->arena;
    w->fetch = f;
    w->data = data_new(f->by);
    data_names(w->data, &f->in->names);
    int e = f->bucket.n ? target_open(&own, &w->aws) : 0;
    if (!e && pthread_create(&w->thread, NULL, work, w) == 0)
        w->started = true;
    return e;
}

static int work_all(struct fetch *f, size_t n)
{
    size_t started = 0;
    struct fetcher *all = ARENA_ARRAY(f->run->arena, struct fetcher, n);
    int e = 0;
    for (size_t i = 0; i < n && !e; i++) {
        e = fetcher_start(f, &all[i]);
        started += all[i].started;
    }
    if (!e && !started)
        e = verb_fail(f->run, "no thread can be started to fetch objects with");
    for (size_t i = 0; i < n; i++) {
        if (all[i].started)
            pthread_join(all[i].thread, NULL);
        aws_client_close(all[i].aws);
        if (all[i].data)
            data_join(f->in->data, all[i].data);
        data_free(all[i].data);
        arena_done(&all[i].arena);
        f->in->n_read += all[i].n_read;
    }
    return e;
}

int coverage_fetch(struct verb_run *run, struct coverage_inputs *in, struct str bucket,
                   struct str prefix, const struct str *functions, size_t n_functions,
                   int64_t since_ms)
{
    struct fetch f = {
        .run = run, .bucket = bucket, .one = fetch_one, .in = in, .by = data_by(in->data)};
    struct aws_error err = {0};
    in->looked = str_printf(run->arena, "s3://%.*s/%.*s", STR(bucket), STR(prefix));
    if (list(&f, prefix, functions, n_functions, since_ms, &err) < 0) {
        if (target_error_is(&err, "NoSuchBucket"))
            return verb_fail(run,
                             "there is no bucket %.*s: turn coverage on with \"lamina coverage "
                             "enable FUNCTION|STACK\" and invoke, or name the bucket with --bucket",
                             STR(bucket));
        return target_fail(run, &err, "the objects cannot be listed");
    }
    size_t n = f.n / EACH + 1;
    pthread_mutex_init(&f.lock, NULL);
    int e = f.n ? work_all(&f, n < FETCHERS ? n : FETCHERS) : 0;
    pthread_mutex_destroy(&f.lock);
    if (!e && f.failed)
        e = target_fail(run, &f.error, "an object cannot be fetched");
    return e;
}

int coverage_read_files(struct verb_run *run, struct coverage_inputs *in, struct str *paths,
                        size_t n)
{
    struct fetch f = {
        .run = run, .one = read_one, .keys = paths, .n = n, .in = in, .by = data_by(in->data)};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = processors > READERS ? READERS : processors > 0 ? (size_t)processors : 1;
    if (threads > n / EACH_FILE + 1)
        threads = n / EACH_FILE + 1;
    pthread_mutex_init(&f.lock, NULL);
    int e = n ? work_all(&f, threads) : 0;
    pthread_mutex_destroy(&f.lock);
    return e;
}
