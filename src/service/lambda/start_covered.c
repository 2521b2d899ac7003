/* start_covered - see start_covered.h. */
#include "service/lambda/start_covered.h"
#include <dirent.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/coverage_layer.h"

#define PART_MAX (4 * 1024 * 1024)

/* What a start looks at. */
static const char *const looked_at[] = {"lamina-coverage", "lamina/coverage/sitecustomize.py",
                                        "lamina/coverage/_lamina_coverage.abi3.so"};

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

/* The wrapper puts the folder into PYTHONPATH: any other name could be that of a module of the
 * library. */
static bool is_known(struct arena *a, const char *name)
{
    struct str path = str_printf(a, "lamina/coverage/%s", name);
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           str_is(path, COVERAGE_LAYER_MANIFEST) || coverage_layer_part(a, path.p).n > 0;
}

static bool has_only_known(struct arena *a, const char *layer)
{
    DIR *d = opendir(str_printf(a, "%s/lamina/coverage", layer).p);
    struct dirent *e;
    bool ret = d != NULL;
    while (ret && (e = readdir(d)))
        ret = is_known(a, e->d_name);
    if (d)
        closedir(d);
    return ret;
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
           has_only_known(a, layer);
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
