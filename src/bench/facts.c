/* facts - what is known of the function before a run, and what a Lamina counted during it. */
#include <errno.h>
#include "base/json.h"
#include "bench/lamina.h"
#include "bench/session.h"
#include "bench/streams.h"

static void take_configuration(struct bench_session *s,
                               const struct lambda_function_configuration *c)
{
    struct bench_function *f = &s->run->function;
    f->name = c->function_name;
    f->arn = c->function_arn;
    f->runtime = c->runtime;
    f->handler = c->handler;
    f->version = c->version;
    f->package_type = c->package_type;
    f->architecture = c->architectures.n ? c->architectures.items[0] : S("x86_64");
    f->memory_mb = c->memory_size.has ? (int)c->memory_size.is : 0;
    f->timeout_s = c->timeout.has ? (int)c->timeout.is : 0;
    f->code_bytes = c->code_size.has ? c->code_size.is : -1;
    struct str rest = f->arn, part;
    for (int i = 0; i < 5 && str_cut(rest, ':', &part, &rest); i++)
        s->run->account = i == 4 ? part : (struct str){0};
}

/* "name:alias" is a name and a qualifier; so is the end of an ARN. */
static struct str qualifier_in(struct str function)
{
    struct str rest = function, part, last = {0};
    int colons = 0;
    while (str_cut(rest, ':', &part, &rest)) {
        colons++;
        last = rest;
    }
    bool arn = str_starts(function, S("arn:"));
    return colons == (arn ? 7 : 1) ? last : (struct str){0};
}

static void read_init_type(struct bench_session *s)
{
    struct bench_function *f = &s->run->function;
    struct aws_error ignored = {0};
    struct lambda_get_provisioned_concurrency_config_output *out;
    struct lambda_get_provisioned_concurrency_config_input in = {.function_name = f->name,
                                                                 .qualifier = f->qualifier};
    f->init_type = S("on-demand");
    if (!str_has(f->qualifier) || str_is(f->qualifier, "$LATEST"))
        return;
    if (aws_call(s->aws, s->arena, &lambda_get_provisioned_concurrency_config_op, &in,
                 (void **)&out, &ignored) == 0)
        f->init_type = S("provisioned-concurrency");
    else if (!str_is(ignored.code, "ProvisionedConcurrencyConfigNotFoundException"))
        f->init_type = (struct str){0};
}

int facts_read(struct bench_session *s, struct aws_error *err)
{
    struct bench_function *f = &s->run->function;
    struct lambda_get_function_configuration_input in = {.function_name = s->plan->function,
                                                         .qualifier = s->plan->qualifier};
    void *out;
    f->url = s->plan->url;
    f->name = s->plan->function;
    if (str_has(s->plan->url) && !str_has(s->plan->function)) {
        f->name = s->plan->url;
        return 0;
    }
    int r = aws_call(s->aws, s->arena, &lambda_get_function_configuration_op, &in, &out, err);
    if (r < 0)
        return r;
    take_configuration(s, out);
    streams_watch(s, out);
    f->qualifier =
        str_has(s->plan->qualifier) ? s->plan->qualifier : qualifier_in(s->plan->function);
    read_init_type(s);
    return 0;
}

/* ---- a Lamina ---- */

struct counted {
    int64_t cold_starts, max_concurrent;
};

static int64_t number(const struct json *v, const char *name)
{
    int64_t n = 0;
    return json_int(json_get(v, name), &n) == 0 ? n : 0;
}

/* Over all versions: an alias may lead to several. */
static bool read_counts(struct bench_session *s, struct counted *ret)
{
    struct str text;
    struct json *root;
    struct str path =
        str_printf(s->arena, "/_lamina/lambda/inspect?region=%.*s&account=%.*s&function=%.*s",
                   STR(s->run->region), STR(s->run->account), STR(s->run->function.name));
    *ret = (struct counted){0};
    if (lamina_ask(s->arena, s->lamina, "GET", path, &text) < 0 ||
        json_parse(s->arena, text, &root, NULL) < 0)
        return false;
    JSON_EACH(json_get(root, "versions"), v) {
        ret->cold_starts += number(v, "coldStarts");
        int64_t most = number(v, "maxConcurrent");
        ret->max_concurrent = most > ret->max_concurrent ? most : ret->max_concurrent;
    }
    return true;
}

/* Who is measured by URL alone may be anybody. */
static bool ours(struct bench_session *s)
{
    struct address at;
    struct str why;
    return s->lamina.n && address_parse(s->arena, s->lamina, &at, &why) == 0 &&
           s->generator.address.loopback && at.port == s->generator.address.port;
}

void facts_lamina(struct bench_session *s)
{
    struct str text;
    struct json *root;
    struct counted counted;
    int64_t pid = 0;
    s->cold_starts = -1;
    s->lamina = lamina_endpoint(s->arena, s->aws);
    if (!s->lamina.n && aws_client_is_local(s->aws))
        s->run->target = S("other");
    if (str_has(s->plan->url) && !str_has(s->plan->function) && !ours(s))
        s->run->target = S("other");
    if (!s->lamina.n || lamina_ask(s->arena, s->lamina, "GET", S("/_lamina/health"), &text) < 0 ||
        json_parse(s->arena, text, &root, NULL) < 0)
        return;
    if (str_is(s->run->target, "local") && s->generator.address.loopback &&
        json_int(json_get(root, "pid"), &pid) == 0)
        s->server_pid = (pid_t)pid;
    if (read_counts(s, &counted))
        s->cold_starts = counted.cold_starts;
}

void facts_count(struct bench_session *s)
{
    struct counted counted;
    if (s->lamina.n && s->cold_starts >= 0 && read_counts(s, &counted))
        s->cold_starts = counted.cold_starts;
}

void facts_after(struct bench_session *s)
{
    struct counted counted;
    int64_t seen = 0;
    for (size_t i = 1; i < s->run->n_environments; i++)
        seen += s->run->environments[i].started_here;
    if (s->lamina.n && s->cold_starts >= 0 && read_counts(s, &counted)) {
        s->run->environments_started = counted.cold_starts - s->cold_starts;
        s->run->server_concurrency = counted.max_concurrent;
    } else if (s->run->logs) { /* each cold answer is an environment that was started */
        seen = 0;
        for (size_t i = 0; i < s->run->n_samples; i++)
            seen += s->run->samples[i].cold;
        s->run->environments_started = seen;
    }
}
