/* order - the daemon's orders: a plan gets an environment, or tells what is going to be wanted. */
#include <errno.h>
#include <signal.h>
#include "sandbox/ops.h"
#include "sandbox/process.h"
#include "sandbox/root.h"

/* The command that was started last needs the processors first: for as long as it takes to answer,
 * when the next one need not wait for what is made now. */
#define REFILL_AFTER_MS 2
#define REFILL_RICH_AFTER_MS 15
#define RICH 2

struct order {
    char bytes[MESSAGE_MAX];
    size_t size;
    int fds[MESSAGE_FDS]; /* the daemon's socket, the output; then mounts */
    size_t n_fds;
};

static int open_mounts(struct process *p, struct order *o, struct plan_cursor plan, char *why)
{
    struct plan_item item;
    const char *text;
    while (plan_next(&plan, &item, &text)) {
        int fd, r;
        if (item.kind == PLAN_BIND || item.kind == PLAN_ROOT)
            r = mount_open(text, &fd);
        else if (item.kind == PLAN_LAYERS)
            r = layers_open(&item, text, p->options.cache_dir, &fd);
        else
            continue;
        if (r < 0 && item.kind == PLAN_LAYERS)
            return why_printf(why, r, "merge layers from %s on", text);
        if (r < 0 && item.kind == PLAN_ROOT)
            return why_printf(why, r, "take %s as the root", text);
        if (r < 0)
            return why_printf(why, r, "bind %s to %s", text, plan_text_after(&item, text, text));
        if (o->n_fds == MESSAGE_FDS) {
            close(fd);
            return why_printf(why, -E2BIG, "bind %s", text);
        }
        o->fds[o->n_fds++] = fd;
    }
    return 0;
}

/* A shell for this plan: a spare of its kind, or one that becomes it meanwhile. */
static int choose(struct process *p, struct kind *k, struct shell **ret, char *why)
{
    struct shell *s = supply_find(p, k);
    int r = s ? 0 : supply_shell(p, k, false, &s, why);
    if (r == 0 && k && s->spare == SPARE_NONE && k->forks && k->zygote_ready &&
        supply_adopt(p, s, k, why) < 0)
        r = supply_shell(p, k, false, &s, why);
    *ret = s;
    return r;
}

/* Who starts all the time needs spares most: it is not put off again once few are left. */
static void refill_soon(struct process *p, const struct kind *k)
{
    int64_t now = process_now_ms();
    if (p->refill_at_ms > now && p->refill_at_ms != p->put_off_ms)
        return; /* for another reason */
    bool rich = p->options.spares != 0 && supply_ready(p, k) >= RICH;
    p->put_off_ms = now + (rich ? REFILL_RICH_AFTER_MS : REFILL_AFTER_MS);
    if (rich || p->refill_at_ms <= now || p->refill_at_ms > p->put_off_ms)
        p->refill_at_ms = p->put_off_ms;
    p->put_off_ms = p->refill_at_ms;
}

static int carry_out(struct process *p, struct order *o, char *why)
{
    struct plan_head head;
    struct plan_cursor plan, part, rest;
    struct shell *s;

    if (p->machine.abilities.error) {
        snprintf(why, WHY_MAX, "%.*s", WHY_MAX - 1, p->machine.abilities.note);
        return p->machine.abilities.error;
    }
    int r = plan_begin(o->bytes, o->size, &head, &plan);
    if (r < 0)
        return why_printf(why, r, "read the plan");
    struct kind *k = kinds_find(&p->kinds, o->bytes, o->size, supply_forget_kind, p);
    demand_used(k ? &k->demand : &p->demand, p->options.spares, process_now_ms());
    r = choose(p, k, &s, why);
    if (r < 0)
        return r;
    p->spares -= s->kind == NULL;
    if (s->is_of_kind && plan_kind(plan, &part, &rest)) {
        plan = rest;
        head.placed = 1;
        memcpy(o->bytes, &head, sizeof(head));
    }
    cgroup_wake(&p->machine.cgroups, &s->cgroup);
    s->used = true; /* whatever happens: nobody else shall have it */
    refill_soon(p, k);
    r = open_mounts(p, o, plan, why);
    if (r == 0) {
        r = shell_send_made(&p->machine, s, o->fds[0]);
        if (r == 0)
            r = message_send(s->sock, o->bytes, o->size, o->fds, o->n_fds);
        if (r < 0)
            why_printf(why, r, "hand over the plan");
    }
    /* While init is at its mounts: they take longer. */
    if (r == 0) {
        int64_t shared = s->kind ? kind_shared(s->kind) : 0;
        r = cgroup_limit(&s->cgroup, head.memory_mb, head.tmp_mb, shared, head.max_processes);
        if (r < 0)
            why_printf(why, r, "set the limits");
    }
    if (r < 0)
        kill(s->pid, SIGKILL);
    p->tidy_at_ms =
        process_now_ms() + TIDY_AFTER_MS; /* closing takes longer than all of the above */
    return r;
}

/* A plan without descriptors only tells what kind is going to be wanted. */
static void expect(struct process *p, const struct order *o)
{
    struct kind *k = kinds_find(&p->kinds, o->bytes, o->size, supply_forget_kind, p);
    if (k && !k->demand.used_ms)
        demand_expected(&k->demand, p->options.spares, process_now_ms());
}

void order_hear(struct process *p)
{
    static struct order o;
    static struct event failed;
    int r = message_recv(p->control, o.bytes, sizeof(o.bytes), 0, &o.size, o.fds, &o.n_fds);
    if (r == 0 && o.size == 0) {
        p->stopping = true; /* the daemon is gone */
        return;
    }
    if (r < 0) { /* whose order it was sees the end of its socket */
        dprintf(2, "lamina: an environment's plan cannot be received: %s\n", strerror(-r));
        return;
    }
    if (o.n_fds == 2) {
        failed = (struct event){.kind = EVENT_FAILED};
        failed.error = carry_out(p, &o, failed.why);
        if (failed.error < 0)
            message_send(o.fds[0], &failed, sizeof(failed), NULL, 0);
    } else if (o.n_fds == 0 && p->options.spares != 0) {
        expect(p, &o);
    }
    for (size_t i = 0; i < o.n_fds; i++)
        close(o.fds[i]);
}
