/* verify_configuration - what a function's configuration says about production (verify.h). */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/target.h"
#include "cli/verify.h"
#include "wire/logs.h"

#define CODE "configuration"
#define ZIPPED_QUOTA (50LL << 20)    /* a direct upload */
#define UNZIPPED_QUOTA (250LL << 20) /* code and layers */
#define ENVIRONMENT_QUOTA 4096       /* bytes of all variables */
#define SOON_MS (90 * 86400000LL)

struct checker {
    struct verify *v;
    const struct verify_function *f;
    const struct lambda_function_configuration *c;
};

static void row(struct checker *k, const char *check, enum verify_verdict verdict,
                struct str message, struct str advice)
{
    verify_add(k->v, k->f->name, CODE, str_from(check), verdict, message, advice);
}

#define NOTHING ((struct str){0})

/* ---- ranges of the file ---- */

static bool in_range(const struct verify_range *r, int64_t value)
{
    return value >= r->low && value <= r->high;
}

static void check_memory(struct checker *k)
{
    int64_t mb = k->c->memory_size.is;
    const struct verify_range *r = &k->v->plan->memory_mb;
    struct str is = str_printf(k->v->a, "%lld MB", (long long)mb);
    if (!r->high)
        row(k, "memory", VERIFY_PASS, is, NOTHING);
    else if (in_range(r, mb))
        row(k, "memory", VERIFY_PASS,
            str_printf(k->v->a, "%.*s, within %lld..%lld", STR(is), (long long)r->low,
                       (long long)r->high),
            NOTHING);
    else
        row(k, "memory", VERIFY_FAIL,
            str_printf(k->v->a, "%.*s, not within %lld..%lld", STR(is), (long long)r->low,
                       (long long)r->high),
            S("measure before it is changed: lamina bench memory"));
}

static void check_timeout(struct checker *k)
{
    int64_t s = k->c->timeout.is;
    const struct verify_range *r = &k->v->plan->timeout_s;
    struct str is = str_printf(k->v->a, "%lld s", (long long)s);
    if (r->high && !in_range(r, s))
        row(k, "timeout", VERIFY_FAIL,
            str_printf(k->v->a, "%.*s, not within %lld..%lld", STR(is), (long long)r->low,
                       (long long)r->high),
            NOTHING);
    else if (!r->high && s > 60)
        row(k, "timeout", VERIFY_WARN, is,
            S("an invocation that hangs is billed for as long: set it a little above the slowest "
              "that is right, or say timeout_s in verify.yaml"));
    else
        row(k, "timeout", VERIFY_PASS, is, NOTHING);
}

/* ---- quotas ---- */

static struct str size_of(struct arena *a, int64_t bytes)
{
    return bytes >= 100 << 10 ? str_printf(a, "%.2f MB", (double)bytes / (1 << 20))
           : bytes            ? str_printf(a, "%.1f kB", (double)bytes / 1024)
                              : S("0");
}

static void check_package(struct checker *k)
{
    struct arena *a = k->v->a;
    const struct lambda_function_configuration *c = k->c;
    int64_t code = c->code_size.is, layers = 0, most = k->v->plan->package_bytes;
    for (size_t i = 0; i < c->layers.n; i++)
        layers += c->layers.items[i].code_size.is;
    if (str_is(c->package_type, "Image")) {
        row(k, "package", VERIFY_SKIPPED, S("an image: its size is not in the configuration"),
            NOTHING);
        return;
    }
    struct str is = str_printf(
        a, "%.*s zipped, %s", STR(size_of(a, code)),
        c->layers.n ? str_c(a, str_printf(a, "%zu layer%s of %.*s", c->layers.n,
                                          c->layers.n == 1 ? "" : "s", STR(size_of(a, layers))))
                    : "no layers");
    if (most && code + layers > most)
        row(k, "package", VERIFY_FAIL,
            str_printf(a, "%.*s, more than %.*s", STR(is), STR(size_of(a, most))),
            S("what a function does not need makes cold starts slower"));
    else if (code + layers > UNZIPPED_QUOTA * 8 / 10)
        row(k, "package", VERIFY_WARN, is,
            S("near the quota of 250 MB, which is of the unzipped size"));
    else if (code > ZIPPED_QUOTA)
        row(k, "package", VERIFY_WARN, is,
            S("beyond 50 MB it can only be deployed through S3; layers change apart from the "
              "code"));
    else
        row(k, "package", VERIFY_PASS, is, NOTHING);
}

static void check_variables(struct checker *k)
{
    int64_t bytes = 0;
    const struct lambda_environment_response *e = k->c->environment;
    for (size_t i = 0; e && i < e->variables.n; i++)
        bytes += (int64_t)(e->variables.items[i].key.n + e->variables.items[i].value.n);
    struct str is = str_printf(k->v->a, "%lld of 4096 bytes", (long long)bytes);
    row(k, "environment variables", bytes > ENVIRONMENT_QUOTA * 8 / 10 ? VERIFY_WARN : VERIFY_PASS,
        is,
        bytes > ENVIRONMENT_QUOTA * 8 / 10 ? S("keep large settings in Parameter Store or S3")
                                           : NOTHING);
}

/* ---- runtime ---- */

/* When AWS ends support; docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, 2026. */
static const struct {
    const char *runtime, *date;
} ends[] = {
    {"python3.6", "2022-07-18"},  {"python3.7", "2023-12-04"},  {"python3.8", "2024-10-14"},
    {"python3.9", "2025-12-15"},  {"python3.10", "2026-10-31"}, {"python3.11", "2027-06-30"},
    {"python3.12", "2028-10-31"}, {"python3.13", "2029-06-30"}, {"python3.14", "2029-06-30"},
    {"nodejs12.x", "2023-03-31"}, {"nodejs14.x", "2023-12-04"}, {"nodejs16.x", "2024-06-12"},
    {"nodejs18.x", "2025-09-01"}, {"nodejs20.x", "2026-04-30"}, {"nodejs22.x", "2027-04-30"},
    {"nodejs24.x", "2028-04-30"}, {"go1.x", "2024-01-08"},      {"provided", "2024-01-08"},
    {"java8", "2024-01-08"},      {"ruby2.7", "2023-12-07"},    {"dotnetcore3.1", "2023-04-03"},
    {"dotnet6", "2024-12-20"},
};

static void check_runtime(struct checker *k)
{
    struct arena *a = k->v->a;
    struct str runtime = k->c->runtime;
    const char *date = NULL;
    int64_t end_ms;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_is(runtime, ends[i].runtime))
            date = ends[i].date;
    if (!runtime.n || !date ||
        clock_parse_iso8601(str_printf(a, "%sT00:00:00Z", date), &end_ms) < 0) {
        row(k, "runtime", VERIFY_PASS,
            runtime.n ? str_printf(a, "%.*s, no end of support known here", STR(runtime))
                      : S("none: an image"),
            NOTHING);
        return;
    }
    int64_t now = clock_now_ms();
    struct str is = str_printf(a, "%.*s, %s %s", STR(runtime),
                               now > end_ms ? "unsupported since" : "supported until", date);
    if (now > end_ms)
        row(k, "runtime", VERIFY_FAIL, is,
            S("no security updates come, and updates of the function will be refused: take a newer "
              "one"));
    else
        row(k, "runtime", now > end_ms - SOON_MS ? VERIFY_WARN : VERIFY_PASS, is,
            now > end_ms - SOON_MS ? S("less than three months are left") : NOTHING);
}

static void check_architecture(struct checker *k)
{
    struct str is = k->c->architectures.n ? k->c->architectures.items[0] : S("x86_64"),
               wanted = k->v->plan->architecture;
    bool wrong = wanted.n && !str_eq(is, wanted);
    row(k, "architecture", wrong ? VERIFY_FAIL : VERIFY_PASS,
        wrong ? str_printf(k->v->a, "%.*s, not %.*s", STR(is), STR(wanted)) : is, NOTHING);
}

static void check_tracing(struct checker *k)
{
    struct str is = k->c->tracing_config ? k->c->tracing_config->mode : S("PassThrough"),
               wanted = k->v->plan->tracing;
    if (wanted.n)
        row(k, "tracing", str_eq(is, wanted) ? VERIFY_PASS : VERIFY_FAIL,
            str_eq(is, wanted) ? is : str_printf(k->v->a, "%.*s, not %.*s", STR(is), STR(wanted)),
            NOTHING);
    else if (str_is(is, "Active"))
        row(k, "tracing", VERIFY_PASS, is, NOTHING);
    else
        row(k, "tracing", VERIFY_WARN, is,
            S("with Tracing: Active slow invocations can be looked into; or say tracing: "
              "PassThrough in verify.yaml"));
}

/* ---- what other calls tell ---- */

static void unreadable(struct checker *k, const char *check, const struct aws_error *err)
{
    row(k, check, VERIFY_FAIL,
        str_printf(k->v->a, "it could not be looked at: %.*s", STR(err->message)), NOTHING);
}

static void check_retention(struct checker *k)
{
    struct verify *v = k->v;
    struct aws_error err = {0};
    const struct lambda_logging_config *logging = k->c->logging_config;
    struct str group = logging && logging->log_group.n
                           ? logging->log_group
                           : str_printf(v->a, "/aws/lambda/%.*s", STR(k->c->function_name));
    const struct logs_log_group *found = NULL;
    struct logs_describe_log_groups_input in = {.log_group_name_prefix = group};
    struct logs_describe_log_groups_output *out;
    if (aws_call(v->aws, v->a, &logs_describe_log_groups_op, &in, (void **)&out, &err) < 0) {
        unreadable(k, "log retention", &err);
        return;
    }
    for (size_t i = 0; i < out->log_groups.n; i++)
        if (str_eq(out->log_groups.items[i].log_group_name, group))
            found = &out->log_groups.items[i];
    const struct verify_range *wanted = &v->plan->log_retention_days;
    int64_t days = found ? found->retention_in_days.is : 0;
    struct str is = !found ? str_printf(v->a, "there is no log group %.*s", STR(group))
                    : days ? str_printf(v->a, "%lld days", (long long)days)
                           : S("kept for ever");
    bool right = days && (!wanted->high || in_range(wanted, days));
    enum verify_verdict verdict = right ? VERIFY_PASS : wanted->high ? VERIFY_FAIL : VERIFY_WARN;
    row(k, "log retention", verdict, is,
        right ? NOTHING
              : S("a log group of the template with RetentionInDays, 14 for instance, keeps logs "
                  "from being paid for without end"));
}

static void check_concurrency(struct checker *k)
{
    struct verify *v = k->v;
    struct aws_error err = {0};
    struct lambda_get_function_concurrency_input in = {.function_name = k->f->physical};
    struct lambda_get_function_concurrency_output *out;
    if (aws_call(v->aws, v->a, &lambda_get_function_concurrency_op, &in, (void **)&out, &err) < 0) {
        unreadable(k, "concurrency", &err);
        return;
    }
    struct opt_int n = out->reserved_concurrent_executions;
    struct str wanted = v->plan->concurrency;
    struct str is = n.has ? str_printf(v->a, "%lld reserved", (long long)n.is)
                          : S("the account's, nothing reserved");
    bool wrong = wanted.n && str_is(wanted, "reserved") != n.has;
    if (n.has && n.is == 0)
        row(k, "concurrency", VERIFY_FAIL, S("0 reserved: every invocation is throttled"),
            S("lift it with DeleteFunctionConcurrency"));
    else if (wrong)
        row(k, "concurrency", VERIFY_FAIL,
            str_printf(v->a, "%.*s, but %.*s is asked for", STR(is), STR(wanted)), NOTHING);
    else
        row(k, "concurrency", VERIFY_PASS, is, NOTHING);
}

static void check_state(struct checker *k)
{
    const struct lambda_function_configuration *c = k->c;
    bool active = !c->state.n || str_is(c->state, "Active");
    bool updated = !c->last_update_status.n || str_is(c->last_update_status, "Successful");
    if (active && updated)
        row(k, "state", VERIFY_PASS, S("active, the last update was successful"), NOTHING);
    else
        row(k, "state", VERIFY_FAIL,
            str_printf(k->v->a, "%.*s, last update %.*s: %.*s", STR(c->state),
                       STR(c->last_update_status),
                       STR(c->last_update_status_reason.n ? c->last_update_status_reason
                                                          : c->state_reason)),
            NOTHING);
}

void verify_configuration(struct verify *v, const struct verify_function *f,
                          const struct lambda_function_configuration *c)
{
    struct checker k = {v, f, c};
    if (v->plan->configuration_off) {
        row(&k, "all", VERIFY_SKIPPED, S("turned off in the file"), NOTHING);
        return;
    }
    check_state(&k);
    check_runtime(&k);
    check_memory(&k);
    check_timeout(&k);
    check_package(&k);
    check_variables(&k);
    check_architecture(&k);
    check_tracing(&k);
    check_concurrency(&k);
    check_retention(&k);
}
