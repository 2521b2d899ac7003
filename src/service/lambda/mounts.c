/* mounts - see mounts.h. Files are watched with inotify; environments that have seen the old ones
 * go at once when they are idle, and after their invocation otherwise. */
#include "service/lambda/mounts.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/watch.h"
#include "service/lambda/image.h"
#include "service/lambda/pool.h"

struct mounts {
    struct lambda_state *lambda;
    struct watch *watch;
    uv_poll_t poll;
    size_t n;
    struct mount {
        struct cloud_mount what;
        char *dir;
        int tree; /* -1: not watched */
        bool changed;
    } * items;
    struct map told; /* functions the log has told about */
};

/* FUNCTION is a name; or a logical id, out of which CloudFormation made STACK-ID-SUFFIX. */
static bool matches(const struct mount *m, struct str name)
{
    struct str id = m->what.function;
    if (str_eq(id, name))
        return true;
    ssize_t end = str_find_last_byte(name, '-');
    if (end <= 0 || name.n - (size_t)end - 1 != 12)
        return false;
    struct str head = str_slice(name, 0, (size_t)end);
    return head.n > id.n && str_ends(head, id) && head.p[head.n - id.n - 1] == '-';
}

static struct mount *find(struct mounts *m, const struct target *t)
{
    for (size_t i = 0; i < m->n; i++)
        if (matches(&m->items[i], t->name) && !image_is(t->c))
            return &m->items[i];
    return NULL;
}

const char *mounts_dir(struct mounts *m, const struct target *t)
{
    struct mount *mount = m ? find(m, t) : NULL;
    if (!mount)
        return NULL;
    if (!map_put(&m->told, t->name, m))
        log_info("lambda: %.*s runs from %s (--mount), not from its package (CodeSha256 %.*s)",
                 STR(t->name), mount->dir, STR(t->c->code_sha256));
    return mount->dir;
}

/* ---- changes ---- */

static void on_change(int tree, struct str path, void *user)
{
    struct mounts *m = user;
    for (size_t i = 0; i < m->n; i++)
        if (m->items[i].tree == tree)
            m->items[i].changed = true;
    log_debug("lambda: %.*s has changed", STR(path));
}

static bool is_outdated(const struct target *t, void *user)
{
    const struct mount *mount = find(user, t);
    return mount && mount->changed;
}

void mounts_refresh(struct mounts *m)
{
    if (!m)
        return;
    bool any = watch_take(m->watch, on_change, m) > 0;
    for (size_t i = 0; i < m->n; i++) { /* not to be known: each invocation begins anew */
        struct mount *mount = &m->items[i];
        if (mount->tree < 0 || watch_is_blind(m->watch, mount->tree))
            any = mount->changed = true;
    }
    if (!any)
        return;
    pool_outdate(m->lambda->pool, is_outdated, m);
    for (size_t i = 0; i < m->n; i++)
        m->items[i].changed = false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    mounts_refresh(poll->data);
}

/* ---- start and end ---- */

static void watch_one(struct mounts *m, struct mount *mount)
{
    mount->tree = -1;
    int r = watch_add(m->watch, mount->dir, &mount->tree);
    if (r < 0)
        log_warn("lambda: %s cannot be watched (%s): each invocation of %.*s starts a new "
                 "environment",
                 mount->dir, strerror(-r), STR(mount->what.function));
    else if (watch_is_blind(m->watch, mount->tree))
        log_warn(
            "lambda: %s has more folders, or deeper ones, than can be watched: each invocation of "
            "%.*s starts a new environment; /proc/sys/fs/inotify/max_user_watches raises the "
            "limit",
            mount->dir, STR(mount->what.function));
}

struct mounts *mounts_new(struct lambda_state *lambda)
{
    const struct cloud_lambda *options = cloud_lambda(lambda->cloud);
    struct watch *watch;
    if (!options->n_mounts)
        return NULL;
    int r = watch_open(&watch);
    if (r < 0) {
        log_error("lambda: --mount does not work here: inotify: %s", strerror(-r));
        return NULL;
    }
    struct mounts *m = MEM_NEW(struct mounts);
    m->lambda = lambda;
    m->watch = watch;
    m->n = options->n_mounts;
    m->items = mem_zalloc(m->n * sizeof(*m->items));
    map_init(&m->told);
    for (size_t i = 0; i < m->n; i++) {
        struct mount *mount = &m->items[i];
        mount->what = options->mounts[i];
        mount->dir = strndup(mount->what.dir.p, mount->what.dir.n);
        watch_one(m, mount);
    }
    uv_poll_init(lambda->loop, &m->poll, watch_fd(m->watch));
    m->poll.data = m;
    uv_poll_start(&m->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&m->poll);
    return m;
}

static void closed(uv_handle_t *handle)
{
    struct mounts *m = handle->data;
    watch_close(m->watch);
    map_done(&m->told);
    for (size_t i = 0; i < m->n; i++)
        free(m->items[i].dir);
    free(m->items);
    free(m);
}

void mounts_free(struct mounts *m)
{
    if (m)
        uv_close((uv_handle_t *)&m->poll, closed);
}
