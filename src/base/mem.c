/* mem - the heap, where failure ends the process. */
#include "base/mem.h"
#include <stdint.h>
#include "base/banned.h"

static void *check(void *p)
{
    if (!p) {
        static const char message[] = "lamina: out of memory\n";
        fwrite(message, 1, sizeof(message) - 1, stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return check(calloc(1, size ? size : 1));
}

void *mem_realloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

void *mem_dup(const void *p, size_t size)
{
    void *copy = mem_alloc(size);
    if (size)
        memcpy(copy, p, size);
    return copy;
}

char *mem_dup_text(const char *text)
{
    return text ? mem_dup(text, strlen(text) + 1) : NULL;
}
