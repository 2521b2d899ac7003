/* unneeded - see unneeded.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "sandbox/unneeded.h"

#define PAGE 4096UL
#define DEEPEST (96 * 1024UL) /* what any call of init's takes at most, and more */

/* Where pages are larger, what lies around would go along: nothing is given back there. */
static bool pages_are_usual(void)
{
    return sysconf(_SC_PAGESIZE) == (long)PAGE;
}

/* Sanitizers keep their own books there, and their stacks are larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WATCHED 1
#endif
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

static uintptr_t heap; /* its first byte; 0: not known */

void unneeded_look(void)
{
    char line[512];
    unsigned long from;
    auto_fclose FILE *f = WATCHED ? NULL : fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof(line), f))
        if (strstr(line, "[heap]") && sscanf(line, "%lx-", &from) == 1 && !heap)
            heap = from;
}

void unneeded_drop_heap(void)
{
    uintptr_t end = (uintptr_t)sbrk(0);
    uintptr_t thread = (uintptr_t)&errno; /* statically linked, it is there */
    if (!heap || end <= heap || (thread >= heap && thread < end))
        return;
    munmap((void *)heap, end - heap);
}

void unneeded_drop_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(PAGE - 1);
    if (!WATCHED && pages_are_usual()) /* what is not mapped, further down, is passed over */
        madvise((void *)(here - PAGE - DEEPEST), DEEPEST, MADV_DONTNEED);
}

void unneeded_drop(void *p, unsigned long size)
{
    if (!WATCHED && pages_are_usual())
        madvise(p, size, MADV_DONTNEED);
}
