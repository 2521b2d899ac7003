/* lamina_coverage - linked into a function that is compiled with counters, it hands them over at
 * the end of each invocation:
 *
 *     cc --coverage app.c lamina_coverage.c                                gcc
 *     clang -fprofile-instr-generate -fcoverage-mapping app.c lamina_coverage.c
 *
 * The end of an invocation is when the program asks the Runtime API for the next one, by whatever
 * library: the system calls that send are looked at for that request. Counters go to where
 * GCOV_PREFIX says, or to *.profraw, below /tmp/.lamina-coverage; the layer's extension sends them.
 * Without that folder (coverage is off, or no Lambda) nothing is done. Needs Linux, no library. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

static const char request[] = "GET /2018-06-01/runtime/invocation/next";
static int directory = -1, fifo = -1;
static int busy, asked; /* handing over itself writes */

#if defined(__clang__) && !defined(LAMINA_COVERAGE_GCOV)
uint64_t __llvm_profile_get_size_for_buffer(void);
int __llvm_profile_write_buffer(char *buffer);

/* All of them each time, in a file that appears when it is complete. */
static void hand_over(void)
{
    char name[48], part[48];
    size_t size = (size_t)__llvm_profile_get_size_for_buffer(), n = 0;
    char *buffer = (char *)malloc(size);
    snprintf(name, sizeof name, "program-%d.profraw", (int)getpid());
    snprintf(part, sizeof part, ".%s", name);
    int fd = buffer ? openat(directory, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd >= 0 && __llvm_profile_write_buffer(buffer) == 0) {
        for (long r = 1; n < size && r > 0; n += r > 0 ? (size_t)r : 0)
            r = syscall(SYS_write, fd, buffer + n, size - n);
        if (n == size)
            renameat(directory, part, directory, name);
    }
    if (fd >= 0)
        close(fd);
    free(buffer);
}
#else
void __gcov_dump(void);
void __gcov_reset(void);

/* Adds to the files that are there. */
static void hand_over(void)
{
    __gcov_dump();
    __gcov_reset();
}
#endif

static void returned(void)
{
    int error = errno;
    if (directory < 0 || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
        return;
    hand_over();
    if (asked && fifo >= 0) /* the first time no invocation has ended */
        (void)!syscall(SYS_write, fifo, ".", 1);
    asked = 1;
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
    errno = error;
}

static void look(const void *p, size_t n)
{
    if (n >= sizeof request - 1 && !memcmp(p, request, sizeof request - 1))
        returned();
}

__attribute__((constructor)) static void begin(void)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d", (int)getpid());
    directory = open("/tmp/.lamina-coverage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || getenv("LAMINA_COVERAGE_CHILD")) /* started by the function: no runtime */
        return;
    setenv("LAMINA_COVERAGE_CHILD", "1", 1);
    fifo = openat(directory, "done", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int fd = fifo < 0
                 ? -1
                 : openat(directory, "tells-done", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!syscall(SYS_write, fd, text, n);
        close(fd);
    }
}

/* ---- what programs send with ---- */

ssize_t write(int fd, const void *p, size_t n)
{
    look(p, n);
    return syscall(SYS_write, fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    if (n > 0)
        look(v->iov_base, v->iov_len);
    return syscall(SYS_writev, fd, v, n);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    look(p, n);
    return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
    look(p, n);
    return syscall(SYS_sendto, fd, p, n, flags, to, len);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (m->msg_iovlen > 0)
        look(m->msg_iov->iov_base, m->msg_iov->iov_len);
    return syscall(SYS_sendmsg, fd, m, flags);
}

#ifdef __cplusplus
}
#endif
