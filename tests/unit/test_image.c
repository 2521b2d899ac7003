/* test_image - container images: tars of all kinds are read, layers land where they should, and
 * nowhere else. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/image.h"
#include "build/tar.h"

static struct arena arena;
static char dir[64];
static struct buf tar;

static const char *at(const char *name)
{
    return str_printf(&arena, "%s/%s", dir, name).p;
}

static int setup(void **state)
{
    arena_init(&arena);
    buf_init(&tar, 1 << 22);
    snprintf(dir, sizeof(dir), "/tmp/test_image.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(fs_mkdirs(at("root"), 0755), 0);
    return 0;
}

static int teardown(void **state)
{
    fs_remove_tree(dir);
    buf_done(&tar);
    arena_done(&arena);
    return 0;
}

/* ---- writing tars ---- */

static void header(const char *name, char type, unsigned mode, size_t size, const char *target)
{
    char h[512] = {0};
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", mode & 07777);
    snprintf(h + 124, 12, "%011o", (unsigned)size);
    memset(h + 148, ' ', 8);
    h[156] = type;
    snprintf(h + 157, 100, "%s", target);
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum & 0777777);
    buf_add(&tar, h, sizeof(h));
}

static void data(const char *text, size_t n)
{
    static const char zero[512];
    buf_add(&tar, text, n);
    buf_add(&tar, zero, (512 - n % 512) % 512);
}

static void file(const char *name, const char *text)
{
    header(name, '0', 0644, strlen(text), "");
    data(text, strlen(text));
}

static void folder(const char *name)
{
    header(name, '5', 0755, 0, "");
}

static void end(void)
{
    static const char zero[1024];
    buf_add(&tar, zero, sizeof(zero));
}

/* ---- unpacking them, each as a layer over the ones before ---- */

static struct image_report report;

static int unpack_bytes(struct str bytes, int64_t max)
{
    struct image image = {0};
    struct image_layer layer = {.member = S("layer"), .diff_id = sha256_hex(&arena, bytes)};
    assert_int_equal(fs_mkdirs(at("layout"), 0755), 0);
    assert_int_equal(fs_write(at("layout/layer"), bytes, 0644), 0);
    assert_int_equal(image_files_open(&arena, at("layout"), &image.files, &report), 0);
    image.layers = &layer;
    image.n_layers = 1;
    int r = image_unpack(&image, at("root"), max, &report);
    image_close(&image);
    return r;
}

static int unpack(void)
{
    end();
    struct str bytes = buf_copy(&tar, &arena);
    buf_clear(&tar);
    return unpack_bytes(bytes, 1 << 20);
}

static const char *text_of(const char *name)
{
    struct str s;
    int r = fs_read(str_printf(&arena, "%s/root/%s", dir, name).p, 1 << 20, &arena, &s);
    return r < 0 ? NULL : str_c(&arena, s);
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(str_printf(&arena, "%s/root/%s", dir, name).p, &st) == 0;
}

static void names_of_all_kinds(void **state)
{
    char name[301], record[400];
    memset(name, 'n', 300);
    name[300] = 0;
    name[100] = name[200] = '/';
    header("././@LongLink", 'L', 0, 301, "");
    data(name, 301);
    file("short", "gnu");
    int n = snprintf(record, sizeof(record), "311 path=p%s\n", name);
    assert_int_equal(n, 311);
    header("pax", 'x', 0, 311, "");
    data(record, 311);
    file("short", "pax");
    header("global", 'g', 0, 15, "");
    data("15 comment=abc\n", 15);
    file("./dots//and/./slashes", "tidy");
    file("/absolute", "from the root");
    assert_int_equal(unpack(), 0);
    assert_string_equal(text_of(name), "gnu");
    assert_string_equal(text_of(str_printf(&arena, "p%s", name).p), "pax");
    assert_string_equal(text_of("dots/and/slashes"), "tidy");
    assert_string_equal(text_of("absolute"), "from the root");
    assert_null(text_of("short"));
}

static void places_to_mount_at_are_made(void **state)
{
    header("tmp", '2', 0777, 0, "/proc");
    file("dev", "a file");
    folder("etc");
    header("etc/hosts", '2', 0777, 0, "/elsewhere");
    assert_int_equal(unpack(), 0);
    static const char *const folders[] = {"tmp", "dev", "proc", "etc"};
    struct stat st;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lstat(str_printf(&arena, "%s/root/%s", dir, folders[i]).p, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
    assert_string_equal(text_of("etc/hosts"), "");
    assert_string_equal(text_of("etc/resolv.conf"), "");
}

static void whiteouts_are_for_lower_layers(void **state)
{
    file("a/one", "1");
    file("a/two", "2");
    file("b/deep/three", "3");
    assert_int_equal(unpack(), 0);
    file("a/two", "new"); /* before its whiteout: it stays */
    file("a/.wh.two", "");
    file("a/.wh.one", "");
    file("b/deep/four", "4");
    file("b/.wh..wh..opq", "");
    file("b/.wh..wh.plnk", "");
    file(".wh.nothing", "");
    assert_int_equal(unpack(), 0);
    assert_string_equal(text_of("a/two"), "new");
    assert_false(there("a/one"));
    assert_false(there("b/deep/three"));
    assert_string_equal(text_of("b/deep/four"), "4");
    assert_false(there("b/.wh..wh.plnk"));
}

static void what_stood_there_makes_room(void **state)
{
    file("folder/in", "1");
    file("file", "1");
    header("link", '2', 0777, 0, "folder");
    assert_int_equal(unpack(), 0);
    file("folder", "now a file");
    folder("file");
    file("file/in", "2");
    folder("link"); /* a folder of its own from now on */
    file("link/in", "own");
    assert_int_equal(unpack(), 0);
    assert_string_equal(text_of("folder"), "now a file");
    assert_string_equal(text_of("file/in"), "2");
    assert_string_equal(text_of("link/in"), "own");
}

static void links_lead_nowhere_else(void **state)
{
    assert_int_equal(fs_mkdirs(at("outside"), 0755), 0);
    header("abs", '2', 0777, 0, at("outside"));
    header("up", '2', 0777, 0, "../outside");
    assert_int_equal(unpack(), 0);
    file("abs/x", "x"); /* there is no such folder in the image */
    assert_int_equal(unpack(), -EINVAL);
    file("up/x", "x");
    assert_int_equal(unpack(), -EINVAL);
    header("hard", '1', 0644, 0, "../../etc/passwd");
    assert_int_equal(unpack(), -EINVAL);
    assert_int_equal(report.fault, IMAGE_FAULT_UNSAFE);
    file("a/../../x", "x");
    assert_int_equal(unpack(), -EINVAL);
    assert_int_equal(report.fault, IMAGE_FAULT_UNSAFE);
    assert_int_equal(rmdir(at("outside")), 0); /* still empty */
}

static void loops_and_depth_have_an_end(void **state)
{
    header("l", '2', 0777, 0, "l");
    file("l/x", "x");
    assert_int_equal(unpack(), -EINVAL);
    /* No name is long, but each link leads to the end of the one before. */
    char deep[80];
    for (size_t i = 0; i < sizeof(deep); i++)
        deep[i] = i % 2 ? '/' : 'd';
    deep[sizeof(deep) - 1] = 0;
    folder(deep);
    header("link0", '2', 0777, 0, deep);
    for (int i = 1; i < 10; i++) {
        const char *below = str_printf(&arena, "link%d/%s", i - 1, deep).p;
        folder(below);
        header(str_printf(&arena, "link%d", i).p, '2', 0777, 0, below);
    }
    assert_int_equal(unpack(), -EINVAL);
    assert_int_equal(report.fault, IMAGE_FAULT_UNSAFE);
}

static void sizes_have_a_limit(void **state)
{
    char *big = arena_alloc(&arena, 70000);
    memset(big, 'x', 69999);
    file("big", big);
    end();
    struct str bytes = buf_copy(&tar, &arena);
    buf_clear(&tar);
    assert_int_equal(unpack_bytes(bytes, 60000), -EINVAL);
    assert_int_equal(report.fault, IMAGE_FAULT_SIZE);
    assert_int_equal(unpack_bytes(str_slice(bytes, 0, 30000), 1 << 20), -EINVAL); /* cut off */
    assert_int_equal(report.fault, IMAGE_FAULT_BAD);
    ((char *)(uintptr_t)bytes.p)[3] = '!'; /* the checksum is of another name */
    assert_int_equal(unpack_bytes(bytes, 1 << 20), -EINVAL);
    assert_int_equal(report.fault, IMAGE_FAULT_BAD);
}

static void uris_are_taken_apart(void **state)
{
    struct str path, wanted;
    assert_int_equal(fs_write(at("a:b"), S("x"), 0644), 0);
    assert_int_equal(fs_write(at("i.tar"), S("x"), 0644), 0);
    assert_true(
        image_uri_parse(&arena, str_printf(&arena, "file://%s", at("a:b")), &path, &wanted));
    assert_string_equal(path.p, at("a:b"));
    assert_false(str_has(wanted));
    assert_true(
        image_uri_parse(&arena, str_printf(&arena, "file://%s:v1", at("a:b")), &path, &wanted));
    assert_string_equal(path.p, at("a:b"));
    assert_true(str_is(wanted, "v1"));
    assert_true(image_uri_parse(&arena, str_printf(&arena, "file://localhost%s", at("i.tar")),
                                &path, &wanted));
    assert_string_equal(path.p, at("i.tar"));
    assert_true(image_uri_parse(&arena, str_printf(&arena, "file://%s@sha256:00", at("i.tar")),
                                &path, &wanted));
    assert_true(str_is(wanted, "sha256:00"));
    assert_true(image_uri_parse(&arena, str_printf(&arena, "file://%s:v@sha256:00", at("i.tar")),
                                &path, &wanted));
    assert_string_equal(path.p, at("i.tar"));
    assert_true(str_is(wanted, "sha256:00"));
    assert_false(image_uri_parse(&arena, S("file://host/x"), &path, &wanted));
    assert_false(
        image_uri_parse(&arena, S("123.dkr.ecr.us-east-1.amazonaws.com/x:y"), &path, &wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_of_all_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(places_to_mount_at_are_made, setup, teardown),
        cmocka_unit_test_setup_teardown(whiteouts_are_for_lower_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stood_there_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(links_lead_nowhere_else, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_and_depth_have_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(uris_are_taken_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
