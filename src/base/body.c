/* body - the bytes of a request or response. */
#include "base/body.h"
#include <errno.h>
#include <unistd.h>
#include "base/arena.h"

int body_load(const struct body *b, size_t max, struct arena *a, struct str *ret)
{
    if (!b->has) {
        *ret = (struct str){0};
        return 0;
    }
    if ((uint64_t)(b->in_file ? b->size : (int64_t)b->mem.n) > max)
        return -EMSGSIZE;
    if (!b->in_file) {
        *ret = str_has(b->mem) ? b->mem : S("");
        return 0;
    }
    char *p = arena_alloc(a, (size_t)b->size + 1);
    for (int64_t at = 0; at < b->size;) {
        ssize_t n = pread(b->fd, p + at, (size_t)(b->size - at), b->offset + at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EIO;
        at += n;
    }
    *ret = (struct str){p, (size_t)b->size};
    return 0;
}
