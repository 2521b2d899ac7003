/* Patterns of files: any pattern, folder and path. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "coverage/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str pattern, dir, path, rest = {(const char *)p, n};
    struct arena a;
    arena_init(&a);
    str_cut(rest, '\n', &pattern, &rest);
    str_cut(rest, '\n', &dir, &path);
    if (glob_check(pattern) == 0) {
        bool one = glob_match(&a, pattern, dir, path);
        if (one != glob_any(&a, &pattern, 1, dir, path))
            abort();
        if (glob_prefix(&a, pattern, dir, path) > path.n)
            abort();
    }
    arena_done(&a);
    return 0;
}
