/* module - what Python sees of the tracer: start, stop, active, status. */
#include "tracer.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

bool tracer_on;
uint64_t tracer_epoch;
int python_minor;
static char reason[256]; /* why it is not on */
static char *folder;     /* that this module was loaded from */

static void put_text(char to[256], const char *text)
{
    snprintf(to, 256, "%s", text);
}

void tracer_fail(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!tracer_on && reason[0])
        return; /* it has been said */
    tracer_on = false;
    put_text(reason, text);
    if (arena) {
        put_text(arena->error, text);
        __atomic_fetch_or(&arena->flags, COVARENA_STOPPED, __ATOMIC_RELEASE);
    }
    log_line(40, "count", "coverage is off: %s", text);
}

void tracer_note(const char *text)
{
    if (arena && !arena->note[0]) {
        put_text(arena->note, text);
        log_line(30, "count", "%s", text);
    }
}

void tracer_again(void)
{
    tracer_epoch++;
    if (python_minor >= 12)
        monitor_again();
}

static void set_variable(PyObject *environ, const char *name, const char *value)
{
    PyObject *v = PyUnicode_DecodeFSDefault(value);
    if (!v || PyMapping_SetItemString(environ, name, v) < 0)
        PyErr_Clear();
    Py_XDECREF(v);
}

void tracer_tell_children(void)
{
    PyObject *modules = PySys_GetObject("modules"); /* borrowed */
    PyObject *os = modules ? PyDict_GetItemString(modules, "os") : NULL;
    PyObject *environ = os && options.children ? PyObject_GetAttrString(os, "environ") : NULL;
    if (environ && folder && !getenv("LAMINA_COVERAGE_CHILD")) {
        const char *before = getenv("PYTHONPATH");
        char *path = malloc(strlen(folder) + (before ? strlen(before) : 0) + 2);
        if (path) {
            stpcpy(stpcpy(stpcpy(path, folder), before && *before ? ":" : ""),
                   before ? before : "");
            set_variable(environ, "PYTHONPATH", path);
            set_variable(environ, "LAMINA_COVERAGE_CHILD", "1");
            free(path);
        }
    }
    Py_XDECREF(environ);
    PyErr_Clear();
}

static void find_folder(PyObject *module)
{
    PyObject *file = PyObject_GetAttrString(module, "__file__");
    PyObject *bytes = file && PyUnicode_Check(file) ? PyUnicode_EncodeFSDefault(file) : NULL;
    char *path = bytes ? strdup(PyBytes_AsString(bytes)) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        *slash = 0;
    free(folder);
    folder = slash ? path : NULL;
    if (!slash)
        free(path);
    Py_XDECREF(bytes);
    Py_XDECREF(file);
    PyErr_Clear();
}

/* A number in [0, 1) that no two environments share. */
static double chance(void)
{
    uint32_t n;
    if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
        n = (uint32_t)getpid() * 2654435761u;
    return n / 4294967296.0;
}

static bool stay_off(const char *why)
{
    put_text(reason, why);
    log_line(20, "start", "coverage is off: %s", why);
    return false;
}

static bool begin(void)
{
    reason[0] = 0;
    if (!options.enabled)
        return stay_off("COVERAGE_ENABLED is false");
    if (options.sample_rate < 1 && chance() >= options.sample_rate)
        return stay_off("this environment is not in the sample of COVERAGE_SAMPLE_RATE");
    uint32_t flags = (options.branch ? COVARENA_BRANCH : 0) |
                     (options.contexts ? COVARENA_CONTEXTS : 0) |
                     (python_minor >= 12 ? COVARENA_MONITORING : COVARENA_SETTRACE);
    int r = arena ? 0 : arena_create(options.dir, flags);
    if (r < 0) {
        tracer_fail("cannot make an arena in %s: %s", options.dir, strerror(-r));
        return false;
    }
    if (arena->error[0]) {
        put_text(reason, arena->error);
        return false;
    }
    __atomic_store_n(&arena->flags,
                     flags | (arena->flags &
                              (COVARENA_DONE | COVARENA_READY | COVARENA_REQUEST | COVARENA_BUSY)),
                     __ATOMIC_RELEASE);
    select_begin();
    tracer_on = true;
    r = code_begin() < 0 || watch_begin() < 0;
    if (r == 0)
        r = python_minor >= 12 ? monitor_start() : settrace_start();
    if (r != 0) {
        PyErr_Clear();
        tracer_fail("%s cannot be used", python_minor >= 12 ? "sys.monitoring" : "sys.settrace");
        return false;
    }
    watch_loaded();
    log_line(10, "start", "counting %s of %s into %s", options.branch ? "branches" : "lines",
             options.include ? options.include : options.task_root, arena_path);
    return true;
}

/* What is known of code objects is one interpreter's: others of the process are not counted. */
static bool is_our_interpreter(void)
{
    static void *ours;
    void *now = PyInterpreterState_Get    ? PyInterpreterState_Get()
                : _PyInterpreterState_Get ? _PyInterpreterState_Get()
                                          : NULL;
    if (!ours)
        ours = now;
    return now == ours;
}

static PyObject *start(PyObject *self, PyObject *args)
{
    const char *dir = NULL;
    PyObject *dict = NULL;
    if (!PyArg_ParseTuple(args, "|zO", &dir, &dict))
        return NULL;
    if (dict == Py_None)
        dict = NULL;
    if (dict && !PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "start(dir, options): options is a dictionary");
        return NULL;
    }
    if (!is_our_interpreter())
        Py_RETURN_FALSE;
    if (tracer_on)
        Py_RETURN_TRUE;
    options_read(dict);
    find_folder(self);
    if (dir) {
        free(options.dir);
        options.dir = strdup(dir);
    }
    return PyBool_FromLong(options.dir && options.task_root && begin());
}

static PyObject *stop(PyObject *self, PyObject *args)
{
    if (tracer_on && is_our_interpreter()) {
        tracer_on = false;
        put_text(reason, "stopped");
        __atomic_fetch_or(&arena->flags, COVARENA_STOPPED, __ATOMIC_RELEASE);
        if (python_minor >= 12)
            monitor_stop();
        else
            settrace_stop();
    }
    Py_RETURN_NONE;
}

static PyObject *active(PyObject *self, PyObject *args)
{
    return PyBool_FromLong(tracer_on);
}

/* What is executed from here on is set again where it was taken: for a new context. */
static PyObject *new_context(PyObject *self, PyObject *args)
{
    if (tracer_on && is_our_interpreter())
        tracer_again();
    Py_RETURN_NONE;
}

static PyObject *status(PyObject *self, PyObject *args)
{
    unsigned long long files = 0, lines = 0, arcs = 0;
    size_t size = arena ? (size_t)__atomic_load_n(&arena->size, __ATOMIC_ACQUIRE) : 0;
    struct covarena_files walk = {0};
    struct covarena_file_view f;
    while (arena && covarena_next_file(arena, size, &walk, &f)) {
        struct covarena_arcs all = {0};
        struct covarena_arc arc;
        files++;
        for (uint32_t i = 0; i < f.n_words; i++)
            lines += (unsigned)__builtin_popcountll(covarena_word(&f.lines[i]));
        while (covarena_next_arc(arena, size, &f, &all, false, &arc))
            arcs++;
    }
    const char *error = reason[0] ? reason : NULL;
    return Py_BuildValue("{s:O,s:s,s:O,s:z,s:z,s:K,s:K,s:K,s:K,s:K,s:z,s:z}", "active",
                         tracer_on ? Py_True : Py_False, "mechanism",
                         python_minor >= 12 ? "monitoring" : "settrace", "branch",
                         options.branch ? Py_True : Py_False, "directory", options.dir, "arena",
                         arena ? arena_path : NULL, "files", files, "lines", lines, "arcs", arcs,
                         "news", arena ? (unsigned long long)arena->news : 0ull, "bytes",
                         arena ? (unsigned long long)arena->cursor : 0ull, "error", error, "note",
                         arena && arena->note[0] ? arena->note : NULL);
}

static PyMethodDef functions[] = {
    {"start", start, METH_VARARGS,
     "start(dir=None, options=None) -> bool\n\nBegins to count, as the environment and then "
     "`options` "
     "(dir, task_root, include, exclude,\nhandler, enabled, branch, debug, log_level, sample_rate, "
     "contexts) say. False: status()\nhas the reason. A second start goes on in the same arena."},
    {"stop", stop, METH_NOARGS, "stop()\n\nEnds counting; what was counted stays."},
    {"active", active, METH_NOARGS, "active() -> bool"},
    {"new_context", new_context, METH_NOARGS,
     "new_context()\n\nHits that were taken from the arena are set again when they happen again."},
    {"status", status, METH_NOARGS,
     "status() -> dict of active, mechanism, branch, directory, arena, files, lines, arcs, news,\n"
     "bytes, error, note"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                        "_lamina_coverage",
                                        "Lamina's tracer.",
                                        -1,
                                        functions,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL};

PyMODINIT_FUNC PyInit__lamina_coverage(void);

PyMODINIT_FUNC PyInit__lamina_coverage(void)
{
    PyObject *version = PySys_GetObject("version_info"); /* borrowed */
    python_minor = version ? (int)code_number(version, "minor") : 0;
    if (python_minor < 8) {
        PyErr_SetString(PyExc_ImportError, "_lamina_coverage is for Python 3.8 and later");
        return NULL;
    }
    return PyModule_Create(&definition);
}
