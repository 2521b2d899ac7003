/* esbuild - see esbuild.h. */
#include "build/esbuild.h"
#include <errno.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/process.h"

#define ARGS_MAX 128

struct args {
    struct arena *a;
    const char *items[ARGS_MAX + 1];
    size_t n;
    struct str wrong; /* the property that is not understood */
};

static void add(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct args *args, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vprintf(args->a, fmt, ap);
    va_end(ap);
    if (args->n < ARGS_MAX)
        args->items[args->n++] = text.p;
    else
        args->wrong = S("(too many)");
}

/* Properties and the options of esbuild they stand for: the names differ in style alone, but a list
 * is one option an item, or all items after one `=`. */
static const struct {
    const char *property, *option;
    enum { FLAG, VALUE, LIST, EACH } kind;
} known[] = {
    {"Minify", "minify", FLAG},
    {"Sourcemap", "sourcemap", FLAG},
    {"SourcesContent", "sources-content", VALUE},
    {"Bundle", "bundle", FLAG},
    {"KeepNames", "keep-names", FLAG},
    {"Target", "target", VALUE},
    {"Format", "format", VALUE},
    {"Platform", "platform", VALUE},
    {"MainFields", "main-fields", VALUE},
    {"TreeShaking", "tree-shaking", VALUE},
    {"Loader", "loader", EACH},
    {"OutExtension", "out-extension", EACH},
    {"Define", "define", EACH},
    {"Banner", "banner", EACH},
    {"Footer", "footer", EACH},
    {"External", "external", EACH},
};

static struct str text_of(struct arena *a, const struct json *v)
{
    struct str s = json_str(v);
    return str_has(s) ? s : json_text(a, v, -1);
}

static void add_property(struct args *args, struct str name, const struct json *value)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!str_is(name, known[i].property))
            continue;
        struct str text = text_of(args->a, value);
        if (known[i].kind == FLAG && !str_is(text, "false"))
            add(args, "--%s", known[i].option);
        if (known[i].kind == VALUE)
            add(args, "--%s=%.*s", known[i].option, STR(text));
        for (size_t k = 0; known[i].kind == EACH && json_at(value, k); k++)
            add(args, "--%s:%.*s", known[i].option, STR(text_of(args->a, json_at(value, k))));
        return;
    }
    args->wrong = name;
}

static void add_options(struct args *args, const struct json *properties)
{
    JSON_EACH(properties, p)
        if (!str_is(p->key, "EntryPoints") && !str_is(p->key, "UseNpmCi"))
            add_property(args, p->key, p);
    static const char *const defaults[][2] = {{"Bundle", "--bundle"},
                                              {"Minify", "--minify"},
                                              {"Target", "--target=es2020"},
                                              {"Format", "--format=cjs"},
                                              {"Platform", "--platform=node"}};
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (!json_get(properties, defaults[i][0]))
            add(args, "%s", defaults[i][1]);
}

int esbuild_bundle(struct arena *a, const struct json *properties, const char *sources,
                   const char *out, struct str *why)
{
    struct str own = str_printf(a, "%s/node_modules/.bin/esbuild", sources);
    struct str program = fs_exists(own.p) ? own : process_find(a, "esbuild");
    if (!str_has(program))
        return process_fail(
            a, why,
            "esbuild is needed to build it, and is neither among the dependencies of "
            "package.json nor in PATH");
    char *real = realpath(out, NULL);
    struct args args = {.a = a};
    add(&args, "%.*s", STR(program));
    struct json *entries = json_get(properties, "EntryPoints");
    for (size_t i = 0; json_at(entries, i); i++)
        add(&args, "%.*s", STR(json_str(json_at(entries, i))));
    size_t n_entries = args.n - 1;
    add_options(&args, properties);
    add(&args, "--outdir=%s", real ? real : out);
    free(real);
    if (!n_entries)
        return process_fail(a, why, "BuildMethod esbuild needs EntryPoints in its BuildProperties");
    if (str_has(args.wrong))
        return process_fail(a, why, "BuildProperties %.*s is not supported for esbuild",
                            STR(args.wrong));
    struct process_result result;
    int r = process_run(a, args.items, sources, NULL, &result);
    if (r < 0)
        return process_fail(a, why, "esbuild cannot be run: %s", strerror(-r));
    return result.exit_code ? process_fail(a, why, "esbuild failed with exit code %d:\n%.*s",
                                           result.exit_code, STR(result.output))
                            : 0;
}
