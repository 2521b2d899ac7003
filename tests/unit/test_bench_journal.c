/* test_bench_journal - what stands on the disk before a function is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "bench/journal.h"

static struct arena *a;
static char folder[64];

static int setup(void **state)
{
    a = arena_new();
    snprintf(folder, sizeof(folder), "/tmp/lamina-journal-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    fs_remove_tree(folder);
    arena_free(a);
    return 0;
}

static struct journal_head head_of(const char *run)
{
    return (struct journal_head){.run = str_from(run),
                                 .target = S("local"),
                                 .endpoint = S("http://127.0.0.1:4566"),
                                 .region = S("us-east-1"),
                                 .function = S("arn:aws:lambda:us-east-1:000000000000:function:f"),
                                 .created_ms = 1700000000000};
}

static struct json *note(int step)
{
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("step"), json_new_int(a, step));
    return o;
}

static size_t count(void)
{
    struct str *paths;
    size_t n;
    assert_int_equal(journal_list(a, str_from(folder), &paths, &n), 0);
    return n;
}

static struct str only_path(void)
{
    struct str *paths;
    size_t n;
    assert_int_equal(journal_list(a, str_from(folder), &paths, &n), 0);
    assert_int_equal(n, 1);
    return paths[0];
}

static void is_read_back_by_who_comes_later(void **state)
{
    struct journal_head head = head_of("0badcafe");
    struct journal *j, *later;
    assert_int_equal(journal_begin(a, str_from(folder), &head, &j), 0);
    assert_int_equal(journal_note(j, note(0)), 0);
    assert_int_equal(journal_note(j, note(1)), 0);
    assert_int_equal(journal_take(a, only_path(), &later), -EBUSY); /* its writer lives */
    journal_leave(j);
    assert_int_equal(journal_take(a, only_path(), &later), 0);
    assert_true(str_is(journal_head(later)->run, "0badcafe"));
    assert_true(str_is(journal_head(later)->endpoint, "http://127.0.0.1:4566"));
    assert_false(str_has(journal_head(later)->profile));
    assert_int_equal(journal_records(later)->n, 2);
    journal_end(later);
    assert_int_equal(count(), 0);
}

/* Two that start at once: the second one has the file open when the first one removes it. */
static void is_undone_once(void **state)
{
    struct journal_head head = head_of("00000001");
    struct journal *j, *one, *two;
    assert_int_equal(journal_begin(a, str_from(folder), &head, &j), 0);
    struct str path = only_path();
    journal_leave(j);
    assert_int_equal(journal_take(a, path, &one), 0);
    assert_int_equal(journal_take(a, path, &two), -EBUSY);
    journal_end(one);
    assert_int_equal(journal_take(a, path, &two), -ENOENT);
}

static void a_write_that_was_cut_off_has_not_been_done(void **state)
{
    struct journal_head head = head_of("00000002");
    struct journal *j;
    assert_int_equal(journal_begin(a, str_from(folder), &head, &j), 0);
    assert_int_equal(journal_note(j, note(0)), 0);
    const char *path = str_c(a, only_path());
    journal_leave(j);
    struct str whole;
    assert_int_equal(fs_read(path, 1 << 20, a, &whole), 0);
    struct str cut = str_printf(a, "%.*s{\"step\":1,\"wh", STR(whole));
    assert_int_equal(fs_write(path, cut, 0600), 0);
    assert_int_equal(journal_take(a, str_from(path), &j), 0);
    assert_int_equal(journal_records(j)->n, 1);
    assert_int_equal(journal_note(j, note(2)), 0); /* in a line of its own */
    journal_leave(j);
    assert_int_equal(journal_take(a, str_from(path), &j), 0);
    assert_int_equal(journal_records(j)->n, 2);
    journal_end(j);
}

static void what_is_no_journal_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}\n",
        "nonsense\n",
        "{\"laminaBenchJournal\":2,\"run\":\"x\"}\n",
        "[1]\n",
        "{\"laminaBenchJournal\":1,\"createdMs\":1,\"run\":\"x\",\"target\":\"local\",\"region\":"
        "\"r\"}\n",
        "{\"laminaBenchJournal\":1,\"createdMs\":1,\"run\":\"x\",\"target\":\"local\",\"region\":"
        "\"r\",\"function\":\"f\"}\nnot a record\n{}\n",
    };
    const char *path = str_c(a, str_printf(a, "%s/1-x.jsonl", folder));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct journal *j;
        assert_int_equal(fs_write(path, str_from(texts[i]), 0600), 0);
        assert_int_equal(journal_take(a, str_from(path), &j), -EBADMSG);
        assert_int_equal(count(), 1); /* it is kept */
    }
}

static void links_are_not_followed(void **state)
{
    struct journal *j;
    const char *path = str_c(a, str_printf(a, "%s/1-x.jsonl", folder));
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(journal_take(a, str_from(path), &j), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody ever writes */
    assert_int_equal(journal_take(a, str_from(path), &j), -EBADMSG);
}

static void nothing_is_left_of_one_that_could_not_be_begun(void **state)
{
    struct journal_head head = head_of("00000003");
    struct journal *j;
    assert_int_equal(journal_begin(a, S("/proc/self/nowhere"), &head, &j), -ENOENT);
    assert_int_equal(journal_begin(a, S("/dev/null/x"), &head, &j), -ENOTDIR);
}

/* The lock of a process that is killed goes with it. */
static void a_killed_writer_leaves_it_behind(void **state)
{
    int pipe_fds[2];
    char byte;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct journal_head head = head_of("00000004");
        struct journal *j;
        if (journal_begin(a, str_from(folder), &head, &j) < 0 || journal_note(j, note(0)) < 0 ||
            write(pipe_fds[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    struct journal *j;
    assert_int_equal(journal_take(a, only_path(), &j), -EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(journal_take(a, only_path(), &j), 0);
    assert_int_equal(journal_records(j)->n, 1);
    journal_end(j);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(is_read_back_by_who_comes_later),
        TEST(is_undone_once),
        TEST(a_write_that_was_cut_off_has_not_been_done),
        TEST(what_is_no_journal_is_refused),
        TEST(links_are_not_followed),
        TEST(nothing_is_left_of_one_that_could_not_be_begun),
        TEST(a_killed_writer_leaves_it_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
