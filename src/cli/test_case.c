/* test_case - test files read, cases judged: see test_case.h. */
#include "cli/test_case.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/fs.h"

static int bad(struct arena *a, struct str file, const struct json *at, struct str *why,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int bad(struct arena *a, struct str file, const struct json *at, struct str *why,
               const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = str_vprintf(a, fmt, ap);
    va_end(ap);
    int line = at ? (at->key_line ? at->key_line : at->line) : 1;
    *why = str_printf(a, "%.*s:%d: %.*s", STR(file), line, STR(s));
    return -EINVAL;
}

/* ---- reading ---- */

static int check_keys(struct arena *a, struct str file, const struct json *object,
                      const char *const *known, const char *what, struct str *why)
{
    JSON_EACH(object, m) {
        size_t i = 0;
        while (known[i] && !str_is(m->key, known[i]))
            i++;
        if (!known[i])
            return bad(a, file, m, why, "unknown %s \"%.*s\"", what, STR(m->key));
    }
    return 0;
}

static int read_payload(struct arena *a, struct str file, const struct json *v, struct test_case *c,
                        struct str *why)
{
    const struct json *given = json_get(v, "payload");
    struct str path = json_get_str(v, "payload_file");
    if (given && str_has(path))
        return bad(a, file, v, why, "payload and payload_file contradict each other");
    c->payload = given ? json_text(a, given, -1) : S("{}");
    if (!str_has(path))
        return 0;
    struct str full = fs_join(a, fs_dirname(a, file), path);
    int r = fs_read(full.p, 8 * 1024 * 1024, a, &c->payload);
    return r < 0
               ? bad(a, file, json_get(v, "payload_file"), why, "%.*s: %s", STR(full), strerror(-r))
               : 0;
}

static int read_case(struct arena *a, struct str file, const struct json *v, struct test_case *c,
                     struct str *why)
{
    static const char *const keys[] = {"name",   "function", "qualifier", "payload", "payload_file",
                                       "repeat", "cold",     "expect",    NULL};
    static const char *const expectations[] = {
        "status",        "function_error", "payload",         "payload_equals",  "paths", "cold",
        "init_duration", "duration",       "billed_duration", "max_memory_used", "logs",  NULL};
    if (!json_is(v, JSON_OBJECT))
        return bad(a, file, v, why, "a case is a mapping");
    *c = (struct test_case){
        .name = json_get_str(v, "name"),
        .function = json_get_str(v, "function"),
        .qualifier = json_get_str(v, "qualifier"),
        .repeat = 1,
        .cold = json_get(v, "cold") && json_get(v, "cold")->boolean,
        .expect = json_get(v, "expect"),
        .line = v->line,
    };
    int r = check_keys(a, file, v, keys, "key", why);
    if (r == 0)
        r = check_keys(a, file, c->expect, expectations, "expectation", why);
    if (r < 0)
        return r;
    if (!str_has(c->function))
        return bad(a, file, v, why, "a case needs a function");
    if (!str_has(c->name))
        c->name = c->function;
    const struct json *repeat = json_get(v, "repeat");
    if (repeat && (json_int(repeat, &c->repeat) < 0 || c->repeat < 1 || c->repeat > 100000))
        return bad(a, file, repeat, why, "repeat is a number from 1 to 100000");
    return read_payload(a, file, v, c, why);
}

int test_cases_read(struct arena *a, const struct json *root, struct str file,
                    struct test_case **ret, size_t *ret_n, struct str *why)
{
    static const char *const keys[] = {"cases", NULL};
    const struct json *list = json_get(root, "cases");
    if (!json_is(list, JSON_ARRAY) || !list->n)
        return bad(a, file, root, why, "a test file has a list of cases: \"cases:\"");
    int r = check_keys(a, file, root, keys, "key", why);
    struct test_case *cases = ARENA_ARRAY(a, struct test_case, list->n);
    size_t n = 0;
    JSON_EACH(list, v)
        if (r == 0)
            r = read_case(a, file, v, &cases[n++], why);
    if (r < 0)
        return r;
    *ret = cases;
    *ret_n = n;
    return 0;
}

/* ---- checking ---- */

static struct json *num(struct arena *a, double v)
{
    struct json *j = json_new(a, JSON_NUMBER);
    j->text = str_printf(a, "%.2f", v);
    return j;
}

static void check_error(const struct json *wanted, const struct invocation *inv,
                        struct expect_result *r)
{
    struct arena *a = r->arena;
    if (wanted && wanted->type != JSON_NULL) {
        expect_value(r, S("function_error"), wanted,
                     str_has(inv->function_error) ? json_new_str(a, inv->function_error) : NULL);
        return;
    }
    if (str_has(inv->function_error))
        expect_fail(r, "the function failed (%.*s): %.*s", STR(inv->function_error),
                    STR(str_slice(inv->answer, 0, 300)));
}

static void check_report(const struct json *expect, const struct invocation_report *rep,
                         struct expect_result *r)
{
    static const char *const names[] = {"cold", "init_duration", "duration", "billed_duration",
                                        "max_memory_used"};
    struct arena *a = r->arena;
    const struct json *values[] = {
        json_new_bool(a, rep->has_init),
        rep->has_init ? num(a, rep->init_ms) : NULL,
        num(a, rep->duration_ms),
        json_new_int(a, rep->billed_ms),
        json_new_int(a, rep->max_memory_mb),
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *wanted = json_get(expect, names[i]);
        if (wanted && !rep->found)
            expect_fail(r, "%s: the log's tail has no REPORT line", names[i]);
        else if (wanted)
            expect_value(r, str_from(names[i]), wanted, values[i]);
    }
}

static void check_logs(const struct json *list, struct str log, struct expect_result *r)
{
    JSON_EACH(list, v) {
        struct str why, pattern = json_get_str(v, "matches");
        if (str_has(pattern) && !expect_matches(r->arena, pattern, log, &why))
            expect_fail(r, "the log's tail (4 KB) has no match of /%.*s/ %.*s", STR(pattern),
                        STR(why));
        else if (json_is(v, JSON_STRING) && str_find(log, v->text) < 0)
            expect_fail(r, "the log's tail (4 KB) does not contain \"%.*s\"", STR(v->text));
    }
}

void test_case_check(const struct test_case *c, const struct invocation *inv,
                     struct expect_result *r)
{
    struct arena *a = r->arena;
    const struct json *e = c->expect;
    struct json *answer = NULL;
    check_error(json_get(e, "function_error"), inv, r);
    if (json_get(e, "status"))
        expect_value(r, S("status"), json_get(e, "status"), json_new_int(a, inv->status));
    bool needs = json_get(e, "payload") || json_get(e, "payload_equals") || json_get(e, "paths");
    if (needs && json_parse(a, inv->answer, &answer, NULL) < 0) {
        expect_fail(r, "the answer is not JSON: %.*s", STR(str_slice(inv->answer, 0, 200)));
        needs = false;
    }
    if (needs && json_get(e, "payload"))
        expect_subset(r, S("$"), json_get(e, "payload"), answer);
    if (needs && json_get(e, "payload_equals"))
        expect_value(r, S("$"), json_get(e, "payload_equals"), answer);
    JSON_EACH(needs ? json_get(e, "paths") : NULL, p) {
        const struct json *at;
        if (expect_path(answer, p->key, &at) < 0)
            expect_fail(r, "%.*s is not a path", STR(p->key));
        else
            expect_value(r, p->key, p, at);
    }
    check_report(e, &inv->report, r);
    check_logs(json_get(e, "logs"), inv->log, r);
}

/* ---- reports ---- */

struct json *test_report_json(struct arena *a, const struct test_result *results, size_t n)
{
    struct json *v = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    int64_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        const struct test_result *r = &results[i];
        const struct invocation_report *rep = &r->invocation.report;
        struct json *o = json_add(list, json_new(a, JSON_OBJECT)), *why = json_new(a, JSON_ARRAY),
                    *answer = NULL;
        failed += r->checks.n > 0;
        json_set(a, o, S("name"), json_new_str(a, r->test->name));
        json_set(a, o, S("function"), json_new_str(a, r->invocation.function));
        json_set(a, o, S("repetition"), json_new_int(a, r->number));
        json_set(a, o, S("passed"), json_new_bool(a, r->checks.n == 0));
        json_set(a, o, S("failures"), why);
        for (size_t k = 0; k < r->checks.n; k++)
            json_add(why, json_new_str(a, r->checks.failures[k]));
        if (rep->found) {
            json_set(a, o, S("cold"), json_new_bool(a, rep->has_init));
            if (rep->has_init)
                json_set(a, o, S("initDurationMs"), num(a, rep->init_ms));
            json_set(a, o, S("durationMs"), num(a, rep->duration_ms));
            json_set(a, o, S("billedDurationMs"), json_new_int(a, rep->billed_ms));
            json_set(a, o, S("maxMemoryUsedMB"), json_new_int(a, rep->max_memory_mb));
        }
        json_set(a, o, S("clientMs"), num(a, r->invocation.client_ms));
        if (str_has(r->invocation.function_error))
            json_set(a, o, S("functionError"), json_new_str(a, r->invocation.function_error));
        if (json_parse(a, r->invocation.answer, &answer, NULL) == 0)
            json_set(a, o, S("payload"), answer);
    }
    json_set(a, v, S("passed"), json_new_int(a, (int64_t)n - failed));
    json_set(a, v, S("failed"), json_new_int(a, failed));
    json_set(a, v, S("cases"), list);
    return v;
}

struct str test_report_junit(struct arena *a, struct str suite, const struct test_result *results,
                             size_t n, double seconds)
{
    size_t failed = 0;
    auto_buf struct buf b;
    buf_init(&b, 64 * 1024 * 1024);
    for (size_t i = 0; i < n; i++)
        failed += results[i].checks.n > 0;
    buf_text(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    buf_markup(&b, suite);
    buf_printf(&b, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n", n, failed,
               seconds);
    for (size_t i = 0; i < n; i++) {
        const struct test_result *r = &results[i];
        buf_text(&b, "  <testcase name=\"");
        buf_markup(&b, r->test->name);
        if (r->test->repeat > 1)
            buf_printf(&b, " (%lld)", (long long)r->number);
        buf_text(&b, "\" classname=\"");
        buf_markup(&b, r->invocation.function);
        buf_printf(&b, "\" time=\"%.3f\">", r->invocation.client_ms / 1000);
        for (size_t k = 0; k < r->checks.n; k++) {
            buf_text(&b, "\n    <failure message=\"");
            buf_markup(&b, r->checks.failures[k]);
            buf_text(&b, "\"/>");
        }
        if (r->checks.n) {
            buf_text(&b, "\n    <system-out>");
            buf_markup(&b, r->invocation.log);
            buf_text(&b, "</system-out>\n  ");
        }
        buf_text(&b, "</testcase>\n");
    }
    buf_text(&b, "</testsuite>\n");
    return buf_copy(&b, a);
}
