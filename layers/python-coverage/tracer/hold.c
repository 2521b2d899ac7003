/* hold - keeps the environment awake between an invocation and the next one while the shipper
 * works.
 *
 * An environment is frozen when its runtime has asked for the next event. So that the shipper need
 * not be woken by each invocation, the runtime's thread looks for news itself, and asks only when
 * the shipper has them (arena.h, "Held invocations"). A connection for each time: a program may
 * close, or reuse, any descriptor that stays open. */
#include "tracer.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A directory's time stamps have steps of some milliseconds: what happens within one step after a
 * look cannot be seen from them. */
#define STAMP_STEP_NS 20000000ll
#define INIT_MAX_MS 2000      /* the shipper only copies then; an initialisation may take 10 s */
#define UPLOAD_MAX_S 30       /* COVERAGE_UPLOAD_TIMEOUT that is not set */
#define BESIDE_UPLOAD_MS 2000 /* what a shipper that lives may need beside the upload */
#define REST_FACTOR 10        /* times what was waited in vain for a shipper */
#define REST_MAX_MS 60000

static struct sockaddr_un shipper = {.sun_family = AF_UNIX};
static socklen_t shipper_size;
static enum { UNKNOWN, NOBODY, ASKED, NEVER } mode;
static uint64_t told_news;
static int64_t
    stamp_ns; /* the directory's, when the shipper was about to look at it; 0: look again */
static int64_t again_ms;  /* of CLOCK_BOOTTIME; INT64_MAX: with news only */
static int64_t hushed_ms; /* not before, even with news: the shipper did not answer */
static int64_t longest_ms;

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* An environment may be frozen for long: that time counts. */
static int64_t now_ms(void)
{
    return now_ns(CLOCK_BOOTTIME) / 1000000;
}

static int64_t stamp_of_directory(void)
{
    struct stat st;
    if (syscall(SYS_newfstatat, AT_FDCWD, options.dir, &st, 0) < 0)
        return stamp_ns; /* removed: nothing can come into it */
    return st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
}

void hold_prepare(const char *dir)
{
    struct stat st;
    mode = NOBODY;
    if (syscall(SYS_newfstatat, AT_FDCWD, dir, &st, 0) < 0)
        return;
    int n = snprintf(shipper.sun_path + 1, sizeof(shipper.sun_path) - 1, COVARENA_SOCKET,
                     (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    shipper_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    const char *timeout = getenv("COVERAGE_UPLOAD_TIMEOUT");
    long seconds = timeout ? strtol(timeout, NULL, 10) : UPLOAD_MAX_S;
    longest_ms = (seconds < 1 || seconds > 900 ? UPLOAD_MAX_S : seconds) * 1000 + BESIDE_UPLOAD_MS;
    mode = UNKNOWN;
}

/* A connection, or -errno. */
static int reach(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int r = connect(fd, (struct sockaddr *)&shipper, shipper_size) < 0 ? -errno : 0;
    if (r == 0 && mode == UNKNOWN)
        mode = ASKED;
    if (r == -ECONNREFUSED && mode == UNKNOWN)
        mode = NOBODY;
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

/* Until when an answer is waited for. The shipper gives up in time before the invocation's deadline
 * (ship.c: a tenth before it, 20 to 300 ms); half of that later it is its own fault, and must not
 * become the function's. */
static int64_t until_ms(enum covarena_asked what)
{
    int64_t left = what == COVARENA_INITIALISED ? INIT_MAX_MS : longest_ms;
    if (what == COVARENA_RETURNED && arena_request->deadline_ms) {
        int64_t to = (int64_t)arena_request->deadline_ms - now_ns(CLOCK_REALTIME) / 1000000;
        int64_t margin = to / 20;
        to -= margin < 10 ? 10 : margin > 150 ? 150 : margin;
        left = to < left ? to : left;
    }
    return now_ms() + (left < 0 ? 0 : left);
}

/* 0: there is an answer. */
static int receive(int fd, int64_t until, struct covarena_answer *ret)
{
    for (;;) {
        ssize_t n = recv(fd, ret, sizeof(*ret), 0);
        if (n == sizeof(*ret))
            return 0;
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return -ECONNRESET;
        int64_t left = until - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
    }
}

static int ask(enum covarena_asked what, struct covarena_answer *ret)
{
    struct covarena_ask question = {COVARENA_VERSION, what};
    int fd = reach();
    if (fd < 0)
        return fd;
    int r = 0;
    if (send(fd, &question, sizeof(question), MSG_NOSIGNAL) != sizeof(question))
        r = -errno;
    else if (ret)
        r = receive(fd, until_ms(what), ret);
    close(fd);
    return r;
}

void hold_begin(void)
{
    struct covarena_answer answer;
    if (mode != UNKNOWN)
        return;
    PyThreadState *state = PyEval_SaveThread();
    /* Only where each invocation is told apart, it has to be exact what the initialisation ran. */
    ask(COVARENA_INITIALISED, options.contexts ? &answer : NULL);
    PyEval_RestoreThread(state);
}

bool hold_is_on(void)
{
    return mode == ASKED || mode == NEVER;
}

bool hold_is_due(void)
{
    if (mode == NOBODY || mode == NEVER || (hushed_ms && now_ms() < hushed_ms))
        return false;
    return mode == UNKNOWN || __atomic_load_n(&arena->news, __ATOMIC_ACQUIRE) != told_news ||
           (again_ms != INT64_MAX && now_ms() >= again_ms) || stamp_of_directory() != stamp_ns;
}

/* A shipper that hangs shall not cost each invocation all of its time. What is in the arena is not
 * lost: the question waits for the shipper, and the environment's end is another one. */
static void rest(int64_t began_ms)
{
    static bool said;
    int64_t waited = now_ms() - began_ms, time = waited * REST_FACTOR;
    hushed_ms = now_ms() + (time > REST_MAX_MS ? REST_MAX_MS : time);
    if (!said && waited >= 1000)
        log_line(30, "s3_upload",
                 "the shipper has not answered for %lld ms: the next event is asked for",
                 (long long)waited);
    said = said || waited >= 1000;
}

void hold_wait(void)
{
    struct covarena_answer answer;
    PyThreadState *state = PyEval_SaveThread();
    uint64_t news = __atomic_load_n(&arena->news, __ATOMIC_ACQUIRE);
    int64_t stamp = stamp_of_directory(), now = now_ns(CLOCK_REALTIME_COARSE), began = now_ms();
    int r = ask(COVARENA_RETURNED, &answer);
    PyEval_RestoreThread(state);
    hushed_ms = 0;
    if (r == -ETIMEDOUT)
        rest(began);
    if (r < 0) /* it is asked again after a later invocation */
        return;
    told_news = news;
    stamp_ns = now - stamp > STAMP_STEP_NS ? stamp : 0;
    again_ms = answer.again_ms == COVARENA_ON_NEWS ? INT64_MAX : now_ms() + answer.again_ms;
    mode = answer.never ? NEVER : ASKED;
}
