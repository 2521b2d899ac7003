/* layer_check - what is wrong with a layer's zip: see coverage_layer.h. */
#include <elf.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/coverage_layer.h"
#include "build/elf.h"
#include "build/layer.h"
#include "build/process.h"
#include "build/python.h"
#include "build/tree.h"
#include "build/zip.h"

#define FILE_MAX (64 * 1024 * 1024)
#define TEXT_MAX_BYTES (4 * 1024 * 1024)

/* Amazon Linux 2 has 2.26, the images of python3.8 to 3.11; everything later has more. */
#define GLIBC_MINOR_MAX 26

struct check {
    struct arena *a;
    const char *dir; /* the zip, unpacked */
    struct layer_findings *ret;
    struct str *names;
    size_t n_names;
};

static void find(struct check *c, enum layer_verdict verdict, struct str what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void find(struct check *c, enum layer_verdict verdict, struct str what, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct layer_finding f = {verdict, what, str_vprintf(c->a, fmt, ap)};
    va_end(ap);
    *(struct layer_finding *)arena_push(c->a, (void **)&c->ret->items, &c->ret->n, &c->ret->cap,
                                        sizeof f) = f;
    c->ret->n_bad += verdict == LAYER_BAD;
}

static struct str path_of(const struct check *c, struct str name)
{
    return str_printf(c->a, "%s/%.*s", c->dir, STR(name));
}

/* ---- every layer ---- */

static void check_size(struct check *c, struct str zip)
{
    struct stat st;
    int64_t bytes = 0, files = 0;
    if (stat(str_c(c->a, zip), &st) < 0 || tree_size(c->dir, &bytes, &files) < 0)
        return find(c, LAYER_BAD, S("size"), "%s", strerror(errno));
    if (st.st_size > LAYER_ZIPPED_MAX || bytes > LAYER_UNZIPPED_MAX)
        return find(c, LAYER_BAD, S("size"),
                    "%.1f MB zipped (50 MB can be uploaded), %.1f MB unzipped (a function with all "
                    "its layers may have 250 MB)",
                    (double)st.st_size / 1048576, (double)bytes / 1048576);
    find(c, LAYER_GOOD, S("size"), "%.1f kB zipped, %.1f kB unzipped, %lld files",
         (double)st.st_size / 1024, (double)bytes / 1024, (long long)files);
}

/* What Lambda starts or searches must be where it looks, and be executable. */
static void check_modes(struct check *c)
{
    size_t bad = 0;
    for (size_t i = 0; i < c->n_names; i++) {
        struct str name = c->names[i];
        struct stat st;
        if (!str_starts(name, S("extensions/")) || str_ends(name, S("/")) ||
            str_find_byte(str_slice(name, 11, name.n), '/') >= 0)
            continue;
        if (stat(path_of(c, name).p, &st) == 0 && !(st.st_mode & 0100)) {
            find(c, LAYER_BAD, S("permissions"), "%.*s is an extension, but not executable",
                 STR(name));
            bad++;
        }
    }
    if (!bad)
        find(c, LAYER_GOOD, S("permissions"), "every extension is executable");
}

static void check_structure(struct check *c)
{
    static const char *const known[] = {"python/", "nodejs/", "extensions/", "bin/", "lib/",
                                        "java/",   "ruby/",   "lamina/",     NULL};
    bool any = false;
    for (size_t i = 0; i < c->n_names && !any; i++)
        for (size_t k = 0; known[k]; k++)
            any = any || str_starts(c->names[i], str_from(known[k]));
    find(c, any ? LAYER_GOOD : LAYER_NOTE, S("structure"), "%s",
         any ? "has folders that runtimes look into"
             : "no folder that a runtime looks into (python/, nodejs/, extensions/, bin/, lib/)");
}

/* ---- the coverage layer ---- */

static void check_file(struct check *c, const struct json *v)
{
    struct str data, name = v->key;
    struct stat st;
    struct str path = path_of(c, name);
    if (fs_read(path.p, FILE_MAX, c->a, &data) < 0 || stat(path.p, &st) < 0)
        return find(c, LAYER_BAD, S("content"), "%.*s is missing", STR(name));
    if (!str_eq(sha256_hex(c->a, data), json_get_str(v, "sha256")))
        find(c, LAYER_BAD, S("content"), "%.*s is not what the manifest says", STR(name));
    const struct json *executable = json_get(v, "executable");
    if (executable && executable->boolean != ((st.st_mode & 0100) != 0))
        find(c, LAYER_BAD, S("permissions"), "%.*s must%s be executable", STR(name),
             executable->boolean ? "" : " not");
}

static void check_content(struct check *c)
{
    const struct json *files = json_get(c->ret->manifest, "files");
    size_t before = c->ret->n_bad;
    JSON_EACH(files, v)
        check_file(c, v);
    for (size_t i = 0; i < c->n_names; i++) {
        struct str name = c->names[i];
        if (!str_ends(name, S("/")) && !str_is(name, COVERAGE_LAYER_MANIFEST) &&
            !json_find(files, name))
            find(c, LAYER_BAD, S("content"), "%.*s is not in the manifest", STR(name));
    }
    if (c->ret->n_bad == before)
        find(c, LAYER_GOOD, S("content"), "%zu files, as the manifest says", files ? files->n : 0);
}

/* The SDK is the runtime's: another one inside a layer would shadow it. */
static void check_foreign(struct check *c)
{
    static const char *const sdks[] = {"python/boto3/", "python/botocore/", "python/coverage/",
                                       NULL};
    for (size_t i = 0; i < c->n_names; i++)
        for (size_t k = 0; sdks[k]; k++)
            if (str_eq(c->names[i], str_from(sdks[k])))
                return find(c, LAYER_BAD, S("dependencies"), "%s does not belong into this layer",
                            sdks[k]);
    find(c, LAYER_GOOD, S("dependencies"), "neither boto3 nor coverage.py inside");
}

static void check_program(struct check *c, struct str name, int machine)
{
    struct str data;
    struct elf_report elf;
    if (fs_read(path_of(c, name).p, FILE_MAX, c->a, &data) < 0)
        return find(c, LAYER_BAD, S("programs"), "%.*s is missing", STR(name));
    if (elf_look(data, &elf) < 0)
        return find(c, LAYER_BAD, S("programs"), "%.*s is no ELF file", STR(name));
    if (elf.machine != machine)
        return find(c, LAYER_BAD, S("programs"), "%.*s is for another processor", STR(name));
    if (elf.glibc_major > 2 || elf.glibc_minor > GLIBC_MINOR_MAX)
        return find(c, LAYER_BAD, S("programs"), "%.*s wants glibc %d.%d; Amazon Linux 2 has 2.%d",
                    STR(name), elf.glibc_major, elf.glibc_minor, GLIBC_MINOR_MAX);
    if (elf.glibc_major)
        find(c, LAYER_GOOD, S("programs"), "%.*s: glibc %d.%d or newer", STR(name), elf.glibc_major,
             elf.glibc_minor);
    else
        find(c, LAYER_GOOD, S("programs"), "%.*s: needs no library%s", STR(name),
             elf.dynamic ? "'s version" : "");
}

static bool is_host(struct str architecture)
{
#if defined(__aarch64__)
    return str_is(architecture, "arm64");
#elif defined(__x86_64__)
    return str_is(architecture, "x86_64");
#else
    return false;
#endif
}

/* As an interpreter of the function would: without the machine's own packages. */
static bool imports(struct check *c, struct str python, struct str *why)
{
    const char *code =
        "import sys\n"
        "sys.dont_write_bytecode = True\n"
        "sys.path[:0] = [sys.argv[1] + '/python', sys.argv[1] + '/lamina/coverage']\n"
        "import coverage_wrapper, _lamina_coverage\n"
        "missing = [n for n in coverage_wrapper.__all__\n"
        "           if not hasattr(coverage_wrapper, n)]\n"
        "assert not missing, missing\n";
    const char *argv[] = {str_c(c->a, python), "-I", "-S", "-c", code, c->dir, NULL};
    struct process_result r = {0};
    int e = process_run(c->a, argv, NULL, NULL, &r);
    struct str last = str_trim(r.output), line = last;
    ssize_t end = str_find_last_byte(last, '\n');
    if (end >= 0)
        line = str_slice(last, (size_t)end + 1, last.n);
    *why = e < 0 ? str_from(strerror(-e)) : line;
    return e == 0 && r.exit_code == 0;
}

static void check_imports(struct check *c)
{
    struct str architecture = json_get_str(c->ret->manifest, "architecture");
    size_t tried = 0;
    if (!is_host(architecture))
        return find(c, LAYER_NOTE, S("imports"), "not tried: this machine is not %.*s",
                    STR(architecture));
    JSON_EACH(json_get(c->ret->manifest, "pythons"), v) {
        struct str runtime = str_printf(c->a, "python%.*s", STR(v->text)), why;
        struct str python = python_find(c->a, runtime);
        if (!python.n)
            continue;
        tried++;
        if (imports(c, python, &why))
            find(c, LAYER_GOOD, S("imports"), "%.*s", STR(runtime));
        else
            find(c, LAYER_BAD, S("imports"), "%.*s: %.*s", STR(runtime), STR(why));
    }
    if (!tried)
        find(c, LAYER_NOTE, S("imports"), "not tried: none of its interpreters is here");
}

static void check_coverage_layer(struct check *c)
{
    struct str text;
    struct json *manifest;
    struct str path = path_of(c, S(COVERAGE_LAYER_MANIFEST));
    if (!fs_exists(path.p))
        return;
    if (fs_read(path.p, TEXT_MAX_BYTES, c->a, &text) < 0 ||
        json_parse(c->a, text, &manifest, NULL) < 0 || !json_is(manifest, JSON_OBJECT))
        return find(c, LAYER_BAD, S("manifest"), COVERAGE_LAYER_MANIFEST " is no JSON object");
    c->ret->manifest = manifest;
    struct str architecture = json_get_str(manifest, "architecture");
    find(c, LAYER_GOOD, S("manifest"), "%.*s %.*s for %.*s", STR(json_get_str(manifest, "name")),
         STR(json_get_str(manifest, "version")), STR(architecture));
    int machine = str_is(architecture, "arm64") ? EM_AARCH64 : EM_X86_64;
    check_content(c);
    check_foreign(c);
    check_program(c, S("lamina/coverage/_lamina_coverage.abi3.so"), machine);
    check_program(c, S("extensions/lamina-coverage-shipper"), machine);
    if (!c->ret->n_bad) /* what is known to be damaged is not run */
        check_imports(c);
}

int layer_validate(struct arena *a, struct str zip, struct layer_findings *ret)
{
    *ret = (struct layer_findings){0};
    char *path = str_c(a, zip), work[] = "/tmp/lamina-layer-XXXXXX";
    if (access(path, R_OK) < 0)
        return -errno;
    if (!mkdtemp(work))
        return -errno;
    struct check c = {.a = a, .dir = work, .ret = ret};
    struct zip_report report;
    int r = zip_tree_unpack(path, work, LAYER_UNZIPPED_MAX, &report);
    if (r == 0)
        r = fs_walk(a, work, &c.names, &c.n_names);
    if (r < 0) {
        find(&c, LAYER_BAD, S("zip"), "%s",
             report.fault == ZIP_FAULT_SYSTEM ? strerror(-report.error) : report.why);
    } else {
        check_size(&c, zip);
        check_structure(&c);
        check_modes(&c);
        check_coverage_layer(&c);
    }
    fs_remove_tree(work);
    return 0;
}
