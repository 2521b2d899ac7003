/* local_invoke - `lamina local invoke`: one event for one function of a template. */
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/local.h"

#define EVENT_MAX (8 << 20)

struct one {
    struct str id, event;
};

static void over(struct call *call, void *user)
{
    struct local *l = user;
    const struct lambda_invoke_output *out = call->out;
    if (call->result < 0) {
        local_leave(l, verb_fail(l->run, "%.*s", STR(call->message)));
        return;
    }
    fwrite(out->payload.p, 1, out->payload.n, stdout);
    putchar('\n');
    fflush(stdout);
    local_leave(l, out->function_error.n ? 1 : 0);
}

static const struct local_function *choose(struct local *l, struct str id)
{
    if (id.n)
        return local_function_find(l, id);
    return l->n_functions == 1 ? &l->functions[0] : NULL;
}

static void ready(struct local *l)
{
    const struct one *one = l->user;
    const struct local_function *f = choose(l, one->id);
    if (!f) {
        struct str *names = ARENA_ARRAY(l->arena, struct str, l->n_functions + 1);
        for (size_t i = 0; i < l->n_functions; i++)
            names[i] = l->functions[i].logical_id;
        struct str list =
            l->n_functions ? str_join(l->arena, S(", "), names, l->n_functions) : S("none");
        local_leave(l, one->id.n
                           ? verb_fail(l->run, "%.*s has no function %.*s; there are: %.*s",
                                       STR(l->template_path), STR(one->id), STR(list))
                           : verb_usage(l->run, "which function? there are: %.*s", STR(list)));
        return;
    }
    struct lambda_invoke_input in = {
        .function_name = f->name,
        .payload = one->event,
        .log_type = S("Tail"), /* then the answer comes after the last line */
    };
    local_invoke_function(l, &in, over, l);
}

static int read_stdin(struct verb_run *run, struct str *ret)
{
    auto_buf struct buf b;
    buf_init(&b, EVENT_MAX);
    char part[65536];
    for (ssize_t n; (n = read(STDIN_FILENO, part, sizeof(part))) != 0;) {
        if (n < 0)
            return verb_fail(run, "stdin: %s", strerror(errno));
        buf_add(&b, part, (size_t)n);
    }
    if (buf_failed(&b))
        return verb_fail(run, "stdin: the event is longer than 8 MB");
    *ret = buf_copy(&b, run->arena);
    return 0;
}

int local_invoke(struct verb_run *run)
{
    const struct local_more *more = local_more_of(run);
    struct one *one = ARENA_NEW(run->arena, struct one);
    one->event = S("{}");
    if (run->parsed.n_operands > 1)
        one->id = run->parsed.operands[1];
    if (more->no_event && more->event.n)
        return verb_usage(run, "--event and --no-event contradict each other");
    int e = 0;
    if (str_is(more->event, "-"))
        e = read_stdin(run, &one->event);
    else if (more->event.n) {
        int r = fs_read(str_c(run->arena, more->event), EVENT_MAX, run->arena, &one->event);
        if (r < 0)
            e = verb_fail(run, "%.*s: %s", STR(more->event), strerror(-r));
    }
    return e ? e : local_run(run, ready, one);
}
