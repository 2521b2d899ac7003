/* guard - a program that cuts the arena's file short must not die of what is mapped behind its end.
 *
 * SIGBUS at an address of the mapping puts pages of nobody in its place: bits go nowhere from then
 * on, and tracer_cut() turns counting off at the next occasion that allows a log line. Any other
 * SIGBUS ends as it would have without us. */
#include "tracer.h"
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

static char *from;
static size_t room;
static struct sigaction before;
static volatile sig_atomic_t cut;

/* A fault happens again when the instruction does; a signal that was sent, when it is sent again.
 */
static void pass_on(int number, siginfo_t *info, void *context)
{
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else if (info->si_code > 0 || before.sa_handler == SIG_DFL) {
        signal(number, SIG_DFL);
        if (info->si_code <= 0)
            raise(number);
    }
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    char *at = (char *)info->si_addr;
    int was = errno;
    if (info->si_code > 0 && from && at >= from && at < from + room &&
        mmap(from, room, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED) {
        cut = 1;
        errno = was;
        return;
    }
    errno = was;
    pass_on(number, info, context);
}

void guard_begin(void *base, size_t n)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, now;
    from = (char *)base;
    room = n;
    cut = 0;
    action.sa_sigaction = on_bus;
    if (sigaction(SIGBUS, NULL, &now) == 0 &&
        (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_bus) &&
        sigaction(SIGBUS, &action, &before) < 0)
        before = now;
}

bool tracer_cut(void)
{
    if (cut)
        tracer_fail("%s was cut short by the program", arena_path);
    return cut;
}
