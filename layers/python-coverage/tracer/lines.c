/* lines - the tables from instructions to lines, of each version (CPython,
 * Objects/lnotab_notes.txt, Objects/locations.md). */
#include "tracer.h"

struct table {
    const unsigned char *p, *end;
    uint32_t at; /* offset of the instruction, in bytes */
    int line;
    void (*see)(void *arg, uint32_t start, uint32_t end, int line);
    void *arg;
};

/* 3.8, 3.9: bytes to go, lines to go. */
static void read_lnotab(struct table *t, uint32_t size)
{
    for (; t->end - t->p >= 2; t->p += 2) {
        if (t->p[0]) {
            t->see(t->arg, t->at, t->at + t->p[0], t->line);
            t->at += t->p[0];
            if (t->at >= size)
                return;
        }
        t->line += (signed char)t->p[1];
    }
    t->see(t->arg, t->at, size, t->line);
}

/* 3.10: bytes that the run has, lines from the one before; -128: no line. */
static void read_pairs(struct table *t)
{
    for (; t->end - t->p >= 2; t->p += 2) {
        signed char delta = (signed char)t->p[1];
        if (delta != -128)
            t->line += delta;
        if (t->p[0])
            t->see(t->arg, t->at, t->at + t->p[0], delta == -128 ? 0 : t->line);
        t->at += t->p[0];
    }
}

static uint32_t read_number(struct table *t)
{
    uint32_t n = 0;
    for (unsigned shift = 0; t->p < t->end && shift < 32; shift += 6) {
        unsigned char b = *t->p++;
        n |= (uint32_t)(b & 63) << shift;
        if (!(b & 64))
            break;
    }
    return n;
}

static int read_signed(struct table *t)
{
    uint32_t n = read_number(t);
    return n & 1 ? -(int)(n >> 1) : (int)(n >> 1);
}

/* 3.11 and later. */
static void read_locations(struct table *t)
{
    while (t->p < t->end) {
        unsigned char head = *t->p++;
        unsigned kind = head >> 3 & 15;
        uint32_t bytes = 2 * ((head & 7) + 1u);
        if (kind == 13 || kind == 14)
            t->line += read_signed(t);
        else if (kind >= 10 && kind <= 12)
            t->line += (int)kind - 10;
        t->see(t->arg, t->at, t->at + bytes, kind == 15 ? 0 : t->line);
        t->at += bytes;
        while (t->p < t->end && !(*t->p & 128)) /* columns */
            t->p++;
    }
}

void code_lines(PyObject *code, void (*see)(void *arg, uint32_t start, uint32_t end, int line),
                void *arg)
{
    PyObject *o = PyObject_GetAttrString(code, python_minor < 10 ? "co_lnotab" : "co_linetable");
    PyObject *bytes = python_minor < 10 ? PyObject_GetAttrString(code, "co_code") : NULL;
    char *p;
    Py_ssize_t n;
    if (o && PyBytes_AsStringAndSize(o, &p, &n) == 0) {
        struct table t = {.p = (unsigned char *)p,
                          .end = (unsigned char *)p + n,
                          .line = (int)code_number(code, "co_firstlineno"),
                          .see = see,
                          .arg = arg};
        if (python_minor < 10)
            read_lnotab(&t, bytes ? (uint32_t)PyBytes_Size(bytes) : 0);
        else if (python_minor == 10)
            read_pairs(&t);
        else
            read_locations(&t);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(o);
    PyErr_Clear();
}
