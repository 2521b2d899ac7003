/* tool - see tool.h. */
#include "coverage/tool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fs.h"

#define OUTPUT_MAX ((size_t)1 << 30)

static void become(const char *const *argv, const char *dir, const char *out, const char *err)
{
    int to[2] = {open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
                 open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600)},
        null = open("/dev/null", O_RDONLY);
    if (to[0] < 0 || to[1] < 0 || null < 0 || dup2(null, 0) < 0 || dup2(to[0], 1) < 0 ||
        dup2(to[1], 2) < 0 || chdir(dir) < 0)
        _exit(126);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static struct str take(struct arena *a, const char *path)
{
    struct str text = {0};
    if (fs_read(path, OUTPUT_MAX, a, &text) < 0)
        text = S("");
    unlink(path);
    return text;
}

int tool_run(struct arena *a, const char *const *argv, const char *dir, struct tool_result *ret)
{
    char *out = str_c(a, str_printf(a, "%s/.out", dir)),
         *err = str_c(a, str_printf(a, "%s/.err", dir));
    int status;
    *ret = (struct tool_result){0};
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(argv, dir, out, err);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    ret->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ret->out = take(a, out);
    ret->err = take(a, err);
    return 0;
}

bool tool_exists(struct arena *a, struct str program)
{
    if (str_find_byte(program, '/') >= 0)
        return access(str_c(a, program), X_OK) == 0;
    struct str dir, rest = str_from(getenv("PATH"));
    while (rest.n) {
        str_cut(rest, ':', &dir, &rest);
        if (dir.n && access(str_c(a, fs_join(a, dir, program)), X_OK) == 0)
            return true;
    }
    return false;
}

struct str tool_said(struct arena *a, const struct tool_result *r)
{
    struct str line, rest;
    str_cut(str_trim(r->err), '\n', &line, &rest);
    return line.n ? line : str_printf(a, "exit code %d", r->exit_code);
}
