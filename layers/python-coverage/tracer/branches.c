/* branches - the arcs of conditional jumps, read from the instructions of a code object (3.12 and
 * later), and those arcs for which there are no events.
 *
 * From a jump, and from what is behind it, the instructions are followed to the first one of
 * another line, to the return, or from a raise to its handler. Another conditional jump of the same
 * line will tell its own arcs. */
#include "tracer.h"
#include <limits.h>
#include <stdlib.h>

enum {
    JUMP_FORWARD,
    JUMP_BACK,
    JUMP_BACK_QUIETLY,
    RETURN_VALUE,
    RETURN_CONST,
    RETURN_GENERATOR,
    RERAISE,
    RAISE,
    END_ASYNC_FOR,
    GET_ANEXT,
    END_SEND,
    EXTENDED,
    IF_TRUE,
    IF_FALSE,
    IF_NONE,
    IF_NOT_NONE,
    FOR_ITER,
    SEND,
    LOAD_CONST,
    POP_TOP,
    SWAP,
    STORE_FAST,
    STORE_NAME,
    STORE_GLOBAL,
    STORE_DEREF,
    STORE_TWO,
    N_OPS
};

static const char *const op_names[N_OPS] = {"JUMP_FORWARD",
                                            "JUMP_BACKWARD",
                                            "JUMP_BACKWARD_NO_INTERRUPT",
                                            "RETURN_VALUE",
                                            "RETURN_CONST",
                                            "RETURN_GENERATOR",
                                            "RERAISE",
                                            "RAISE_VARARGS",
                                            "END_ASYNC_FOR",
                                            "GET_ANEXT",
                                            "END_SEND",
                                            "EXTENDED_ARG",
                                            "POP_JUMP_IF_TRUE",
                                            "POP_JUMP_IF_FALSE",
                                            "POP_JUMP_IF_NONE",
                                            "POP_JUMP_IF_NOT_NONE",
                                            "FOR_ITER",
                                            "SEND",
                                            "LOAD_CONST",
                                            "POP_TOP",
                                            "SWAP",
                                            "STORE_FAST",
                                            "STORE_NAME",
                                            "STORE_GLOBAL",
                                            "STORE_DEREF",
                                            "STORE_FAST_STORE_FAST"};
static const short ops_312[N_OPS] = {110, 140, 134, 83, 121, 75,  119, 130, 54,  51, 5,  144, 115,
                                     114, 129, 128, 93, 123, 100, 1,   99,  125, 90, 97, 138, -1};
static const short ops_313[N_OPS] = {79, 77, 78, 36, 103, 35, 102, 101, 10,  18,  12,  71,  100,
                                     97, 98, 99, 72, 104, 83, 32,  115, 110, 114, 113, 109, 112};
static signed char kind_of[256]; /* an operation's place above; -1: any other */

/* Later versions are asked for their numbers. */
static int ask_numbers(short ret[N_OPS])
{
    PyObject *module = PyImport_ImportModule("opcode");
    PyObject *map = module ? PyObject_GetAttrString(module, "opmap") : NULL;
    for (int i = 0; map && i < N_OPS; i++) {
        PyObject *n = PyDict_GetItemString(map, op_names[i]);
        ret[i] = n ? (short)PyLong_AsLong(n) : -1;
    }
    int r = map ? 0 : -1;
    Py_XDECREF(map);
    Py_XDECREF(module);
    PyErr_Clear();
    return r;
}

int monitor_prepare(void)
{
    short asked[N_OPS];
    const short *ops = python_minor == 12 ? ops_312 : python_minor == 13 ? ops_313 : asked;
    if (ops == asked && ask_numbers(asked) < 0)
        return -1;
    memset(kind_of, -1, sizeof(kind_of));
    for (int i = 0; i < N_OPS; i++)
        if (ops[i] >= 0 && ops[i] < 256)
            kind_of[ops[i]] = (signed char)i;
    return 0;
}

/* The instructions of a code object with their lines. */
struct text {
    PyObject *bytes;
    const unsigned char *p;
    uint32_t size;
    int32_t *lines; /* of each code unit; 0: none */
    int32_t first_line;
    PyObject *handlers; /* co_exceptiontable */
};

static void put_lines(void *arg, uint32_t start, uint32_t end, int line)
{
    struct text *t = arg;
    for (uint32_t i = start; i < end && i < t->size; i += 2)
        t->lines[i / 2] = line;
}

static int text_open(PyObject *code, const struct code *c, struct text *t)
{
    *t = (struct text){.bytes = PyObject_GetAttrString(code, "co_code"),
                       .first_line = c->first_line,
                       .handlers = PyObject_GetAttrString(code, "co_exceptiontable")};
    char *p;
    Py_ssize_t n;
    if (!t->bytes || PyBytes_AsStringAndSize(t->bytes, &p, &n) < 0 ||
        !(t->lines = calloc((size_t)n / 2 + 1, sizeof(*t->lines)))) {
        PyErr_Clear();
        Py_XDECREF(t->bytes);
        Py_XDECREF(t->handlers);
        return -1;
    }
    t->p = (unsigned char *)p;
    t->size = (uint32_t)n;
    code_lines(code, put_lines, t);
    return 0;
}

static void text_close(struct text *t)
{
    Py_DECREF(t->bytes);
    Py_XDECREF(t->handlers);
    free(t->lines);
}

struct instruction {
    uint32_t at, next; /* of itself, behind its prefixes; of the one behind it and its caches */
    int kind, line;
    uint32_t arg;
};

/* The instruction at `at`, or false at the end. */
static bool read_one(const struct text *t, uint32_t at, struct instruction *ret)
{
    uint32_t arg = 0;
    while (at + 1 < t->size && kind_of[t->p[at]] == EXTENDED) {
        arg = (arg | t->p[at + 1]) << 8;
        at += 2;
    }
    if (at + 1 >= t->size)
        return false;
    *ret = (struct instruction){.at = at,
                                .next = at + 2,
                                .kind = kind_of[t->p[at]],
                                .line = t->lines[at / 2],
                                .arg = arg | t->p[at + 1]};
    while (ret->next + 1 < t->size && t->p[ret->next] == 0) /* CACHE */
        ret->next += 2;
    return true;
}

static uint32_t target_of(const struct instruction *i)
{
    uint32_t way = i->arg * 2;
    return i->kind == JUMP_BACK || i->kind == JUMP_BACK_QUIETLY ? i->next - way : i->next + way;
}

static bool is_branch(int kind)
{
    return (kind >= IF_TRUE && kind <= FOR_ITER) || kind == SEND;
}

/* A number of the exception table (CPython, Objects/exception_handling_notes.txt). */
static uint32_t table_number(const unsigned char **p, const unsigned char *end)
{
    uint32_t n = 0;
    for (bool more = true; more && *p < end; (*p)++) {
        n = n << 6 | (**p & 63);
        more = **p & 64;
    }
    return n;
}

/* Where an exception that is raised at `at` is handled; 0: it leaves. */
static uint32_t handler_of(const struct text *t, uint32_t at)
{
    char *table;
    Py_ssize_t n;
    if (!t->handlers || PyBytes_AsStringAndSize(t->handlers, &table, &n) < 0) {
        PyErr_Clear();
        return 0;
    }
    const unsigned char *p = (unsigned char *)table, *end = p + n;
    while (p < end) {
        uint32_t start = 2 * table_number(&p, end), size = 2 * table_number(&p, end);
        uint32_t target = 2 * table_number(&p, end);
        table_number(&p, end);
        if (at >= start && at < start + size)
            return target;
    }
    return 0;
}

/* A `case` over several lines comes back to its first one only to put down what it holds, whether
 * it has matched or not. Then the way from one of its lines is not to that line, but to what is
 * next. */
static int32_t behind_case(const struct text *t, int line, struct instruction i)
{
    int head = i.line;
    if (head > line || i.kind < POP_TOP || i.kind > STORE_TWO)
        return head;
    for (uint32_t left = t->size; left; left--) {
        bool jumps = i.kind >= JUMP_FORWARD && i.kind <= JUMP_BACK_QUIETLY;
        if (i.kind == RETURN_VALUE || i.kind == RETURN_CONST)
            return -t->first_line;
        if (!jumps && (i.kind < POP_TOP || i.kind > STORE_TWO))
            break;
        if (!read_one(t, jumps ? target_of(&i) : i.next, &i))
            break;
        if (i.line > 0 && i.line != head)
            return i.line != line ? i.line : head;
    }
    return head;
}

/* Where the way from `at` leaves the lines: another line, -first_line, or 0. */
static int32_t follow(const struct text *t, int first, int line, uint32_t at)
{
    struct instruction i;
    for (uint32_t left = t->size; left && read_one(t, at, &i); left--) {
        if (i.line > 0 && (i.line < first || i.line > line))
            return behind_case(t, line, i);
        if (i.kind == RETURN_VALUE || i.kind == RETURN_CONST || i.kind == RETURN_GENERATOR)
            return -t->first_line;
        if (is_branch(i.kind))
            return 0;
        if (i.kind == RERAISE || i.kind == RAISE) {
            at = handler_of(t, i.at);
            if (!at)
                return -t->first_line;
            continue;
        }
        bool jumps = i.kind == JUMP_FORWARD || i.kind == JUMP_BACK || i.kind == JUMP_BACK_QUIETLY;
        at = jumps ? target_of(&i) : i.next;
    }
    return 0;
}

/* ---- branches that the lines behind them tell ---- */

/* How instructions are come to. */
struct flow {
    uint8_t *jumps;   /* to each code unit; 2: or more */
    uint8_t *falls;   /* units: the instruction in front goes on to it */
    uint8_t *entered; /* units: by a jump from another line, or by an exception */
    uint8_t *entries; /* lines, from `first` on: instructions at which they are begun; 2: or more */
    int first, last;
};

static void count_jump(const struct text *t, struct flow *f, uint32_t to, int from_line)
{
    if (to / 2 >= t->size / 2)
        return;
    f->jumps[to / 2] += f->jumps[to / 2] < 2;
    f->entered[to / 2] |= t->lines[to / 2] != from_line;
}

static bool stays(int kind)
{
    return kind == JUMP_FORWARD || kind == JUMP_BACK || kind == JUMP_BACK_QUIETLY ||
           kind == RETURN_VALUE || kind == RETURN_CONST || kind == RERAISE || kind == RAISE;
}

static void count_handlers(const struct text *t, struct flow *f)
{
    char *table;
    Py_ssize_t n;
    if (!t->handlers || PyBytes_AsStringAndSize(t->handlers, &table, &n) < 0) {
        PyErr_Clear();
        return;
    }
    for (const unsigned char *p = (unsigned char *)table, *end = p + n; p < end;) {
        table_number(&p, end);
        table_number(&p, end);
        count_jump(t, f, 2 * table_number(&p, end), -1);
        table_number(&p, end);
    }
}

static bool flow_open(const struct text *t, struct flow *f)
{
    *f = (struct flow){.first = INT_MAX};
    for (uint32_t i = 0; i < t->size / 2; i++) {
        int line = t->lines[i];
        if (line > 0 && line < f->first)
            f->first = line;
        if (line > f->last)
            f->last = line;
    }
    size_t units = t->size / 2 + 1, lines = f->last ? (size_t)(f->last - f->first) + 1 : 1;
    f->jumps = calloc(3 * units + lines, 1);
    if (!f->jumps || !f->last)
        return false;
    f->entered = f->jumps + units;
    f->falls = f->entered + units;
    f->entries = f->falls + units;
    struct instruction i;
    for (uint32_t at = 0; read_one(t, at, &i); at = i.next)
        if (is_branch(i.kind) || i.kind == JUMP_FORWARD || i.kind == JUMP_BACK ||
            i.kind == JUMP_BACK_QUIETLY)
            count_jump(t, f, target_of(&i), i.line);
    count_handlers(t, f);
    int before = -1;
    bool falls = false;
    for (uint32_t at = 0; read_one(t, at, &i); at = i.next, before = i.line) {
        f->falls[at / 2] = falls;
        falls = !stays(i.kind);
        if (i.line > 0 && (i.line != before || f->entered[i.at / 2] || f->entered[at / 2]))
            f->entries[i.line - f->first] += f->entries[i.line - f->first] < 2;
    }
    return true;
}

/* Is the line to[way] begun only by who takes this way of the branch? Then its own event, which
 * comes once, tells the arc, and the branch's need not stay on. */
static bool is_sure(const struct text *t, const struct flow *f, const struct branch *b, int way)
{
    struct instruction i;
    uint32_t start = way ? b->target : b->next;
    if (b->to[way] <= 0 || start >= t->size || f->jumps[start / 2] + f->falls[start / 2] != 1)
        return false;
    for (uint32_t at = start; read_one(t, at, &i); at = i.next) {
        if (at != start && f->jumps[at / 2])
            return false;
        if (i.line > 0 && i.line != b->from)
            return f->entries[i.line - f->first] == 1;
        if (is_branch(i.kind) || stays(i.kind))
            return false;
    }
    return false;
}

static void find_sure(const struct text *t, struct code *c)
{
    struct flow f;
    bool open = flow_open(t, &f);
    for (uint32_t n = 0; open && n < c->n_branches; n++) {
        struct branch *b = &c->branches[n];
        b->sure = (uint8_t)(is_sure(t, &f, b, 0) | is_sure(t, &f, b, 1) << 1);
    }
    free(f.jumps);
}

void code_read_branches(PyObject *code, struct code *c)
{
    struct text t;
    struct instruction i;
    c->flags |= CODE_BRANCHES_READ;
    if (text_open(code, c, &t) < 0)
        return;
    uint32_t n = 0;
    for (uint32_t at = 0; read_one(&t, at, &i); at = i.next)
        n += is_branch(i.kind);
    c->branches = n ? calloc(n, sizeof(*c->branches)) : NULL;
    for (uint32_t at = 0; c->branches && read_one(&t, at, &i); at = i.next) {
        if (!is_branch(i.kind))
            continue;
        struct branch *b = &c->branches[c->n_branches++];
        *b = (struct branch){.at = i.at, .next = i.next, .target = target_of(&i), .from = i.line};
        if (i.line > 0) {
            b->to[0] = follow(&t, i.line, i.line, b->next);
            b->to[1] = follow(&t, i.line, i.line, b->target);
        }
    }
    if (c->branches)
        find_sure(&t, c);
    text_close(&t);
}

bool code_read_arc(PyObject *code, const struct code *c, uint32_t at, uint32_t to,
                   struct covarena_arc *ret)
{
    static PyObject *last; /* its events come together */
    static struct text t;
    if (code != last) {
        Py_INCREF(code);
        if (last) {
            text_close(&t);
            Py_DECREF(last);
        }
        last = text_open(code, c, &t) < 0 ? NULL : code;
        if (!last)
            Py_DECREF(code);
    }
    if (!last || at >= t.size || t.lines[at / 2] <= 0)
        return false;
    ret->from = t.lines[at / 2];
    ret->to = follow(&t, ret->from, ret->from, to);
    return ret->to != 0;
}

/* ---- arcs without events ---- */

/* The lines of a body; what enters it (RESUME, at 0) has the line of its head. */
struct body {
    int first, last;
    int skip; /* the decorator's line, which enters as well; 0: there is none */
};

static void see_body(void *arg, uint32_t start, uint32_t end, int line)
{
    struct body *b = arg;
    if (end <= 2 || line <= 0 || line == b->skip)
        return;
    if (b->first == 0 || line < b->first)
        b->first = line;
    if (line > b->last)
        b->last = line;
}

/* The line of the first decorator, which is called after the body was made. */
static int head_of(PyObject *child, int line)
{
    long first = code_number(child, "co_firstlineno");
    return first > 0 && first < line ? (int)first : line;
}

/* Is it a def or a class whose body begins in the line of its head? */
static bool is_short(PyObject *child, int line)
{
    struct body b = {.skip = head_of(child, line) < line ? head_of(child, line) : 0};
    char *name = code_text(child, "co_name");
    bool hidden = name && *name == '<' && strncmp(name, "<generic ", 9) != 0;
    free(name);
    if (hidden)
        return false;
    code_lines(child, see_body, &b);
    return b.first == line;
}

/* After a def or a class that is one line with its body, that line has two ways out: into the body
 * and out of it, and to what is next. */
static void find_short(PyObject *consts, const struct text *t, struct code *c)
{
    struct instruction i;
    for (uint32_t at = 0; read_one(t, at, &i); at = i.next) {
        PyObject *o = i.kind == LOAD_CONST && i.arg < (uint32_t)PyTuple_Size(consts)
                          ? PyTuple_GetItem(consts, i.arg)
                          : NULL; /* borrowed */
        if (o && code_is(o) && is_short(o, i.line))
            code_add_step(c, i.line, follow(t, head_of(o, i.line), i.line, i.next), 0);
    }
}

/* The body and the end of an async for: 3.12 and 3.13 have no events for its branch. */
static void find_async_for(const struct text *t, struct code *c)
{
    struct instruction i;
    int line = 0;
    for (uint32_t at = 0; read_one(t, at, &i); at = i.next) {
        if (i.kind == GET_ANEXT)
            line = i.line;
        if (i.kind == END_SEND && line) {
            code_add_step(c, line, follow(t, line, line, i.next), 0);
            line = 0;
        }
        if (i.kind == END_ASYNC_FOR)
            code_add_step(c, i.line, follow(t, i.line, i.line, i.next), i.at);
    }
}

int code_only_line(PyObject *code)
{
    struct body b = {0};
    code_lines(code, see_body, &b);
    return b.first == b.last ? b.first : 0;
}

void code_read_steps(PyObject *code, struct code *c)
{
    PyObject *consts = PyObject_GetAttrString(code, "co_consts");
    Py_ssize_t n = consts ? PyTuple_Size(consts) : 0;
    bool children = false,
         async = python_minor < 14 && code_number(code, "co_flags") & (0x80 | 0x200);
    for (Py_ssize_t i = 0; i < n; i++)
        children |= code_is(PyTuple_GetItem(consts, i));
    struct text t;
    if ((children || async) && text_open(code, c, &t) == 0) {
        if (children)
            find_short(consts, &t, c);
        if (async)
            find_async_for(&t, c);
        text_close(&t);
    }
    Py_XDECREF(consts);
    PyErr_Clear();
}
