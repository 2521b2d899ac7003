/* sandbox_run - what the tests of sandboxes share: one spawner, and commands that are run to their
 * end. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <grp.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <glob.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "sandbox/sandbox.h"

extern struct spawner *spawner;
extern struct sandbox_abilities can;
extern uv_loop_t loop;
extern char scratch[];
extern const char *const plain_env[];
extern const struct environment_events run_events;

struct run {
    struct environment *env;
    struct buf output;
    int fd;
    bool started, ended;
    int error;
    char why[512];
    struct environment_exit how;
    int64_t peak;
    int processes_ended;
    struct environment_exit process_how[8];
    void (*on_started)(struct run *run);
};

void read_output(struct run *run);
struct sandbox_plan shell_plan(const char *const argv[]);
void run_begin(struct run *run, const struct sandbox_plan *plan);
void run_wait(struct run *run);
void run_done(struct run *run);
void run_sh(struct run *run, struct sandbox_plan plan, const char *script);
void expect_output(struct sandbox_plan plan, const char *script, const char *want);
const char *make_file(const char *name, const char *text);
struct spawner *change_spawner(const struct spawner_options *options);
void restore_spawner(struct spawner *before);
void wait_for(struct run *run, const char *text);
void begin_and_wait_for(struct run *run, const char *script, const char *text);
size_t groups_of(pid_t pid);

#define NEEDS(condition, what)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_message("skipped: %s\n", what);                                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)
#define NEEDS_SANDBOX NEEDS(can.can_run, can.note)

/* sandbox_handling.c, sandbox_spares.c */
void test_kill(void **state);
void test_signal_reaches_the_command(void **state);
void test_restart_keeps_tmp(void **state);
void test_oom_is_forgotten_by_restart(void **state);
void test_processes_beside_the_command(void **state);
void test_restart_after_exit(void **state);
void test_freeze_and_thaw(void **state);
void test_cpu_share(void **state);
void test_many_at_once(void **state);
void test_free_while_starting(void **state);
void test_nothing_is_left_behind(void **state);
void test_spawner_killed_takes_all_along(void **state);
void test_spares_are_told_what_they_are_for(void **state);
void test_spares_that_fail_are_not_missed(void **state);
void test_a_spare_is_restarted_by_executing(void **state);
