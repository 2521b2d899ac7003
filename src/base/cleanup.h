/* cleanup - release at the end of a scope. TAKE(p) hands the thing over to somebody else. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_p(void *p)
{
    free(*(void **)p);
}
static inline void cleanup_close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_fclose_p(FILE **f)
{
    if (*f)
        fclose(*f);
}
#define auto_free __attribute__((cleanup(cleanup_free_p)))
#define auto_close __attribute__((cleanup(cleanup_close_p)))
#define auto_fclose __attribute__((cleanup(cleanup_fclose_p)))

#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int taken_ = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        taken_;                                                                                    \
    })
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
