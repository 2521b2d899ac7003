/* tracer - what the files of the CPython extension share.
 *
 * It lives in the user's process: nothing here may abort, print more than a line, or leave an
 * exception behind. What goes wrong turns counting off, by tracer_fail(). All of it runs with the
 * GIL held; forked children and other processes only meet in the arena. One object file serves
 * every CPython from 3.8 on: the limited API, and names declared here that every one, or some,
 * export (weak: tested before use). */
#ifndef TRACER_H
#define TRACER_H

#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "../arena.h"

#define TRACER_TEXT_MAX 1024

/* ---- interpreter functions outside of the limited API ---- */

typedef int (*tracer_c_function)(PyObject *self, PyObject *frame, int what, PyObject *arg);
#define MAYBE __attribute__((weak))
extern PyTypeObject PyFrame_Type;
extern void PyEval_SetTrace(tracer_c_function function, PyObject *self);
extern int PyCode_Addr2Line(PyObject *code, int offset);
extern PyObject *PyMethod_New(PyObject *function, PyObject *self);
extern MAYBE void *PyInterpreterState_Get(void);  /* 3.9 and later */
extern MAYBE void *_PyInterpreterState_Get(void); /* 3.8 */
extern MAYBE Py_ssize_t _PyEval_RequestCodeExtraIndex(void (*free)(void *));
extern MAYBE int _PyCode_GetExtra(PyObject *code, Py_ssize_t index, void **ret);
extern MAYBE int _PyCode_SetExtra(PyObject *code, Py_ssize_t index, void *value);
extern MAYBE Py_ssize_t PyUnstable_Eval_RequestCodeExtraIndex(void (*free)(void *));
extern MAYBE int PyUnstable_Code_GetExtra(PyObject *code, Py_ssize_t index, void **ret);
extern MAYBE int PyUnstable_Code_SetExtra(PyObject *code, Py_ssize_t index, void *value);

#pragma GCC visibility push(hidden) /* found without a look into tables */

/* ---- arena_write.c ---- */

/* A file's record in the arena, and what this process knows of its arcs. */
struct hits {
    struct covarena_file *record;
    uint64_t *lines;
    uint32_t n_lines; /* lines 1 .. n_lines - 1 have a bit */
    struct hits *next;
    const char *path; /* in the arena */
    uint64_t *keys;   /* of arcs: a hash table, open addressing, 0 = free */
    uint64_t **words; /* the same places: the word with the arc's bit */
    uint8_t *bits;
    uint32_t n_keys, n_slots;
};

extern struct covarena_header *arena;          /* NULL: none */
extern struct covarena_request *arena_request; /* behind it */
extern char arena_path[512];

/* 0 or -errno. `dir` exists or is made (0700). */
int arena_create(const char *dir, uint32_t flags);
/* The record of `path` with room for the line `last`: the known one, or a new one. NULL: no room.
 */
struct hits *arena_file(const char *path, uint32_t last);
/* Marks an arc. Returns where its bit is (NULL: no room), which the caller may keep. */
uint64_t *arena_arc(struct hits *h, int32_t from, int32_t to, uint8_t *ret_bit);
/* All that the process knows; for status(). */
extern struct hits *arena_files;

/* A bit of the arena; the first time it is news. */
static inline void arena_set(uint64_t *word, unsigned bit)
{
    uint64_t mask = 1ull << bit;
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & mask) &&
        !(__atomic_fetch_or(word, mask, __ATOMIC_RELEASE) & mask))
        __atomic_fetch_add(&arena->news, 1, __ATOMIC_RELEASE);
}

static inline void arena_line(struct hits *h, uint32_t line)
{
    if (line < h->n_lines)
        arena_set(&h->lines[line / 64], line % 64);
}

static inline bool arena_has_line(const struct hits *h, uint32_t line)
{
    return line < h->n_lines && h->lines[line / 64] >> line % 64 & 1;
}

/* ---- guard.c ---- */

/* From now on a SIGBUS in these bytes is not the program's end. */
void guard_begin(void *base, size_t n);
bool tracer_cut(void); /* Was the file cut short? Then counting is off, and that was said. */

/* ---- options.c, log.c ---- */

struct tracer_options {
    char *dir;       /* LAMINA_COVERAGE_DIR */
    char *task_root; /* LAMBDA_TASK_ROOT; without a slash at its end */
    char *include;   /* comma separated; NULL: all below task_root but what others have written */
    char *exclude;
    char *handler; /* _HANDLER */
    bool enabled, branch, debug, contexts;
    bool children; /* Pythons that the program starts are counted too */
    int log_level; /* 10 debug .. 50 critical, as Python's */
    double sample_rate;
};

extern struct tracer_options options;
/* From the environment, then from `dict` (keys as the members above; may be NULL). */
void options_read(PyObject *dict);

/* One JSON line to stderr, when the level lets it. */
void log_line(int level, const char *operation, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- pattern.c, select.c ---- */

/* coverage.py's globs, of the whole path. -EINVAL of pattern_check: none of them. */
int pattern_check(const char *pattern, size_t n);
bool pattern_matches(const char *pattern, size_t n, const char *path);

void select_begin(void);
/* Whether a file is counted; `path` is absolute. */
bool select_path(const char *path);

/* ---- code.c ---- */

enum watch { WATCH_NONE, WATCH_CLIENT, WATCH_THREADING };

/* What is known of a code object: its co_extra. */
struct code {
    struct hits *hits; /* NULL: not counted */
    int32_t first_line;
    uint32_t flags;   /* enum code_flags */
    uint64_t epoch;   /* at which `places`, or `seen` of branches, was right */
    uint16_t *places; /* settrace: arcs that are set in the arena; by line */
    uint32_t span;    /* lines that `places` has, from first_line on */
    uint32_t n_branches;
    struct branch *branches; /* monitoring: by offset; NULL until the first one */
    struct step *steps;      /* monitoring: arcs without an event of their own */
    uint32_t n_steps;
    enum watch run; /* what else is to be done when a module was executed */
};

enum code_flags {
    CODE_GENERATOR = 1, /* of any kind: its frames are left and entered again */
    CODE_MODULE = 2,
    CODE_BRANCHES_READ = 4,
    CODE_SPAN_KNOWN = 8,
};

/* A conditional jump: arcs[0] when it is not taken, arcs[1] when it is. */
struct branch {
    uint32_t target;
    uint32_t at, next;   /* offsets of it and of the instruction behind, in bytes */
    int32_t from, to[2]; /* to 0: stays in the line */
    uint8_t seen;        /* bit n: arc n */
    uint8_t sure;        /* bit n: who reaches line to[n] has taken arc n */
    uint8_t bits[2];
    uint64_t *words[2];
};

/* from -> to is taken when `to` is reached (event LINE) after `from` was; with `at`, when the
 * instruction at that offset handles an exception. */
struct step {
    int32_t from, to;
    uint32_t at;
};

extern Py_ssize_t code_index;
int code_begin(void);
int code_get(PyObject *code, struct code **ret); /* *ret NULL: not seen yet */
extern int code_extra_at; /* where co_extra is in a code object; 0: not known */

static inline void *pointer_at(const void *p, int offset)
{
    return *(void *const *)((const char *)p + offset);
}

/* code_get() without a call: struct { Py_ssize_t n; void *extras[n]; } *co_extra. NULL: not seen.
 */
static inline struct code *code_known(PyObject *code)
{
    if (code_extra_at) {
        void *const *extra = pointer_at(code, code_extra_at);
        return extra && (Py_ssize_t)extra[0] > code_index ? extra[1 + code_index] : NULL;
    }
    struct code *c;
    return code_get(code, &c) < 0 ? NULL : c;
}
/* Looks at a code object for the first time: whose file, is it counted, its raw lines. The frame
 * that is executed must be one of it. NULL: no memory. */
struct code *code_look(PyObject *code);
/* How many lines the code object reaches over, from its first one on. */
uint32_t code_span(PyObject *code, int32_t first_line);
void code_read_branches(PyObject *code, struct code *c);
/* The arc of a jump from `at` to `to`, when it leaves the line. */
bool code_read_arc(PyObject *code, const struct code *c, uint32_t at, uint32_t to,
                   struct covarena_arc *ret);
/* The line of a body of one line; 0: it has more. */
int code_only_line(PyObject *code);
void code_add_step(struct code *c, int32_t from, int32_t to, uint32_t at);
void code_read_steps(PyObject *code, struct code *c);
/* Calls `see` for each run of instructions: [start, end) in bytes, line 0 for none. */
void code_lines(PyObject *code, void (*see)(void *arg, uint32_t start, uint32_t end, int line),
                void *arg);
long code_number(PyObject *o, const char *name); /* an attribute; -1 */
char *code_text(PyObject *o, const char *name);  /* a str, to be freed; NULL */
bool code_is(PyObject *o);

/* ---- monitor.c, settrace.c: the two mechanisms ---- */

int monitor_start(void);
void monitor_stop(void);
extern uint64_t tracer_epoch; /* counts the times that hits were taken */
void monitor_again(void);     /* all events once more: hits were taken */
int monitor_prepare(void);    /* numbers of instructions */

int settrace_start(void);
void settrace_stop(void);
void settrace_watch_threads(PyObject *threading);

/* ---- watch.c: moments of the runtime ---- */

enum watch watch_kind(const char *file); /* of a module's file */
/* A module that is watched has been executed, or was before. */
void watch_ready(enum watch kind);
void watch_loaded(void);
int watch_begin(void);

/* ---- hold.c: what the shipper does between two invocations ---- */

void hold_prepare(const char *dir); /* the arena's */
/* The initialisation is over: says so to the shipper, if there is one that wants to be asked. */
void hold_begin(void);
bool hold_is_on(void); /* There is one. */
/* Would hold_wait() have something to tell? Costs a stat. */
bool hold_is_due(void);
/* Until the shipper has what is news, or says that it has not, or the deadline. Without the GIL. */
void hold_wait(void);

/* ---- module.c ---- */

extern bool tracer_on;
/* Puts this module's folder into PYTHONPATH for the processes that the program starts. */
void tracer_tell_children(void);
/* What is executed from now on is set again, where it was taken. */
void tracer_again(void);
/* Counting ends, with a line in the log and in the arena. */
void tracer_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tracer_note(const char *text);

/* Offsets within objects whose layout no release of a minor version has changed, 3.8 to 3.11. */
extern int python_minor;

#pragma GCC visibility pop

#endif
