/* test_zip - deployment packages survive the way there and back; hostile ones do not get in. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/zip.h"

static struct arena arena;
static char dir[64];

static const char *at(const char *name)
{
    return str_printf(&arena, "%s/%s", dir, name).p;
}

static int setup(void **state)
{
    arena_init(&arena);
    snprintf(dir, sizeof(dir), "/tmp/test_zip.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(fs_mkdirs(at("in/sub"), 0755), 0);
    assert_int_equal(fs_mkdirs(at("out"), 0755), 0);
    return 0;
}

static int teardown(void **state)
{
    fs_remove_tree(dir);
    arena_done(&arena);
    return 0;
}

static struct str read_all(const char *path)
{
    struct str s = {0};
    assert_int_equal(fs_read(path, 1 << 20, &arena, &s), 0);
    return s;
}

static void what_is_packed_comes_out_again(void **state)
{
    struct zip_report report;
    assert_int_equal(fs_write(at("in/app.py"), S("print(1)\n"), 0644), 0);
    assert_int_equal(fs_write(at("in/sub/bootstrap"), S("#!/bin/sh\n"), 0755), 0);
    assert_int_equal(symlink("sub/bootstrap", at("in/link")), 0);
    assert_int_equal(zip_tree_pack(at("in"), "python/", at("a.zip"), &report), 0);
    assert_int_equal(report.n_entries, 3);

    assert_int_equal(zip_tree_unpack(at("a.zip"), at("out"), 1000, &report), 0);
    assert_int_equal(report.unpacked_bytes, 9 + 10);
    assert_true(str_is(read_all(at("out/python/app.py")), "print(1)\n"));
    assert_true(str_is(read_all(at("out/python/link")), "#!/bin/sh\n"));
    struct stat st;
    assert_int_equal(stat(at("out/python/sub/bootstrap"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_int_equal(stat(at("out/python/app.py"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
}

static void the_same_files_give_the_same_bytes(void **state)
{
    struct zip_report report;
    assert_int_equal(fs_write(at("in/b"), S("b"), 0600), 0);
    assert_int_equal(fs_write(at("in/a"), S("a"), 0644), 0);
    assert_int_equal(zip_tree_pack(at("in"), "", at("1.zip"), &report), 0);
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, at("in/a"), old, 0), 0);
    assert_int_equal(chmod(at("in/b"), 0644), 0);
    assert_int_equal(zip_tree_pack(at("in"), "", at("2.zip"), &report), 0);
    assert_true(str_eq(read_all(at("1.zip")), read_all(at("2.zip"))));
}

static void an_empty_folder_is_an_empty_zip(void **state)
{
    struct zip_report report;
    assert_int_equal(zip_tree_pack(at("in"), "", at("e.zip"), &report), 0);
    assert_int_equal(zip_tree_unpack(at("e.zip"), at("out"), 1000, &report), 0);
    assert_int_equal(report.n_entries, 0);
}

/* A zip with one stored file, put together by hand so that it can lie. */
static void write_zip(const char *name, const char *data, uint32_t crc, uint32_t says,
                      uint32_t mode)
{
    uint16_t name_n = (uint16_t)strlen(name);
    uint32_t data_n = (uint32_t)strlen(data);
    struct __attribute__((packed)) {
        uint32_t sig;
        uint16_t need, flags, method, time, date;
        uint32_t crc, packed, size;
        uint16_t name_n, extra_n;
    } local = {0x04034b50, 20, 0, 0, 0, 33, crc, data_n, says, name_n, 0};
    struct __attribute__((packed)) {
        uint32_t sig;
        uint16_t by, need, flags, method, time, date;
        uint32_t crc, packed, size;
        uint16_t name_n, extra_n, comment_n, disk, internal;
        uint32_t external, offset;
    } central = {0x02014b50, 3 << 8 | 20, 20, 0, 0, 0, 33,         crc, data_n,
                 says,       name_n,      0,  0, 0, 0, mode << 16, 0};
    struct __attribute__((packed)) {
        uint32_t sig;
        uint16_t disk, disk0, here, all;
        uint32_t size, offset;
        uint16_t comment_n;
    } end = {0x06054b50,
             0,
             0,
             1,
             1,
             (uint32_t)sizeof(central) + name_n,
             (uint32_t)sizeof(local) + name_n + data_n,
             0};
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_add(&b, &local, sizeof(local));
    buf_text(&b, name);
    buf_text(&b, data);
    buf_add(&b, &central, sizeof(central));
    buf_text(&b, name);
    buf_add(&b, &end, sizeof(end));
    assert_int_equal(fs_write(at("x.zip"), buf_view(&b), 0644), 0);
    buf_done(&b);
}

#define CRC_A 0xe8b7be43u /* of "a" */

static void refused(enum zip_fault fault)
{
    struct zip_report report;
    assert_int_equal(zip_tree_unpack(at("x.zip"), at("out"), 1000, &report), -EINVAL);
    assert_int_equal(report.fault, fault);
    assert_true(report.why[0] != 0);
}

static void names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../evil", "/etc/evil", "a/../../evil", "a/.."};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        write_zip(names[i], "a", CRC_A, 1, 0100644);
        refused(ZIP_FAULT_UNSAFE);
    }
    assert_false(fs_exists(at("evil")));
}

/* Four kilobytes of a name would make two thousand folders, which nobody could remove. */
static void deep_names_are_refused(void **state)
{
    char name[2 * 300 + 2];
    for (int i = 0; i < 300; i++)
        memcpy(name + 2 * i, "a/", 2);
    memcpy(name + 600, "f", 2);
    write_zip(name, "a", CRC_A, 1, 0100644);
    refused(ZIP_FAULT_UNSAFE);
    assert_false(fs_exists(at("out/a")));

    write_zip(name + 600 - 2 * 200, "a", CRC_A, 1, 0100644);
    struct zip_report report;
    assert_int_equal(zip_tree_unpack(at("x.zip"), at("out"), 1000, &report), 0);
}

static void links_that_lead_out_are_refused(void **state)
{
    /* crc of the target is not looked at before the target is */
    write_zip("link", "/etc/passwd", 0xf5a0ab2b, 11, 0120777);
    struct zip_report report;
    assert_int_equal(zip_tree_unpack(at("x.zip"), at("out"), 1000, &report), -EINVAL);
    assert_true(report.fault == ZIP_FAULT_UNSAFE || report.fault == ZIP_FAULT_BAD);
    assert_false(fs_exists(at("out/link")));

    assert_int_equal(symlink("../../outside", at("in/sub/up")), 0);
    assert_int_equal(zip_tree_pack(at("in"), "", at("x.zip"), &report), 0);
    refused(ZIP_FAULT_UNSAFE);
}

static void sizes_are_limited_whatever_is_announced(void **state)
{
    char *zeros = arena_alloc(&arena, 100000);
    struct zip_report report;
    assert_int_equal(fs_write(at("in/zeros"), str_of(zeros, 100000), 0644), 0);
    assert_int_equal(zip_tree_pack(at("in"), "", at("x.zip"), &report), 0);
    refused(ZIP_FAULT_SIZE);
    assert_int_equal(zip_tree_check(at("x.zip"), 1000, &report), -EINVAL);
    assert_int_equal(report.fault, ZIP_FAULT_SIZE);
    assert_int_equal(zip_tree_check(at("x.zip"), 100000, &report), 0);
    assert_int_equal(report.unpacked_bytes, 100000);
}

static void what_is_no_zip_is_bad(void **state)
{
    assert_int_equal(fs_write(at("x.zip"), S("hello, this is not a zip file"), 0644), 0);
    refused(ZIP_FAULT_BAD);
    write_zip("a", "a", 0x12345678, 1, 0100644); /* wrong checksum */
    refused(ZIP_FAULT_BAD);
}

static void writestr_of_python_is_readable(void **state)
{
    write_zip("app.py", "a", CRC_A, 1, 0600);
    struct zip_report report;
    assert_int_equal(zip_tree_unpack(at("x.zip"), at("out"), 1000, &report), 0);
    struct stat st;
    assert_int_equal(stat(at("out/app.py"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_packed_comes_out_again),  CASE(the_same_files_give_the_same_bytes),
        CASE(an_empty_folder_is_an_empty_zip), CASE(names_that_lead_out_are_refused),
        CASE(links_that_lead_out_are_refused), CASE(sizes_are_limited_whatever_is_announced),
        CASE(what_is_no_zip_is_bad),           CASE(writestr_of_python_is_readable),
        CASE(deep_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
