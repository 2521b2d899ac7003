/* extension - see extension.h: states and lists, without effects. */
#include "service/lambda/extension.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"

void extensions_init(struct extensions *x)
{
    arena_init(&x->arena);
}

void extensions_done(struct extensions *x)
{
    arena_done(&x->arena);
}

void extensions_clear(struct extensions *x)
{
    memset(x->items, 0, sizeof(x->items));
    x->n = 0;
    x->closed = x->stopped = false;
    arena_reset(&x->arena);
}

/* ---- files ---- */

#define FILES_MAX 64 /* more are of no use: ten may start, the eleventh ends the init */

static bool has_file(const struct extensions *x, const char *name)
{
    for (size_t i = 0; i < x->n_files; i++)
        if (str_is(x->files[i], name))
            return true;
    return false;
}

/* Links inside are the function's, and lead where they lead inside of it. */
static DIR *open_inside(const char *root, const char *path)
{
    auto_close int at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = at < 0 ? -1 : (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !d)
        close(fd);
    return d;
}

static void look_into(struct extensions *x, struct arena *a, const char *dir, const char *path)
{
    DIR *d = open_inside(dir, path);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d)) && x->n_files < FILES_MAX;) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) ||
            has_file(x, e->d_name))
            continue;
        if (!x->files)
            x->files = ARENA_ARRAY(a, struct str, FILES_MAX);
        x->files[x->n_files++] = str_copy(a, str_from(e->d_name));
    }
    closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void extensions_look(struct extensions *x, struct arena *a, const char *const *dirs, size_t n,
                     const char *path)
{
    x->n_files = 0;
    for (size_t i = 0; i < n; i++)
        look_into(x, a, dirs[i], path);
    if (x->n_files)
        qsort(x->files, x->n_files, sizeof(*x->files), by_name);
}

/* ---- who ---- */

const char *extension_state_name(const struct extension *e)
{
    static const char *const names[] = {
        [EXTENSION_STARTED] = "Started",
        [EXTENSION_REGISTERED] = "Registered",
        [EXTENSION_READY] = "Ready",
        [EXTENSION_RUNNING] = "Running",
        [EXTENSION_INIT_ERROR] = "InitError",
        [EXTENSION_EXIT_ERROR] = "ExitError",
        [EXTENSION_LAUNCH_ERROR] = "LaunchError",
    };
    return names[e->state];
}

#define EACH(x, e) for (struct extension *e = (x)->items; e < (x)->items + (x)->n; e++)
#define EACH_CONST(x, e) for (const struct extension *e = (x)->items; e < (x)->items + (x)->n; e++)

struct extension *extension_by_name(struct extensions *x, struct str name)
{
    EACH(x, e)
    if (str_eq(e->name, name))
        return e;
    return NULL;
}

struct extension *extension_by_id(struct extensions *x, struct str id)
{
    EACH(x, e)
    if (str_eq_nocase(e->id, id))
        return e;
    return NULL;
}

struct extension *extension_by_process(struct extensions *x, int index)
{
    EACH(x, e)
    if (e->external && e->alive && e->process == index)
        return e;
    return NULL;
}

struct extension *extension_add(struct extensions *x, struct str name, bool external)
{
    if (x->n >= EXTENSIONS_MAX + (external ? 1 : 0))
        return NULL;
    struct extension *e = &x->items[x->n++];
    *e = (struct extension){
        .name = str_copy(&x->arena, name), .id = random_uuid(&x->arena), .external = external};
    return e;
}

bool extensions_registered(const struct extensions *x)
{
    EACH_CONST(x, e)
    if (e->external && e->state == EXTENSION_STARTED)
        return false;
    return true;
}

bool extensions_ready(const struct extensions *x)
{
    EACH_CONST(x, e)
    if (e->state != EXTENSION_READY)
        return false;
    return true;
}

bool extensions_idle(const struct extensions *x)
{
    EACH_CONST(x, e)
    if (e->invoke && e->state != EXTENSION_READY)
        return false;
    return true;
}

bool extensions_alive(const struct extensions *x)
{
    EACH_CONST(x, e)
    if (e->alive)
        return true;
    return false;
}

size_t extensions_external(const struct extensions *x)
{
    size_t n = 0;
    EACH_CONST(x, e)
    n += e->external && e->state != EXTENSION_LAUNCH_ERROR;
    return n;
}

/* ---- transitions ---- */

bool extension_register(struct extension *e, bool invoke, bool shutdown)
{
    if (e->state != EXTENSION_STARTED)
        return false;
    e->state = EXTENSION_REGISTERED;
    e->invoke = invoke;
    e->shutdown = shutdown;
    return true;
}

bool extension_next(struct extension *e)
{
    if (e->state != EXTENSION_REGISTERED && e->state != EXTENSION_RUNNING)
        return false;
    e->state = EXTENSION_READY;
    return true;
}

/* Said again, the first error stays. */
static bool fail(struct extension *e, struct arena *a, enum extension_state state, struct str type)
{
    if (e->state != state)
        e->error_type = str_copy(a, type);
    e->state = state;
    return true;
}

bool extension_init_error(struct extension *e, struct arena *a, struct str type)
{
    if (e->state != EXTENSION_REGISTERED && e->state != EXTENSION_INIT_ERROR)
        return false;
    return fail(e, a, EXTENSION_INIT_ERROR, type);
}

bool extension_exit_error(struct extension *e, struct arena *a, struct str type)
{
    if (e->state != EXTENSION_REGISTERED && e->state != EXTENSION_READY &&
        e->state != EXTENSION_RUNNING && e->state != EXTENSION_EXIT_ERROR)
        return false;
    return fail(e, a, EXTENSION_EXIT_ERROR, type);
}
