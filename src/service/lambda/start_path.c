/* start_path - see start_path.h.
 *
 * A spare has been started with the variables of the platform and without code and layers. So a
 * function whose variables or files such a start would have looked at is executed. */
#include "service/lambda/start_path.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/coverage_layer.h"
#include "service/lambda/runtime_cache.h"
#include "service/lambda/start_covered.h"
#include "service/lambda/variables.h"

/* Read by interpreters, the C library and the loader before the first line of code; set by the
 * platform, or else the function gets no spare. */
static const char *const start_variables[] = {
    "LANG", "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "TZ",
};
static const char *const start_prefixes[] = {
    "PYTHON", "NODE_", "LD_",     "LANG",      "LC_", "MALLOC",
    "GLIBC_", "UV_",   "OPENSSL", "SSL_CERT_", "TZ",  "_LAMINA",
};

/* What interpreters are linked with: one of these in a folder of LD_LIBRARY_PATH replaces it. */
static const char *const linked[] = {
    "libc.so.6",        "libm.so.6",         "libdl.so.2",        "libpthread.so.0",
    "libutil.so.1",     "libz.so.1",         "libexpat.so.1",     "libcrypto.so.3",
    "libssl.so.3",      "libstdc++.so.6",    "libgcc_s.so.1",     "libuv.so.1",
    "libcares.so.2",    "libnghttp2.so.14",  "libnode.so.108",    "libicuuc.so.72",
    "libicui18n.so.72", "libbrotlidec.so.1", "libbrotlienc.so.1",
};

static struct str wrapper_of(const struct lambda_function_configuration *c)
{
    const struct lambda_environment_response *own = c->environment;
    for (size_t i = 0; own && i < own->variables.n; i++)
        if (str_is(own->variables.items[i].key, "AWS_LAMBDA_EXEC_WRAPPER"))
            return own->variables.items[i].value;
    return (struct str){0};
}

/* Python with its site module: -S only saves time, and what a wrapper has set up is to be seen. */
static void add_words(const char **to, const char *const *argv)
{
    for (; *argv; argv++)
        if (strcmp(*argv, "-S") != 0)
            *to++ = *argv;
    *to = NULL;
}

const char *const *start_path_words(struct arena *a, const struct lambda_function_configuration *c,
                                    const char *const *argv)
{
    struct str wrapper = wrapper_of(c);
    if (!wrapper.n || str_starts(c->runtime, S("provided")))
        return argv;
    size_t n = 0;
    while (argv[n])
        n++;
    const char **ret = ARENA_ARRAY(a, const char *, n + 5);
    ret[0] = "/bin/sh";
    ret[1] = "-c";
    ret[2] = "[ -f \"$0\" ] || { echo \"$0: does not exist\"; exit 127; }\n"
             "[ -x \"$0\" ] || { echo \"$0: is not an executable\"; exit 126; }\n"
             "exec \"$0\" \"$@\"";
    ret[3] = str_c(a, wrapper);
    add_words(ret + 4, argv);
    return ret;
}

/* What the wrapper would execute; it is the coverage layer's. */
static const char *const *covered_words(struct arena *a, const char *const *argv)
{
    size_t n = 0;
    while (argv[n])
        n++;
    const char **ret = ARENA_ARRAY(a, const char *, n + 1);
    add_words(ret, argv);
    return ret;
}

static bool changes_start(const struct target *t)
{
    const struct lambda_environment_response *own = t->c->environment;
    for (size_t i = 0; own && i < own->variables.n; i++)
        for (size_t k = 0; k < sizeof(start_prefixes) / sizeof(*start_prefixes); k++)
            if (str_starts(own->variables.items[i].key, str_from(start_prefixes[k])))
                return true;
    return false;
}

/* By the folder's descriptor: its path is long, and a first start looks twenty times. */
static bool has_libraries(struct arena *a, const char *dir, const char *below)
{
    auto_close int folder =
        open(str_printf(a, "%s%s", dir, below).p, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    for (size_t i = 0; i < sizeof(linked) / sizeof(*linked); i++)
        if (faccessat(folder, linked[i], F_OK, 0) == 0)
            return true;
    return false;
}

static bool looks_for_libraries(struct arena *a, const struct runtime_wish *wish)
{
    if (has_libraries(a, wish->task_dir, "") || has_libraries(a, wish->task_dir, "/lib"))
        return true;
    for (size_t i = 0; i < wish->n_layers; i++)
        if (has_libraries(a, wish->layer_dirs[i], "/lib"))
            return true;
    return false;
}

/* Packages and layers do not change below a target. */
static bool brings_libraries(struct arena *a, struct target *t, const struct runtime_wish *wish)
{
    if (t->libraries == LIBRARIES_UNKNOWN)
        t->libraries = looks_for_libraries(a, wish) ? LIBRARIES_OWN : LIBRARIES_NONE;
    return t->libraries == LIBRARIES_OWN;
}

static const char *const *variables_of_kind(struct arena *a, const char *const *envp)
{
    const size_t most = sizeof(start_variables) / sizeof(*start_variables);
    const char **ret = ARENA_ARRAY(a, const char *, most + 1);
    size_t n = 0;
    for (; *envp && n < most; envp++)
        for (size_t i = 0; i < most; i++) {
            struct str name = str_from(start_variables[i]), text = str_from(*envp);
            if (str_starts(text, name) && text.p[name.n] == '=')
                ret[n++] = *envp;
        }
    return ret;
}

static const char *zygote_dir(void)
{
    static char dir[PATH_MAX];
    static bool known;
    if (!known) {
        auto_arena struct arena a;
        arena_init(&a);
        struct str module = runtime_library(&a, "python-zygote/_lamina_zygote.abi3.so");
        if (module.n)
            snprintf(dir, sizeof(dir), "%.*s", STR(fs_dirname(&a, module)));
        known = true;
    }
    return dir[0] ? dir : NULL;
}

const struct sandbox_spare *start_path_spare(struct lambda_state *lambda, struct arena *a,
                                             struct target *t, const struct runtime_wish *wish,
                                             const struct runtime_command *command,
                                             const char *const *envp)
{
    bool python = str_starts(t->c->runtime, S("python"));
    bool node = str_starts(t->c->runtime, S("nodejs"));
    if ((!python && !node) || t->record.image || !command->runtime_dir)
        return NULL;
    /* A copy with byte code is on its way: spares shall be made of that. */
    if (command->byte_code && !runtime_cache_settled(lambda->runtimes, command->link_target))
        return NULL;
    if (changes_start(t) || brings_libraries(a, t, wish))
        return NULL;
    bool wrapped = wrapper_of(t->c).n > 0;
    if (wrapped && !(python && start_is_covered_by_us(a, t, wish)))
        return NULL;
    struct sandbox_spare *ret = ARENA_NEW(a, struct sandbox_spare);
    ret->argv = wrapped ? covered_words(a, command->argv) : NULL;
    ret->envp = variables_of_kind(a, envp);
    ret->zygote_dir = python ? zygote_dir() : NULL;
    return ret;
}

/* A message over TCP costs the kernel half as much again as one over a UNIX socket. Our python
 * runtime uses that unless somebody has told it another address; node's net module pads abstract
 * names, or not, by version. */
const struct sandbox_port start_path_ports[START_PORTS] = {
    [PORT_RUNTIME_API] = {.port = 9001},
    [PORT_CLOUD] = {.port = 4566},
    [PORT_XRAY] = {.port = 2000, .datagram = true},
    [PORT_RUNTIME_LOCAL] = {.local = "lamina-runtime-api"},
};

size_t start_path_n_ports(const struct lambda_function_configuration *c)
{
    return str_starts(c->runtime, S("python")) ? START_PORTS : PORT_RUNTIME_LOCAL;
}

/* A function as its runtime sees it; what else there is to it does not matter to a kind. */
static void plain_target(struct arena *a, const struct start_expected *e, struct target *ret)
{
    struct lambda_function_configuration *c = ARENA_NEW(a, struct lambda_function_configuration);
    c->runtime = e->runtime;
    c->memory_size = opt_int(e->memory_mb);
    c->logging_config = ARENA_NEW(a, struct lambda_logging_config);
    if (e->covered) {
        static struct lambda_environment_variables_entry wrapper = {
            S_INIT("AWS_LAMBDA_EXEC_WRAPPER"), S_INIT(COVERAGE_LAYER_WRAPPER)};
        c->environment = ARENA_NEW(a, struct lambda_environment_response);
        c->environment->variables.items = &wrapper;
        c->environment->variables.n = 1;
    }
    *ret = (struct target){.c = c, .libraries = LIBRARIES_NONE, .coverage = COVERAGE_OURS};
}

void start_path_expect_function(struct lambda_state *lambda,
                                const struct lambda_function_configuration *c)
{
    start_path_expect(lambda, &(struct start_expected){.runtime = c->runtime,
                                                       .memory_mb = (int)c->memory_size.is,
                                                       .covered = start_is_covered(c)});
}

void start_path_expect(struct lambda_state *lambda, const struct start_expected *e)
{
    struct spawner *spawner = cloud_spawner(lambda->cloud);
    auto_arena struct arena a;
    arena_init(&a);
    struct runtime_wish wish = {.runtime = e->runtime, .memory_mb = e->memory_mb, .task_dir = "/"};
    struct runtime_command command = {0};
    struct target t;
    struct str why;
    bool no_bootstrap;

    bool python = str_starts(e->runtime, S("python"));
    if (!spawner || (!python && (e->covered || !str_starts(e->runtime, S("nodejs")))))
        return;
    if (runtime_find(lambda->cloud, &a, &wish, &command, &why, &no_bootstrap) < 0)
        return; /* its invocation tells why */
    if (command.byte_code) {
        command.runtime_dir =
            runtime_cache_get(lambda->runtimes, command.link_target, command.runtime_dir);
        if (runtime_cache_remind(lambda->runtimes, command.link_target, e))
            return;
    }
    plain_target(&a, e, &t);
    static const struct session_credentials none;
    struct sandbox_bind bind = {command.prefix, command.prefix};
    struct sandbox_link link = {command.link_target, command.link_path};
    struct sandbox_plan plan = {
        .argv = start_path_words(&a, t.c, command.argv),
        .envp = variables_make(&a, &t, &none, S(""), S(""), false),
        .runtime_dir = command.runtime_dir,
        .binds = &bind,
        .n_binds = command.prefix ? 1 : 0,
        .links = &link,
        .n_links = command.link_path ? 1 : 0,
        .ports = start_path_ports,
        .n_ports = start_path_n_ports(t.c),
    };
    plan.spare = start_path_spare(lambda, &a, &t, &wish, &command, plan.envp);
    if (plan.spare)
        spawner_want_spare(spawner, &plan);
}
