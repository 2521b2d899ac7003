/* pristine - see pristine.h. */
#include "pristine.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)
#define PAGE_IS_OWN (UINT64_C(1) << 56)

#define AREAS_MAX 64
#define PAGES_MAX 16384 /* 64 MiB */
#define TEXT_MAX (1 << 20)
#define GAP_MAX 16        /* pages never used: fewer of them do not divide an area */
#define OWN_PAGES 4       /* the thread's, before errno and behind what the C library has of it */
#define CHUNK_IS_MAPPED 2 /* of glibc's malloc: the chunk is a mapping of its own */

struct area {
    uintptr_t start, end;
    size_t offset; /* in the file */
};

/* Statics may lie in what is replaced: what is written after it has been copied is here. */
static struct known {
    size_t n, size; /* of the file */
    struct area areas[AREAS_MAX];
    const char *file; /* all of it, as it is; NULL: not any more */
    ino_t inode;
    unsigned major, minor;
    uint8_t hot[PAGES_MAX / 8]; /* what the scout has given back, and needed again */
} * known;

/* The same while pages are compared. */
struct work {
    char text[TEXT_MAX];
    uint64_t pages[PAGES_MAX];
};

/* Shared with the scout. */
static struct watch {
    bool given[PAGES_MAX], again[PAGES_MAX];
} * watch;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map_new(size_t size, int how)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_DONTDUMP); /* makes it an area of its own in maps */
    return p;
}

/* self/maps or self/smaps as text. */
static bool read_maps(int proc, const char *name, struct work *w)
{
    int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t n = -1;
    while (fd >= 0 && have < TEXT_MAX - 1 &&
           (n = read(fd, w->text + have, TEXT_MAX - 1 - have)) > 0)
        have += (size_t)n;
    if (fd >= 0)
        close(fd);
    w->text[have] = '\0';
    return n == 0;
}

static bool read_pages(int pagemap, struct work *w, uintptr_t start, size_t n)
{
    size_t size = n * sizeof(w->pages[0]);
    return n <= PAGES_MAX &&
           pread(pagemap, w->pages, size, (off_t)(start / page_size() * sizeof(w->pages[0]))) ==
               (ssize_t)size;
}

/* ---- in the zygote ---- */

static void add(uintptr_t start, uintptr_t end)
{
    struct area *last = known->n ? &known->areas[known->n - 1] : NULL;
    if (start >= end || known->size + (end - start) > PAGES_MAX * page_size())
        return;
    if (last && last->end == start) {
        last->end = end;
    } else if (known->n < AREAS_MAX) {
        known->areas[known->n++] = (struct area){start, end, known->size};
    } else {
        return;
    }
    known->size += end - start;
}

/* The size of a mapping of malloc()'s own that begins here: mremap() may make it larger than the
 * file. 0: none does. */
static size_t own_mapping(uintptr_t here, uintptr_t end)
{
    size_t size = ((const size_t *)here)[1];
    if ((size & (page_size() - 1)) != CHUNK_IS_MAPPED)
        return 0;
    size -= CHUNK_IS_MAPPED;
    return size && size <= end - here ? size : 0;
}

/* Memory without a file: what has been used of it, with as few gaps as possible. */
static void add_used(int pagemap, struct work *w, uintptr_t start, uintptr_t end, bool is_heap)
{
    const size_t size = page_size();
    uintptr_t from = 0, to = 0;
    if (!read_pages(pagemap, w, start, (end - start) / size))
        return;
    for (uintptr_t here = start; here < end; here += size) {
        if (!(w->pages[(here - start) / size] & (PAGE_PRESENT | PAGE_SWAPPED)))
            continue;
        size_t skip = is_heap ? 0 : own_mapping(here, end);
        if (from && (skip || here - to > GAP_MAX * size)) {
            add(from, to);
            from = 0;
        }
        if (skip) {
            here += skip - size;
            continue;
        }
        from = from ? from : here;
        to = here + size;
    }
    add(from, to);
}

/* From VmFlags of smaps: memory like any other. A file would not be what has been asked for: wiped
 * in a child (random numbers come from such a page), not copied, locked. */
static bool is_plain(const char *flags)
{
    static const char known_ones[] = " rd wr mr mw me ac sd nr mg hg nh ";
    char one[5] = " xx ";
    for (; flags[0] == ' ' && flags[1] && flags[2]; flags += 3) {
        memcpy(one + 1, flags + 1, 2);
        if (flags[1] != ' ' && !strstr(known_ones, one))
            return false;
    }
    return true;
}

/* A line of maps: "start-end perms offset device inode   path". The stack cannot be anything else;
 * and to what is the thread's own the kernel writes, too. */
static void add_line(int pagemap, struct work *w, const char *line)
{
    const uintptr_t notes[] = {(uintptr_t)w, (uintptr_t)known};
    unsigned long start, end, inode;
    if (sscanf(line, "%lx-%lx rw-p %*x %*x:%*x %lu", &start, &end, &inode) != 3 ||
        strstr(line, "[stack]"))
        return;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        if (notes[i] >= start && notes[i] < end)
            return;
    uintptr_t one = (uintptr_t)&errno, other = (uintptr_t)pthread_self();
    uintptr_t own = (one < other ? one : other) & ~(page_size() - 1);
    uintptr_t own_end =
        ((one > other ? one : other) & ~(page_size() - 1)) + OWN_PAGES * page_size();
    own -= OWN_PAGES * page_size();
    if (inode) {
        add(start, end);
    } else if (own_end <= start || own >= end) {
        add_used(pagemap, w, start, end, strstr(line, "[heap]"));
    } else {
        if (own > start)
            add_used(pagemap, w, start, own, false);
        if (own_end < end)
            add_used(pagemap, w, own_end, end, false);
    }
}

static bool write_all(int fd, uintptr_t at, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)at + done, size - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static int make_file(void)
{
    int fd = memfd_create("python", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0)
        fd = memfd_create("python", MFD_CLOEXEC | MFD_ALLOW_SEALING); /* before Linux 6.3 */
    return fd;
}

/* From here until all is mapped nothing that is to be copied may change. */
static bool fill_file(int fd)
{
    struct stat st;
    for (size_t i = 0; i < known->n; i++)
        if (!write_all(fd, known->areas[i].start, known->areas[i].end - known->areas[i].start))
            return false;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ||
        fstat(fd, &st) < 0)
        return false;
    known->inode = st.st_ino;
    known->major = major(st.st_dev);
    known->minor = minor(st.st_dev);
    void *file = mmap(NULL, known->size, PROT_READ, MAP_PRIVATE, fd, 0);
    known->file = file == MAP_FAILED ? NULL : file;
    return known->file;
}

static void map_file(int fd)
{
    for (size_t i = 0; i < known->n; i++) {
        size_t size = known->areas[i].end - known->areas[i].start;
        if (mmap((void *)known->areas[i].start, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED, fd, (off_t)known->areas[i].offset) == MAP_FAILED)
            continue; /* it stays what it was */
        madvise((void *)known->areas[i].start, size, MADV_POPULATE_READ);
    }
}

void pristine_make(int proc)
{
    struct work *w = map_new(sizeof(*w), MAP_PRIVATE);
    known = map_new(sizeof(*known), MAP_PRIVATE);
    int pagemap = openat(proc, "self/pagemap", O_RDONLY | O_CLOEXEC), fd = make_file();
    char *save = NULL;
    if (w && known && pagemap >= 0 && fd >= 0 && read_maps(proc, "self/smaps", w)) {
        const char *line = "";
        for (char *l = strtok_r(w->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
            if (strncmp(l, "VmFlags:", 8) == 0 && is_plain(l + 8))
                add_line(pagemap, w, line);
            else if (strstr(l, " rw-p "))
                line = l;
            else if (strchr(l, '-'))
                line = "";
        if (fill_file(fd))
            map_file(fd);
    }
    close(pagemap);
    close(fd);
    if (w)
        munmap(w, sizeof(*w));
}

void pristine_watch_begin(void)
{
    watch = known && known->file ? map_new(sizeof(*watch), MAP_SHARED) : NULL;
}

void pristine_watch_end(void)
{
    for (size_t i = 0; watch && i < PAGES_MAX; i++)
        if (watch->again[i])
            known->hot[i / 8] |= (uint8_t)(1U << i % 8);
    if (watch)
        munmap(watch, sizeof(*watch));
    watch = NULL;
}

/* ---- in a child ---- */

void pristine_map(void)
{
    for (size_t i = 0; known && known->file && i < known->n; i++)
        madvise((void *)known->areas[i].start, known->areas[i].end - known->areas[i].start,
                MADV_POPULATE_READ);
}

static bool is_own(uint64_t page)
{
    return (page & PAGE_PRESENT) && (page & PAGE_IS_OWN) && !(page & PAGE_OF_FILE);
}

void pristine_watch_note(int proc)
{
    const size_t size = page_size();
    struct work *w = watch ? map_new(sizeof(*w), MAP_PRIVATE) : NULL;
    int pagemap = openat(proc, "self/pagemap", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; w && pagemap >= 0 && i < known->n; i++) {
        size_t n = (known->areas[i].end - known->areas[i].start) / size;
        if (!read_pages(pagemap, w, known->areas[i].start, n))
            continue;
        for (size_t k = 0; k < n; k++) {
            size_t page = known->areas[i].offset / size + k;
            watch->again[page] = watch->given[page] && is_own(w->pages[k]);
        }
    }
}

/* Part of an area that is a mapping of the file still: it may have been unmapped, and something
 * else be in its place. */
static void compare(int pagemap, struct work *w, uintptr_t start, uintptr_t end, size_t offset)
{
    const size_t size = page_size();
    uintptr_t from = 0;
    if (!read_pages(pagemap, w, start, (end - start) / size))
        return;
    for (uintptr_t here = start; here <= end; here += size) {
        size_t in_file = offset + (here - start), page = in_file / size;
        bool gives = here < end && is_own(w->pages[(here - start) / size]) &&
                     !(known->hot[page / 8] & 1U << page % 8) &&
                     memcmp((const void *)here, known->file + in_file, size) == 0;
        if (gives && watch)
            watch->given[page] = true;
        if (gives && !from)
            from = here;
        if (!gives && from) {
            madvise((void *)from, here - from, MADV_DONTNEED);
            from = 0;
        }
    }
}

/* A line of maps: is it part of an area, in its place? */
static void compare_line(int pagemap, struct work *w, const char *line)
{
    unsigned long start, end, offset, inode;
    unsigned major, minor;
    if (sscanf(line, "%lx-%lx rw-p %lx %x:%x %lu", &start, &end, &offset, &major, &minor, &inode) !=
            6 ||
        inode != known->inode || major != known->major || minor != known->minor)
        return;
    for (size_t i = 0; i < known->n; i++)
        if (start >= known->areas[i].start && end <= known->areas[i].end &&
            offset == known->areas[i].offset + (start - known->areas[i].start))
            compare(pagemap, w, start, end, offset);
}

/* Succeeds where nobody else has this memory, no thread and no process, and changes nothing then.
 */
static bool is_alone(void)
{
    siginfo_t info;
    return syscall(SYS_unshare, CLONE_VM) == 0 &&
           waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void give_back(struct work *w, int proc)
{
    int pagemap = openat(proc, "self/pagemap", O_RDONLY | O_CLOEXEC);
    char *save = NULL;
    /* These two: the kernel may be reading into any of it. */
    if (pagemap >= 0 && read_maps(proc, "self/maps", w) && !strstr(w->text, "[aio]") &&
        !strstr(w->text, "[io_uring]")) {
        for (char *l = strtok_r(w->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
            compare_line(pagemap, w, l);
    }
    close(pagemap);
}

void pristine_give_back(int proc)
{
    uint64_t all = ~UINT64_C(0), before;
    if (!known || !known->file)
        return;
    struct work *w = map_new(sizeof(*w), MAP_PRIVATE);
    /* By system call: the C library's function leaves out two. */
    if (w && syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all)) == 0) {
        if (is_alone())
            give_back(w, proc);
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(all));
    }
    munmap((void *)known->file, known->size);
    known->file = NULL;
    if (w)
        munmap(w, sizeof(*w));
}
