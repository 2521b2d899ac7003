/* snapshot - see snapshot.h. */
#include "snapshot.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../arena.h"
#include "base/mem.h"

void snapshot_done(struct snapshot *s)
{
    free(s->bytes);
    *s = (struct snapshot){0};
}

/* Bytes in use, a multiple of 8; or -errno. */
static int64_t used_bytes(int fd, size_t max)
{
    struct covarena_header h;
    struct stat st;
    if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || !covarena_open(&h, SIZE_MAX) ||
        fstat(fd, &st) < 0 || h.cursor < sizeof(h))
        return -EBADMSG;
    uint64_t used = (h.cursor + 7) / 8 * 8;
    if (used > (uint64_t)st.st_size) /* a piece that is being added, or there was no room for it */
        used = (uint64_t)st.st_size / 8 * 8;
    return used > max ? -EFBIG : (int64_t)used;
}

int snapshot_read(struct snapshot *s, int fd, size_t max)
{
    snapshot_done(s);
    int64_t used = used_bytes(fd, max);
    if (used < 0)
        return (int)used;
    s->bytes = mem_alloc((size_t)used);
    while (s->n < (size_t)used) {
        ssize_t n = pread(fd, s->bytes + s->n, (size_t)used - s->n, (off_t)s->n);
        if (n <= 0)
            break;
        s->n += (size_t)n;
    }
    if (s->n == (size_t)used && covarena_open(s->bytes, s->n))
        return 0;
    snapshot_done(s);
    return -EBADMSG;
}

/* ---- taking ---- */

static sigjmp_buf cut_short;

static void on_bus_error(int number)
{
    siglongjmp(cut_short, 1);
}

/* Takes the hits of a file's chunks out of the mapping into the copy. Walks the copy's links, which
 * do not change; chunks that were added since are found the next time. */
static void take_arcs(uint8_t *map, uint8_t *copy, size_t size, uint64_t at)
{
    while (at >= sizeof(struct covarena_header) &&
           covarena_inside(size, at, sizeof(struct covarena_chunk))) {
        struct covarena_chunk *c = (void *)(copy + at);
        const struct covarena_chunk *live = (const void *)(map + at);
        if (c->capacity % 64 ||
            !covarena_inside(size, at + sizeof(*c), c->capacity / 8ull + 8ull * c->capacity))
            return;
        uint64_t *from = (uint64_t *)(map + at + sizeof(*c));
        uint64_t *to = (uint64_t *)(copy + at + sizeof(*c));
        uint64_t *arcs = to + c->capacity / 64, *now = from + c->capacity / 64;
        uint32_t n = __atomic_load_n(&live->used, __ATOMIC_ACQUIRE);
        n = n < c->capacity ? n : c->capacity;
        c->used = n;
        for (uint32_t i = 0; i < n; i += 64) {
            /* Bits of entries beyond n, which are being added, stay. An entry is written before its
             * bit is set: so it is read after that was taken. */
            uint64_t mine = n - i < 64 ? (1ull << (n - i)) - 1 : UINT64_MAX;
            to[i / 64] = __atomic_fetch_and(&from[i / 64], ~mine, __ATOMIC_ACQ_REL) & mine;
        }
        for (uint32_t i = 0; i < n; i++)
            arcs[i] = covarena_word(&now[i]);
        if (c->next >= at)
            return;
        at = c->next;
    }
}

static void take_all(uint8_t *map, uint8_t *copy, size_t size)
{
    struct covarena_files walk = {0};
    struct covarena_file_view f;
    while (covarena_next_file(copy, size, &walk, &f)) {
        uint64_t *from = (uint64_t *)(map + ((uint8_t *)f.lines - copy));
        for (uint32_t i = 0; i < f.n_words; i++)
            f.lines[i] = covarena_take(&from[i]);
        take_arcs(map, copy, size, f.arcs);
    }
    __atomic_fetch_add(&((struct covarena_header *)map)->epoch, 1, __ATOMIC_ACQ_REL);
}

int snapshot_take(struct snapshot *s, int fd, size_t max)
{
    int r = snapshot_read(s, fd, max);
    if (r < 0)
        return r;
    uint8_t *map = mmap(NULL, s->n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    /* A function that cuts the file short makes the mapping's pages vanish. */
    struct sigaction bus = {.sa_handler = on_bus_error}, before;
    sigaction(SIGBUS, &bus, &before);
    if (sigsetjmp(cut_short, 1))
        r = -EBADMSG;
    else
        take_all(map, s->bytes, s->n);
    sigaction(SIGBUS, &before, NULL);
    munmap(map, s->n);
    return r;
}

/* ---- entering ---- */

struct arc_list {
    struct object_arc *p;
    size_t n, cap;
};

static void collect_arcs(uint8_t *bytes, size_t size, const struct covarena_file_view *f,
                         struct arc_list *list)
{
    struct covarena_arcs walk = {0};
    struct covarena_arc arc;
    list->n = 0;
    /* No more than the bytes can hold, whatever the links say. */
    while (list->n < size / sizeof(arc) && covarena_next_arc(bytes, size, f, &walk, false, &arc)) {
        if (list->n == list->cap) {
            list->cap = list->cap ? 2 * list->cap : 64;
            list->p = mem_realloc(list->p, list->cap * sizeof(*list->p));
        }
        list->p[list->n++] = (struct object_arc){arc.from, arc.to};
    }
}

void snapshot_enter(const struct snapshot *s, struct ledger *l, bool all,
                    struct ledger_counts *counts)
{
    struct covarena_files walk = {0};
    struct covarena_file_view f;
    struct arc_list arcs = {0};
    size_t seen = 0;
    while (covarena_next_file(s->bytes, s->n, &walk, &f)) {
        seen += sizeof(struct covarena_file) + 16ull * f.n_words + f.path_bytes;
        if (seen > s->n) /* records lie in each other: nobody has written them so */
            break;
        if (!f.path_bytes || memchr(f.path, 0, f.path_bytes))
            continue;
        struct ledger_file *file = ledger_file(l, str_of(f.path, f.path_bytes));
        if (!file)
            continue;
        collect_arcs(s->bytes, s->n, &f, &arcs);
        ledger_enter(l, file, (struct bits){(const uint8_t *)f.raw_lines, 8ull * f.n_words},
                     (struct bits){(const uint8_t *)f.lines, 8ull * f.n_words}, arcs.p, arcs.n, all,
                     counts);
    }
    free(arcs.p);
}
