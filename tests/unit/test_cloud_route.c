/* test_cloud_route - which service a request is for, and who may send one at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "cloud/internal.h"

static struct cloud *fake_cloud(void)
{
    static struct cloud cloud;
    static struct mounted mounted[32];
    cloud.mounted = mounted;
    for (cloud.n_mounted = 0; all_models[cloud.n_mounted]; cloud.n_mounted++)
        mounted[cloud.n_mounted].model = all_models[cloud.n_mounted];
    return &cloud;
}

#define SCOPE(service)                                                                             \
    "Authorization: AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/" service                  \
    "/aws4_request, SignedHeaders=host, Signature=0"

static void services_are_found(void **state)
{
    static const struct {
        const char *header, *path, *query, *body, *expected; /* NULL: no service of ours */
    } rows[] = {
        {SCOPE("sts"), "/", NULL, "Action=ListRoles", "sts"},
        {SCOPE("logs"), "/", NULL, NULL, "logs"},
        {SCOPE("s3"), "/2015-03-31/functions/", NULL, NULL, "s3"},
        {SCOPE("sqs"), "/", NULL, NULL, NULL},
        {"X-Amz-Target: Logs_20140328.PutLogEvents", "/", NULL, NULL, "logs"},
        {"X-Amz-Target: DynamoDB_20120810.GetItem", "/", NULL, NULL, NULL},
        {"Host: localhost", "/", "Action=GetCallerIdentity&Version=2011-06-15", NULL, "sts"},
        {"Content-Type: application/x-www-form-urlencoded; charset=utf-8", "/", NULL,
         "Action=ListRoles&Version=2010-05-08", "iam"},
        {"Content-Type: application/x-www-form-urlencoded", "/", NULL, "Action=DescribeStacks",
         "cloudformation"},
        {"Host: lambda.localhost:4566", "/", NULL, NULL, "lambda"},
        {"Host: localhost", "/2015-03-31/functions/f/invocations", NULL, NULL, "lambda"},
        {"Host: localhost", "/2015-03-3x/functions", NULL, NULL, "s3"},
        {"Host: localhost", "/bucket/key", "X-Amz-Credential=test%2F20250101%2Fus-east-1%2Fs3%2Fx",
         NULL, "s3"},
        {"Host: bucket.localhost", "/key", NULL, NULL, "s3"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct wire_header header;
        str_cut(str_from(rows[i].header), ':', &header.name, &header.value);
        header.value = str_trim(header.value);
        struct wire_request req = {
            .method = rows[i].body ? S("POST") : S("GET"),
            .path = str_from(rows[i].path),
            .query = str_from(rows[i].query),
            .headers = &header,
            .n_headers = 1,
        };
        if (rows[i].body)
            req.body = body_mem(str_from(rows[i].body));
        struct mounted *m = route_service(fake_cloud(), &req, &a);
        const char *got = m ? m->model->id : "none";
        if (strcmp(got, rows[i].expected ? rows[i].expected : "none") != 0)
            fail_msg("%s %s: %s", rows[i].header, rows[i].path, got);
    }
}

static void buckets_in_hosts(void **state)
{
    static const struct {
        const char *host, *bucket;
    } rows[] = {
        {"localhost:4566", ""},
        {"127.0.0.1:4566", ""},
        {"[::1]:4566", ""},
        {"s3.localhost:4566", ""},
        {"s3.us-east-1.localhost", ""},
        {"bucket.localhost:4566", "bucket"},
        {"Bucket.s3.localhost:4566", "bucket"},
        {"a.b.s3.eu-west-1.localhost", "a.b"},
        {"a.b.localhost", "a.b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct str got = route_bucket(&a, str_from(rows[i].host));
        if (!str_is(got, rows[i].bucket))
            fail_msg("%s: %.*s", rows[i].host, STR(got));
    }
}

static void strangers_are_refused(void **state)
{
    static const struct {
        const char *host, *origin, *site;
        bool remote, welcome;
    } rows[] = {
        {"127.0.0.1:4566", NULL, NULL, false, true},
        {"localhost", NULL, NULL, false, true},
        {"bucket.s3.localhost:4566", NULL, NULL, false, true},
        {"[::1]:4566", NULL, NULL, false, true},
        {"169.254.100.1:9001", NULL, NULL, false, true},
        {"127.0.0.1.evil.example", NULL, NULL, false, false},
        {"evil.example:4566", NULL, NULL, false, false},
        {"localhost.evil.example", NULL, NULL, false, false},
        {"10.0.0.1", NULL, NULL, false, false},
        {"10.0.0.1", NULL, NULL, true, true},
        {".localhost", NULL, NULL, false, false},
        {"localhost", "http://localhost:3000", NULL, false, true},
        {"localhost", "https://evil.example", NULL, false, false},
        {"localhost", "https://localhost.evil.example", NULL, false, false},
        {"localhost", "null", NULL, false, false},
        {"localhost", NULL, "cross-site", false, false},
        {"localhost", NULL, "same-origin", false, true},
        {"10.0.0.1", "https://evil.example", NULL, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_header headers[3];
        struct http_request req = {.headers = headers};
        struct cloud *cloud = fake_cloud();
        cloud->options.allow_remote = rows[i].remote;
        headers[req.n_headers++] = (struct http_header){S("Host"), str_from(rows[i].host)};
        if (rows[i].origin)
            headers[req.n_headers++] = (struct http_header){S("Origin"), str_from(rows[i].origin)};
        if (rows[i].site)
            headers[req.n_headers++] =
                (struct http_header){S("Sec-Fetch-Site"), str_from(rows[i].site)};
        if ((guard_refuses(cloud, &req) == NULL) != rows[i].welcome)
            fail_msg("%s, %s, %s", rows[i].host, rows[i].origin ? rows[i].origin : "-",
                     rows[i].site ? rows[i].site : "-");
    }
}

static void function_urls(void **state)
{
    static const struct {
        const char *host, *path, *id, *rest; /* id NULL: none */
    } rows[] = {
        {"abc.lambda-url.us-east-1.localhost:4566", "/x", "abc", "/x"},
        {"abc.Lambda-URL.us-east-1.localhost", "/_lamina/health", "abc", "/_lamina/health"},
        {"127.0.0.1:4566", "/_lamina/url/abc", "abc", "/"},
        {"127.0.0.1:4566", "/_lamina/url/abc/x/y", "abc", "/x/y"},
        {"127.0.0.1:4566", "/_lamina/url/", NULL, NULL},
        {"127.0.0.1:4566", "/_lamina/urls/abc", NULL, NULL},
        {"lambda-url.us-east-1.localhost", "/", NULL, NULL},
        {".lambda-url.us-east-1.localhost", "/", NULL, NULL},
        {"bucket.s3.localhost", "/", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str id = {0}, rest = {0};
        bool found = route_url(str_from(rows[i].host), str_from(rows[i].path), &id, &rest);
        if (found != (rows[i].id != NULL) ||
            (found && (!str_is(id, rows[i].id) || !str_is(rest, rows[i].rest))))
            fail_msg("%s %s: %.*s %.*s", rows[i].host, rows[i].path, STR(id), STR(rest));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_found),
        cmocka_unit_test(buckets_in_hosts),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(function_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
