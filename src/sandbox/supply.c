/* supply - environments made ahead: as many of each kind as are wanted, one step at a time. */
#include <errno.h>
#include <signal.h>
#include "base/clock.h"
#include "sandbox/ops.h"
#include "sandbox/process.h"

#define AT_ONCE 2 /* in the making: one processor is for what is wanted now */
#define AT_ONCE_EXECUTED 1
#define PUT_OFF_MS 1000
#define LEAST_OF_KIND 1
#define LEAST_OF_NO_KIND 2

int supply_shell(struct process *p, struct kind *k, bool waits, struct shell **ret, char *why)
{
    int r = shell_make(&p->machine, k, waits, ret, why);
    if (r < 0)
        return r;
    list_append(&p->shells, &(*ret)->link);
    p->spares++;
    return 0;
}

/* One that is still in the making is better than none: what is missing comes by itself. */
struct shell *supply_find(struct process *p, const struct kind *k)
{
    struct shell *best = NULL;
    LIST_EACH(&p->shells, struct shell, link, s)
        if (!s->used && !s->dead && s->kind == k && (!k || s->spare != SPARE_NONE) &&
            (!best || s->spare > best->spare))
            best = s;
    return best;
}

int supply_ready(struct process *p, const struct kind *k)
{
    int n = 0;
    LIST_EACH(&p->shells, struct shell, link, s)
        n +=
            !s->used && !s->dead && s->kind == k && (k ? s->spare == SPARE_READY : !s->reports_due);
    return n;
}

int supply_adopt(struct process *p, struct shell *s, struct kind *k, char *why)
{
    int r = shell_adopt(s, k, why);
    p->spares--;
    process_watch(p, s->sock, s);
    if (r < 0) {
        s->used = true; /* by nobody */
        kill(s->pid, SIGKILL);
    }
    return r;
}

void supply_on_zygote_end(struct process *p, struct kind *k)
{
    if (k->sock >= 0)
        process_unwatch(p, k->sock);
    LIST_EACH(&k->forking, struct shell, queue, s)
        if (!s->used)
            kill(s->pid, SIGKILL);
    zygote_end(k);
}

void supply_forget_kind(struct kind *k, void *user)
{
    struct process *p = user;
    supply_on_zygote_end(p, k);
    LIST_EACH(&p->shells, struct shell, link, s) {
        if (s->kind != k)
            continue;
        if (!s->used && !s->dead)
            kill(s->pid, SIGKILL);
        if (s->spare == SPARE_ADOPTING)
            s->spare = SPARE_NONE;
        s->kind = NULL;
        s->used = true;
        shell_close_unneeded(s);
    }
    kind_free(k);
}

static int kind_count(struct process *p, const struct kind *k)
{
    int n = 0;
    LIST_EACH(&p->shells, struct shell, link, s)
        n += !s->used && !s->dead && s->kind == k;
    return n;
}

static bool can_make(const struct kind *k)
{
    return k->forks ? k->zygote_ready : true;
}

/* Something from a shell: its set-up, and then its adoption, are over. */
void supply_on_report(struct process *p, struct shell *s)
{
    static struct shell_report report;
    size_t n, n_fds;
    int r = message_recv(s->sock, &report, sizeof(report), 0, &n, NULL, &n_fds);
    bool failed = r < 0 || n != sizeof(report) || report.error;
    if (!failed && --s->reports_due > 0)
        return;
    process_unwatch(p, s->sock);
    if (s->spare != SPARE_ADOPTING)
        return;
    s->spare = SPARE_NONE;
    if (!failed && s->kind->forks && s->kind->zygote_ready)
        failed = zygote_fork(s->kind, s, &p->machine) < 0;
    else if (!failed && !s->kind->forks)
        s->spare = SPARE_READY;
    else
        failed = true;
    shell_close_unneeded(s);
    if (failed && !s->used)
        kill(s->pid, SIGKILL);
}

void supply_on_zygote(struct process *p, struct kind *k)
{
    struct shell *s;
    int error;
    if (zygote_hear(k, &s, &error) < 0) {
        supply_on_zygote_end(p, k);
        return;
    }
    if (!s)
        return;
    s->spare = error ? SPARE_NONE : SPARE_READY;
    if (!k->copied && !p->tidy_at_ms)
        p->tidy_at_ms = process_now_ms() + TIDY_AFTER_MS;
    if (error && !s->used && !s->dead)
        kill(s->pid, SIGKILL);
}

static int in_the_making(struct process *p)
{
    int n = 0;
    LIST_EACH(&p->shells, struct shell, link, s)
        n += !s->used && !s->dead && (s->spare == SPARE_ADOPTING || s->spare == SPARE_FORKING);
    return n;
}

/* To execute an interpreter takes ten times as long as to fork one. */
static int at_once(const struct kind *k)
{
    return k->forks ? AT_ONCE : AT_ONCE_EXECUTED;
}

static void kill_unused(struct shell *s)
{
    if (!s)
        return;
    s->used = true;
    kill(s->pid, SIGKILL);
}

static void put_off(struct process *p)
{
    p->refill_at_ms = process_now_ms() + PUT_OFF_MS;
}

/* Of a kind whose zygote lives; false: there is enough, or what is being made comes first. */
static bool make_spare(struct process *p, struct kind *k)
{
    char why[WHY_MAX];
    struct shell *s;
    int n = kind_count(p, k);
    if (n > k->demand.want)
        kill_unused(supply_find(p, k));
    if (n >= k->demand.want || !can_make(k) || in_the_making(p) >= at_once(k))
        return false;
    if (supply_shell(p, k, true, &s, why) < 0 || supply_adopt(p, s, k, why) < 0)
        put_off(p);
    return true;
}

bool supply_some(struct process *p)
{
    char why[WHY_MAX];
    struct shell *s;
    int64_t now = process_now_ms();
    LIST_EACH(&p->kinds, struct kind, link, k) {
        int64_t silent = zygote_silent_ms(k);
        if (silent >= 0 && now >= silent) {
            dprintf(2, "lamina: a zygote does not answer and is ended\n");
            supply_on_zygote_end(p, k);
        }
        if (!demand_age(&k->demand, p->options.spares, LEAST_OF_KIND, now)) {
            supply_forget_kind(k, p);
            continue;
        }
        if (k->demand.want > 0 && k->forks && !k->zygote && now >= k->retry_ms) {
            if (zygote_start(k, &p->machine, why) == 0)
                process_watch(p, k->sock, k);
            else
                supply_on_zygote_end(p, k);
            return true;
        }
        if (make_spare(p, k))
            return true;
    }
    demand_age(&p->demand, p->options.spares, LEAST_OF_NO_KIND, now);
    if (p->spares > p->demand.want) {
        s = supply_find(p, NULL);
        p->spares -= s != NULL;
        kill_unused(s);
    }
    if (p->spares >= p->demand.want)
        return false;
    if (supply_shell(p, NULL, true, &s, why) < 0)
        put_off(p);
    return true;
}

int64_t supply_due_ms(struct process *p)
{
    int64_t due = p->spares < p->demand.want ? p->refill_at_ms : -1;
    int making = in_the_making(p); /* we hear when it is over */
    LIST_EACH(&p->kinds, struct kind, link, k) {
        int64_t at = zygote_silent_ms(k);
        int n = kind_count(p, k);
        if (at >= 0 && at < p->refill_at_ms)
            at = p->refill_at_ms;
        if (at >= 0 && (due < 0 || at < due))
            due = at;
        at = -1;
        if (k->forks && !k->zygote)
            at = k->demand.want > 0 ? k->retry_ms : -1;
        else if (can_make(k) && (n > k->demand.want || (n < k->demand.want && making < at_once(k))))
            at = p->refill_at_ms;
        if (at >= 0 && (due < 0 || at < due))
            due = at;
    }
    return due;
}
