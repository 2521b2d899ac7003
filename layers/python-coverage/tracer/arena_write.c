/* arena_write - making the arena, and setting what is new in it (arena.h has the layout). */
#include "tracer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROOM (64u << 20)       /* of addresses: more than a million lines */
#define FIRST_SIZE (64u << 10) /* of the file */
#define GROW_MAX (1u << 20)
#define CHUNK_ARCS 64

struct covarena_header *arena;
struct covarena_request *arena_request;
char arena_path[512];
struct hits *arena_files;
static dev_t device;
static ino_t inode;

/* fstat() and stat() of new C libraries have names that old ones don't. */
static int file_status(int fd, struct stat *ret)
{
    return syscall(SYS_fstat, fd, ret) < 0 ? -errno : 0;
}

/* Signals of the program's own interrupt it: again then, but not for ever. */
static int allocate(int fd, uint64_t from, uint64_t n)
{
    int r = EINTR;
    for (int i = 0; i < 1000 && r == EINTR; i++)
        r = posix_fallocate(fd, (off_t)from, (off_t)n);
    return -r;
}

static int make_file(const char *dir, const char *name, int *ret_fd)
{
    char hidden[sizeof(arena_path)];
    if ((size_t)snprintf(hidden, sizeof(hidden), "%s/.%s", dir, name) >= sizeof(hidden))
        return -ENAMETOOLONG;
    int fd = open(hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = allocate(fd, 0, FIRST_SIZE);
    if (r < 0) {
        unlink(hidden);
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static void write_header(struct covarena_header *h, uint32_t flags)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(h->magic, COVARENA_MAGIC, 8);
    h->version = COVARENA_VERSION;
    h->header_bytes = sizeof(*h) + sizeof(struct covarena_request);
    h->size = FIRST_SIZE;
    h->cursor = h->header_bytes;
    h->flags = flags | COVARENA_REQUEST;
    h->python = (uint32_t)python_minor << 16 | 0x03000000;
    h->pid = (uint32_t)getpid();
    h->started_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int arena_create(const char *dir, uint32_t flags)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return -errno;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char name[64], hidden[sizeof(arena_path)];
    snprintf(name, sizeof(name), "arena-%d-%llx", (int)getpid(),
             (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec);
    int fd = -1;
    int r = make_file(dir, name, &fd);
    if (r < 0)
        return r;
    snprintf(hidden, sizeof(hidden), "%s/.%s", dir, name);
    snprintf(arena_path, sizeof(arena_path), "%.400s/%s", dir, name);
    struct stat st;
    char *base = MAP_FAILED;
    if ((r = file_status(fd, &st)) == 0) {
        base = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        r = base == MAP_FAILED ? -errno : 0;
    }
    if (r == 0) {
        write_header((struct covarena_header *)base, flags);
        if (rename(hidden, arena_path) < 0)
            r = -errno;
    }
    close(fd); /* growing opens it again: a program may close, or reuse, any descriptor */
    if (r < 0) {
        if (base != MAP_FAILED)
            munmap(base, ROOM);
        unlink(hidden);
        return r;
    }
    device = st.st_dev;
    inode = st.st_ino;
    arena = (struct covarena_header *)base;
    arena_request = (struct covarena_request *)(arena + 1);
    guard_begin(base, ROOM);
    hold_prepare(dir);
    arena_files = NULL; /* of an arena before this one: still used by code objects */
    return 0;
}

/* The file gets bytes up to `wanted`, before anybody touches them. */
static int grow(uint64_t wanted)
{
    uint64_t size = __atomic_load_n(&arena->size, __ATOMIC_ACQUIRE), more = size;
    if (wanted <= size)
        return 0;
    more = more < GROW_MAX ? more : GROW_MAX;
    uint64_t target = size + more > wanted ? size + more : (wanted + 4095) & ~4095ull;
    if (target > ROOM)
        return -ENOSPC;
    int fd = open(arena_path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    int r = file_status(fd, &st);
    if (r == 0 && (st.st_dev != device || st.st_ino != inode))
        r = -ESTALE;
    if (r == 0)
        r = allocate(fd, size, target - size);
    close(fd);
    if (r < 0)
        return r;
    while (size < target && !__atomic_compare_exchange_n(&arena->size, &size, target, false,
                                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    return 0;
}

/* What is in the file is anybody's: addresses are made only of what can be right. */
static bool is_place(uint64_t at, size_t n)
{
    return at % 8 == 0 && at >= sizeof(*arena) && at <= ROOM && n <= ROOM - at;
}

/* `n` zeroed bytes of the arena; 0: there is no room, and counting has ended. */
static uint64_t take(size_t n)
{
    n = (n + 7) & ~(size_t)7;
    uint64_t at = __atomic_load_n(&arena->cursor, __ATOMIC_RELAXED);
    if (tracer_cut())
        return 0;
    do {
        int r = !is_place(at, 0) ? -EBADMSG : n > ROOM - at ? -ENOSPC : grow(at + n);
        if (r < 0) {
            __atomic_fetch_add(&arena->lost, 1, __ATOMIC_RELAXED);
            if (!tracer_cut())
                tracer_fail("%s cannot grow: %s", arena_path,
                            r == -EBADMSG ? "the program has written into it" : strerror(-r));
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&arena->cursor, &at, at + n, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return at;
}

/* In front of a list. Offsets in a list fall: a neighbour that was quicker with a later place makes
 * this one take a new place. */
static bool push(uint64_t *list, uint64_t at, uint64_t *next)
{
    uint64_t first = __atomic_load_n(list, __ATOMIC_ACQUIRE);
    do {
        if (first > at)
            return false;
        *next = first;
    } while (
        !__atomic_compare_exchange_n(list, &first, at, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return true;
}

static struct covarena_file *new_record(const char *path, uint32_t n_words)
{
    size_t n = strlen(path);
    struct covarena_file *f;
    uint64_t at;
    do {
        at = take(sizeof(*f) + 16ull * n_words + n + 1);
        if (!at)
            return NULL;
        f = (struct covarena_file *)((char *)arena + at);
        f->bytes = (uint32_t)(sizeof(*f) + 16ull * n_words + n + 1);
        f->path_bytes = (uint32_t)n;
        f->n_words = n_words;
        memcpy((char *)(f + 1) + 16ull * n_words, path, n);
    } while (!push(&arena->first_file, at, &f->next));
    return f;
}

struct hits *arena_file(const char *path, uint32_t last)
{
    for (struct hits *h = arena_files; h; h = h->next)
        if (last < h->n_lines && strcmp(h->path, path) == 0)
            return h;
    if (last >= COVARENA_LINES_MAX || strlen(path) > COVARENA_PATH_MAX)
        return NULL;
    struct hits *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    uint32_t n_words = last / 64 + 1;
    h->record = new_record(path, n_words);
    if (!h->record) {
        free(h);
        return NULL;
    }
    h->lines = (uint64_t *)(h->record + 1);
    h->n_lines = n_words * 64;
    h->path = (char *)(h->lines + 2ull * n_words);
    h->next = arena_files;
    arena_files = h;
    return h;
}

/* A place for one more arc, from its newest chunk or a new one. */
static uint64_t *new_arc(struct hits *h, uint64_t value, uint8_t *ret_bit)
{
    for (;;) {
        uint64_t at = __atomic_load_n(&h->record->arcs, __ATOMIC_ACQUIRE);
        if (at && !is_place(at, sizeof(struct covarena_chunk) + CHUNK_ARCS / 8 + 8 * CHUNK_ARCS))
            return NULL;
        struct covarena_chunk *c = (struct covarena_chunk *)((char *)arena + at);
        uint32_t i = at ? __atomic_fetch_add(&c->used, 1, __ATOMIC_ACQ_REL) : 0;
        if (at && i < CHUNK_ARCS && c->capacity == CHUNK_ARCS) {
            uint64_t *hit = (uint64_t *)(c + 1);
            __atomic_store_n(&hit[CHUNK_ARCS / 64 + i], value, __ATOMIC_RELEASE);
            *ret_bit = (uint8_t)(i % 64);
            return &hit[i / 64];
        }
        at = take(sizeof(*c) + CHUNK_ARCS / 8 + 8 * CHUNK_ARCS);
        if (!at)
            return NULL;
        c = (struct covarena_chunk *)((char *)arena + at);
        c->capacity = CHUNK_ARCS;
        push(&h->record->arcs, at, &c->next); /* if not, a neighbour's is there */
    }
}

static uint32_t slot_of(const struct hits *h, uint64_t key)
{
    uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (h->n_slots - 1);
    while (h->keys[i] && h->keys[i] != key)
        i = (i + 1) & (h->n_slots - 1);
    return i;
}

static bool more_slots(struct hits *h)
{
    struct hits old = *h;
    h->n_slots = old.n_slots ? old.n_slots * 2 : 64;
    h->keys = calloc(h->n_slots, sizeof(*h->keys));
    h->words = calloc(h->n_slots, sizeof(*h->words));
    h->bits = calloc(h->n_slots, 1);
    if (!h->keys || !h->words || !h->bits) {
        free(h->keys);
        free(h->words);
        free(h->bits);
        *h = old;
        return false;
    }
    for (uint32_t i = 0; i < old.n_slots; i++) {
        if (!old.keys[i])
            continue;
        uint32_t to = slot_of(h, old.keys[i]);
        h->keys[to] = old.keys[i];
        h->words[to] = old.words[i];
        h->bits[to] = old.bits[i];
    }
    free(old.keys);
    free(old.words);
    free(old.bits);
    return true;
}

uint64_t *arena_arc(struct hits *h, int32_t from, int32_t to, uint8_t *ret_bit)
{
    struct covarena_arc arc = {from, to};
    uint64_t key;
    memcpy(&key, &arc, sizeof(key));
    if (!key || (h->n_keys >= h->n_slots / 4 * 3 && !more_slots(h)))
        return NULL;
    uint32_t i = slot_of(h, key);
    if (!h->keys[i]) {
        uint8_t bit;
        uint64_t *word = new_arc(h, key, &bit);
        if (!word)
            return NULL;
        h->keys[i] = key;
        h->words[i] = word;
        h->bits[i] = bit;
        h->n_keys++;
    }
    arena_set(h->words[i], h->bits[i]);
    *ret_bit = h->bits[i];
    return h->words[i];
}
