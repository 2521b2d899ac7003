/* verify_read - what `lamina verify` is to check: defaults, and verify.yaml over them (verify.h).
 */
#include "base/fs.h"
#include "cli/source.h"
#include "cli/verify.h"

static void gate(struct arena *a, struct verify_step *step, const char *text)
{
    struct str why;
    gate_parse(a, str_from(text), step->gates, &step->n_gates, &why);
}

static void set_defaults(struct arena *a, enum verify_mode mode, struct verify_plan *p)
{
    bool quick = mode == VERIFY_QUICK, full = mode == VERIFY_FULL;
    *p = (struct verify_plan){.max_regression = 0.1};
    p->cold = (struct verify_step){.n = quick ? 3 : full ? 30 : 10};
    p->warm = (struct verify_step){.n = quick ? 20 : full ? 500 : 100};
    p->load =
        (struct verify_step){.connections = 5, .duration_ms = full ? 60000 : 10000, .off = quick};
    p->memory = (struct verify_step){.n = 30, .sizes = S("512,1024,1536"), .off = !full};
    gate(a, &p->cold, "errors==0");
    gate(a, &p->warm, "errors==0");
    gate(a, &p->load, "success>=95%");
}

int verify_plan_read(struct verb_run *run, struct str path, enum verify_mode mode,
                     struct verify_plan *ret)
{
    struct arena *a = run->arena;
    struct str text, why;
    struct json *root;
    struct template_error err = {0};
    set_defaults(a, mode, ret);
    if (!path.n && !fs_exists("verify.yaml"))
        return 0;
    if (!path.n)
        path = S("verify.yaml");
    int r = fs_read(str_c(a, path), TEMPLATE_MAX_BYTES, a, &text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    if (!str_trim(text).n)
        return 0;
    if (template_parse(a, text, &root, &err) < 0) {
        struct str prefix = S("Template format error: "), said = err.message;
        if (str_starts(said, prefix))
            said = str_slice(said, prefix.n, said.n);
        if (str_starts(said, S("unsupported structure")))
            said = S("a mapping is expected: stack, functions, cold, warm, ...");
        return verb_fail(run, "%.*s:%d: %.*s", STR(path), err.line > 0 ? err.line : 1, STR(said));
    }
    if (verify_plan_parse(a, root, path, ret, &why) < 0)
        return verb_fail(run, "%.*s", STR(why));
    /* A quick run stays quick, whatever the file asks for. */
    if (mode == VERIFY_QUICK) {
        ret->load.off = ret->memory.off = true;
        ret->cold.n = ret->cold.n > 3 ? 3 : ret->cold.n;
        ret->warm.n = ret->warm.n > 20 ? 20 : ret->warm.n;
    }
    return 0;
}
