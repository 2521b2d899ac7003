/* arena - the file in which a running function's hits are, shared by who counts and who reads.
 *
 * One file a runtime process, DIR/arena-PID-NANOSECONDS(hex). The tracer maps it MAP_SHARED and
 * sets bits in it while the program runs; forks of the process set bits in the same pages. Nothing
 * is saved at the end, so nothing is lost by a kill. A reader (the shipper, a test) maps the file
 * and looks at any moment. A name that begins with a dot is not ready yet.
 *
 * Everything is little endian and found by its offset from the start of the file, a multiple of 8.
 * Offsets are handed out by `cursor`, in order, and a list begins with its newest member: walking
 * along `next` the offsets fall, which is how a reader knows that a walk ends. Memory that has been
 * handed out is zero until written, and published by one atomic store when it is complete.
 *
 *   header  --first_file-->  file  --next-->  file ... 0
 *                             |--arcs-->  chunk --next--> chunk ... 0
 *
 * The same path may have several records (forks that came upon it at the same moment, a module
 * that was reloaded longer than before), and an arc several entries: their union is the truth.
 *
 * Bitmaps are arrays of u64, bit n%64 of word n/64, which on these machines is bit n%8 of byte n/8:
 * coverage.py's numbits. An arc is from a line to a line; from < 0 enters the code object whose
 * first line is -from, to < 0 leaves the one whose first line is -to. With the mechanism
 * `monitoring` only arcs of branches, and those that leave, are there: for a line with one possible
 * arc its bit tells the arc.
 *
 * Contexts: with COVARENA_CONTEXTS a reader that has the file open for writing may take hits
 * (covarena_take) between two invocations; then it adds one to `epoch`, and the tracer, at the next
 * call of the handler, sees to it that what is executed again is set again.
 *
 * Held invocations: a shipper that can be sure that the runtime is one whose client the tracer
 * knows listens at an abstract UNIX socket (SOCK_SEQPACKET, COVARENA_SOCKET with device and inode
 * of DIR) and is woken by nothing else. Before it lets the runtime ask for another event the tracer
 * connects when there is news, sends a struct covarena_ask, and waits for the struct
 * covarena_answer: the environment is not frozen before that. The connection's end is an answer,
 * too. One that does not come is waited for until shortly before the invocation's deadline, at most
 * for COVERAGE_UPLOAD_TIMEOUT and two seconds, and then not asked for ten times as long.
 *
 * Readers: the functions below survive any bytes, also such as change at that moment. Needs libc
 * only, a compiler with __atomic builtins, and a little endian machine. */
#ifndef LAYERS_PYTHON_COVERAGE_ARENA_H
#define LAYERS_PYTHON_COVERAGE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COVARENA_MAGIC "LAMARENA"
#define COVARENA_VERSION 1
#define COVARENA_LINES_MAX (1u << 24) /* of one file; code beyond is not counted */
#define COVARENA_PATH_MAX 4096

enum covarena_flags {
    COVARENA_BRANCH = 1,     /* arcs are counted, not only lines */
    COVARENA_MONITORING = 2, /* sys.monitoring (3.12 and later) */
    COVARENA_SETTRACE = 4,   /* PyEval_SetTrace (3.8 to 3.11) */
    COVARENA_CONTEXTS = 8,   /* hits may be taken: see above */
    COVARENA_DONE = 16,      /* a byte goes into DIR/done after each invocation. Without this flag
                                nobody writes there: a reader must not wait for it */
    COVARENA_READY = 64,     /* the first event was asked for: initialisation is over */
    COVARENA_STOPPED = 32,   /* nothing more is counted: stop() was called, or see `error` */
    COVARENA_REQUEST = 128,  /* a struct covarena_request stands behind the header */
    COVARENA_BUSY = 256,     /* that invocation goes on */
};

struct covarena_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t size;       /* bytes that the file has, and may be handed out */
    uint64_t cursor;     /* the next free byte */
    uint64_t news;       /* counts bits and arcs that were set when they were not */
    uint64_t first_file; /* the newest file record; 0: none */
    uint64_t lost;       /* hits for which there was no room */
    uint64_t epoch;      /* see Contexts */
    uint64_t done;       /* invocations that have returned; a byte in DIR/done for each */
    uint32_t flags;      /* enum covarena_flags; may change */
    uint32_t python;     /* PY_VERSION_HEX */
    uint32_t pid;
    uint32_t reserved;
    uint64_t started_ms; /* Unix time */
    char error[256];     /* why nothing is counted any more; text, NUL at its end; "" = fine */
    char note[256];      /* what is not in here, and why; the same */
};

/* The invocation that goes on, or was the last. */
struct covarena_request {
    uint64_t began_ms, deadline_ms; /* Unix time; 0: not known */
    char id[64];                    /* text, NUL at its end; "": none yet */
};

enum covarena_file_flags {
    COVARENA_RAW_WHOLE = 1, /* raw_lines are those of the module, not of some functions of it */
};

struct covarena_file {
    uint64_t next;
    uint32_t bytes; /* of this record with path and bitmaps */
    uint32_t flags;
    uint32_t path_bytes;
    uint32_t n_words; /* of each bitmap */
    uint64_t arcs;    /* the newest chunk; 0: none */
    /* u64 lines[n_words]: executed.  u64 raw_lines[n_words]: those for which there is code.
     * char path[path_bytes], then at least one 0. */
};

struct covarena_arc {
    int32_t from, to; /* both 0: not written yet */
};

struct covarena_chunk {
    uint64_t next;
    uint32_t capacity; /* a multiple of 64 */
    uint32_t used;     /* may pass capacity */
    /* u64 hit[capacity / 64]: one bit an entry, set when the arc was taken.
     * struct covarena_arc arcs[capacity], each written by one atomic store of 8 bytes. */
};

/* ---- held invocations ---- */

#define COVARENA_SOCKET "lamina-coverage-%llx-%llx"

enum covarena_asked {
    COVARENA_INITIALISED = 1, /* what was hit so far was hit by the initialisation */
    COVARENA_RETURNED = 2,    /* an invocation has ended, its response is out */
};

struct covarena_ask {
    uint32_t version; /* COVARENA_VERSION */
    uint32_t what;    /* enum covarena_asked */
};

#define COVARENA_ON_NEWS UINT32_MAX

struct covarena_answer {
    uint32_t again_ms; /* when to ask again without news: from now on, 0 = after each invocation */
    uint32_t never;    /* 1: not even with news */
};

/* ---- reading ---- */

/* What a reader knows of a file record; the pointers go into the mapping. */
struct covarena_file_view {
    const char *path; /* not NUL-terminated; any bytes */
    uint32_t path_bytes;
    uint32_t flags;
    uint32_t n_words;
    uint64_t *lines, *raw_lines; /* read by covarena_word() or covarena_take() */
    uint64_t arcs;               /* for struct covarena_arcs */
};

/* A walk; begin with zeroes. */
struct covarena_files {
    bool started;
    uint64_t at;
};

struct covarena_arcs {
    bool started;
    uint64_t at;
    uint32_t i;
};

static inline uint64_t covarena_word(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* The bits of a word, which are 0 from then on: of mappings that may be written. */
static inline uint64_t covarena_take(uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED) ? __atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL)
                                                   : 0;
}

/* `n` bytes at `at`, inside a mapping of `size` bytes and on a boundary of 8? */
static inline bool covarena_inside(size_t size, uint64_t at, uint64_t n)
{
    return at % 8 == 0 && at <= size && n <= size - at;
}

/* The header if these bytes are an arena of this version, else NULL. `base` as mmap gives it. Only
 * magic, version and header_bytes are looked at; flags and counters are read with __atomic_load_n,
 * texts with covarena_text(). */
static inline struct covarena_header *covarena_open(void *base, size_t size)
{
    struct covarena_header *h = (struct covarena_header *)base;
    if (size < sizeof(*h) || memcmp(h->magic, COVARENA_MAGIC, 8) != 0 ||
        h->version != COVARENA_VERSION || h->header_bytes < sizeof(*h) || h->header_bytes > size)
        return NULL;
    return h;
}

/* A text of the header, copied: it may change while it is read. */
static inline void covarena_text(char to[256], const char *from)
{
    memcpy(to, from, 255);
    to[255] = 0;
}

/* The next file record of a walk in `ret`, or false at the end (or at what is no record). */
static inline bool covarena_next_file(void *base, size_t size, struct covarena_files *walk,
                                      struct covarena_file_view *ret)
{
    char *p = (char *)base;
    uint64_t before = walk->started ? walk->at : UINT64_MAX;
    if (!walk->started)
        walk->at = __atomic_load_n(&((struct covarena_header *)base)->first_file, __ATOMIC_ACQUIRE);
    else if (walk->at)
        walk->at =
            __atomic_load_n(&((struct covarena_file *)(p + walk->at))->next, __ATOMIC_ACQUIRE);
    walk->started = true;
    uint64_t at = walk->at;
    walk->at = 0;
    if (!at || at >= before || at < sizeof(struct covarena_header) ||
        !covarena_inside(size, at, sizeof(struct covarena_file)))
        return false;
    struct covarena_file f = *(volatile struct covarena_file *)(p + at);
    if (f.n_words > COVARENA_LINES_MAX / 64 || f.path_bytes > COVARENA_PATH_MAX ||
        !covarena_inside(size, at, sizeof(f) + 16ull * f.n_words + f.path_bytes))
        return false;
    walk->at = at;
    ret->flags = f.flags;
    ret->n_words = f.n_words;
    ret->path_bytes = f.path_bytes;
    ret->lines = (uint64_t *)(p + at + sizeof(f));
    ret->raw_lines = ret->lines + f.n_words;
    ret->path = (char *)(ret->raw_lines + f.n_words);
    ret->arcs = f.arcs;
    return true;
}

/* The next arc of a file that was taken, or false at the end. `take`: its bit is 0 afterwards. */
static inline bool covarena_next_arc(void *base, size_t size, const struct covarena_file_view *file,
                                     struct covarena_arcs *walk, bool take,
                                     struct covarena_arc *ret)
{
    char *p = (char *)base;
    if (!walk->started) {
        walk->started = true;
        walk->at = file->arcs;
    }
    while (walk->at >= sizeof(struct covarena_header) &&
           covarena_inside(size, walk->at, sizeof(struct covarena_chunk))) {
        struct covarena_chunk c = *(volatile struct covarena_chunk *)(p + walk->at);
        if (c.capacity % 64 ||
            !covarena_inside(size, walk->at + sizeof(c), c.capacity / 8ull + 8ull * c.capacity))
            break;
        uint64_t *hit = (uint64_t *)(p + walk->at + sizeof(c));
        uint64_t *arcs = hit + c.capacity / 64;
        for (uint32_t n = c.used < c.capacity ? c.used : c.capacity; walk->i < n;) {
            uint32_t i = walk->i++;
            uint64_t bit = 1ull << i % 64, value = covarena_word(&arcs[i]);
            if (!value || !(covarena_word(&hit[i / 64]) & bit))
                continue;
            if (take && !(__atomic_fetch_and(&hit[i / 64], ~bit, __ATOMIC_ACQ_REL) & bit))
                continue;
            memcpy(ret, &value, sizeof(*ret));
            return true;
        }
        walk->i = 0;
        if (c.next >= walk->at)
            break;
        walk->at = c.next;
    }
    walk->at = 0;
    return false;
}

#endif
