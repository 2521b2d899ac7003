/* The memory of a python zygote as a sealed file, and what its children give back of it: in a
 * process of each test's own, as it is for good. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../runtimes/python-zygote/pristine.h"

#define PAGES 4
#define HAS(what)                                                                                  \
    do {                                                                                           \
        if (!(what))                                                                               \
            _exit(__LINE__ & 255); /* which cmocka's message shows */                              \
    } while (0)

static int proc;
static size_t size;
static unsigned char *plain, *wiped, *locked;

/* Is the page a file's: never written to, or given back? */
static bool is_of_file(const void *page)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    off_t at = (off_t)((uintptr_t)page / size * sizeof(entry));
    HAS(fd >= 0 && pread(fd, &entry, sizeof(entry), at) == (ssize_t)sizeof(entry));
    close(fd);
    return !(entry >> 63) || (entry >> 61 & 1);
}

static unsigned char *map_filled(int value)
{
    unsigned char *p =
        mmap(NULL, PAGES * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HAS(p != MAP_FAILED);
    memset(p, value, PAGES * size);
    return p;
}

static bool all_are(const unsigned char *p, size_t n, int value)
{
    while (n > 0 && p[n - 1] == value)
        n--;
    return n == 0;
}

static int status_of(pid_t pid)
{
    int status = -1;
    HAS(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* In a zygote, a child of it. */
static void in_child(void (*check)(void))
{
    pid_t zygote = fork();
    if (zygote == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        proc = open("/proc", O_PATH | O_CLOEXEC);
        plain = map_filled(1);
        wiped = map_filled(2);
        HAS(madvise(wiped, PAGES * size, MADV_WIPEONFORK) == 0);
        locked = map_filled(3);
        HAS(mlock(locked, size) == 0);
        pristine_make(proc);
        HAS(is_of_file(plain) && all_are(plain, PAGES * size, 1));
        HAS(!is_of_file(locked) && all_are(locked, PAGES * size, 3));
        HAS(!is_of_file(wiped) && all_are(wiped, PAGES * size, 2));
        pid_t child = fork();
        if (child == 0) {
            check();
            _exit(0);
        }
        _exit(status_of(child));
    }
    assert_int_equal(status_of(zygote), 0);
}

static void gives_back(void)
{
    plain[0] = 9;
    plain[0] = 1;
    plain[size] = 9;
    plain[3 * size - 1] = 9;
    plain[3 * size - 1] = 1;
    HAS(!is_of_file(plain) && !is_of_file(plain + size) && !is_of_file(plain + 2 * size));
    pristine_give_back(proc);
    HAS(is_of_file(plain) && !is_of_file(plain + size) && is_of_file(plain + 2 * size));
    HAS(plain[size] == 9);
    plain[size] = 1;
    HAS(all_are(plain, PAGES * size, 1) && all_are(locked, PAGES * size, 3));
}

static void test_what_is_equal_is_given_back(void **state)
{
    (void)state;
    in_child(gives_back);
}

static void is_wiped(void)
{
    HAS(all_are(wiped, PAGES * size, 0));
}

/* The C library's random numbers come from such a page: equal in all children otherwise. */
static void test_what_a_fork_wipes_is_wiped(void **state)
{
    (void)state;
    in_child(is_wiped);
}

static void finds_other_memory(void)
{
    unsigned char *p =
        mmap(plain, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    HAS(p == plain);
    memset(p, 1, size); /* as the file has it: not its page all the same */
    HAS(mremap(plain + size, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, plain + 3 * size) ==
        plain + 3 * size);
    plain[3 * size] = 9;
    plain[3 * size] = 1;
    HAS(mprotect(plain + 2 * size, size, PROT_READ) == 0);
    pristine_give_back(proc);
    HAS(!is_of_file(plain) && all_are(plain, size, 1) && !is_of_file(plain + 3 * size));
    HAS(all_are(plain + 2 * size, 2 * size, 1));
}

static void test_what_is_in_its_place_stays(void **state)
{
    (void)state;
    in_child(finds_other_memory);
}

static void *wait_for_end(void *fd)
{
    char c;
    return read(*(int *)fd, &c, 1) < 0 ? fd : NULL;
}

static void has_thread(void)
{
    pthread_t thread;
    int ends[2];
    HAS(pipe2(ends, O_CLOEXEC) == 0);
    HAS(pthread_create(&thread, NULL, wait_for_end, &ends[0]) == 0);
    plain[0] = 9;
    plain[0] = 1;
    pristine_give_back(proc);
    HAS(!is_of_file(plain));
    close(ends[1]);
    pthread_join(thread, NULL);
}

static void has_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    plain[0] = 9;
    plain[0] = 1;
    pristine_give_back(proc);
    HAS(!is_of_file(plain));
    kill(pid, SIGKILL);
    status_of(pid);
}

static void test_nothing_is_given_back_where_others_are(void **state)
{
    (void)state;
    in_child(has_thread);
    in_child(has_process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_equal_is_given_back),
        cmocka_unit_test(test_what_a_fork_wipes_is_wiped),
        cmocka_unit_test(test_what_is_in_its_place_stays),
        cmocka_unit_test(test_nothing_is_given_back_where_others_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
