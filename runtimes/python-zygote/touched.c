/* touched - see touched.h. */
#include "touched.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_OF_FILE (UINT64_C(1) << 61)
#define PAGE_IS_OWN (UINT64_C(1) << 56)

#define SPANS_MAX 512
#define AREAS_MAX 1024
#define TEXT_MAX (256 << 10)
/* The kernel maps a file's pages around the one that is read: that many, aligned
 * (fault_around_bytes).
 */
#define AROUND ((uintptr_t)64 << 10)

struct span {
    uintptr_t start;
    uint32_t pages;
    int advice;
};

static struct span spans[SPANS_MAX];
static size_t n_spans;

/* The scout's notes: apart from all that is looked at. */
struct area {
    uintptr_t start, end;
    bool written;
};
static struct notes {
    size_t n;
    struct area areas[AREAS_MAX];
    char text[TEXT_MAX];
    uint64_t pages[4096];
} * notes;

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t read_all(int fd, char *p, size_t max)
{
    size_t have = 0;
    for (ssize_t n; have < max && (n = read(fd, p + have, max - have)) > 0;)
        have += (size_t)n;
    return have;
}

/* "start-end perms offset device inode   path"; shared memory and what the kernel has put there are
 * left out. */
static void note_area(const char *line)
{
    unsigned long start, end;
    char perms[8];
    if (notes->n == AREAS_MAX || sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3)
        return;
    bool own = (uintptr_t)notes >= start && (uintptr_t)notes < end;
    if (own || perms[0] != 'r' || perms[3] != 'p' || strstr(line, "[v"))
        return;
    notes->areas[notes->n++] = (struct area){start, end, perms[1] == 'w'};
}

bool touched_begin(int proc)
{
    char page;
    uintptr_t here = (uintptr_t)&page & ~(uintptr_t)(page_size() - 1);
    if (madvise((void *)here, page_size(), MADV_POPULATE_WRITE) < 0)
        return false;
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes == MAP_FAILED)
        return false;
    int fd = openat(proc, "self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t n = read_all(fd, notes->text, TEXT_MAX - 1);
    close(fd);
    notes->text[n] = '\0';
    char *save = NULL;
    for (char *l = strtok_r(notes->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        note_area(l);
    return notes->n > 0;
}

static void tell(int fd, const struct span *s)
{
    if (s->pages && write(fd, s, sizeof(*s)) != sizeof(*s))
        _exit(1);
}

static bool is_wanted(const struct area *a, uint64_t page)
{
    if (!a->written)
        return page & PAGE_PRESENT;
    return (page & PAGE_PRESENT) && !(page & PAGE_OF_FILE) && (page & PAGE_IS_OWN);
}

/* Does the page at `here` come along with the span? */
static bool is_in(const struct area *a, const struct span *s, uintptr_t here)
{
    if (!s->pages)
        return false;
    return a->written ? here == s->start + s->pages * page_size()
                      : (here & ~(AROUND - 1)) == (s->start & ~(AROUND - 1));
}

/* One area: pages that are wanted, as few spans as possible. */
static void tell_area(int fd, int pagemap, const struct area *a)
{
    const size_t size = page_size(), at_once = sizeof(notes->pages) / sizeof(notes->pages[0]);
    struct span s = {.advice = a->written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ};
    for (uintptr_t at = a->start; at < a->end; at += at_once * size) {
        ssize_t got = pread(pagemap, notes->pages, sizeof(notes->pages),
                            (off_t)(at / size * sizeof(uint64_t)));
        for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(uint64_t); i++) {
            uintptr_t here = at + i * size;
            if (here >= a->end)
                break;
            if (!is_wanted(a, notes->pages[i]))
                continue;
            if (is_in(a, &s, here)) {
                s.pages += a->written;
                continue;
            }
            tell(fd, &s);
            s.start = here;
            s.pages = 1;
        }
    }
    tell(fd, &s);
}

void touched_tell(int proc, int fd)
{
    int pagemap = openat(proc, "self/pagemap", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; pagemap >= 0 && i < notes->n; i++)
        tell_area(fd, pagemap, &notes->areas[i]);
    close(pagemap);
}

/* More than there is room for would be known in part: better than nothing. */
void touched_hear(int fd)
{
    n_spans = read_all(fd, (char *)spans, sizeof(spans)) / sizeof(spans[0]);
}

bool touched_populate(void)
{
    for (size_t i = 0; i < n_spans; i++) /* one that fails costs a fault later */
        madvise((void *)spans[i].start, spans[i].pages * page_size(), spans[i].advice);
    return n_spans > 0;
}
