/* coverage_helper - `lamina coverage helper`: the C file that functions compiled with counters are
 * linked with. */
#include <errno.h>
#include "base/fs.h"
#include "build/coverage_layer.h"
#include "cli/coverage.h"

#define HELPER_MAX (1 << 20)

int coverage_helper_run(struct verb_run *run)
{
    struct str text, path = coverage_layer_part(run->arena, "lamina/coverage/lamina_coverage.c");
    if (!path.n)
        return verb_fail(run, "lamina_coverage.c is missing from the installation");
    int r = fs_read(path.p, HELPER_MAX, run->arena, &text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    fwrite(text.p, 1, text.n, stdout);
    return fflush(stdout) ? verb_fail(run, "it cannot be written: %s", strerror(errno)) : 0;
}
