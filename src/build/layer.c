/* layer - how a layer's zip is made, checked and found again: see layer.h. */
#include "build/layer.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/body.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/tree.h"
#include "build/zip.h"
#include <fcntl.h>

static int fail(struct arena *a, struct layer_report *ret, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct arena *a, struct layer_report *ret, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    ret->error = str_vprintf(a, fmt, ap);
    va_end(ap);
    return -EINVAL;
}

int layer_inputs(struct arena *a, struct str source, struct str runtime, struct str architecture,
                 struct str *ret)
{
    struct str salt =
        str_printf(a, "lamina " LAMINA_VERSION " %.*s %.*s", STR(runtime), STR(architecture));
    struct str *locals = NULL;
    size_t n = 0;
    if (str_ends(source, S(".txt"))) {
        int r = python_local_requirements(a, str_c(a, source), &locals, &n);
        if (r < 0)
            return r;
    }
    struct str *paths = ARENA_ARRAY(a, struct str, n + 1);
    paths[0] = source;
    size_t m = 1;
    for (size_t i = 0; i < n; i++)
        if (fs_exists(str_c(a, locals[i]))) /* a missing one is told by the installation */
            paths[m++] = locals[i];
    return tree_digest(a, paths, m, salt, ret);
}

int layer_pack(struct arena *a, const char *dir, const char *zip, struct str *why)
{
    struct zip_report report = {0};
    if (zip_tree_pack(dir, "", zip, &report) == 0)
        return 0;
    *why = str_printf(a, "it cannot be packed: %s", report.why);
    return -EINVAL;
}

static int measure(struct arena *a, const char *zip, struct layer_report *ret)
{
    auto_close int fd = open(zip, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(a, ret, "%s: %s", zip, strerror(errno));
    struct body body = body_file(fd, 0, st.st_size);
    uint8_t sum[32];
    int n = digest_body(DIGEST_SHA256, &body, sum);
    if (n < 0)
        return fail(a, ret, "%s: %s", zip, strerror(-n));
    ret->sha256 = hex_encode(a, sum, (size_t)n);
    ret->zipped_bytes = st.st_size;
    return 0;
}

static int check_budget(struct arena *a, struct layer_report *ret)
{
    if (ret->unzipped_bytes > LAYER_UNZIPPED_MAX)
        return fail(a, ret,
                    "the layer is %.1f MB unzipped; a function with all its layers may have 250 MB",
                    (double)ret->unzipped_bytes / 1048576);
    if (ret->zipped_bytes > LAYER_ZIPPED_MAX)
        return fail(a, ret, "the layer is %.1f MB zipped; 50 MB can be uploaded",
                    (double)ret->zipped_bytes / 1048576);
    return 0;
}

static int install(struct arena *a, const struct layer_request *q, const char *work,
                   struct layer_report *ret)
{
    struct python_install what = {
        .runtime = q->runtime,
        .architecture = q->architecture,
        .source = q->source,
        .target = str_printf(a, "%s/content/python", work),
        .check_imports = q->check_imports,
    };
    if (python_install(a, &what, &ret->python) < 0)
        return fail(a, ret, "%.*s", STR(ret->python.error));
    struct str content = str_printf(a, "%s/content", work),
               zip = str_printf(a, "%s/layer.zip", work), why;
    if (tree_size(content.p, &ret->unzipped_bytes, &ret->files) < 0)
        return fail(a, ret, "%.*s: %s", STR(content), strerror(errno));
    if (layer_pack(a, content.p, zip.p, &why) < 0)
        return fail(a, ret, "%.*s", STR(why));
    int r = measure(a, zip.p, ret);
    return r < 0 ? r : check_budget(a, ret);
}

/* The zip and its figures in the cache: DIGEST.zip and DIGEST.size. */
static bool from_cache(struct arena *a, const struct layer_request *q, struct layer_report *ret)
{
    struct str zip = str_printf(a, "%.*s/%.*s.zip", STR(q->cache_dir), STR(ret->inputs));
    struct str size = str_printf(a, "%.*s/%.*s.size", STR(q->cache_dir), STR(ret->inputs)), text,
               files;
    if (fs_read(size.p, 64, a, &text) < 0 || !fs_exists(zip.p))
        return false;
    str_cut(str_trim(text), ' ', &text, &files);
    if (str_to_int64(text, &ret->unzipped_bytes) < 0 || str_to_int64(files, &ret->files) < 0 ||
        measure(a, zip.p, ret) < 0 || fs_copy_file(zip.p, str_c(a, q->output)) < 0)
        return false;
    ret->cached = true;
    return true;
}

static void to_cache(struct arena *a, const struct layer_request *q, const char *zip,
                     const struct layer_report *r)
{
    struct str base = str_printf(a, "%.*s/%.*s", STR(q->cache_dir), STR(r->inputs));
    if (fs_mkdirs(str_c(a, q->cache_dir), 0755) < 0)
        return; /* a cache that cannot be written is only slower */
    if (fs_copy_file(zip, str_printf(a, "%.*s.zip", STR(base)).p) == 0)
        fs_write(str_printf(a, "%.*s.size", STR(base)).p,
                 str_printf(a, "%lld %lld", (long long)r->unzipped_bytes, (long long)r->files),
                 0644);
}

int layer_build(struct arena *a, const struct layer_request *q, struct layer_report *ret)
{
    *ret = (struct layer_report){0};
    struct str source = str_copy(a, q->source);
    struct stat st;
    if (stat(source.p, &st) < 0)
        return fail(a, ret, "%.*s: %s", STR(source), strerror(errno));
    if (!S_ISDIR(st.st_mode) && !str_ends(source, S(".txt")))
        return fail(a, ret, "%.*s is neither a package's folder nor a requirements.txt",
                    STR(source));
    int r = layer_inputs(a, source, q->runtime, q->architecture, &ret->inputs);
    if (r < 0)
        return fail(a, ret, "%.*s cannot be read: %s", STR(source), strerror(-r));
    if (str_has(q->cache_dir) && from_cache(a, q, ret))
        return 0;
    char work[] = "/tmp/lamina-layer-XXXXXX";
    if (!mkdtemp(work))
        return fail(a, ret, "/tmp: %s", strerror(errno));
    r = install(a, q, work, ret);
    struct str zip = str_printf(a, "%s/layer.zip", work);
    if (r == 0) {
        r = fs_copy_file(zip.p, str_c(a, q->output));
        if (r < 0)
            r = fail(a, ret, "%.*s: %s", STR(q->output), strerror(-r));
    }
    if (r == 0 && str_has(q->cache_dir))
        to_cache(a, q, zip.p, ret);
    fs_remove_tree(work);
    return r;
}
