/* fill - see fill.h. */
#define Py_LIMITED_API 0x03080000
#include <Python.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fill.h"

#define CLASS 16 /* of python's allocator, up to 512: one list of pools for each */
#define CLASS_MAX 512
#define CLASS_FILL_MAX (256 << 10)
#define POOL_HEAD 48
#define IN_A_ROW 6 /* blocks, one behind the other, are those of a fresh pool */
#define CHUNK_MAX (64 << 10)
#define CHUNKS_MAX 4096

/* 16 KiB since python 3.10. */
static uintptr_t pool_size(void)
{
    const char *version = Py_GetVersion();
    return strncmp(version, "3.8", 3) == 0 || strncmp(version, "3.9", 3) == 0 ? 4096 : 16384;
}

/* A fresh pool is handed out from its beginning to its end, a used one wherever something has
 * become free. The last blocks are free again afterwards, the first of them excepted: the pool
 * remains this class's. */
static void fill_class(size_t size)
{
    const uintptr_t in_pool = pool_size() - 1;
    char *row[IN_A_ROW];
    size_t n = 0;
    for (size_t done = 0; done < CLASS_FILL_MAX && n < IN_A_ROW; done += size) {
        char *p = PyObject_Malloc(size);
        if (!p)
            break;
        if (n && p != row[n - 1] + size)
            n = 0;
        if (n || ((uintptr_t)p & in_pool) == POOL_HEAD)
            row[n++] = p;
    }
    while (n > 1)
        PyObject_Free(row[--n]);
}

/* Takes what is free of the C library's below its top, the large pieces first. */
static void fill_heap(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    uintptr_t top = (uintptr_t)sbrk(0) - mallinfo2().keepcost;
    size_t n = 0;
    for (size_t size = CHUNK_MAX; size >= CLASS && n < CHUNKS_MAX;) {
        void *p = malloc(size - sizeof(size_t));
        if (p && (uintptr_t)p < top) {
            n++;
            continue;
        }
        free(p);
        size -= size > 16384 ? 4096 : size > 2048 ? 256 : CLASS;
    }
#endif
}

void fill_holes(void)
{
    for (size_t size = CLASS; size <= CLASS_MAX; size += CLASS)
        fill_class(size);
    fill_heap();
}
