/* What comes with scripts: V8's ranges, source maps, and the scripts themselves: any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include "coverage/scripts.h"
#include "coverage/sourcemap.h"
#include "coverage/v8.h"

static void take_ranges(struct str bytes)
{
    struct v8_hits *h = v8_hits_new(), *other = v8_hits_new();
    size_t n, n_run;
    v8_hits_add(h, bytes);
    v8_hits_join(other, h);
    v8_hits_join(other, h);
    const struct v8_function *all = v8_hits_functions(other, &n);
    for (size_t i = 0; i < n; i++)
        v8_run_at(&all[i], all[i].at.from);
    struct v8_range *run = v8_hits_run(other, &n_run);
    for (size_t i = 0; i < n_run; i++)
        if (run[i].from >= run[i].to || (i && run[i].from <= run[i - 1].to))
            abort();
    free(run);
    v8_hits_free(other);
    v8_hits_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str bytes = {(const char *)p, n}, text;
    struct arena a;
    struct source_map m;
    struct script_text s;
    arena_init(&a);
    take_ranges(bytes);
    if (sourcemap_parse(&a, bytes, &m) == 0)
        for (size_t i = 0; i < m.n_segments; i++)
            if (m.segments[i].source >= (int32_t)m.n_sources ||
                m.segments[i].name >= (int32_t)m.n_names)
                abort();
    sourcemap_inline(&a, sourcemap_url(bytes), &text);
    script_read(&a, bytes, &s);
    for (uint32_t o = 0; o < 100; o++)
        if (script_line(&s, o) < 1 || script_line(&s, o) > s.n_lines)
            abort();
    arena_done(&a);
    return 0;
}
