/* analysis_run - finds a python3 and runs the script in it, from and into memory. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "coverage/analysis_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern const unsigned char analyse_py[];
extern const size_t analyse_py_size;

#define RESULTS_MAX (1u << 30)

struct str analysis_script(void)
{
    return str_of((const char *)analyse_py, analyse_py_size);
}

/* A script of that name may do anything, such as to say that there is no such Python here. */
static bool is_script(const char *path)
{
    char head[2] = "";
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, head, 2) == 2 && head[0] == '#' && head[1] == '!';
}

/* The first program of that name on PATH, or the first script: what version managers put before the
 * programs takes longer to find one than a whole report. */
static struct str find_program(struct arena *a, struct str name, bool script)
{
    struct str rest = str_from(getenv("PATH")), dir;
    bool more = str_has(rest);
    while (more) {
        more = str_cut(rest, ':', &dir, &rest);
        struct str path = fs_join(a, dir.n ? dir : S("."), name);
        struct stat st;
        const char *c = str_c(a, path);
        if (access(c, X_OK) == 0 && stat(c, &st) == 0 && S_ISREG(st.st_mode) &&
            is_script(c) == script)
            return path;
    }
    return (struct str){0};
}

/* Runs argv to its end between three files; its exit code (128 + signal), or -errno. */
static int run(char *const *argv, int in, int out, int err)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir("/") < 0)
            _exit(126);
        execv(argv[0], argv);
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int read_all(struct arena *a, int fd, struct str *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size > RESULTS_MAX)
        return -EMSGSIZE;
    char *p = arena_alloc(a, (size_t)st.st_size + 1);
    size_t n = 0;
    while (n < (size_t)st.st_size) {
        ssize_t r = pread(fd, p + n, (size_t)st.st_size - n, (off_t)n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -EIO;
        n += (size_t)r;
    }
    *ret = str_of(p, n);
    return 0;
}

static int memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int analysis_run_script(struct arena *a, const struct analysis_python *python, int workers,
                        struct str requests, struct str *ret_results, struct str *ret_errors)
{
    auto_close int in = memory_file("requests"), out = memory_file("results"),
                   err = memory_file("errors");
    if (in < 0 || out < 0 || err < 0)
        return in < 0 ? in : out < 0 ? out : err;
    int r = fs_write_all(in, requests.p, requests.n);
    if (r < 0)
        return r;
    /* Appended lines stay whole: workers share the file, and a memfd has no lock on its position.
     */
    if (lseek(in, 0, SEEK_SET) < 0 || fcntl(out, F_SETFL, O_APPEND) < 0)
        return -errno;
    char n[16];
    snprintf(n, sizeof(n), "%d", workers);
    char *argv[] = {str_c(a, python->program),   "-I", "-S", "-c",
                    str_c(a, analysis_script()), n,    NULL};
    r = run(argv, in, out, err);
    if (r < 0)
        return r;
    int read = read_all(a, err, ret_errors);
    if (read == 0)
        read = read_all(a, out, ret_results);
    if (read < 0)
        return read;
    return r == 126 || r == 127 ? -ENOEXEC : 0; /* what is missing in the results says the rest */
}

/* "3.12" of ".../python3.12", links followed; absent when the name does not say. */
static struct str minor_of_name(struct arena *a, struct str path)
{
    auto_free char *real = realpath(str_c(a, path), NULL);
    struct str name = real ? fs_basename(str_from(real)) : (struct str){0};
    if (!str_starts(name, S("python3.")))
        return (struct str){0};
    for (size_t i = 8; i < name.n; i++)
        if (name.p[i] < '0' || name.p[i] > '9')
            return (struct str){0};
    return str_copy(a, str_slice(name, 6, name.n));
}

/* Asks it; *path becomes what it says of itself. */
static struct str minor_of_program(struct arena *a, struct str *path)
{
    auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC), out = memory_file("version");
    char *argv[] = {str_c(a, *path),
                    "-I",
                    "-S",
                    "-c",
                    "import sys; sys.stdout.write('%d.%d %s' % (*sys.version_info[:2], "
                    "sys.executable or ''))",
                    NULL};
    struct str said = {0}, minor, self;
    if (null < 0 || out < 0 || run(argv, null, out, null) || read_all(a, out, &said) < 0 ||
        !str_cut(said, ' ', &minor, &self))
        return (struct str){0};
    if (self.n && self.p[0] == '/' && access(str_c(a, self), X_OK) == 0)
        *path = self;
    return minor;
}

/* The script needs 3.8. */
static bool is_usable(struct str minor)
{
    int64_t n;
    return str_starts(minor, S("3.")) && str_to_int64(str_slice(minor, 2, minor.n), &n) == 0 &&
           n >= 8;
}

/* A script answers for a program elsewhere, which is what is to be run. */
static bool try_python(struct arena *a, struct str name, bool script, struct analysis_python *ret)
{
    struct str program = find_program(a, name, script);
    if (!str_has(program))
        return false;
    struct str minor = script ? (struct str){0} : minor_of_name(a, program);
    if (!str_has(minor))
        minor = minor_of_program(a, &program);
    if (!is_usable(minor))
        return false;
    *ret = (struct analysis_python){.program = program, .minor = minor};
    return true;
}

void analysis_find_python(struct arena *a, struct str wanted, struct analysis_python *ret)
{
    struct str names[] = {wanted.n ? str_printf(a, "python%.*s", STR(wanted)) : S("python3"),
                          S("python3"), S("python")};
    *ret = (struct analysis_python){0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (try_python(a, names[i], false, ret) || try_python(a, names[i], true, ret))
            return;
}
