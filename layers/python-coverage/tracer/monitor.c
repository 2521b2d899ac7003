/* monitor - counting by sys.monitoring, 3.12 and later.
 *
 * The first start of a code object switches on its local events when it is counted. A line's event
 * is off after its first time, a branch's when both ways were seen (3.14: each way by itself), so
 * that what runs often costs nothing soon. Code that is not counted never calls again. */
#include "tracer.h"
#include <stdlib.h>

enum { PY_START = 1 << 0, PY_RETURN = 1 << 2, LINE = 1 << 5 };

/* _PyCFunctionFast, which the limited API has from 3.10 on. */
typedef PyObject *(*fast_function)(PyObject *self, PyObject *const *args, Py_ssize_t n);
#define FAST 0x0080

static PyObject *monitoring, *disable, *set_local;
static int tool = -1;
static long branch_events; /* BRANCH, or BRANCH_LEFT | BRANCH_RIGHT */
static long handled_event; /* EXCEPTION_HANDLED */
static long global_events;
static bool both_in_one; /* one event for both directions */

static PyObject *done_with(void)
{
    Py_INCREF(disable);
    return disable;
}

static PyObject *nothing(void)
{
    Py_RETURN_NONE;
}

/* Non-negative ints of one digit, without a call: their layout is that of 3.12 and later. */
static inline long small(PyObject *o)
{
    return (long)*(const uint32_t *)((const char *)o + 24);
}

static PyObject *call(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyObject *f = PyObject_GetAttrString(monitoring, name);
    PyObject *tuple = f ? Py_VaBuildValue(format, args) : NULL;
    PyObject *ret = tuple ? PyObject_CallObject(f, tuple) : NULL;
    va_end(args);
    Py_XDECREF(tuple);
    Py_XDECREF(f);
    return ret;
}

static int call_only(const char *name, const char *format, long a, long b)
{
    PyObject *r = call(name, format, a, b);
    Py_XDECREF(r);
    return r ? 0 : -1;
}

static long event(const char *name)
{
    PyObject *events = PyObject_GetAttrString(monitoring, "events");
    long n = events ? code_number(events, name) : -1;
    Py_XDECREF(events);
    PyErr_Clear();
    return n < 0 ? 0 : n;
}

/* ---- events ---- */

static void mark(struct code *c, int32_t from, int32_t to)
{
    uint8_t bit;
    if (from && to && from != to)
        arena_arc(c->hits, from, to, &bit);
}

static void watch_exceptions(const struct code *c)
{
    for (uint32_t i = 0; i < c->n_steps; i++) {
        if (c->steps[i].at && !(global_events & handled_event)) {
            global_events |= handled_event;
            if (call_only("set_events", "(ll)", tool, global_events) < 0)
                PyErr_Clear();
        }
    }
}

/* A code object is to be counted. */
static void begin_code(PyObject *code, struct code *c)
{
    long events = LINE;
    if (options.branch) {
        events |= branch_events | PY_RETURN;
        if (!c->steps)
            code_read_steps(code, c);
        watch_exceptions(c);
        /* Who enters a body of one line leaves it, if by an exception, for which is no event. */
        if (!(c->flags & (CODE_GENERATOR | CODE_MODULE)))
            mark(c, code_only_line(code), -c->first_line);
    } else if (c->run) {
        events |= PY_RETURN;
    }
    PyObject *r = PyObject_CallFunction(set_local, "lOl", (long)tool, code, events);
    Py_XDECREF(r);
    if (!r)
        PyErr_Clear();
}

static PyObject *on_start(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct code *c = code_known(args[0]);
    if (!tracer_on)
        return done_with();
    if (!c && !(c = code_look(args[0])))
        return done_with();
    if (c->hits) {
        begin_code(args[0], c);
    } else if (c->run) {
        PyObject *r = PyObject_CallFunction(set_local, "lOl", (long)tool, args[0], (long)PY_RETURN);
        Py_XDECREF(r);
        PyErr_Clear();
    }
    return done_with();
}

/* Arcs that end at this line. Whether more can come from this event. */
static bool steps_reached(struct code *c, int line)
{
    bool more = false;
    for (uint32_t i = 0; i < c->n_steps; i++) {
        const struct step *s = &c->steps[i];
        if (s->to != line || s->at)
            continue;
        if (arena_has_line(c->hits, (uint32_t)s->from))
            mark(c, s->from, s->to);
        else
            more = true;
    }
    return more;
}

static PyObject *on_line(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct code *c = code_known(args[0]);
    if (!tracer_on || !c || !c->hits)
        return done_with();
    long line = small(args[1]);
    arena_line(c->hits, (uint32_t)line);
    if (c->n_steps && steps_reached(c, (int)line))
        return nothing();
    return done_with();
}

static struct branch *branch_at(struct code *c, uint32_t at)
{
    for (uint32_t low = 0, high = c->n_branches; low < high;) {
        uint32_t i = (low + high) / 2;
        if (c->branches[i].at == at)
            return &c->branches[i];
        if (c->branches[i].at < at)
            low = i + 1;
        else
            high = i;
    }
    return NULL;
}

/* The next `to` without an event of its own: struct step. */
void code_add_step(struct code *c, int32_t from, int32_t to, uint32_t at)
{
    if (from <= 0 || to == 0)
        return;
    for (uint32_t i = 0; i < c->n_steps; i++)
        if (c->steps[i].from == from && c->steps[i].to == to && c->steps[i].at == at)
            return;
    struct step *more = realloc(c->steps, sizeof(*more) * (c->n_steps + 1));
    if (!more)
        return;
    c->steps = more;
    c->steps[c->n_steps++] = (struct step){from, to, at};
}

/* Ways are told once each after hits were taken. */
static void forget_seen(struct code *c)
{
    c->epoch = tracer_epoch;
    for (uint32_t i = 0; i < c->n_branches; i++)
        c->branches[i].seen = 0;
}

static PyObject *take_branch(struct code *c, struct branch *b, unsigned way)
{
    if (!(b->seen & 1u << way)) {
        b->seen |= (uint8_t)(1u << way);
        if (b->to[way])
            b->words[way] = arena_arc(c->hits, b->from, b->to[way], &b->bits[way]);
    } else if (b->words[way]) {
        arena_set(b->words[way], b->bits[way]); /* hits may have been taken */
    }
    if (b->seen == 3)
        return done_with();
    if (!(b->sure & 1u << !way))
        return nothing();
    b->seen = 3; /* the line of the other way will tell */
    code_add_step(c, b->from, b->to[!way], 0);
    return done_with();
}

static PyObject *on_branch(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct code *c = code_known(args[0]);
    if (!tracer_on || !c || !c->hits)
        return done_with();
    if (!both_in_one) { /* 3.14: once for each way */
        struct covarena_arc arc;
        if (code_read_arc(args[0], c, (uint32_t)small(args[1]), (uint32_t)small(args[2]), &arc))
            mark(c, arc.from, arc.to);
        return done_with();
    }
    if (!(c->flags & CODE_BRANCHES_READ))
        code_read_branches(args[0], c);
    if (c->epoch != tracer_epoch)
        forget_seen(c);
    struct branch *b = branch_at(c, (uint32_t)small(args[1]));
    if (!b)
        return done_with();
    return take_branch(c, b, small(args[2]) != b->next);
}

static PyObject *on_return(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct code *c = code_known(args[0]);
    if (!c)
        return done_with();
    if (c->run)
        watch_ready(c->run);
    if (tracer_on && c->hits && options.branch)
        mark(c, PyCode_Addr2Line(args[0], (int)small(args[1])), -c->first_line);
    return done_with();
}

/* Of every exception that is handled anywhere: this event is not of single code objects. Only for
 * programs with an async for, before 3.14. */
static PyObject *on_handled(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct code *c = code_known(args[0]);
    if (!tracer_on || !c || !c->hits)
        return nothing();
    uint32_t at = (uint32_t)small(args[1]);
    for (uint32_t i = 0; i < c->n_steps; i++)
        if (c->steps[i].at == at && at &&
            PyErr_GivenExceptionMatches(args[2], PyExc_StopAsyncIteration))
            mark(c, c->steps[i].from, c->steps[i].to);
    return nothing();
}

static PyMethodDef callbacks[] = {
    {"start", (PyCFunction)(void (*)(void))on_start, FAST, NULL},
    {"line", (PyCFunction)(void (*)(void))on_line, FAST, NULL},
    {"branch", (PyCFunction)(void (*)(void))on_branch, FAST, NULL},
    {"return", (PyCFunction)(void (*)(void))on_return, FAST, NULL},
    {"handled", (PyCFunction)(void (*)(void))on_handled, FAST, NULL},
};

/* ---- on and off ---- */

static int hook(long events, int callback)
{
    for (long bit = 1; bit <= events; bit <<= 1) {
        if (!(events & bit))
            continue;
        PyObject *f = PyCFunction_New(&callbacks[callback], NULL);
        PyObject *r = f ? call("register_callback", "(llO)", (long)tool, bit, f) : NULL;
        Py_XDECREF(f);
        Py_XDECREF(r);
        if (!r)
            return -1;
    }
    return 0;
}

/* coverage's number, or the next one that nobody has. */
static int find_tool(void)
{
    static const int ids[] = {1, 3, 4, 0, 2, 5};
    for (int i = 0; i < 6; i++) {
        PyObject *r = call("use_tool_id", "(is)", ids[i], "lamina-coverage");
        Py_XDECREF(r);
        if (r)
            return ids[i];
        PyErr_Clear();
    }
    return -1;
}

int monitor_start(void)
{
    if (!monitoring) {
        monitoring = PySys_GetObject("monitoring"); /* borrowed */
        Py_XINCREF(monitoring);
    }
    if (!monitoring || (options.branch && monitor_prepare() < 0))
        return -1;
    if (!disable)
        disable = PyObject_GetAttrString(monitoring, "DISABLE");
    if (!set_local)
        set_local = PyObject_GetAttrString(monitoring, "set_local_events");
    branch_events = event("BRANCH_LEFT") | event("BRANCH_RIGHT");
    handled_event = event("EXCEPTION_HANDLED");
    both_in_one = !branch_events;
    if (both_in_one)
        branch_events = event("BRANCH");
    if (!disable || !set_local || event("PY_START") != PY_START ||
        event("PY_RETURN") != PY_RETURN || event("LINE") != LINE || (tool = find_tool()) < 0)
        return -1;
    global_events = PY_START;
    if (hook(PY_START, 0) < 0 || hook(LINE, 1) < 0 || hook(branch_events, 2) < 0 ||
        hook(PY_RETURN, 3) < 0 || hook(handled_event, 4) < 0 ||
        call_only("set_events", "(ll)", tool, global_events) < 0)
        return -1;
    monitor_again(); /* what was switched off by an earlier start */
    return 0;
}

void monitor_stop(void)
{
    if (tool < 0)
        return;
    call_only("set_events", "(ll)", tool, 0);
    PyErr_Clear();
    PyObject *r = call("free_tool_id", "(i)", tool);
    Py_XDECREF(r);
    PyErr_Clear();
    tool = -1;
}

void monitor_again(void)
{
    PyObject *r = tool < 0 ? NULL : call("restart_events", "()");
    Py_XDECREF(r);
    PyErr_Clear();
}
