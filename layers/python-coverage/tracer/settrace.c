/* settrace - counting by a trace function in C, 3.8 to 3.11.
 *
 * Each thread has its tracer, with a stack of the frames that are counted: the line that each is in
 * is where the next arc comes from. Frames of other code have no line events. Somebody who calls
 * sys.settrace() takes over; who gives back what sys.gettrace() had said, gives it back to us; who
 * calls that from a trace function of their own stays the trace function.
 *
 * An entry of the stack may outlive its frame, when that is left while another function traces, or
 * by greenlets: frame and code must both be those of the event, and the code is kept until then. */
#include "tracer.h"
#include <stdlib.h>

enum { CALL, EXCEPTION, LINE, RETURN };
#define DEPTH_MAX (1u << 17)
enum { RESUME = 151, RESUME_QUICK = 150, YIELD_VALUE = 86, YIELD_FROM = 72 };

/* Layouts that do not change within a minor version. 3.11's frame object points to the frame. */
static struct layout {
    int inner, code, last, line, trace, trace_lines, bytes;
} at;
static const struct layout layouts[] = {
    [8] = {0, 32, 104, 108, 80, 88, 48},
    [9] = {0, 32, 104, 108, 80, 88, 48},
    [10] = {0, 32, 96, 100, 72, 84, 48},
    [11] = {24, 32, 56, 40, 32, 44, 184},
};

struct entry {
    PyObject *frame; /* an address only */
    PyObject *body;  /* its code object */
    struct code *code;
    int32_t line;  /* that it is in; -first_line: just entered */
    uint16_t from; /* the same as places have it, else FROM_NONE */
};

struct tracer {
    PyObject_HEAD struct entry *stack;
    uint32_t depth, room;
    PyThreadState *thread;
    bool main;    /* its end tells that another function was set */
    bool starter; /* begins a tracer for the thread that calls it */
};

static PyTypeObject *tracer_type;

static inline PyObject *code_of(PyObject *frame)
{
    return pointer_at(at.inner ? pointer_at(frame, at.inner) : frame, at.code);
}

static inline int32_t line_of(PyObject *frame)
{
    return *(const int32_t *)((const char *)frame + at.line);
}

/* The instruction that was executed last; NULL: none yet. */
static const unsigned char *last_of(PyObject *frame)
{
    if (at.inner)
        return pointer_at(pointer_at(frame, at.inner), at.last);
    int last = *(const int32_t *)((const char *)frame + at.last);
    if (last < 0)
        return NULL;
    const char *bytes = pointer_at(code_of(frame), at.bytes);
    return (const unsigned char *)bytes + 32 + (python_minor == 10 ? 2 : 1) * last;
}

/* Is it entered for the first time? */
static bool is_entered(PyObject *frame)
{
    const unsigned char *last = last_of(frame);
    if (python_minor < 11)
        return !last;
    return (last[0] != RESUME && last[0] != RESUME_QUICK) || (last[1] & 3) == 0;
}

/* 3.11: the end of its instructions, of which Py_SIZE() has the number. */
static const unsigned char *end_of(PyObject *frame)
{
    const unsigned char *code = (const unsigned char *)code_of(frame);
    return code + at.bytes + 2 * *(const Py_ssize_t *)(code + 16);
}

/* Is it left for ever, and not by a yield? */
static bool is_left(PyObject *frame)
{
    const unsigned char *last = last_of(frame);
    if (!last)
        return true;
    if (python_minor == 11) /* its last instruction yields nothing */
        return last + 2 >= end_of(frame) || (last[2] != RESUME && last[2] != RESUME_QUICK);
    return last[0] != YIELD_VALUE && last[2] != YIELD_FROM;
}

/* ---- arcs ---- */

/* Arcs that are set in the arena are remembered by the lines that they lead to: some places that
 * each was come from, and whether the code object was left from it. */
enum { FROMS = 4, LEFT = FROMS, PLACES };
#define SPAN_MAX 4096
#define ENTERED 0xffff
#define FROM_NONE 0xfffe /* is in no place */

static void make_places(struct code *c, PyObject *code)
{
    uint32_t span = code_span(code, c->first_line);
    if (span > 0 && span <= SPAN_MAX)
        c->places = calloc(span, PLACES * sizeof(*c->places));
    c->span = c->places ? span : 0;
    c->flags |= CODE_SPAN_KNOWN;
}

static void new_arc(struct entry *e, int32_t from, int32_t to, uint16_t *place, uint16_t value)
{
    struct code *c = e->code;
    uint8_t bit;
    arena_arc(c->hits, from, to, &bit);
    if (to > 0)
        arena_line(c->hits, (uint32_t)to);
    if (!(c->flags & CODE_SPAN_KNOWN))
        make_places(c, code_of(e->frame));
    else if (place)
        *place = value;
}

static void arc(struct entry *e, int32_t to)
{
    struct code *c = e->code;
    uint32_t i = (uint32_t)(to - c->first_line), j = (uint32_t)(e->line - c->first_line);
    uint16_t from = e->line < 0 ? ENTERED : j < c->span ? (uint16_t)(j + 1) : FROM_NONE;
    uint16_t *place = NULL;
    if (i < c->span && from != FROM_NONE) {
        place = c->places + i * PLACES;
        unsigned n = 0;
        while (n < FROMS && place[n] && place[n] != from)
            n++;
        if (n < FROMS && place[n])
            return;
        place += n < FROMS ? n : from % FROMS;
    }
    new_arc(e, e->line, to, place, from);
}

static inline void arc_out(struct entry *e)
{
    struct code *c = e->code;
    uint32_t i = (uint32_t)(e->line - c->first_line);
    uint16_t *place = i < c->span ? c->places + i * PLACES + LEFT : NULL;
    if (!place || !*place)
        new_arc(e, e->line, -c->first_line, place, 1);
}

/* ---- events ---- */

static void drop(struct tracer *t, uint32_t depth)
{
    while (t->depth > depth)
        Py_DECREF(t->stack[--t->depth].body);
}

static int push(struct tracer *t, PyObject *frame, struct code *c, int32_t line)
{
    if (t->depth == DEPTH_MAX)
        drop(t, 0); /* hardly one of them is executed still */
    if (t->depth == t->room) {
        uint32_t room = t->room ? t->room * 2 : 64;
        struct entry *more = realloc(t->stack, sizeof(*more) * room);
        if (!more)
            return -1;
        t->stack = more;
        t->room = room;
    }
    PyObject *body = code_of(frame);
    Py_INCREF(body);
    t->stack[t->depth++] = (struct entry){frame, body, c, line, line < 0 ? ENTERED : FROM_NONE};
    return 0;
}

static inline bool is_of(const struct entry *e, PyObject *frame)
{
    return e->frame == frame && e->body == code_of(frame);
}

/* `direct`: nobody else wants the lines of frames that are not counted. */
static void on_call(struct tracer *t, PyObject *frame, bool direct)
{
    struct code *c = code_known(code_of(frame));
    if (!c && !(c = code_look(code_of(frame))))
        return;
    if (!c->hits) {
        if (direct)
            *((char *)frame + at.trace_lines) = 0;
        if (c->run)
            push(t, frame, c, 0);
        return;
    }
    if (c->epoch != tracer_epoch) {
        c->epoch = tracer_epoch;
        if (c->places)
            memset(c->places, 0, sizeof(*c->places) * PLACES * c->span);
    }
    PyObject **trace_of_frame = (PyObject **)((char *)frame + at.trace);
    if (!*trace_of_frame) { /* its lines come here when sys.settrace() gives us back */
        Py_INCREF((PyObject *)t);
        *trace_of_frame = (PyObject *)t;
    }
    bool fresh = !(c->flags & CODE_GENERATOR) || is_entered(frame);
    push(t, frame, c, fresh ? -c->first_line : PyFrame_GetLineNumber((PyFrameObject *)frame));
}

/* The entry of a frame that is not on top: after another trace function was there. */
static struct entry *find_entry(struct tracer *t, PyObject *frame)
{
    for (uint32_t i = t->depth; i > 0; i--) {
        if (is_of(&t->stack[i - 1], frame)) {
            drop(t, i);
            return &t->stack[i - 1];
        }
    }
    struct code *c = code_known(code_of(frame));
    if ((!c && !(c = code_look(code_of(frame)))) || !c->hits || push(t, frame, c, 0) < 0)
        return NULL;
    return &t->stack[t->depth - 1];
}

static void on_line(struct tracer *t, PyObject *frame)
{
    struct entry *e = t->depth ? &t->stack[t->depth - 1] : NULL;
    if ((!e || !is_of(e, frame)) && !(e = find_entry(t, frame)))
        return;
    if (!e->code->hits)
        return;
    int32_t line = line_of(frame);
    if (line <= 0)
        return;
    if (options.branch && e->line)
        arc(e, line);
    else
        arena_line(e->code->hits, (uint32_t)line);
    uint32_t i = (uint32_t)(line - e->code->first_line);
    e->line = line;
    e->from = i < e->code->span ? (uint16_t)(i + 1) : FROM_NONE;
}

/* A line of the frame on top that tells nothing new, which nearly all do. `l`: a constant. */
static inline __attribute__((always_inline)) bool is_old_line(struct tracer *t, PyObject *frame,
                                                              const struct layout *l)
{
    struct entry *e = t->stack + t->depth - 1;
    if (!t->depth || e->frame != frame ||
        e->body != pointer_at(l->inner ? pointer_at(frame, l->inner) : frame, l->code))
        return false;
    const struct code *c = e->code;
    int32_t line = *(const int32_t *)((const char *)frame + l->line);
    uint32_t i = (uint32_t)(line - c->first_line);
    if (i >= c->span) /* always, without branches */
        return !options.branch && c->hits && line > 0 && arena_has_line(c->hits, (uint32_t)line);
    const uint16_t *place = c->places + i * PLACES;
    uint16_t from = e->from;
    if (place[0] != from && place[1] != from && place[2] != from && place[3] != from)
        return false;
    e->line = line;
    e->from = (uint16_t)(i + 1);
    return true;
}

static void on_return(struct tracer *t, PyObject *frame)
{
    struct entry *e = t->depth ? &t->stack[t->depth - 1] : NULL;
    if (!e || !is_of(e, frame))
        return;
    struct code *c = e->code; /* the frame has it, too */
    if (c->hits && options.branch && e->line && (!(c->flags & CODE_GENERATOR) || is_left(frame)))
        arc_out(e);
    drop(t, t->depth - 1);
    if (c->run)
        watch_ready(c->run);
}

static void see(struct tracer *t, PyObject *frame, int what, bool direct)
{
    if (what == LINE)
        on_line(t, frame);
    else if (what == CALL)
        on_call(t, frame, direct);
    else if (what == RETURN)
        on_return(t, frame);
}

static void set_trace(tracer_c_function function, struct tracer *t)
{
    PyEval_SetTrace(function, (PyObject *)t); /* of this thread */
    PyErr_Clear();                            /* 3.8: a hook of audits said no */
}

static __attribute__((noinline)) int any_event(struct tracer *t, PyObject *frame, int what)
{
    if (tracer_on) {
        see(t, frame, what, true);
        return 0;
    }
    t->main = false;
    set_trace(NULL, NULL);
    return 0;
}

#define EVENT_FUNCTION(minor)                                                                      \
    static int on_event_##minor(PyObject *self, PyObject *frame, int what, PyObject *arg)          \
    {                                                                                              \
        struct tracer *t = (struct tracer *)self;                                                  \
        if (what == LINE && tracer_on && is_old_line(t, frame, &layouts[minor]))                   \
            return 0;                                                                              \
        return any_event(t, frame, what);                                                          \
    }

EVENT_FUNCTION(9)
EVENT_FUNCTION(10)
EVENT_FUNCTION(11)

static tracer_c_function on_event; /* of this version */

/* ---- tracers ---- */

static struct tracer *new_tracer(bool main, bool starter)
{
    struct tracer *t = PyObject_New(struct tracer, tracer_type);
    if (!t)
        return NULL;
    t->stack = NULL;
    t->depth = t->room = 0;
    t->thread = PyThreadState_Get();
    t->main = main;
    t->starter = starter;
    return t;
}

static void tracer_dealloc(PyObject *self)
{
    struct tracer *t = (struct tracer *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (t->main && tracer_on && Py_IsInitialized())
        tracer_note("the program has set a trace function of its own: what its first thread has "
                    "executed since then is not counted");
    drop(t, 0);
    free(t->stack);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* Is it what sys.gettrace() gives? Else somebody's own trace function calls it. */
static bool is_current(PyObject *self)
{
    PyObject *get = PySys_GetObject("gettrace"); /* borrowed */
    PyObject *current = get ? PyObject_CallObject(get, NULL) : NULL;
    bool ret = current == self;
    Py_XDECREF(current);
    PyErr_Clear();
    return ret;
}

/* An event that came through a trace function of Python. Who was given back is from a call on the
 * one in C. */
static PyObject *take_event(struct tracer *given, PyObject *frame, int what)
{
    struct tracer *t = given;
    bool direct = what == CALL && is_current((PyObject *)given);
    if (t->starter || t->thread != PyThreadState_Get()) {
        if (what != CALL || !(t = new_tracer(false, false))) {
            PyErr_Clear();
            Py_RETURN_NONE;
        }
    } else {
        Py_INCREF((PyObject *)t);
    }
    if (direct)
        set_trace(on_event, t);
    see(t, frame, what, direct);
    return (PyObject *)t;
}

static PyObject *tracer_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"call", "exception", "line", "return"};
    PyObject *frame, *arg;
    const char *text;
    int what = 0;
    if (!PyArg_ParseTuple(args, "OsO", &frame, &text, &arg))
        return NULL;
    while (what < 4 && strcmp(text, names[what]) != 0)
        what++;
    if (!tracer_on || what == 4 || Py_TYPE(frame) != &PyFrame_Type)
        Py_RETURN_NONE;
    Py_INCREF(self); /* its place may be taken now */
    PyObject *ret = take_event((struct tracer *)self, frame, what);
    Py_DECREF(self);
    return ret;
}

/* Is the frame that is executed laid out so? */
static bool layout_is_right(void)
{
    PyObject *frame = (PyObject *)PyEval_GetFrame(); /* borrowed */
    PyObject *code = frame ? PyObject_GetAttrString(frame, "f_code") : NULL;
    bool ret = !frame || code == code_of(frame);
    Py_XDECREF(code);
    PyErr_Clear();
    return ret;
}

int settrace_start(void)
{
    if (python_minor < 8 || python_minor > 11)
        return -1;
    at = layouts[python_minor];
    on_event = python_minor == 11 ? on_event_11 : python_minor == 10 ? on_event_10 : on_event_9;
    if (!layout_is_right())
        return -1;
    if (!tracer_type) {
        PyType_Slot slots[] = {
            {Py_tp_call, tracer_call}, {Py_tp_dealloc, tracer_dealloc}, {0, NULL}};
        PyType_Spec spec = {"_lamina_coverage.Tracer", sizeof(struct tracer), 0, Py_TPFLAGS_DEFAULT,
                            slots};
        tracer_type = (PyTypeObject *)PyType_FromSpec(&spec);
    }
    struct tracer *t = tracer_type ? new_tracer(true, false) : NULL;
    if (!t)
        return -1;
    set_trace(on_event, t);
    Py_DECREF(t);
    return 0;
}

void settrace_stop(void)
{
    PyObject *get = PySys_GetObject("gettrace"); /* borrowed */
    PyObject *set = get ? PyObject_CallObject(get, NULL) : NULL;
    if (set && (PyTypeObject *)Py_TYPE(set) == tracer_type) {
        ((struct tracer *)set)->main = false;
        set_trace(NULL, NULL);
    }
    Py_XDECREF(set);
    PyErr_Clear();
}

void settrace_watch_threads(PyObject *threading)
{
    struct tracer *t = new_tracer(false, true);
    PyObject *r = t ? PyObject_CallMethod(threading, "settrace", "O", t) : NULL;
    Py_XDECREF(t);
    Py_XDECREF(r);
    PyErr_Clear();
}
