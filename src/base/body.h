/* body - the bytes of a request or response: in memory, or a range of an open file. */
#pragma once
#include "base/str.h"

struct body {
    bool has;     /* false: there is no body at all */
    bool in_file; /* true: [offset, offset+size) of fd; otherwise mem */
    int fd;       /* borrowed unless the one who made it says otherwise */
    int64_t offset;
    int64_t size;
    struct str mem;
};

static inline struct body body_mem(struct str s)
{
    return (struct body){.has = true, .fd = -1, .size = (int64_t)s.n, .mem = s};
}
static inline struct body body_file(int fd, int64_t offset, int64_t size)
{
    return (struct body){.has = true, .in_file = true, .fd = fd, .offset = offset, .size = size};
}
/* Whole content in memory, copied into the arena when it is in a file. -EMSGSIZE over max, -EIO. */
int body_load(const struct body *b, size_t max, struct arena *a, struct str *ret);
