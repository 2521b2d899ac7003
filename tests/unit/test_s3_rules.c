/* test_s3_rules - what S3 decides from text alone. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "service/s3/checksum.h"
#include "service/s3/rules.h"

static const struct {
    const char *name;
    bool valid;
} names[] = {
    {"abc", true},
    {"my.bucket-1", true},
    {"0123456789", true},
    {"1.2.3", true},
    {"ab", false},
    {"Abc", false},
    {"a_b", false},
    {"-abc", false},
    {"abc-", false},
    {"a..b", false},
    {"192.168.5.4", false},
    {"xn--abc", false},
    {"abc-s3alias", false},
    {"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz-0", false},
};

static void bucket_names(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (s3_bucket_name_valid(str_from(names[i].name)) != names[i].valid)
            fail_msg("%s: want %d", names[i].name, names[i].valid);
}

static const struct {
    const char *text;
    int64_t size;
    int result;
    int64_t first, last;
} ranges[] = {
    {"bytes=0-3", 10, 0, 0, 3},       {"bytes=4-", 10, 0, 4, 9},
    {"bytes=-3", 10, 0, 7, 9},        {"bytes=-99", 10, 0, 0, 9},
    {"bytes=8-99", 10, 0, 8, 9},      {"bytes=9-9", 10, 0, 9, 9},
    {"bytes=10-", 10, -ERANGE, 0, 0}, {"bytes=0-0", 0, -ERANGE, 0, 0},
    {"bytes=-0", 10, -ERANGE, 0, 0},  {"bytes=-1", 0, -ERANGE, 0, 0},
    {"bytes=5-2", 10, -EINVAL, 0, 0}, {"bytes=a-2", 10, -EINVAL, 0, 0},
    {"bytes=-", 10, -EINVAL, 0, 0},   {"bytes=0-1,3-4", 10, -EINVAL, 0, 0},
    {"lines=0-1", 10, -EINVAL, 0, 0}, {"bytes=99999999999999999999-", 10, -EINVAL, 0, 0},
};

static void range_of_a_body(void **state)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        int64_t first = 0, last = 0;
        int r = s3_range_parse(str_from(ranges[i].text), ranges[i].size, &first, &last);
        if (r != ranges[i].result || first != ranges[i].first || last != ranges[i].last)
            fail_msg("%s of %" PRId64 ": %d, %" PRId64 "-%" PRId64, ranges[i].text, ranges[i].size,
                     r, first, last);
    }
}

static void etags_in_lists(void **state)
{
    assert_true(s3_etag_listed(S("\"a\""), S("a")));
    assert_true(s3_etag_listed(S("a"), S("a")));
    assert_true(s3_etag_listed(S("\"x\", W/\"a\""), S("a")));
    assert_true(s3_etag_listed(S("*"), S("a")));
    assert_false(s3_etag_listed(S("\"ab\""), S("a")));
    assert_false(s3_etag_listed(S(""), S("a")));
}

/* If-Match wins over If-Unmodified-Since, If-None-Match over If-Modified-Since (RFC 9110, 13.2.2).
 */
static void conditions_have_an_order(void **state)
{
    struct s3_conditions c = {.if_match = S("\"a\""), .has_unmodified_since = true};
    assert_int_equal(s3_conditions_check(&c, S("a"), 5000), S3_CONDITION_HOLDS);
    assert_int_equal(s3_conditions_check(&c, S("b"), 5000), S3_CONDITION_FAILED);
    c = (struct s3_conditions){.has_unmodified_since = true, .unmodified_since_ms = 4000};
    assert_int_equal(s3_conditions_check(&c, S("a"), 5000), S3_CONDITION_FAILED);
    assert_int_equal(s3_conditions_check(&c, S("a"), 4999), S3_CONDITION_HOLDS);
    c = (struct s3_conditions){.if_none_match = S("\"a\"")};
    assert_int_equal(s3_conditions_check(&c, S("a"), 5000), S3_CONDITION_UNCHANGED);
    c.has_modified_since = true;
    c.modified_since_ms = 9000;
    assert_int_equal(s3_conditions_check(&c, S("b"), 5000), S3_CONDITION_HOLDS);
    c.if_none_match = (struct str){0};
    assert_int_equal(s3_conditions_check(&c, S("b"), 5000), S3_CONDITION_UNCHANGED);
}

static void copy_sources(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct s3_source s;
    assert_int_equal(s3_source_parse(&a, S("/b/a%20key/%2Bx?versionId=v1"), &s), 0);
    assert_string_equal(str_c(&a, s.bucket), "b");
    assert_string_equal(str_c(&a, s.key), "a key/+x");
    assert_string_equal(str_c(&a, s.version_id), "v1");
    assert_int_equal(s3_source_parse(&a, S("b/k"), &s), 0);
    assert_false(str_has(s.version_id));
    assert_int_equal(s3_source_parse(&a, S("bucket"), &s), -EINVAL);
    assert_int_equal(s3_source_parse(&a, S("/b/"), &s), -EINVAL);
}

static void later_versions_sort_first(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str before = s3_version_make(&a, INT64_C(1700000000000000));
    struct str after = s3_version_make(&a, INT64_C(1700000000000001));
    assert_true(str_cmp(after, before) < 0);
    assert_true(s3_version_valid(before));
    assert_true(s3_version_valid(S("null")));
    assert_false(s3_version_valid(S("short")));
}

/* Known values of "123456789". */
static void checksums(void **state)
{
    static const char *const want[S3_ALGORITHMS] = {
        "y/Q5Jg==",
        "4waSgw==",
        "rosUhgp5mIg=",
        "98O8HYCOBHMq32eZZczDTKeuNEE=",
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
    };
    auto_arena struct arena a;
    arena_init(&a);
    struct body body = body_mem(S("123456789"));
    for (int i = 0; i < S3_ALGORITHMS; i++) {
        struct s3_sums sums;
        assert_int_equal(s3_sums_compute(&body, i, &sums), 0);
        struct str text = base64_encode(&a, str_of((char *)sums.checksum, sums.checksum_size));
        assert_string_equal(str_c(&a, text), want[i]);
        assert_string_equal(str_c(&a, hex_encode(&a, sums.md5, 16)),
                            "25f9e794323b453885f5181f1b624d0b");
    }
}

/* MD5 over the MD5s of "hello" and "hello". */
static void etag_of_a_multipart_object(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str parts[] = {S_INIT("5d41402abc4b2a76b9719d911017c592"),
                          S_INIT("5d41402abc4b2a76b9719d911017c592")};
    struct str etag;
    assert_int_equal(s3_etag_of_parts(&a, parts, 2, &etag), 0);
    assert_string_equal(str_c(&a, etag), "616b22817b80eed9f65c3aa38cd29054-2");
    parts[1] = S("no hex");
    assert_int_equal(s3_etag_of_parts(&a, parts, 2, &etag), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket_names),   cmocka_unit_test(range_of_a_body),
        cmocka_unit_test(etags_in_lists), cmocka_unit_test(conditions_have_an_order),
        cmocka_unit_test(copy_sources),   cmocka_unit_test(later_versions_sort_first),
        cmocka_unit_test(checksums),      cmocka_unit_test(etag_of_a_multipart_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
