/* artifact - how one folder of a built project is made: see artifact.h. */
#include "build/artifact.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fs.h"
#include "build/esbuild.h"
#include "build/layer.h"
#include "build/process.h"
#include "build/tree.h"

static struct str requirements_of(struct arena *a, struct str source)
{
    struct str path = str_printf(a, "%.*s/requirements.txt", STR(source));
    return fs_exists(path.p) ? path : (struct str){0};
}

static const struct json *build_properties(const struct artifact *art)
{
    return json_get(json_get(art->resource, "Metadata"), "BuildProperties");
}

int artifact_digest(struct arena *a, struct artifact *art)
{
    struct str salt = str_printf(a, "lamina " LAMINA_VERSION " %.*s %.*s %d", STR(art->method),
                                 STR(art->architecture), art->layer);
    /* make's target is named after the resource: two of them are never the same */
    if (str_is(art->method, "makefile"))
        salt = str_printf(a, "%.*s %.*s", STR(salt), STR(art->logical_id));
    if (str_is(art->method, "esbuild"))
        salt = str_printf(
            a, "%.*s %.*s", STR(salt),
            STR(build_properties(art) ? json_text(a, build_properties(art), -1) : S("")));
    struct str requirements = requirements_of(a, art->source), *locals = NULL;
    size_t n = 0;
    if (str_has(requirements) && str_starts(art->method, S("python")))
        python_local_requirements(a, requirements.p, &locals, &n);
    struct str *paths = ARENA_ARRAY(a, struct str, n + 1);
    paths[0] = art->source;
    size_t n_paths = 1;
    for (size_t i = 0; i < n; i++)
        if (fs_exists(str_c(a, locals[i]))) /* pip will say what is missing, and better */
            paths[n_paths++] = locals[i];
    return tree_digest(a, paths, n_paths, salt, &art->digest);
}

/* ---- the ways to build ---- */

static int copy_source(struct arena *a, const struct artifact *art, const char *dir,
                       struct str *why)
{
    struct stat st;
    if (stat(str_c(a, art->source), &st) < 0 || !S_ISDIR(st.st_mode))
        return process_fail(a, why, "%.*s is not a folder", STR(art->source));
    int r = tree_copy(str_c(a, art->source), dir);
    return r < 0 ? process_fail(a, why, "%.*s cannot be copied: %s", STR(art->source), strerror(-r))
                 : 0;
}

static int build_python(struct arena *a, const struct artifact *art, const char *dir,
                        struct str *why)
{
    struct str requirements = requirements_of(a, art->source);
    struct str target = art->layer ? str_printf(a, "%s/python", dir) : str_from(dir);
    bool package = fs_exists(str_printf(a, "%.*s/pyproject.toml", STR(art->source)).p) ||
                   fs_exists(str_printf(a, "%.*s/setup.py", STR(art->source)).p);
    struct str source = str_has(requirements)   ? requirements
                        : art->layer && package ? art->source
                                                : (struct str){0};
    if (str_has(source)) {
        struct python_install what = {.runtime = art->method,
                                      .architecture = art->architecture,
                                      .source = source,
                                      .target = target};
        struct python_report report;
        if (python_install(a, &what, &report) < 0)
            return process_fail(a, why, "%.*s", STR(report.error));
    }
    if (art->layer && str_has(source) && !str_eq(source, art->source)) {
        /* beside requirements.txt a layer's folder may hold modules of its own */
        if (fs_mkdirs(target.p, 0755) < 0)
            return process_fail(a, why, "%.*s cannot be made", STR(target));
        int r = copy_source(a, art, target.p, why);
        unlink(str_printf(a, "%.*s/requirements.txt", STR(target)).p);
        return r;
    }
    if (art->layer && !str_has(source)) {
        if (fs_mkdirs(target.p, 0755) < 0)
            return process_fail(a, why, "%.*s cannot be made", STR(target));
        return copy_source(a, art, target.p, why);
    }
    return art->layer ? 0 : copy_source(a, art, dir, why);
}

static int install_node_modules(struct arena *a, const struct artifact *art, const char *dir,
                                struct str *why)
{
    struct str package = str_printf(a, "%s/package.json", dir), text;
    struct json *json;
    if (fs_read(package.p, 1024 * 1024, a, &text) < 0)
        return 0;
    if (json_parse(a, text, &json, NULL) < 0)
        return process_fail(a, why, "%.*s/package.json is not JSON", STR(art->source));
    if (!json_get(json, "dependencies"))
        return 0;
    bool locked = fs_exists(str_printf(a, "%s/package-lock.json", dir).p);
    const char *argv[] = {"npm",       locked ? "ci" : "install", "--omit=dev", "--no-audit",
                          "--no-fund", "--no-progress",           NULL};
    struct process_result out;
    fs_remove_tree(str_printf(a, "%s/node_modules", dir).p);
    if (process_run(a, argv, dir, NULL, &out) < 0)
        return process_fail(a, why,
                            "npm is needed to install the dependencies of %.*s and is not in PATH",
                            STR(art->source));
    return out.exit_code ? process_fail(a, why, "npm failed with exit code %d:\n%.*s",
                                        out.exit_code, STR(out.output))
                         : 0;
}

static int build_node(struct arena *a, const struct artifact *art, const char *dir, struct str *why)
{
    struct str target = art->layer ? str_printf(a, "%s/nodejs", dir) : str_from(dir);
    if (fs_mkdirs(target.p, 0755) < 0)
        return process_fail(a, why, "%.*s cannot be made", STR(target));
    int r = copy_source(a, art, target.p, why);
    return r < 0 ? r : install_node_modules(a, art, target.p, why);
}

static int build_esbuild(struct arena *a, const struct artifact *art, const char *dir,
                         struct str *why)
{
    struct str scratch = str_printf(a, "%s.scratch", dir);
    fs_remove_tree(scratch.p);
    int r = fs_mkdirs(scratch.p, 0755);
    if (r == 0)
        r = copy_source(a, art, scratch.p, why);
    if (r == 0)
        r = install_node_modules(a, art, scratch.p, why);
    if (r == 0)
        r = esbuild_bundle(a, build_properties(art), scratch.p, dir, why);
    fs_remove_tree(scratch.p);
    return r;
}

/* SAM's contract: `make build-LogicalId` with ARTIFACTS_DIR, run in a copy of the sources. */
static int build_make(struct arena *a, const struct artifact *art, const char *dir, struct str *why)
{
    struct str scratch = str_printf(a, "%s.scratch", dir);
    fs_remove_tree(scratch.p);
    int r = fs_mkdirs(scratch.p, 0755);
    if (r == 0)
        r = copy_source(a, art, scratch.p, why);
    if (r == 0 && !fs_exists(str_printf(a, "%.*s/Makefile", STR(scratch)).p))
        r = process_fail(a, why, "%.*s has no Makefile", STR(art->source));
    if (r == 0) {
        char *real = realpath(dir, NULL);
        struct str target = str_printf(a, "build-%.*s", STR(art->logical_id));
        struct str env = str_printf(a, "ARTIFACTS_DIR=%s", real ? real : dir);
        const char *argv[] = {"make", target.p, NULL}, *vars[] = {env.p, NULL};
        struct process_result out;
        free(real);
        r = process_run(a, argv, scratch.p, vars, &out);
        if (r < 0)
            r = process_fail(a, why, "make is needed to build it and is not in PATH");
        else if (out.exit_code)
            r = process_fail(a, why, "make %.*s failed with exit code %d:\n%.*s", STR(target),
                             out.exit_code, STR(out.output));
    }
    fs_remove_tree(scratch.p);
    return r;
}

static int build(struct arena *a, const struct artifact *art, const char *dir, struct str *why)
{
    if (str_starts(art->method, S("python3.")))
        return build_python(a, art, dir, why);
    if (str_starts(art->method, S("nodejs")))
        return build_node(a, art, dir, why);
    if (str_is(art->method, "makefile"))
        return build_make(a, art, dir, why);
    if (str_is(art->method, "esbuild"))
        return build_esbuild(a, art, dir, why);
    if (str_is(art->method, "copy"))
        return copy_source(a, art, dir, why);
    return process_fail(a, why,
                        "build method %.*s is not supported (python3.x, nodejs, esbuild, makefile)",
                        STR(art->method));
}

int artifact_build(struct arena *a, const struct artifact_request *q, struct str *why)
{
    struct artifact *art = q->artifact;
    const char *dir = str_c(a, q->dir);
    struct str cached = str_has(q->cache_dir)
                            ? str_printf(a, "%.*s/%.*s", STR(q->cache_dir), STR(art->digest))
                            : (struct str){0};
    fs_remove_tree(dir);
    int r = fs_mkdirs(dir, 0755);
    if (r < 0)
        return process_fail(a, why, "%s: %s", dir, strerror(-r));
    if (str_has(cached) && fs_exists(cached.p)) {
        art->state = ARTIFACT_CACHED;
        r = fs_copy_tree(cached.p, dir);
    } else {
        art->state = ARTIFACT_BUILT;
        r = build(a, art, dir, why);
        if (r < 0)
            return r;
        if (str_has(cached)) {
            /* under another name first: a build that is interrupted must not look finished */
            struct str half = str_printf(a, "%.*s.half", STR(cached));
            fs_remove_tree(half.p);
            if (fs_mkdirs(str_c(a, q->cache_dir), 0755) < 0 || fs_copy_tree(dir, half.p) < 0 ||
                rename(half.p, cached.p) < 0)
                fs_remove_tree(half.p);
        }
    }
    if (r < 0)
        return process_fail(a, why, "%s: %s", dir, strerror(-r));
    if (tree_size(dir, &art->bytes, &art->files) < 0)
        return process_fail(a, why, "%s cannot be read", dir);
    if (art->bytes > LAYER_UNZIPPED_MAX)
        return process_fail(a, why, "%.1f MB unzipped; Lambda takes 250 MB",
                            (double)art->bytes / 1048576);
    return 0;
}
