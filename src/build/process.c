/* process - build tools and what they say: see process.h. */
#include "build/process.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"

extern char **environ;

struct str process_find(struct arena *a, const char *program)
{
    if (strchr(program, '/'))
        return access(program, X_OK) == 0 ? str_copy(a, str_from(program)) : (struct str){0};
    const char *path = getenv("PATH");
    struct str dir, rest = str_from(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.n) {
        str_cut(rest, ':', &dir, &rest);
        struct str full = str_printf(a, "%.*s/%s", STR(dir), program);
        if (dir.n && access(full.p, X_OK) == 0)
            return full;
    }
    return (struct str){0};
}

static char **environment(struct arena *a, const char *const *extra)
{
    size_t n = 0, m = 0;
    while (environ[n])
        n++;
    while (extra && extra[m])
        m++;
    char **out = ARENA_ARRAY(a, char *, n + m + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(environ[i], '=');
        size_t len = eq ? (size_t)(eq - environ[i]) + 1 : strlen(environ[i]);
        bool replaced = false;
        for (size_t j = 0; j < m; j++)
            replaced = replaced || !strncmp(environ[i], extra[j], len);
        if (!replaced)
            out[k++] = environ[i];
    }
    for (size_t j = 0; j < m; j++)
        out[k++] = (char *)(uintptr_t)extra[j];
    return out;
}

static void child(const char *program, const char *const *argv, char **env, const char *dir,
                  int out)
{
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    if (dir && chdir(dir) < 0)
        _exit(126);
    execve(program, (char *const *)(uintptr_t)argv, env);
    _exit(127);
}

/* The end of a long output says what failed. */
static void collect(int fd, struct buf *b)
{
    char part[8192];
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        if (b->n + (size_t)n > PROCESS_OUTPUT_MAX)
            buf_drop(b, b->n / 2);
        buf_add(b, part, (size_t)n);
    }
}

int process_run(struct arena *a, const char *const *argv, const char *dir, const char *const *env,
                struct process_result *ret)
{
    struct str program = process_find(a, argv[0]);
    if (!str_has(program))
        return -ENOENT;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    char **vars = environment(a, env);
    pid_t pid = fork();
    if (pid < 0) {
        int r = -errno;
        close(fds[0]);
        close(fds[1]);
        return r;
    }
    if (pid == 0)
        child(program.p, argv, vars, dir, fds[1]);
    close(fds[1]);
    auto_close int from = fds[0];
    auto_buf struct buf b;
    buf_init(&b, PROCESS_OUTPUT_MAX + 8192);
    collect(from, &b);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ret->output = buf_copy(&b, a);
    return 0;
}

int process_fail(struct arena *a, struct str *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    *why = str_vprintf(a, fmt, ap);
    va_end(ap);
    return -EINVAL;
}
