/* start_covered - see start_covered.h. */
#include "service/lambda/start_covered.h"
#include <dirent.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/coverage_layer.h"

#define PART_MAX (4 * 1024 * 1024)

/* What a start looks at, and what else may lie in the folder that the wrapper puts into PYTHONPATH:
 * any other name could be that of a module of the library. */
static const char *const looked_at[] = {"lamina-coverage", "lamina/coverage/sitecustomize.py",
                                        "lamina/coverage/_lamina_coverage.abi3.so"};
static const char *const known[] = {
    ".",          "..",       "sitecustomize.py", "_lamina_coverage.abi3.so",
    "analyse.py", "node.cjs", "manifest.json",
};

/* Read by the site module, by what distributions let it execute, or by the tracer about its
 * children. */
static const char *const prefixes[] = {
    "HOME", "COVERAGE_SUBPROCESS", "COVERAGE_PROCESS", "LAMINA_COVERAGE", "SETUPTOOLS_",
};

bool start_is_covered(const struct lambda_function_configuration *c)
{
    for (size_t i = 0; c->environment && i < c->environment->variables.n; i++)
        if (str_is(c->environment->variables.items[i].key, "AWS_LAMBDA_EXEC_WRAPPER"))
            return str_is(c->environment->variables.items[i].value, COVERAGE_LAYER_WRAPPER);
    return false;
}

static bool has_variables(const struct lambda_function_configuration *c)
{
    for (size_t i = 0; i < c->environment->variables.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(prefixes); k++)
            if (str_starts(c->environment->variables.items[i].key, str_from(prefixes[k])))
                return true;
    return false;
}

static bool has_only_known(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool all_known = d != NULL;
    while (all_known && (e = readdir(d))) {
        size_t i = 0;
        while (i < ARRAY_LEN(known) && strcmp(e->d_name, known[i]) != 0)
            i++;
        all_known = i < ARRAY_LEN(known);
    }
    if (d)
        closedir(d);
    return all_known;
}

static bool is_ours(const char *layer)
{
    auto_arena struct arena own;
    struct arena *a = &own;
    arena_init(a);
    for (size_t i = 0; i < ARRAY_LEN(looked_at); i++) {
        struct str part = coverage_layer_part(a, looked_at[i]), wanted, there;
        if (!part.n || fs_read(part.p, PART_MAX, a, &wanted) < 0 ||
            fs_read(str_printf(a, "%s/%s", layer, looked_at[i]).p, PART_MAX, a, &there) < 0 ||
            !str_eq(wanted, there))
            return false;
    }
    return access(str_printf(a, "%s/%s", layer, looked_at[0]).p, X_OK) == 0 &&
           has_only_known(str_printf(a, "%s/lamina/coverage", layer).p);
}

/* Exactly one layer has something there: which one would be seen is no question then. */
static const char *find_layer(struct arena *a, const struct runtime_wish *wish)
{
    const char *found = NULL;
    for (size_t i = 0; i < wish->n_layers; i++) {
        const char *dir = wish->layer_dirs[i];
        if (!fs_exists(str_printf(a, "%s/lamina-coverage", dir).p) &&
            !fs_exists(str_printf(a, "%s/lamina", dir).p))
            continue;
        if (found)
            return NULL;
        found = dir;
    }
    return found;
}

bool start_is_covered_by_us(struct arena *a, struct target *t, const struct runtime_wish *wish)
{
    if (!start_is_covered(t->c) || has_variables(t->c))
        return false;
    if (t->coverage == COVERAGE_UNKNOWN) {
        const char *layer = find_layer(a, wish);
        t->coverage = layer && is_ours(layer) ? COVERAGE_OURS : COVERAGE_OTHER;
    }
    return t->coverage == COVERAGE_OURS;
}
