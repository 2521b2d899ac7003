/* code_keeper - see code_keeper.h, and the picture in code.c. */
#include "service/lambda/code_keeper.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/zip.h"
#include "service/lambda/image.h"

struct call *lambda_own_call(struct lambda_state *state)
{
    static const struct principal lambda_itself = {
        .type = PRINCIPAL_SERVICE,
        .service = S_INIT("lambda.amazonaws.com"),
    };
    struct call *call = call_open(state->cloud, S("000000000000"), S("us-east-1"), &lambda_itself);
    call->service = &lambda_service;
    call->state = state;
    return call;
}

struct removal {
    uv_work_t work;
    char *path;
};

static void remove_work(uv_work_t *work)
{
    struct removal *r = work->data;
    fs_remove_tree(r->path);
}

static void removed(uv_work_t *work, int status)
{
    struct removal *r = work->data;
    free(r->path);
    free(r);
}

static void remove_dir(struct code_keeper *k, const char *from)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str trash = str_printf(&a, "%.*s/.trash-%.*s", STR(k->root), STR(random_hex(&a, 16)));
    if (rename(from, trash.p) < 0)
        return;
    struct removal *r = MEM_NEW(struct removal);
    r->path = mem_dup_text(trash.p);
    r->work.data = r;
    uv_queue_work(k->state->loop, &r->work, remove_work, removed);
}

/* Folders go a while after their records: by then the turn is committed or taken back. */
static void sweep_doomed(uv_timer_t *timer)
{
    struct code_keeper *k = timer->data;
    auto_arena struct arena a;
    arena_init(&a);
    struct str *gone = ARENA_ARRAY(&a, struct str, k->doomed.n + 1);
    size_t n = 0, pos = 0;
    struct str digest;
    void *value;
    while (map_next(&k->doomed, &pos, &digest, &value)) {
        if (store_has(k->state->store, key_code(&a, digest))) {
            gone[n++] = str_copy(&a, digest); /* back in use */
        } else if (!map_find(&k->uses, digest)) {
            remove_dir(k, code_dir(k->state->cloud, &a, digest).p);
            gone[n++] = str_copy(&a, digest);
        }
    }
    for (size_t i = 0; i < n; i++)
        map_remove(&k->doomed, gone[i]);
    if (k->doomed.n > 0) /* still mounted somewhere */
        uv_timer_start(timer, sweep_doomed, 1000, 0);
}

void code_doom(struct code_keeper *k, struct str digest)
{
    map_put(&k->doomed, digest, k);
    uv_timer_start(&k->timer, sweep_doomed, 1000, 0);
}

void code_use(struct lambda_state *state, struct str digest)
{
    struct map *m = &state->codes->uses;
    map_put(m, digest, (void *)((uintptr_t)map_find(m, digest) + 1));
}

void code_unuse(struct lambda_state *state, struct str digest)
{
    struct map *m = &state->codes->uses;
    uintptr_t n = (uintptr_t)map_find(m, digest);
    if (n > 1)
        map_put(m, digest, (void *)(n - 1));
    else
        map_remove(m, digest);
}

/* ---- start and end ---- */

static void sweep_folders(struct code_keeper *k)
{
    DIR *dir = opendir(k->root.p);
    if (!dir)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        struct str path = str_printf(&a, "%.*s/%s", STR(k->root), e->d_name);
        if (e->d_name[0] == '.' || !store_has(k->state->store, key_code(&a, str_from(e->d_name))))
            fs_remove_tree(path.p);
    }
    closedir(dir);
}

/* A folder that is missing (somebody has tidied up) is made again from its zip. */
static int restore_folder(struct call *call, struct code_keeper *k, struct str digest,
                          const struct lambda_code_record *c)
{
    struct arena *a = call->arena;
    struct str dir = code_dir(call->cloud, a, digest);
    if (fs_exists(dir.p))
        return 0;
    struct str tmp = str_printf(a, "%.*s/.tmp-%.*s", STR(k->root), STR(random_hex(a, 16)));
    struct zip_report report;
    if (mkdir(tmp.p, 0755) < 0)
        return -errno;
    if (c->image_uri.n) {
        if (image_restore(c->image_uri, digest, tmp.p) < 0)
            return fs_remove_tree(tmp.p);
        return rename(tmp.p, dir.p) < 0 ? -errno : 0;
    }
    struct str zip = blob_path(call->store, c->blob, a);
    if (zip_tree_unpack(str_c(a, zip), tmp.p, LAMBDA_UNZIPPED_MAX, &report) < 0) {
        log_warn("lambda: the package %.*s is lost: %s", STR(digest), report.why);
        fs_remove_tree(tmp.p);
        return 0;
    }
    return rename(tmp.p, dir.p) < 0 ? -errno : 0;
}

static int restore_folders(struct code_keeper *k)
{
    struct call *call = lambda_own_call(k->state);
    struct str after = {0};
    int r = 0;
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(k->state->store, store_prefix(call->arena, 2, S("lambda"), S("code")), after,
                       100, call->arena, &rows, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_code_record c = {0};
            after = rows[i].key;
            r = record_get(call, after, &lambda_code_record_shape, &c);
            if (r == 0)
                r = restore_folder(call, k, store_key_part(call->arena, after, 2), &c);
        }
    }
    call_close(call);
    return r;
}

int code_keeper_open(struct lambda_state *state)
{
    struct code_keeper *k = MEM_NEW(struct code_keeper);
    arena_init(&k->arena);
    k->state = state;
    k->root = str_printf(&k->arena, "%.*s/code", STR(cloud_data_dir(state->cloud)));
    int r = fs_mkdirs(k->root.p, 0755);
    if (r < 0) {
        arena_done(&k->arena);
        free(k);
        return r;
    }
    map_init(&k->uses);
    map_init(&k->doomed);
    random_bytes(k->secret, sizeof(k->secret));
    uv_timer_init(state->loop, &k->timer);
    k->timer.data = k;
    uv_unref((uv_handle_t *)&k->timer);
    state->codes = k;
    sweep_folders(k);
    return restore_folders(k);
}

static void keeper_closed(uv_handle_t *handle)
{
    struct code_keeper *k = handle->data;
    map_done(&k->uses);
    map_done(&k->doomed);
    arena_done(&k->arena);
    free(k);
}

void code_keeper_close(struct lambda_state *state)
{
    struct code_keeper *k = TAKE(state->codes);
    if (k)
        uv_close((uv_handle_t *)&k->timer, keeper_closed);
}
