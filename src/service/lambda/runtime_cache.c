/* runtime_cache - see runtime_cache.h. */
#include "service/lambda/runtime_cache.h"
#include <signal.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/lambda/start_path.h"

/* One interpreter's copy:  COMPILING --exit status 0--> READY
 *                              +-------anything else--> FAILED: the original is used */
struct copy {
    enum { COPY_COMPILING, COPY_READY, COPY_FAILED } state;
    struct runtime_cache *cache; /* NULL: it has gone, nobody waits */
    const char *folder;
    uv_process_t process;
    bool open;                      /* the handle */
    struct start_expected expected; /* start_path_expect() is to be called with it */
};

struct runtime_cache {
    struct lambda_state *lambda;
    struct arena arena;
    struct map copies; /* interpreter */
};

/* argv: library, folder. Unchecked: what is in the copy does not change. */
static const char script[] = "import os, py_compile, shutil, sys\n"
                             "library, folder = sys.argv[1:]\n"
                             "os.umask(0o022)\n"
                             "os.mkdir(folder)\n"
                             "for name in os.listdir(library):\n"
                             "    if name.endswith('.py'):\n"
                             "        with open(os.path.join(library, name), 'rb') as f:\n"
                             "            text = f.read()\n"
                             "        path = os.path.join(folder, name)\n"
                             "        with open(path, 'wb') as f:\n"
                             "            f.write(text)\n"
                             "        py_compile.compile(path, dfile='/var/runtime/' + name,\n"
                             "            doraise=True, invalidation_mode=\n"
                             "            py_compile.PycInvalidationMode.UNCHECKED_HASH)\n"
                             "for name in 'bootstrap', 'lambda-entrypoint.sh':\n"
                             "    shutil.copy(os.path.join(library, name), folder)\n";

struct runtime_cache *runtime_cache_new(struct lambda_state *lambda)
{
    struct runtime_cache *c = MEM_NEW(struct runtime_cache);
    c->lambda = lambda;
    arena_init(&c->arena);
    map_init(&c->copies);
    return c;
}

static void closed(uv_handle_t *handle)
{
    struct copy *copy = handle->data;
    copy->open = false;
    if (!copy->cache)
        free(copy);
}

static void on_exit_of_compiler(uv_process_t *process, int64_t status, int signal)
{
    struct copy *copy = process->data;
    copy->state = status == 0 && signal == 0 ? COPY_READY : COPY_FAILED;
    if (copy->state == COPY_FAILED)
        log_warn("lambda: the runtime's byte code could not be made in %s", copy->folder);
    uv_close((uv_handle_t *)process, closed);
    if (copy->cache && copy->expected.runtime.n)
        start_path_expect(copy->cache->lambda, &copy->expected);
}

static void compile(struct runtime_cache *c, struct copy *copy, const char *interpreter,
                    const char *library)
{
    char *argv[] = {(char *)interpreter,  "-I", "-S", "-c", (char *)script, (char *)library,
                    (char *)copy->folder, NULL};
    char *envp[] = {NULL};
    uv_process_options_t options = {
        .file = interpreter, .args = argv, .env = envp, .exit_cb = on_exit_of_compiler};
    copy->process.data = copy;
    copy->open = true;
    int r = uv_spawn(c->lambda->loop, &copy->process, &options);
    if (r < 0) {
        log_warn("lambda: %s: %s", interpreter, uv_strerror(r));
        copy->state = COPY_FAILED;
        uv_close((uv_handle_t *)&copy->process, closed);
        return;
    }
    uv_unref((uv_handle_t *)&copy->process);
}

const char *runtime_cache_get(struct runtime_cache *c, const char *interpreter, const char *library)
{
    struct copy *copy = map_find(&c->copies, str_from(interpreter));
    if (!copy) {
        copy = MEM_NEW(struct copy);
        copy->cache = c;
        /* A name of its own: the compiler of a daemon that was killed may still be at work. */
        copy->folder = str_printf(&c->arena, "%s/runtime-%.*s", store_tmp(c->lambda->store),
                                  STR(random_hex(&c->arena, 16)))
                           .p;
        map_put(&c->copies, str_copy(&c->arena, str_from(interpreter)), copy);
        compile(c, copy, interpreter, library);
    }
    return copy->state == COPY_READY ? copy->folder : library;
}

bool runtime_cache_remind(struct runtime_cache *c, const char *interpreter,
                          const struct start_expected *e)
{
    struct copy *copy = map_find(&c->copies, str_from(interpreter));
    if (!copy || copy->state != COPY_COMPILING)
        return false;
    copy->expected = *e;
    copy->expected.runtime = str_copy(&c->arena, e->runtime);
    return true;
}

bool runtime_cache_settled(struct runtime_cache *c, const char *interpreter)
{
    const struct copy *copy = map_find(&c->copies, str_from(interpreter));
    return copy && copy->state != COPY_COMPILING;
}

void runtime_cache_free(struct runtime_cache *c)
{
    if (!c)
        return;
    size_t pos = 0;
    void *value;
    while (map_next(&c->copies, &pos, NULL, &value)) {
        struct copy *copy = value;
        copy->cache = NULL;
        if (copy->state == COPY_COMPILING) {
            uv_process_kill(&copy->process, SIGKILL);
            uv_close((uv_handle_t *)&copy->process, closed);
        } else if (!copy->open) {
            free(copy);
        }
    }
    map_done(&c->copies);
    arena_done(&c->arena);
    free(c);
}
