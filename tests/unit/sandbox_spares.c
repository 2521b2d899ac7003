/* sandbox_spares - commands that are started before they are wanted. */
#include "sandbox_run.h"

/* Waits as runtimes/README.md asks for it, and says what it has been told. */
#define WAITS                                                                                      \
    "if [ -n \"$_LAMINA_SPARE_FD\" ]; then\n"                                                      \
    "  n=$(dd bs=1 count=4 2>/dev/null <&3 | od -An -tu4)\n"                                       \
    "  [ -n \"$n\" ] || exit 0\n"                                                                  \
    "  echo spare; dd bs=1 count=$((n)) 2>/dev/null <&3 | tr '\\0' '\\n'; exec 3<&-\n"             \
    "else\n"                                                                                       \
    "  echo executed; pwd; echo A=$A\n"                                                            \
    "fi\n"
#define LOOKS "id -u; ulimit -n; echo $PPID; ls /proc/self/fd | wc -l; exit 5"

static struct sandbox_plan spare_plan(const char *const argv[], const char *zygote_dir)
{
    static struct sandbox_spare spare;
    static const char *const own[] = {"A=mine", NULL};
    struct sandbox_plan plan = shell_plan(argv);
    spare = (struct sandbox_spare){.envp = plain_env, .zygote_dir = zygote_dir};
    plan.spare = &spare;
    plan.envp = own;
    plan.cwd = "/tmp";
    plan.max_files = 77;
    return plan;
}

static bool run_to_end(const struct sandbox_plan *plan, const char *want_spare,
                       const char *want_executed)
{
    struct run run = {0};
    run_begin(&run, plan);
    run_wait(&run);
    if (run.error)
        fail_msg("did not start: %s", run.why);
    bool is_spare = strncmp(run.output.p, "spare\n", 6) == 0;
    assert_string_equal(run.output.p, is_spare ? want_spare : want_executed);
    assert_int_equal(run.how.status, 5);
    run_done(&run);
    return is_spare;
}

/* They are made when nobody wants anything. */
static void leave_time_for_spares(void)
{
    usleep(50000);
}

void test_spares_are_told_what_they_are_for(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c", WAITS LOOKS, NULL};
    struct sandbox_plan plan = spare_plan(argv, NULL);
    struct spawner_options options = {.spares = 2};
    struct spawner *before = change_spawner(&options);
    assert_int_equal(spawner_want_spare(spawner, &plan), 0);
    int found = 0;
    for (int i = 0; i < 300 && found < 3; i++) {
        found += run_to_end(&plan, "spare\n/tmp\nA=mine\n993\n77\n1\n4\n",
                            "executed\n/tmp\nA=mine\n993\n77\n1\n4\n");
        leave_time_for_spares();
    }
    assert_int_equal(found, 3);
    plan.spare = NULL;
    assert_int_equal(spawner_want_spare(spawner, &plan), -EINVAL);
    restore_spawner(before);
}

/* Whatever becomes of it, the plan is carried out. */
void test_spares_that_fail_are_not_missed(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c",
                          "[ -n \"$_LAMINA_SPARE_FD\" ] && exit 1; " WAITS "exit 5", NULL};
    static const char *const dirs[] = {NULL, "/usr", "/nowhere"};
    struct spawner_options options = {.spares = 1};
    struct spawner *before = change_spawner(&options);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct sandbox_plan plan = spare_plan(argv, dirs[i]);
        assert_int_equal(spawner_want_spare(spawner, &plan), 0);
        for (int k = 0; k < 10; k++)
            assert_false(run_to_end(&plan, "", "executed\n/tmp\nA=mine\n"));
    }
    restore_spawner(before);
}

void test_a_spare_is_restarted_by_executing(void **state)
{
    NEEDS(can.can_run, "environments");
    const char *argv[] = {"/bin/sh", "-c", WAITS, NULL};
    struct sandbox_plan plan = spare_plan(argv, NULL);
    struct spawner_options options = {.spares = 1};
    struct spawner *before = change_spawner(&options);
    bool found = false;
    for (int i = 0; i < 300 && !found; i++) {
        struct run run = {0};
        run_begin(&run, &plan);
        run_wait(&run);
        found = strncmp(run.output.p, "spare\n", 6) == 0;
        run.ended = false;
        run.output.n--;
        assert_int_equal(environment_restart(run.env), 0);
        run_wait(&run);
        if (found)
            assert_string_equal(run.output.p, "spare\n/tmp\nA=mine\nexecuted\n/tmp\nA=mine\n");
        run_done(&run);
        leave_time_for_spares();
    }
    assert_true(found);
    restore_spawner(before);
}
