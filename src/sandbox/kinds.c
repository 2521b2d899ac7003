/* kinds - see kinds.h. */
#include <errno.h>
#include "base/mem.h"
#include "sandbox/kinds.h"
#include "sandbox/ops.h"

/* Limits that a process cannot be given from outside belong to the kind, too. */
static struct plan_head head_of_kind(const struct plan_head *plan)
{
    return (struct plan_head){
        .adopt = 1, .max_processes = plan->max_processes, .max_files = plan->max_files};
}

static struct kind *kind_new(const struct plan_head *head, struct plan_cursor part)
{
    struct kind *k = MEM_NEW(struct kind);
    struct plan_item item;
    const char *text;
    size_t n = (size_t)(part.end - part.p);
    k->size = sizeof(*head) + n;
    k->bytes = mem_alloc(k->size);
    memcpy(k->bytes, head, sizeof(*head));
    memcpy(k->bytes + sizeof(*head), part.p, n);
    plan_next(&part, &item, &text);
    k->forks = strcmp(text, "fork") == 0;
    k->demand.ahead = k->forks ? AHEAD_FORKED : AHEAD_EXECUTED;
    k->sock = -1;
    k->template = TEMPLATE_NONE;
    list_init(&k->forking);
    return k;
}

void kind_free(struct kind *k)
{
    list_remove(&k->link);
    template_close(&k->template);
    free(k->bytes);
    free(k);
}

static bool is_same(const struct kind *k, const struct plan_head *head,
                    const struct plan_cursor *part)
{
    size_t n = (size_t)(part->end - part->p);
    return k->size == sizeof(*head) + n && memcmp(k->bytes, head, sizeof(*head)) == 0 &&
           memcmp(k->bytes + sizeof(*head), part->p, n) == 0;
}

struct kind *kinds_find(struct list *kinds, const char *bytes, size_t n,
                        void (*gone)(struct kind *k, void *user), void *user)
{
    struct plan_head head;
    struct plan_cursor plan, part, rest;
    if (plan_begin(bytes, n, &head, &plan) < 0 || !plan_kind(plan, &part, &rest))
        return NULL;
    head = head_of_kind(&head);
    struct kind *oldest = NULL;
    int count = 0;
    LIST_EACH(kinds, struct kind, link, k) {
        if (is_same(k, &head, &part))
            return k;
        if (!oldest || k->demand.used_ms < oldest->demand.used_ms)
            oldest = k;
        count++;
    }
    if (count >= KINDS_MAX)
        gone(oldest, user);
    struct kind *k = kind_new(&head, part);
    list_append(kinds, &k->link);
    return k;
}

int kind_open_mounts(const struct kind *k, int *ret, size_t max, size_t *ret_n, char *why)
{
    struct plan_head head;
    struct plan_cursor plan;
    struct plan_item item;
    const char *text;
    size_t n = 0;
    int r = plan_begin(k->bytes, k->size, &head, &plan);
    while (r == 0 && plan_next(&plan, &item, &text)) {
        if (item.kind != PLAN_BIND)
            continue;
        r = n == max ? -E2BIG : mount_open(text, &ret[n]);
        if (r < 0)
            why_printf(why, r, "bind %s to %s", text, plan_text_after(&item, text, text));
        else
            n++;
    }
    for (size_t i = 0; r < 0 && i < n; i++)
        close(ret[i]);
    *ret_n = r < 0 ? 0 : n;
    return r;
}

int kind_template(struct kind *k, char *why)
{
    struct plan_head head;
    struct plan_cursor plan;
    int mounts[MESSAGE_FDS];
    size_t n;
    if (k->template.ns >= 0)
        return 0;
    int r = kind_open_mounts(k, mounts, MESSAGE_FDS, &n, why);
    if (r == 0)
        r = plan_begin(k->bytes, k->size, &head, &plan);
    return r < 0 ? r : template_make(plan, mounts, n, &k->template, why);
}

int64_t kind_shared(const struct kind *k)
{
    return k->baseline > k->copied ? k->baseline - k->copied : 0;
}
