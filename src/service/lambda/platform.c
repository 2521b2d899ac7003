/* platform - see platform.h. */
#include "service/lambda/platform.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "service/lambda/instance.h"
#include "service/lambda/report.h"
#include "service/lambda/timeline.h"

#define EVENT_MAX (256 * 1024)

static bool in_json(const struct instance *in)
{
    return str_is(in->target->c->logging_config->log_format, "JSON");
}

/* ---- log lines ---- */

/* To all who read along. */
static void show_event(struct instance *in, struct str text)
{
    const struct cloud_lambda *options = cloud_lambda(in->lambda->cloud);
    if (options->on_log)
        options->on_log(options->log_user, text);
    buf_str(&in->tail, text);
    if (in_json(in) && text.n && text.p[text.n - 1] != '\n')
        buf_byte(&in->tail, '\n'); /* the tail is read record by record */
    if (in->tail.n > 4 * LOG_TAIL)
        buf_drop(&in->tail, in->tail.n - 2 * LOG_TAIL);
}

static void log_event(struct instance *in, int64_t time_ms, struct str text)
{
    log_stream_add(in->log, time_ms, text);
    show_event(in, text);
}

static enum platform_level level_named(struct str name)
{
    static const struct {
        const char *name;
        enum platform_level level;
    } levels[] = {
        {"trace", PLATFORM_TRACE}, {"debug", PLATFORM_DEBUG},    {"info", PLATFORM_INFO},
        {"warn", PLATFORM_WARN},   {"warning", PLATFORM_WARN},   {"error", PLATFORM_ERROR},
        {"fatal", PLATFORM_FATAL}, {"critical", PLATFORM_FATAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (str_eq_nocase(name, str_from(levels[i].name)))
            return levels[i].level;
    return PLATFORM_INFO;
}

/* What a JSON record says of itself; one that does not say it is of level INFO. */
static void read_record(const struct json *record, struct platform_frame *f)
{
    static const char *const names[] = {"timestamp", "@timestamp", "time"};
    int64_t time_ms;
    bool timed = false;
    for (size_t i = 0; i < ARRAY_LEN(names) && !timed; i++)
        timed = clock_parse_iso8601(json_get_str(record, names[i]), &time_ms) == 0;
    if (!f->level)
        f->level = timed ? level_named(json_get_str(record, "level")) : PLATFORM_INFO;
    if (timed && !f->time_ms)
        f->time_ms = time_ms;
}

void platform_output(struct instance *in, enum platform_source source,
                     const struct platform_frame *told)
{
    struct platform_frame f = *told;
    auto_arena struct arena a;
    arena_init(&a);
    struct json *record = NULL;
    if (in_json(in) && f.text.n && f.text.p[0] == '{' && json_parse(&a, f.text, &record, NULL) == 0)
        read_record(record, &f);
    if (!f.time_ms)
        f.time_ms = clock_now_ms();
    telemetry_output(in, source, f.time_ms, f.text, json_is(record, JSON_OBJECT));
    if (in_json(in) && f.level &&
        f.level < level_named(in->target->c->logging_config->application_log_level))
        return;
    for (struct str rest = f.text; rest.n > 0;) {
        size_t n = rest.n < EVENT_MAX ? rest.n : EVENT_MAX;
        log_stream_add_output(in->log, f.time_ms, str_slice(rest, 0, n));
        show_event(in, str_slice(rest, 0, n));
        rest = str_slice(rest, n, rest.n);
    }
}

static void log_platform(struct instance *in, const struct report_facts *facts,
                         const struct platform_event *e)
{
    static struct buf line; /* kept: there is a line or two in every invocation */
    if (!line.max)
        buf_init(&line, 1 << 20);
    buf_clear(&line);
    if (!in_json(in)) {
        report_text(&line, facts, e);
    } else if (report_level(facts, e) >=
                   level_named(in->target->c->logging_config->system_log_level) &&
               report_json(&line, facts, e, SCHEMA_LOG)) {
        buf_byte(&line, '\n');
    }
    struct str all = buf_view(&line);
    while (all.n > 0) { /* END and REPORT are two events */
        ssize_t end = str_find_byte(all, '\n');
        size_t n = end < 0 ? all.n : (size_t)end + 1;
        log_event(in, e->time_ms, str_slice(all, 0, n));
        all = str_slice(all, n, all.n);
    }
}

void platform_facts(const struct instance *in, struct report_facts *ret)
{
    const struct target *t = in->target;
    const struct lambda_runtime_version_config *v = t->c->runtime_version_config;
    *ret = (struct report_facts){
        .provisioned = in->init_type == INIT_PROVISIONED,
        .runtime = in->runtime_version,
        .runtime_arn = v ? v->runtime_version_arn : S(""),
        .function = t->name,
        .function_arn = t->c->function_arn,
        .version = t->version,
        .stream = in->stream,
        .memory_mb = t->c->memory_size.is,
    };
}

void platform_emit(struct instance *in, const struct platform_event *told)
{
    struct platform_event e = *told;
    if (!e.time_ms)
        e.time_ms = clock_now_ms();
    if (!e.mono_ns)
        e.mono_ns = clock_mono_ns();
    struct report_facts facts;
    platform_facts(in, &facts);
    if (e.type == PLATFORM_REPORT && in->env)
        environment_memory_peak(in->env, &facts.peak_bytes);
    if (e.type < PLATFORM_ENV_FROZEN)
        log_platform(in, &facts, &e);
    telemetry_event(in, &facts, &e);
    timeline_event(in, &facts, &e);
}
