/* zygote - a python interpreter that forks itself into other environments.
 *
 * Only the spawner's zygotes load this (runtimes/README.md). serve() hears requests and forks; it
 * returns in the children alone, when each knows its working directory and its environment, with no
 * privilege left. One object file serves every python from 3.8 on: the limited API. */
#define Py_LIMITED_API 0x03080000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox/fork_request.h"
#include "sandbox/shed.h"
#include "fill.h"
#include "pristine.h"
#include "touched.h"

#define SOCK 3 /* the spawner's in the zygote, init's in a child */
#define PROC 4 /* /proc, which the zygote's root does not have; closed before the first child */
#define MESSAGE_LARGEST (1 << 20)

static struct sock_filter filter_code[4096];
static struct sock_fprog filter = {0, filter_code};
static struct fork_answer answer;

/* ---- the spawner's requests ---- */

static ssize_t receive(void *p, size_t max, int *fds, size_t *n_fds)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * FORK_FDS)];
    } control;
    struct iovec iov = {p, max};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;
    do
        n = recvmsg(SOCK, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *n_fds = 0;
    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
    }
    return n;
}

static int fail(const char *step)
{
    answer.error = errno ? -errno : -EIO;
    snprintf(answer.step, sizeof(answer.step), "%s", step);
    return -1;
}

static void tell(void)
{
    if (send(SOCK, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
        _exit(0); /* the spawner is gone */
}

/* ---- making a child ---- */

/* In a process between zygote and child: what it enters here the child is born in. */
static int enter(const struct fork_request *request, const int *fds, size_t n_fds)
{
    n_fds -= request->own_user ? 1 : 0;
    for (size_t i = FORK_FD_GROUPS; i < n_fds; i++)
        if (write(fds[i], "0", 1) < 0)
            return fail("join a control group");
    if (setns(fds[FORK_FD_INIT],
              CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
        return fail("enter the namespaces");
    return 0;
}

/* The rest of its life is the child's own: it fails by itself. */
static void become(const struct fork_request *request, const int *fds, size_t n_fds)
{
    const struct shed_limits limits = {request->files, request->processes, SHED_KEEP};
    const char *step = "";
    int null = open("/dev/null", O_RDONLY);
    int sock = fcntl(fds[FORK_FD_SOCKET], F_DUPFD, 5), out = fcntl(fds[FORK_FD_OUTPUT], F_DUPFD, 5);
    int user = request->own_user ? fcntl(fds[n_fds - 1], F_DUPFD, 5) : -1;
    if (null < 0 || sock < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0 || dup2(sock, SOCK) < 0)
        _exit(126);
    if (request->own_user && (user = dup2(user, 4)) < 0)
        _exit(126);
    if (close_range(user < 0 ? 4 : 5, ~0U, 0) < 0)
        _exit(126);
    if (shed_privileges(request->user_namespace, user, &limits, &step) < 0)
        _exit(126);
    prctl(PR_SET_DUMPABLE, 1); /* execve() does it: /proc/self belongs to its user */
    if (chdir("/") < 0 || (filter.len && shed_filter(&filter) < 0))
        _exit(126);
    int pid = (int)getpid();
    if (send(SOCK, &pid, sizeof(pid), MSG_NOSIGNAL) != sizeof(pid))
        _exit(0); /* not wanted any more */
}

/* The child of a child, so that pid 1 of its pid namespace becomes its parent. The one in between
 * borrows our memory (vfork), to save the copy of the page tables. 1 in the child, 0 in the zygote,
 * -1 with the answer filled in. */
static __attribute__((noinline)) int fork_child(const struct fork_request *request, const int *fds,
                                                size_t n_fds)
{
    if (setns(fds[FORK_FD_INIT], CLONE_NEWPID) < 0)
        return fail("enter the pid namespace");
    PyOS_BeforeFork();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    pid_t between = vfork();
#pragma GCC diagnostic pop
    if (between == 0) {
        if (enter(request, fds, n_fds) < 0)
            _exit(1);
        pid_t child = fork();
        if (child == 0) {
            become(request, fds, n_fds);
            PyOS_AfterFork_Child();
            return 1;
        }
        if (child < 0)
            fail("fork");
        _exit(0);
    }
    if (between < 0)
        fail("vfork");
    PyOS_AfterFork_Parent();
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    return answer.error ? -1 : 0;
}

/* ---- in the child: its message ---- */

extern char **environ;

static struct prctl_mm_map own_map; /* start_code 0: not known */

/* Where the parts of this process lie. Asked while nobody waits. */
static void look_at_self(void)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    char *p = strrchr(text, ')');
    unsigned long field[53] = {0};
    for (int i = 3; p && i <= 51; i++) {
        p = strchr(p + 1, ' ');
        if (p && i > 3)
            field[i] = strtoul(p + 1, NULL, 10);
    }
    own_map = (struct prctl_mm_map){
        .start_code = field[26],
        .end_code = field[27],
        .start_stack = field[28],
        .start_data = field[45],
        .end_data = field[46],
        .start_brk = field[47],
        .arg_start = field[48],
        .arg_end = field[49],
        .exe_fd = (uint32_t)-1,
    };
}

/* What /proc/PID/environ shows. Without the kernel's help it stays what the zygote's was: the
 * variables of the kind, the same for every function. */
static void show_environ(char *start, char *end)
{
    if (!own_map.start_code)
        return;
    own_map.brk = (uint64_t)(uintptr_t)sbrk(0);
    own_map.env_start = (uint64_t)(uintptr_t)start;
    own_map.env_end = (uint64_t)(uintptr_t)end;
    prctl(PR_SET_MM, PR_SET_MM_MAP, &own_map, sizeof(own_map), 0);
}

static char *read_message(size_t *ret_size)
{
    unsigned char head[4];
    if (recv(SOCK, head, sizeof(head), MSG_WAITALL) != sizeof(head))
        _exit(0); /* nobody wants us */
    size_t size =
        (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    /* It stays: the environment lies in it. */
    char *p = size > MESSAGE_LARGEST ? MAP_FAILED
                                     : mmap(NULL, size + 1, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        _exit(126);
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(SOCK, p + done, size - done, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            _exit(0);
        done += n > 0 ? (size_t)n : 0;
    }
    *ret_size = size;
    return p;
}

/* The list of NAME=value, which is also the C library's environment now. */
static PyObject *use_message(void)
{
    size_t size, n = 0, i = 0;
    char *text = read_message(&size), *end = text + size;
    close(SOCK);
    if (chdir(text) < 0) {
        dprintf(2, "%s: %s\n", text, strerror(errno));
        _exit(127); /* as a command whose folder is not there */
    }
    char *first = text + strlen(text) + 1;
    for (char *s = first; s < end; s += strlen(s) + 1)
        n++;
    char **list = malloc((n + 1) * sizeof(*list));
    PyObject *ret = list ? PyList_New((Py_ssize_t)n) : NULL;
    if (!ret)
        return PyErr_NoMemory();
    for (char *s = first; s < end; s += strlen(s) + 1, i++) {
        list[i] = s;
        PyObject *item = PyBytes_FromString(s);
        if (!item || PyList_SetItem(ret, (Py_ssize_t)i, item) < 0)
            return NULL;
    }
    list[n] = NULL;
    environ = list;
    show_environ(first, end);
    return ret;
}

/* ---- */

static int start(void)
{
    size_t n_fds;
    int fds[FORK_FDS];
    ssize_t n = receive(filter_code, sizeof(filter_code), fds, &n_fds);
    if (n <= 0)
        _exit(0);
    filter.len = (unsigned short)((size_t)n / sizeof(filter_code[0]));
    int r = shed_bounding_set();
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r < 0) {
        errno = -r;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return r;
}

static int call(PyObject *function)
{
    PyObject *result = PyObject_CallObject(function, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int scout_tells = -1; /* the pipe */
static bool is_child;

#define QUIET_MS 10 /* nobody has asked for the next one for so long: others may take a while */

/* After an answer, while nobody waits for another. The scout answers two events: what it has
 * touched by now a start needs; what it touches again is needed each time. */
static PyObject *settle(PyObject *self, PyObject *arg)
{
    struct pollfd sock = {.fd = (int)PyLong_AsLong(arg), .events = POLLIN};
    int n = 0;
    (void)self;
    if (PyErr_Occurred())
        return NULL;
    if (scout_tells >= 0)
        touched_tell(PROC, scout_tells);
    if (is_child) {
        Py_BEGIN_ALLOW_THREADS;
        n = poll(&sock, 1, QUIET_MS);
        Py_END_ALLOW_THREADS;
    }
    int proc = scout_tells >= 0     ? dup(PROC)
               : is_child && n == 0 ? open("/proc", O_PATH | O_CLOEXEC)
                                    : -1;
    if (proc >= 0) {
        pristine_give_back(proc);
        close(proc);
    }
    return PyBool_FromLong(n == 0);
}

/* A child that goes the way of a start here, says what it has touched, and ends. */
static void send_scout(PyObject *rehearse)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    PyOS_BeforeFork();
    pristine_watch_begin();
    pid_t scout = fork();
    if (scout == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bool can = touched_begin(PROC);
        PyOS_AfterFork_Child();
        scout_tells = ends[1];
        if (can && call(rehearse) == 0)
            pristine_watch_note(PROC);
        _exit(0);
    }
    PyOS_AfterFork_Parent();
    close(ends[1]);
    touched_hear(ends[0]);
    close(ends[0]);
    while (scout > 0 && waitpid(scout, NULL, 0) < 0 && errno == EINTR)
        ;
    pristine_watch_end();
}

/* What can be done ahead of a start. To find out which pages it needs takes milliseconds: not if
 * somebody waits already. */
static int get_ready(PyObject *prepare, PyObject *rehearse)
{
    struct pollfd sock = {.fd = SOCK, .events = POLLIN};
    pristine_map();
    if (touched_populate())
        return call(prepare);
    return poll(&sock, 1, 0) != 0 ? 0 : call(rehearse);
}

static PyObject *serve(PyObject *self, PyObject *args)
{
    struct fork_request request;
    PyObject *prepare, *rehearse;
    if (!PyArg_ParseTuple(args, "OO", &prepare, &rehearse) || start() < 0)
        return NULL;
    Py_INCREF(self); /* and what it keeps: to be freed is to be written to */
    pristine_make(PROC);
    send_scout(rehearse);
    close(PROC);
    tell();
    for (;;) {
        int fds[FORK_FDS];
        size_t n_fds;
        ssize_t n = receive(&request, sizeof(request), fds, &n_fds);
        if (n <= 0)
            _exit(0);
        memset(&answer, 0, sizeof(answer));
        errno = EBADMSG;
        int r = n == sizeof(request) && n_fds >= FORK_FD_GROUPS + (request.own_user != 0)
                    ? fork_child(&request, fds, n_fds)
                    : fail("read a request");
        if (r > 0) {
            look_at_self();
            if (get_ready(prepare, rehearse) < 0)
                return NULL;
            is_child = true;
            return use_message();
        }
        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
        tell();
    }
}

static PyObject *fill(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    fill_holes();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"fill", fill, METH_NOARGS, "fill(): what is allocated later lies together."},
    {"serve", serve, METH_VARARGS,
     "serve(prepare, rehearse): forks for each request; returns in the children: [b'NAME=value', "
     "...]. Each calls one of them while it waits."},
    {"settle", settle, METH_O,
     "settle(socket): to be called after an answer, until it is True: there was time to give back "
     "what a child has not changed after all."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_lamina_zygote", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__lamina_zygote(void);
PyMODINIT_FUNC PyInit__lamina_zygote(void)
{
    return PyModule_Create(&module);
}
