/* coverage_layer - its parts, gathered and packed: see coverage_layer.h. */
#include "build/coverage_layer.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "build/tree.h"

#define PART_MAX (32 * 1024 * 1024)

const char *const coverage_layer_runtimes[] = {
    "python3.8",  "python3.9",    "python3.10",      "python3.11", "python3.12",
    "python3.13", "python3.14",   "nodejs18.x",      "nodejs20.x", "nodejs22.x",
    "nodejs24.x", "provided.al2", "provided.al2023", NULL};

/* Where each part stands in the build folder, below layers/python-coverage; and where it goes below
 * /opt, which is also where an installation has it below share/lamina/layers/python-coverage. */
struct part {
    const char *from, *to;
    bool executable;
    bool compiled; /* one for each processor */
};
static const struct part parts[] = {
    {"start/lamina-coverage", "lamina-coverage", true, false},
    {"start/sitecustomize.py", "lamina/coverage/sitecustomize.py", false, false},
    {"tracer/_lamina_coverage.abi3.so", "lamina/coverage/_lamina_coverage.abi3.so", false, true},
    {"shipper/lamina-coverage-shipper", "extensions/lamina-coverage-shipper", true, true},
    {"analyse.py", "lamina/coverage/analyse.py", false, false},
    {"node/node.cjs", "lamina/coverage/node.cjs", false, false},
    {"native/lamina_coverage.c", "lamina/coverage/lamina_coverage.c", false, false},
};

bool coverage_layer_runs(struct str runtime)
{
    for (size_t i = 0; coverage_layer_runtimes[i]; i++)
        if (str_is(runtime, coverage_layer_runtimes[i]))
            return true;
    return false;
}

static int fail(struct arena *a, struct coverage_layer *ret, int r, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int fail(struct arena *a, struct coverage_layer *ret, int r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    ret->error = str_vprintf(a, fmt, ap);
    va_end(ap);
    return r;
}

/* ---- found ---- */

static struct str in(struct arena *a, struct str dir, const char *name)
{
    struct str path = str_printf(a, "%.*s/%s", STR(dir), name);
    return fs_exists(path.p) ? path : (struct str){0};
}

/* In the build folder or the installation that this program is of. */
static struct str find_beside(struct arena *a, const char *name)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    struct str found = {0};
    if (n <= 0)
        return found;
    exe[n] = 0;
    struct str dir = fs_dirname(a, str_from(exe));
    static const char *const beside[] = {"layers", "../share/lamina/layers", "../lib/lamina/layers",
                                         "../layers"};
    for (size_t i = 0; i < ARRAY_LEN(beside) && !found.n; i++)
        found = in(a, str_printf(a, "%.*s/%s/" COVERAGE_LAYER_SOURCE, STR(dir), beside[i]), name);
    return found;
}

static struct str find_source(struct arena *a, const char *name)
{
#ifdef LAMINA_SOURCE
    return in(a,
              strcmp(name, "analyse.py") ? S(LAMINA_SOURCE "/layers/" COVERAGE_LAYER_SOURCE)
                                         : S(LAMINA_SOURCE "/src/coverage"),
              name);
#else
    return (struct str){0};
#endif
}

static struct str find(struct arena *a, const char *name)
{
    struct str found = find_beside(a, name);
    return found.n ? found : find_source(a, name);
}

static const char *machine(void)
{
#if defined(__aarch64__)
    return "arm64";
#elif defined(__x86_64__)
    return "x86_64";
#else
    return "another";
#endif
}

/* What a cross compiler made has the processor before its first dot. */
static const char *named(struct arena *a, const struct part *p, const char *name,
                         struct str architecture)
{
    if (!p->compiled || str_is(architecture, machine()))
        return name;
    struct str path = str_from(name), base = fs_basename(path), stem, rest;
    bool dot = str_cut(base, '.', &stem, &rest);
    return str_printf(a, "%.*s%.*s-%.*s%s%.*s", (int)(path.n - base.n), path.p, STR(stem),
                      STR(architecture), dot ? "." : "", STR(rest))
        .p;
}

static struct str find_part(struct arena *a, const struct part *p, struct str architecture)
{
    const char *from = named(a, p, p->from, architecture);
    struct str found = find_beside(a, from);
    if (!found.n)
        found = find_beside(a, named(a, p, p->to, architecture));
    return found.n ? found : find_source(a, from);
}

struct str coverage_layer_part(struct arena *a, const char *to)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strcmp(parts[i].to, to) == 0)
            return find_part(a, &parts[i], str_from(machine()));
    return (struct str){0};
}

/* ---- gathered ---- */

static int place(struct arena *a, const char *from, const char *content, struct str to,
                 bool executable, struct coverage_layer *ret)
{
    struct str data, path = str_printf(a, "%s/%.*s", content, STR(to));
    int r = fs_read(from, PART_MAX, a, &data);
    if (r == 0)
        r = fs_mkdirs(str_c(a, fs_dirname(a, path)), 0755);
    if (r == 0)
        r = fs_write(path.p, data, executable ? 0755 : 0644);
    return r < 0 ? fail(a, ret, -EINVAL, "%s: %s", from, strerror(-r)) : 0;
}

static int gather_parts(struct arena *a, struct str architecture, const char *content,
                        struct coverage_layer *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct part *p = &parts[i];
        const char *name = named(a, p, p->from, architecture);
        struct str from = find_part(a, p, architecture);
        if (!from.n && p->compiled && !str_is(architecture, machine()))
            return fail(a, ret, -ENOENT,
                        "this installation was built without the coverage layer's programs for "
                        "%.*s (%s); build it where a cross compiler is (aarch64-linux-gnu-gcc)",
                        STR(architecture), name);
        if (!from.n)
            return fail(a, ret, -ENOENT,
                        "a part of the coverage layer is missing from the installation: "
                        "layers/" COVERAGE_LAYER_SOURCE "/%s",
                        name);
        int r = place(a, from.p, content, str_from(p->to), p->executable, ret);
        if (r < 0)
            return r;
    }
    return 0;
}

static int gather_package(struct arena *a, const char *content, struct coverage_layer *ret)
{
    struct str dir = find(a, "python/coverage_wrapper"), *names;
    size_t n;
    if (!dir.n)
        return fail(a, ret, -ENOENT,
                    "a part of the coverage layer is missing from the installation: "
                    "layers/" COVERAGE_LAYER_SOURCE "/python/coverage_wrapper");
    int r = fs_walk(a, dir.p, &names, &n);
    if (r < 0)
        return fail(a, ret, -EINVAL, "%.*s: %s", STR(dir), strerror(-r));
    for (size_t i = 0; i < n; i++) {
        if (tree_ignored(names[i]) || !str_ends(names[i], S(".py")))
            continue;
        r = place(a, str_printf(a, "%.*s/%.*s", STR(dir), STR(names[i])).p, content,
                  str_printf(a, "python/coverage_wrapper/%.*s", STR(names[i])), false, ret);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- described ---- */

static int describe_file(struct arena *a, const char *content, struct str name, struct json *files,
                         struct digest *all)
{
    struct str data, path = str_printf(a, "%s/%.*s", content, STR(name));
    struct stat st;
    int r = fs_read(path.p, PART_MAX, a, &data);
    if (r < 0)
        return r;
    if (stat(path.p, &st) < 0)
        return -errno;
    struct json *v = json_new(a, JSON_OBJECT);
    struct str sum = sha256_hex(a, data);
    bool executable = st.st_mode & 0100;
    json_set(a, v, S("sha256"), json_new_str(a, sum));
    json_set(a, v, S("bytes"), json_new_int(a, (int64_t)data.n));
    json_set(a, v, S("executable"), json_new_bool(a, executable));
    json_set(a, files, name, v);
    struct str line = str_printf(a, "%.*s %.*s %d\n", STR(name), STR(sum), executable);
    digest_add(all, line.p, line.n);
    return 0;
}

static int describe(struct arena *a, struct str architecture, const char *content,
                    struct coverage_layer *ret)
{
    struct str *names;
    size_t n;
    int r = fs_walk(a, content, &names, &n);
    struct json *v = json_new(a, JSON_OBJECT), *files = json_new(a, JSON_OBJECT),
                *pythons = json_new(a, JSON_ARRAY), *runtimes = json_new(a, JSON_ARRAY);
    struct digest *all = digest_open(DIGEST_SHA256);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!str_ends(names[i], S("/")))
            r = describe_file(a, content, names[i], files, all);
    uint8_t sum[32];
    ret->content = hex_encode(a, sum, digest_close(all, sum));
    for (size_t i = 0; coverage_layer_runtimes[i]; i++)
        if (str_starts(str_from(coverage_layer_runtimes[i]), S("python")))
            json_add(pythons, json_new_str(a, str_from(coverage_layer_runtimes[i] + 6)));
    for (size_t i = 0; coverage_layer_runtimes[i]; i++)
        json_add(runtimes, json_new_str(a, str_from(coverage_layer_runtimes[i])));
    json_set(a, v, S("name"), json_new_str(a, S(COVERAGE_LAYER_SOURCE)));
    json_set(a, v, S("version"), json_new_str(a, S(LAMINA_VERSION)));
    json_set(a, v, S("architecture"), json_new_str(a, architecture));
    json_set(a, v, S("pythons"), pythons);
    json_set(a, v, S("runtimes"), runtimes);
    json_set(a, v, S("content"), json_new_str(a, ret->content));
    json_set(a, v, S("files"), files);
    if (r == 0)
        r = fs_write(str_printf(a, "%s/" COVERAGE_LAYER_MANIFEST, content).p,
                     str_printf(a, "%.*s\n", STR(json_text(a, v, 1))), 0644);
    return r < 0 ? fail(a, ret, -EINVAL, "%s: %s", content, strerror(-r)) : 0;
}

static int pack(struct arena *a, const char *content, struct str output, struct coverage_layer *ret)
{
    struct str why, bytes;
    if (tree_size(content, &ret->unzipped_bytes, &ret->files) < 0)
        return fail(a, ret, -EINVAL, "%s: %s", content, strerror(errno));
    if (layer_pack(a, content, str_c(a, output), &why) < 0)
        return fail(a, ret, -EINVAL, "%.*s", STR(why));
    int r = fs_read(str_c(a, output), LAYER_ZIPPED_MAX, a, &bytes);
    if (r < 0)
        return fail(a, ret, -EINVAL, "%.*s: %s", STR(output), strerror(-r));
    ret->sha256 = sha256_hex(a, bytes);
    ret->zipped_bytes = (int64_t)bytes.n;
    return 0;
}

int coverage_layer_build(struct arena *a, struct str architecture, struct str output,
                         struct coverage_layer *ret)
{
    *ret = (struct coverage_layer){0};
    char work[] = "/tmp/lamina-layer-XXXXXX";
    if (!mkdtemp(work))
        return fail(a, ret, -EINVAL, "/tmp: %s", strerror(errno));
    int r = gather_parts(a, architecture, work, ret);
    if (r == 0)
        r = gather_package(a, work, ret);
    if (r == 0)
        r = describe(a, architecture, work, ret);
    if (r == 0 && output.n)
        r = pack(a, work, output, ret);
    fs_remove_tree(work);
    return r;
}
