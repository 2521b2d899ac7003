/* arena - memory that is freed all at once. */
#include "base/arena.h"
#include <stdint.h>
#include "base/mem.h"
#include "base/banned.h"

/* With AddressSanitizer every allocation has a poisoned gap behind it, so that an overrun inside of
 * a block is found like one on the heap. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#define GAP 16
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#define GAP 0
#endif

#define ALIGN 16
#define FIRST_BLOCK 4096
#define LARGEST_BLOCK (256 * 1024)
#define LARGEST_KEPT (64 * 1024) /* a rare big request must not stay in memory for ever */

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    _Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_init_small(struct arena *a, size_t bytes)
{
    *a = (struct arena){.first = bytes};
}

static void block_free(struct arena_block *b)
{
    UNPOISON(b->data, b->cap);
    free(b);
}

bool arena_done_some(struct arena *a, size_t n)
{
    for (; a->blocks && n; n--) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        block_free(b);
    }
    a->used = 0;
    return !a->blocks;
}

void arena_done(struct arena *a)
{
    arena_done_some(a, SIZE_MAX);
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL;
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        if (!kept && b->cap <= LARGEST_KEPT)
            kept = b;
        else
            block_free(b);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
        POISON(kept->data, kept->cap);
    }
    a->blocks = kept;
    a->used = 0;
}

struct arena *arena_new(void)
{
    return MEM_NEW(struct arena);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_done(a);
    free(a);
}

static struct arena_block *block_add(struct arena *a, size_t need)
{
    size_t cap = a->first ? a->first : FIRST_BLOCK;
    if (a->blocks)
        cap = a->blocks->cap * 2 < LARGEST_BLOCK ? a->blocks->cap * 2 : LARGEST_BLOCK;
    int big = need > cap;
    if (big)
        cap = need;
    struct arena_block *b = mem_alloc(sizeof(*b) + cap);
    b->cap = cap;
    b->used = 0;
    POISON(b->data, b->cap);
    if (big && a->blocks) {
        /* The newest block has room left: the big one goes behind it. */
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        mem_alloc(SIZE_MAX / 2); /* ends the process */
    size_t need = (size + GAP + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->cap - b->used < need)
        b = block_add(a, need);
    char *p = b->data + b->used;
    b->used += need;
    a->used += need;
    UNPOISON(p, size);
    memset(p, 0, size);
    return p;
}

void *arena_copy(struct arena *a, const void *p, size_t size)
{
    void *copy = arena_alloc(a, size);
    if (size)
        memcpy(copy, p, size);
    return copy;
}

void *arena_push(struct arena *a, void **items, size_t *n, size_t *cap, size_t elem_size)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 8;
        char *grown = arena_alloc(a, more * elem_size);
        if (*n)
            memcpy(grown, *items, *n * elem_size);
        *items = grown;
        *cap = more;
    }
    return (char *)*items + (*n)++ * elem_size;
}
