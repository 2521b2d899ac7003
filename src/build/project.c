/* project - what of a template is to be built, and where it goes: see project.h. */
#include "build/project.h"
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "build/artifact.h"
#include "build/yaml_write.h"

/* Which properties of which types name local code. Serverless types take a path or an object. */
static const struct {
    const char *type, *property;
    bool serverless, layer;
} code_properties[] = {
    {"AWS::Serverless::Function", "CodeUri", true, false},
    {"AWS::Serverless::LayerVersion", "ContentUri", true, true},
    {"AWS::Lambda::Function", "Code", false, false},
    {"AWS::Lambda::LayerVersion", "Content", false, true},
};

static bool is_remote(struct str path)
{
    return str_starts(path, S("s3://")) || str_starts(path, S("http://")) ||
           str_starts(path, S("https://"));
}

static struct str absolute(struct arena *a, struct str template_path, struct str path)
{
    struct str joined = fs_join(a, fs_dirname(a, template_path), path);
    char *real = realpath(joined.p, NULL);
    if (!real)
        return joined;
    struct str s = str_copy(a, str_from(real));
    free(real);
    return s;
}

static struct json *global_value(struct json *root, const char *kind, const char *property)
{
    return json_get(json_get(json_get(root, "Globals"), kind), property);
}

/* The function's code, where Globals may name it too. */
static struct json *code_value(struct arena *a, struct json *root, struct json *properties,
                               size_t kind)
{
    struct json *v = json_get(properties, code_properties[kind].property);
    if (v || !code_properties[kind].serverless || code_properties[kind].layer)
        return v;
    struct json *global = global_value(root, "Function", code_properties[kind].property);
    if (!global || json_get(properties, "InlineCode") || json_get(properties, "ImageUri"))
        return NULL;
    return json_set(a, properties, str_from(code_properties[kind].property), json_copy(a, global));
}

int project_local_code(struct arena *a, struct json *root, struct str template_path,
                       struct local_code **ret, size_t *ret_n, struct str *why)
{
    struct json *resources = json_get(root, "Resources");
    struct local_code *items = ARENA_ARRAY(a, struct local_code, resources ? resources->n + 1 : 1);
    size_t n = 0;
    JSON_EACH(resources, res) {
        struct str type = json_get_str(res, "Type");
        for (size_t k = 0; k < ARRAY_LEN(code_properties); k++) {
            if (!str_is(type, code_properties[k].type))
                continue;
            struct json *properties = json_get(res, "Properties");
            struct json *v = code_value(a, root, properties, k);
            if (!json_is(v, JSON_STRING) || is_remote(v->text))
                continue;
            items[n] = (struct local_code){
                .logical_id = res->key,
                .property = str_from(code_properties[k].property),
                .value = v,
                .properties = properties,
                .serverless = code_properties[k].serverless,
                .layer = code_properties[k].layer,
                .path = absolute(a, template_path, v->text),
            };
            if (!fs_exists(items[n].path.p)) {
                *why =
                    str_printf(a, "%.*s:%d: %.*s of %.*s: %.*s does not exist", STR(template_path),
                               v->line, STR(items[n].property), STR(res->key), STR(v->text));
                return -EINVAL;
            }
            n++;
        }
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

/* ---- which artifacts ---- */

static struct str setting(struct json *root, const struct json *properties, const char *name)
{
    struct str s = json_get_str(properties, name);
    return str_has(s) ? s : json_str(global_value(root, "Function", name));
}

static struct str architecture(struct json *root, const struct json *properties)
{
    struct json *list = json_get(properties, "Architectures");
    if (!list)
        list = global_value(root, "Function", "Architectures");
    struct str s = json_str(json_at(list, 0));
    return str_has(s) ? s : S("x86_64");
}

static struct str default_method(struct str runtime)
{
    if (str_starts(runtime, S("python3.")) || str_starts(runtime, S("nodejs")))
        return runtime;
    return S("copy");
}

/* -ENODATA: not to be built (a layer without a build method is taken as it is). */
static int describe(struct json *root, const struct local_code *code, struct artifact *ret)
{
    struct json *res = json_find(json_get(root, "Resources"), code->logical_id);
    struct str method = json_get_str(json_get(res, "Metadata"), "BuildMethod");
    struct str runtime = code->layer ? method : setting(root, code->properties, "Runtime");
    if (code->layer && !str_has(method))
        return -ENODATA;
    *ret = (struct artifact){
        .logical_id = code->logical_id,
        .layer = code->layer,
        .runtime = runtime,
        .source = code->path,
        .property = code->property,
        .method = str_has(method) ? method : default_method(runtime),
        .architecture = code->layer ? json_get_str(json_get(res, "Metadata"), "BuildArchitecture")
                                    : architecture(root, code->properties),
        .resource = res,
    };
    if (!str_has(ret->architecture))
        ret->architecture = S("x86_64");
    return 0;
}

static int collect(struct arena *a, struct json *root, const struct project_options *o,
                   struct project *ret)
{
    struct local_code *codes;
    size_t n;
    int r = project_local_code(a, root, o->template_path, &codes, &n, &ret->error);
    if (r < 0)
        return r;
    ret->artifacts = ARENA_ARRAY(a, struct artifact, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct artifact *art = &ret->artifacts[ret->n_artifacts];
        if (describe(root, &codes[i], art) < 0 ||
            (str_has(o->only) && !str_eq(o->only, codes[i].logical_id)))
            continue;
        if (artifact_digest(a, art) < 0) {
            ret->error =
                str_printf(a, "%.*s: %.*s cannot be read", STR(art->logical_id), STR(art->source));
            return -EINVAL;
        }
        for (size_t k = 0; k < ret->n_artifacts && !art->same_as; k++)
            if (str_eq(ret->artifacts[k].digest, art->digest))
                art->same_as = &ret->artifacts[k];
        ret->n_artifacts++;
    }
    if (str_has(o->only) && !ret->n_artifacts) {
        ret->error = str_printf(a, "%.*s: no resource %.*s with local code", STR(o->template_path),
                                STR(o->only));
        return -EINVAL;
    }
    return 0;
}

/* ---- building ---- */

struct work {
    struct project *project;
    const struct project_options *options;
    struct str cache_dir;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    size_t next, n_done, n_reported;
    struct artifact **done; /* in the order they were finished */
};

static void build_one(struct work *w, struct artifact *art)
{
    struct arena *a =
        arena_new(); /* this thread's own; error and digest texts outlive it in the project's */
    struct artifact_request q = {
        .artifact = art,
        .dir = str_printf(a, "%.*s/%.*s", STR(w->options->build_dir), STR(art->logical_id)),
        .cache_dir = w->options->cached ? w->cache_dir : (struct str){0},
    };
    int64_t from = clock_mono_ns();
    struct str why = {0};
    int r = artifact_build(a, &q, &why);
    pthread_mutex_lock(&w->lock);
    art->milliseconds = (clock_mono_ns() - from) / 1000000;
    if (r < 0) {
        art->state = ARTIFACT_FAILED;
        char *kept = strndup(why.p ? why.p : "", why.n); /* until the workers have ended */
        art->error = str_from(kept);
    }
    w->done[w->n_done++] = art;
    pthread_cond_signal(&w->finished);
    pthread_mutex_unlock(&w->lock);
    arena_free(a);
}

static void *worker(void *user)
{
    struct work *w = user;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        while (w->next < w->project->n_artifacts && w->project->artifacts[w->next].same_as)
            w->next++;
        size_t i = w->next++;
        pthread_mutex_unlock(&w->lock);
        if (i >= w->project->n_artifacts)
            return NULL;
        build_one(w, &w->project->artifacts[i]);
    }
}

static size_t distinct(const struct project *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_artifacts; i++)
        n += !p->artifacts[i].same_as;
    return n;
}

static void run(struct work *w, project_progress *progress, void *user)
{
    size_t n = distinct(w->project), n_threads = w->options->parallel ? n : 1;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus > 0 && n_threads > (size_t)cpus)
        n_threads = (size_t)cpus;
    pthread_t threads[64];
    if (n_threads > ARRAY_LEN(threads))
        n_threads = ARRAY_LEN(threads);
    size_t started = 0;
    while (started < n_threads && pthread_create(&threads[started], NULL, worker, w) == 0)
        started++;
    if (!started && n)
        worker(w);
    pthread_mutex_lock(&w->lock);
    while (w->n_reported < n) {
        while (w->n_reported == w->n_done)
            pthread_cond_wait(&w->finished, &w->lock);
        struct artifact *art = w->done[w->n_reported++];
        pthread_mutex_unlock(&w->lock);
        if (progress)
            progress(art, user);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

/* Functions built from the same inputs get copies: SAM lays them out so. */
static int share(struct arena *a, const struct project_options *o, struct artifact *art)
{
    struct str from = str_printf(a, "%.*s/%.*s", STR(o->build_dir), STR(art->same_as->logical_id));
    struct str to = str_printf(a, "%.*s/%.*s", STR(o->build_dir), STR(art->logical_id));
    art->state = ARTIFACT_SHARED;
    art->bytes = art->same_as->bytes;
    art->files = art->same_as->files;
    return fs_copy_tree(from.p, to.p);
}

/* ---- the template that goes with them ---- */

static struct str relative_to(struct arena *a, struct str dir, struct str path)
{
    struct str from = dir, d, p;
    size_t common = 0;
    for (size_t i = 0; i <= from.n && i <= path.n; i++) {
        bool end_d = i == from.n, end_p = i == path.n;
        if ((end_d || from.p[i] == '/') && (end_p || path.p[i] == '/'))
            common = i;
        if (end_d || end_p || from.p[i] != path.p[i])
            break;
    }
    d = str_slice(from, common, from.n);
    p = str_slice(path, common < path.n ? common + 1 : common, path.n);
    auto_buf struct buf b;
    buf_init(&b, 65536);
    for (size_t i = 0; i < d.n; i++)
        if (d.p[i] == '/')
            buf_text(&b, "../");
    buf_str(&b, p.n ? p : S("."));
    return buf_copy(&b, a);
}

static int write_template(struct arena *a, struct json *root, const struct project_options *o,
                          struct project *ret)
{
    struct local_code *codes;
    size_t n;
    int r = project_local_code(a, root, o->template_path, &codes, &n, &ret->error);
    if (r < 0)
        return r;
    char *real = realpath(str_c(a, o->build_dir), NULL);
    struct str dir = str_copy(a, real ? str_from(real) : o->build_dir);
    free(real);
    for (size_t i = 0; i < n; i++) {
        bool built = false;
        for (size_t k = 0; k < ret->n_artifacts; k++)
            built = built || str_eq(ret->artifacts[k].logical_id, codes[i].logical_id);
        codes[i].value->text = built ? codes[i].logical_id : relative_to(a, dir, codes[i].path);
    }
    auto_buf struct buf b;
    buf_init(&b, 8 * 1024 * 1024);
    yaml_write(&b, root);
    ret->template_out = str_printf(a, "%.*s/template.yaml", STR(o->build_dir));
    r = fs_write(ret->template_out.p, buf_view(&b), 0644);
    if (r < 0)
        ret->error = str_printf(a, "%.*s: %s", STR(ret->template_out), strerror(-r));
    return r < 0 ? -EINVAL : 0;
}

static void write_record(struct arena *a, const struct project_options *o, const struct project *p)
{
    auto_buf struct buf b;
    buf_init(&b, 1024 * 1024);
    buf_text(&b,
             "# Which artifact was built from what; written by `lamina build`.\nversion = 0.1\n");
    for (size_t i = 0; i < p->n_artifacts; i++) {
        const struct artifact *art = &p->artifacts[i];
        buf_printf(&b, "\n[%s.%.*s]\nsource = ", art->layer ? "layer" : "function",
                   STR(art->logical_id));
        json_write_str(&b, art->source);
        buf_printf(&b, "\nmethod = \"%.*s\"\narchitecture = \"%.*s\"\ninputs = \"%.*s\"\n",
                   STR(art->method), STR(art->architecture), STR(art->digest));
    }
    struct str path = str_printf(a, "%.*s/build.toml", STR(fs_dirname(a, o->build_dir)));
    fs_write(path.p, buf_view(&b), 0644);
}

int project_artifacts(struct arena *a, struct json *root, const struct project_options *o,
                      struct project *ret)
{
    *ret = (struct project){0};
    int r = project_images(a, root, o->template_path, &ret->error);
    return r == 0 ? collect(a, root, o, ret) : r;
}

int project_build(struct arena *a, struct json *root, const struct project_options *o,
                  project_progress *progress, void *user, struct project *ret)
{
    int r = project_artifacts(a, root, o, ret);
    if (r < 0)
        return r;
    if (!str_has(o->only))
        fs_remove_tree(str_c(a, o->build_dir));
    r = fs_mkdirs(str_c(a, o->build_dir), 0755);
    if (r < 0) {
        ret->error = str_printf(a, "%.*s: %s", STR(o->build_dir), strerror(-r));
        return -EINVAL;
    }
    struct work w = {.project = ret,
                     .options = o,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .finished = PTHREAD_COND_INITIALIZER,
                     .cache_dir = str_printf(a, "%.*s/cache", STR(fs_dirname(a, o->build_dir)))};
    w.done = ARENA_ARRAY(a, struct artifact *, ret->n_artifacts + 1);
    run(&w, progress, user);
    for (size_t i = 0; i < ret->n_artifacts; i++) {
        struct artifact *art = &ret->artifacts[i];
        char *error = (char *)art->error.p; /* a worker's strndup() */
        art->error = str_copy(a, art->error);
        free(error);
        if (art->same_as && art->same_as->state != ARTIFACT_FAILED) {
            if (share(a, o, art) < 0)
                art->state = ARTIFACT_FAILED;
            if (progress)
                progress(art, user);
        }
        if (art->state == ARTIFACT_FAILED && !str_has(ret->error))
            ret->error = str_printf(a, "%.*s: %.*s", STR(art->logical_id), STR(art->error));
    }
    if (str_has(ret->error))
        return -EINVAL;
    write_record(a, o, ret);
    return write_template(a, root, o, ret);
}
