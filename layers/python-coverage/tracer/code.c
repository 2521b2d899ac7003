/* code - what is looked up once for each code object. */
#include "tracer.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CO_ANY_GENERATOR (0x20 | 0x80 | 0x200) /* generator, coroutine, async generator */

/* A file that code objects name. */
struct source {
    char *path; /* NULL: not counted */
    struct hits *hits;
    enum watch watch; /* of its module */
};

Py_ssize_t code_index = -1;
int code_extra_at;
static PyObject *sources; /* co_filename -> address of its struct source */
static PyObject *code_type;
static struct code uncounted; /* what all code objects share that are no matter here */

static void code_free(void *p)
{
    struct code *c = p;
    if (!c || c == &uncounted)
        return;
    free(c->places);
    free(c->branches);
    free(c->steps);
    free(c);
}

int code_get(PyObject *code, struct code **ret)
{
    void *p = NULL;
    int r = PyUnstable_Code_GetExtra ? PyUnstable_Code_GetExtra(code, code_index, &p)
                                     : _PyCode_GetExtra(code, code_index, &p);
    *ret = p;
    return r;
}

static int code_set(PyObject *code, struct code *c)
{
    return PyUnstable_Code_SetExtra ? PyUnstable_Code_SetExtra(code, code_index, c)
                                    : _PyCode_SetExtra(code, code_index, c);
}

/* Is co_extra at that offset in this interpreter's code objects? Else it is asked for. */
static bool extra_is_at(int offset)
{
    PyObject *code = Py_CompileString("0", "<lamina-coverage>", Py_eval_input);
    bool ret = code && !pointer_at(code, offset) && code_set(code, &uncounted) == 0;
    if (ret) {
        Py_ssize_t *extra = pointer_at(code, offset);
        ret = extra && extra[0] > code_index && ((void **)extra)[1 + code_index] == &uncounted;
    }
    Py_XDECREF(code);
    PyErr_Clear();
    return ret;
}

int code_begin(void)
{
    if (code_index < 0) {
        if (PyUnstable_Eval_RequestCodeExtraIndex)
            code_index = PyUnstable_Eval_RequestCodeExtraIndex(code_free);
        else if (_PyEval_RequestCodeExtraIndex)
            code_index = _PyEval_RequestCodeExtraIndex(code_free);
    }
    static const short places[] = {144, 144, 144, 176, 184, 192}; /* 3.8 to 3.13 */
    code_extra_at = python_minor <= 13 ? places[python_minor - 8] : 0;
    if (code_extra_at && code_index >= 0 && !extra_is_at(code_extra_at))
        code_extra_at = 0;
    Py_XDECREF(sources);
    sources = PyDict_New();
    return code_index < 0 || !sources ? -1 : 0;
}

long code_number(PyObject *o, const char *name)
{
    PyObject *v = PyObject_GetAttrString(o, name);
    long n = v ? PyLong_AsLong(v) : -1;
    Py_XDECREF(v);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    return n;
}

bool code_is(PyObject *o)
{
    return (PyObject *)Py_TYPE(o) == code_type;
}

/* An attribute that is a str, as bytes: to be freed. */
char *code_text(PyObject *o, const char *name)
{
    PyObject *v = o ? PyObject_GetAttrString(o, name) : NULL;
    PyObject *b = v && PyUnicode_Check(v) ? PyUnicode_EncodeFSDefault(v) : NULL;
    char *ret = b ? strdup(PyBytes_AsString(b)) : NULL;
    Py_XDECREF(b);
    Py_XDECREF(v);
    PyErr_Clear();
    return ret;
}

/* ---- which file ---- */

static const char *name_of(const char *path)
{
    const char *p = strrchr(path, '/');
    return p ? p + 1 : path;
}

/* The module's __file__ where it has the same name: co_filename of a .pyc alone is a path of the
 * machine that made it. */
static char *module_file(const char *file)
{
    PyObject *globals = PyEval_GetGlobals(); /* of the frame that is executed */
    PyObject *value = globals ? PyDict_GetItemString(globals, "__file__") : NULL;
    PyObject *bytes = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value) : NULL;
    char *ret = bytes ? strdup(PyBytes_AsString(bytes)) : NULL;
    Py_XDECREF(bytes);
    PyErr_Clear();
    if (!ret)
        return NULL;
    size_t n = strlen(ret);
    if (n > 4 && strcmp(ret + n - 4, ".pyc") == 0)
        ret[n - 1] = 0;
    if (strcmp(name_of(ret), name_of(file)) == 0)
        return ret;
    free(ret);
    return NULL;
}

/* Absolute, links followed where it is there: as coverage.py names files. */
static char *whole_path(const char *file)
{
    char *real = realpath(file, NULL);
    if (real || *file == '/')
        return real ? real : strdup(file);
    char cwd[PATH_MAX], path[2 * PATH_MAX];
    if (!getcwd(cwd, sizeof(cwd)))
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", cwd, file);
    return strdup(path);
}

static struct source *new_source(const char *file)
{
    struct source *s = calloc(1, sizeof(*s));
    if (s)
        s->watch = watch_kind(file);
    if (!s || strncmp(file, "memory:", 7) == 0)
        return s;
    char *own = module_file(file);
    char *path = whole_path(own ? own : file);
    free(own);
    if (path && select_path(path))
        s->path = path;
    else
        free(path);
    return s;
}

static struct source *source_of(PyObject *code)
{
    PyObject *name = PyObject_GetAttrString(code, "co_filename");
    bool generated = !name || PyUnicode_GetLength(name) < 1 ||
                     PyUnicode_ReadChar(name, 0) == '<';                 /* no end of such names */
    PyObject *known = !generated ? PyDict_GetItem(sources, name) : NULL; /* borrowed */
    struct source *s = NULL;
    if (known) {
        s = PyLong_AsVoidPtr(known);
    } else if (!generated) {
        char *file = code_text(code, "co_filename");
        s = file ? new_source(file) : NULL;
        PyObject *value = s ? PyLong_FromVoidPtr(s) : NULL;
        if (value)
            PyDict_SetItem(sources, name, value);
        Py_XDECREF(value);
        free(file);
    }
    Py_XDECREF(name);
    PyErr_Clear();
    return s;
}

/* ---- raw lines ---- */

struct range {
    int last;
    struct covarena_file *record; /* NULL: only `last` is wanted */
};

static void see_line(void *arg, uint32_t start, uint32_t end, int line)
{
    struct range *range = arg;
    if (line <= 0)
        return;
    if (line > range->last)
        range->last = line;
    if (!range->record || (uint32_t)line >= range->record->n_words * 64)
        return;
    uint64_t *raw = (uint64_t *)(range->record + 1) + range->record->n_words;
    __atomic_fetch_or(&raw[line / 64], 1ull << line % 64, __ATOMIC_RELAXED);
}

uint32_t code_span(PyObject *code, int32_t first_line)
{
    struct range range = {0};
    code_lines(code, see_line, &range);
    return range.last < first_line ? 0 : (uint32_t)(range.last - first_line) + 1;
}

/* The lines of a code object and of those inside it. */
static void walk_lines(PyObject *code, struct range *range, int depth)
{
    char *name = code_text(code, "co_name");
    bool annotations = name && strcmp(name, "__annotate__") == 0;
    free(name);
    if (annotations || depth > 100)
        return;
    code_lines(code, see_line, range);
    PyObject *consts = PyObject_GetAttrString(code, "co_consts");
    Py_ssize_t n = consts ? PyTuple_Size(consts) : 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *c = PyTuple_GetItem(consts, i); /* borrowed */
        if (code_is(c))
            walk_lines(c, range, depth + 1);
    }
    Py_XDECREF(consts);
    PyErr_Clear();
}

static struct hits *hits_of(struct source *s, PyObject *code, const struct code *c)
{
    bool module = c->flags & CODE_MODULE;
    if (!s->path)
        return NULL;
    if (s->hits && !module && (uint32_t)c->first_line < s->hits->n_lines)
        return s->hits;
    struct range range = {0};
    walk_lines(code, &range, 0);
    struct hits *h = arena_file(s->path, (uint32_t)range.last);
    if (!h)
        return s->hits;
    range.record = h->record;
    if (!(__atomic_load_n(&h->record->flags, __ATOMIC_RELAXED) & COVARENA_RAW_WHOLE)) {
        walk_lines(code, &range, 0);
        if (module)
            __atomic_fetch_or(&h->record->flags, COVARENA_RAW_WHOLE, __ATOMIC_RELEASE);
    }
    return s->hits = h;
}

static bool is_module(PyObject *code)
{
    PyObject *name = PyObject_GetAttrString(code, "co_name");
    bool ret = name && PyUnicode_CompareWithASCIIString(name, "<module>") == 0;
    Py_XDECREF(name);
    PyErr_Clear();
    return ret;
}

struct code *code_look(PyObject *code)
{
    struct source *s = source_of(code);
    if (!s || (!s->path && !s->watch)) {
        if (python_minor < 12 && code_set(code, &uncounted) < 0)
            PyErr_Clear(); /* with sys.monitoring nobody asks again */
        return &uncounted;
    }
    struct code *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (!code_type)
        code_type = (PyObject *)Py_TYPE(code);
    c->first_line = (int32_t)code_number(code, "co_firstlineno");
    c->flags = code_number(code, "co_flags") & CO_ANY_GENERATOR ? CODE_GENERATOR : 0;
    if (is_module(code)) {
        c->flags |= CODE_MODULE;
        c->run = s->watch;
    }
    c->hits = tracer_on ? hits_of(s, code, c) : NULL;
    if (code_set(code, c) < 0) {
        PyErr_Clear();
        code_free(c);
        return NULL;
    }
    return c;
}
