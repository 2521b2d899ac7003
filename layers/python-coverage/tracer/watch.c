/* watch - what is done when a module of the runtime has been executed, and around its calls.
 *
 * The client of the Runtime API (Lamina's, AWS's) gets its methods wrapped: after a response was
 * posted, a byte goes into DIR/done for the shipper; after an event has come, hits that were taken
 * are counted again. The wrapping is in C, below the handler: no traceback shows it. */
#include "tracer.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum action { POSTED, ARRIVED };

static const struct method {
    const char *file, *module, *class, *method;
    enum action action;
    const char *id, *deadline; /* of what it returns */
} methods[] = {
    {"/_lamina_client.py", "_lamina_client", "Client", "_post", POSTED, NULL, NULL},
    {"/_lamina_client.py", "_lamina_client", "Client", "post_error", POSTED, NULL, NULL},
    {"/_lamina_client.py", "_lamina_client", "Client", "next", ARRIVED, "request_id",
     "deadline_ms"},
    {"/awslambdaric/lambda_runtime_client.py", "awslambdaric.lambda_runtime_client",
     "LambdaRuntimeClient", "post_invocation_result", POSTED, NULL, NULL},
    {"/awslambdaric/lambda_runtime_client.py", "awslambdaric.lambda_runtime_client",
     "LambdaRuntimeClient", "post_invocation_error", POSTED, NULL, NULL},
    {"/awslambdaric/lambda_runtime_client.py", "awslambdaric.lambda_runtime_client",
     "LambdaRuntimeClient", "wait_next_invocation", ARRIVED, "invoke_id", "deadline_time_in_ms"},
};
#define N_METHODS (sizeof(methods) / sizeof(*methods))

/* ---- the FIFO ---- */

static int fifo = -1;
static struct stat fifo_status;

/* Is the descriptor still ours? A program may close any, and open others in their place. */
static bool fifo_ours(void)
{
    struct stat st;
    return fifo >= 0 && syscall(SYS_fstat, fifo, &st) == 0 && st.st_dev == fifo_status.st_dev &&
           st.st_ino == fifo_status.st_ino;
}

static void tell_shipper(void)
{
    char path[600];
    tracer_cut();
    __atomic_fetch_add(&arena->done, 1, __ATOMIC_RELEASE);
    if (!fifo_ours()) {
        snprintf(path, sizeof(path), "%.500s/done", options.dir);
        fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fifo >= 0 &&
            (syscall(SYS_fstat, fifo, &fifo_status) < 0 || !S_ISFIFO(fifo_status.st_mode))) {
            close(fifo);
            fifo = -1;
        }
    }
    if (fifo >= 0 && write(fifo, "d", 1) < 0)
        return; /* full: it will look anyway */
}

static void look_for_taken(void)
{
    static uint64_t known;
    uint64_t epoch = __atomic_load_n(&arena->epoch, __ATOMIC_ACQUIRE);
    if (epoch == known)
        return;
    known = epoch;
    tracer_again();
}

/* ---- around a request for an event ---- */

/* Before the runtime asks, and may be frozen. False: an exception. */
static bool before_event(PyObject *args)
{
    tracer_cut();
    __atomic_fetch_and(&arena->flags, ~(uint32_t)COVARENA_BUSY, __ATOMIC_RELEASE);
    if (!(arena->flags & COVARENA_READY)) {
        __atomic_fetch_or(&arena->flags, COVARENA_READY, __ATOMIC_RELEASE);
        hold_begin();
        return true;
    }
    if (!hold_is_due())
        return true;
    /* Lamina's client sends a response together with the request that has to wait here. */
    PyObject *client = PyTuple_Size(args) > 0 ? PyTuple_GetItem(args, 0) : NULL; /* borrowed */
    PyObject *flush = client ? PyObject_GetAttrString(client, "flush") : NULL;
    PyObject *done = flush ? PyObject_CallObject(flush, NULL) : NULL;
    bool failed = flush && !done;
    Py_XDECREF(done);
    Py_XDECREF(flush);
    if (failed)
        return false;
    PyErr_Clear();
    hold_wait();
    return true;
}

static uint64_t number_of(PyObject *event, const char *name)
{
    PyObject *value = PyObject_GetAttrString(event, name);
    unsigned long long n = value ? PyLong_AsUnsignedLongLong(value) : 0;
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return n;
}

/* What the shipper gets to know of an invocation. */
static void after_event(PyObject *event, const struct method *m)
{
    struct timespec now;
    char *id = code_text(event, m->id);
    PyErr_Clear();
    clock_gettime(CLOCK_REALTIME, &now);
    memset(arena_request->id, 0, sizeof(arena_request->id));
    if (id)
        strncpy(arena_request->id, id, sizeof(arena_request->id) - 1);
    free(id);
    arena_request->began_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    arena_request->deadline_ms = number_of(event, m->deadline);
    __atomic_fetch_or(&arena->flags, COVARENA_BUSY, __ATOMIC_RELEASE);
}

/* ---- a method with something after it ---- */

struct after {
    PyObject_HEAD PyObject *function;
    const struct method *method;
};

static PyTypeObject *after_type;

static PyObject *after_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct after *a = (struct after *)self;
    bool arrives = a->method->action == ARRIVED;
    if (arena && arrives && !before_event(args))
        return NULL;
    PyObject *ret = PyObject_Call(a->function, args, kwargs);
    if (arena && !arrives && !hold_is_on())
        tell_shipper();
    if (arena && arrives && ret) { /* runs Python, so not with an exception about */
        after_event(ret, a->method);
        if (tracer_on)
            look_for_taken();
    }
    return ret;
}

static PyObject *after_bind(PyObject *self, PyObject *object, PyObject *type)
{
    if (object && object != Py_None)
        return PyMethod_New(self, object);
    Py_INCREF(self);
    return self;
}

static PyObject *after_attribute(PyObject *self, PyObject *name)
{
    return PyObject_GetAttr(((struct after *)self)->function, name);
}

static void after_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(((struct after *)self)->function);
    PyObject_Free(self);
    Py_DECREF(type);
}

int watch_begin(void)
{
    PyType_Slot slots[] = {{Py_tp_call, after_call},
                           {Py_tp_descr_get, after_bind},
                           {Py_tp_getattro, after_attribute},
                           {Py_tp_dealloc, after_dealloc},
                           {0, NULL}};
    PyType_Spec spec = {"_lamina_coverage.After", sizeof(struct after), 0, Py_TPFLAGS_DEFAULT,
                        slots};
    if (!after_type)
        after_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return after_type ? 0 : -1;
}

static PyObject *module_of(const char *name)
{
    PyObject *modules = PySys_GetObject("modules"); /* borrowed */
    return modules ? PyDict_GetItemString(modules, name) : NULL;
}

static void wrap(size_t i)
{
    PyObject *module = module_of(methods[i].module);
    PyObject *class = module ? PyObject_GetAttrString(module, methods[i].class) : NULL;
    PyObject *function = class ? PyObject_GetAttrString(class, methods[i].method) : NULL;
    if (function && (PyTypeObject *)Py_TYPE(function) != after_type) {
        struct after *a = PyObject_New(struct after, after_type);
        if (a) {
            a->function = function;
            a->method = &methods[i];
            Py_INCREF(function);
            if (PyObject_SetAttrString(class, methods[i].method, (PyObject *)a) == 0 &&
                methods[i].action == POSTED && arena)
                __atomic_fetch_or(&arena->flags, COVARENA_DONE, __ATOMIC_RELEASE);
            Py_DECREF(a);
        }
    }
    Py_XDECREF(function);
    Py_XDECREF(class);
    PyErr_Clear();
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

enum watch watch_kind(const char *file)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (ends_with(file, methods[i].file))
            return WATCH_CLIENT;
    return python_minor < 12 && ends_with(file, "/threading.py") ? WATCH_THREADING : WATCH_NONE;
}

void watch_ready(enum watch kind)
{
    if (kind == WATCH_THREADING) {
        PyObject *threading = module_of("threading");
        if (threading && tracer_on)
            settrace_watch_threads(threading);
        return;
    }
    if (kind != WATCH_CLIENT)
        return;
    for (size_t i = 0; i < N_METHODS; i++)
        wrap(i);
    tracer_tell_children(); /* not before: AWS's bootstrap looks at PYTHONPATH */
}

void watch_loaded(void)
{
    if (module_of(methods[0].module) || module_of(methods[3].module) ||
        !getenv("AWS_LAMBDA_RUNTIME_API"))
        watch_ready(WATCH_CLIENT);
    if (python_minor < 12)
        watch_ready(WATCH_THREADING);
}
