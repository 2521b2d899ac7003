/* options - what the variables of the environment say; bad values are one line in the log each. */
#include "tracer.h"
#include <stdlib.h>
#include <strings.h>

struct tracer_options options;

static void set_text(char **to, const char *value)
{
    free(*to);
    *to = value && *value ? strdup(value) : NULL;
}

static void bad_value(const char *name, const char *value, const char *used)
{
    log_line(30, "configure", "%s is \"%.100s\", which is not valid: using %s", name, value, used);
}

static bool read_bool(const char *name, const char *value, bool preset)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    if (!value || !*value)
        return preset;
    for (int i = 0; i < 4; i++) {
        if (strcasecmp(value, yes[i]) == 0)
            return true;
        if (strcasecmp(value, no[i]) == 0)
            return false;
    }
    bad_value(name, value, preset ? "true" : "false");
    return preset;
}

static int read_level(const char *value)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    for (int i = 0; value && *value && i < 5; i++)
        if (strcasecmp(value, names[i]) == 0)
            return (i + 1) * 10;
    if (value && *value && strcasecmp(value, "WARN") == 0)
        return 30;
    if (value && *value)
        bad_value("COVERAGE_LOG_LEVEL", value, "INFO");
    return 20;
}

static double read_rate(const char *value)
{
    if (!value || !*value)
        return 1;
    char *end;
    double rate = strtod(value, &end);
    if (*end == 0 && rate >= 0 && rate <= 1)
        return rate;
    bad_value("COVERAGE_SAMPLE_RATE", value, "1.0");
    return 1;
}

static void check_patterns(const char *name, const char *patterns)
{
    for (const char *p = patterns; p && *p;) {
        size_t n = strcspn(p, ","), skip = strspn(p, " ");
        if (skip < n && pattern_check(p + skip, n - skip) < 0)
            log_line(30, "configure", "%s has \"%.*s\", which is not a pattern: it is left out",
                     name, (int)(n - skip < 200 ? n - skip : 200), p + skip);
        p += n + (p[n] == ',');
    }
}

static bool read_contexts(const char *value)
{
    if (!value || !*value || strcasecmp(value, "none") == 0)
        return false;
    if (strcasecmp(value, "invocation") == 0)
        return true;
    bad_value("COVERAGE_CONTEXTS", value, "none");
    return false;
}

/* A value of start()'s dictionary as the text that a variable would have. */
static char *text_of(PyObject *dict, const char *key)
{
    PyObject *value = dict ? PyDict_GetItemString(dict, key) : NULL; /* borrowed */
    PyObject *text = value && value != Py_None ? PyObject_Str(value) : NULL;
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape") : NULL;
    char *ret = bytes ? strdup(PyBytes_AsString(bytes)) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    PyErr_Clear();
    return ret;
}

static char *setting(PyObject *dict, const char *key, const char *variable)
{
    char *own = text_of(dict, key);
    const char *env = own ? own : getenv(variable);
    return own ? own : env ? strdup(env) : NULL;
}

void options_read(PyObject *dict)
{
    char *level = setting(dict, "log_level", "COVERAGE_LOG_LEVEL");
    options.log_level = 20;
    options.log_level = read_level(level);
    free(level);
    struct {
        char **to;
        const char *key, *variable, *preset;
    } const texts[] = {
        {&options.dir, "dir", "LAMINA_COVERAGE_DIR", "/tmp/.lamina-coverage"},
        {&options.task_root, "task_root", "LAMBDA_TASK_ROOT", "/var/task"},
        {&options.include, "include", "COVERAGE_INCLUDE_PATTERNS", NULL},
        {&options.exclude, "exclude", "COVERAGE_EXCLUDE_PATTERNS", NULL},
        {&options.handler, "handler", "_HANDLER", NULL},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char *value = setting(dict, texts[i].key, texts[i].variable);
        set_text(texts[i].to, value && *value ? value : texts[i].preset);
        free(value);
    }
    for (size_t n = options.task_root ? strlen(options.task_root) : 0;
         n > 1 && options.task_root[n - 1] == '/';)
        options.task_root[--n] = 0;
    struct {
        bool *to;
        const char *key, *variable;
        bool preset;
    } const bools[] = {
        {&options.enabled, "enabled", "COVERAGE_ENABLED", true},
        {&options.branch, "branch", "COVERAGE_BRANCH_COVERAGE", true},
        {&options.debug, "debug", "COVERAGE_DEBUG", false},
        {&options.children, "subprocess", "COVERAGE_SUBPROCESS", false},
    };
    for (size_t i = 0; i < sizeof(bools) / sizeof(*bools); i++) {
        char *value = setting(dict, bools[i].key, bools[i].variable);
        *bools[i].to = read_bool(bools[i].variable, value, bools[i].preset);
        free(value);
    }
    if (options.debug)
        options.log_level = 10;
    char *value = setting(dict, "sample_rate", "COVERAGE_SAMPLE_RATE");
    options.sample_rate = read_rate(value);
    free(value);
    value = setting(dict, "contexts", "COVERAGE_CONTEXTS");
    options.contexts = read_contexts(value);
    free(value);
    check_patterns("COVERAGE_INCLUDE_PATTERNS", options.include);
    check_patterns("COVERAGE_EXCLUDE_PATTERNS", options.exclude);
}
