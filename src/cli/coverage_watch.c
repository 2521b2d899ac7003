/* coverage_watch - `lamina coverage watch`: lines light up as functions run them. */
#include "cli/coverage_watch.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "cli/target.h"

#define LOCAL_MS 200
#define AWS_MS 1000
#define AWS_IDLE_MS 4000 /* when nothing has changed for QUIET_MS */
#define QUIET_MS 60000
#define TROUBLE_MS 2000

const struct option_row coverage_watch_rows[] = {
    {OPTION(struct coverage_watch_options, file), .name = "file", .type = OPTION_TEXT,
     .metavar = "FILE[:LINE]", .help = "watch: this file; contexts: this file, or this line of it"},
    {OPTION(struct coverage_watch_options, interval_ms), .name = "interval",
     .type = OPTION_DURATION, .unit = "s", .metavar = "TIME", .default_value = "0",
     .help = "watch: ask S3 so often; otherwise 0.2 s, on AWS 1 to 4 s"},
    {0},
};

const struct coverage_watch_options *coverage_watch_of(const struct verb_run *run)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == coverage_watch_rows)
            return run->sets[i].values;
    return NULL;
}

static volatile sig_atomic_t leaving;

static void on_signal(int signal)
{
    (void)signal;
    leaving = 1;
}

struct str watch_clock(struct arena *a, int64_t ms)
{
    time_t at = ms / 1000;
    struct tm tm;
    char text[16];
    localtime_r(&at, &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    return str_copy(a, str_from(text));
}

struct str watch_ranges(struct arena *a, struct bits lines)
{
    struct str text = S("");
    for (int64_t l = bits_next(lines, 0); l >= 0;) {
        int64_t last = l;
        while (bits_next(lines, (uint32_t)last + 1) == last + 1)
            last++;
        const char *comma = text.n ? ", " : "";
        text = last > l ? str_printf(a, "%.*s%s%lld-%lld", STR(text), comma, (long long)l,
                                     (long long)last)
                        : str_printf(a, "%.*s%s%lld", STR(text), comma, (long long)l);
        l = bits_next(lines, (uint32_t)last + 1);
    }
    return text;
}

/* ---- files ---- */

struct watch_file *watch_file_of(struct watch *w, const struct report_file *f)
{
    struct watch_file *t = map_find(&w->files, f->path);
    if (!t) {
        t = ARENA_NEW(&w->own, struct watch_file);
        map_put(&w->files, f->path, t);
    }
    if (!str_eq(t->name, f->name))
        t->name = str_copy(&w->own, f->name);
    size_t n = (size_t)f->result.analysis->n_lines + 2;
    if (n > t->n_lines) {
        t->lines = mem_realloc(t->lines, n * sizeof *t->lines);
        memset(t->lines + t->n_lines, 0, (n - t->n_lines) * sizeof *t->lines);
        t->n_lines = n;
    }
    return t;
}

static void keep_executed(struct watch_file *t, struct bits lines)
{
    uint8_t *p = mem_realloc((void *)(uintptr_t)t->executed.p, lines.n + 1);
    if (lines.n)
        memcpy(p, lines.p, lines.n);
    t->executed = (struct bits){p, lines.n};
}

static bool has(struct bits b, uint32_t line)
{
    return line / 8 < b.n && b.p[line / 8] & 1u << line % 8;
}

static struct bits bits_of(struct arena *a, size_t n)
{
    return (struct bits){arena_alloc(a, n / 8 + 1), n / 8 + 1};
}

static void put(struct bits b, uint32_t line)
{
    if (line / 8 < b.n)
        ((uint8_t *)(uintptr_t)b.p)[line / 8] |= (uint8_t)(1u << line % 8);
}

/* ---- reports ---- */

static int make_report(struct watch *w, struct arena *a, struct data *data, bool all,
                       struct coverage_report *ret)
{
    struct verb_run own = *w->run; /* its arena is not for what is made again and again */
    struct coverage_inputs in = w->in;
    struct coverage_settings settings;
    struct report_request q;
    own.arena = a;
    in.data = data;
    int e = coverage_configure(&own, &settings);
    if (!e)
        e = coverage_request(&own, &in, &settings, &q);
    if (e)
        return e;
    if (!all)
        q.n_sources = 0;
    int r = report_build(a, &q, ret);
    return r < 0 ? verb_fail(w->run, "the sources cannot be analysed: %.*s%s%s", STR(ret->warning),
                             ret->warning.n ? ": " : "", strerror(-r))
                 : 0;
}

static const struct report_file *file_at(const struct coverage_report *r, struct str path)
{
    for (size_t i = 0; i < r->n_files; i++)
        if (str_eq(r->files[i].path, path))
            return &r->files[i];
    return NULL;
}

static const struct report_context *context_of(const struct coverage_report *r, struct str name)
{
    const struct report_context *found = NULL;
    for (size_t i = 0; i < r->n_contexts; i++)
        if (str_eq(r->contexts[i].name, name) &&
            (!found || r->contexts[i].start_ms < found->start_ms))
            found = &r->contexts[i];
    return found;
}

static void add_event(struct watch *w, struct arena *a, const struct coverage_report *news,
                      const struct report_file *in, const struct report_group_hits *g,
                      struct watch_event *ret)
{
    const struct report_file *f = file_at(&w->report, in->path);
    struct watch_file *t = watch_file_of(w, f);
    const struct report_context *c = context_of(news, news->groups[g->group]);
    int64_t now = clock_now_ms();
    *ret = (struct watch_event){.ms = c && c->start_ms > 0 ? c->start_ms : now,
                                .function = c ? c->function : S(""),
                                .version = c ? c->version : S(""),
                                .by = news->groups[g->group],
                                .file = f,
                                .ran = bits_of(a, t->n_lines),
                                .fresh = bits_of(a, t->n_lines)};
    struct str by = str_copy(&w->own, ret->by);
    for (int64_t l = bits_next(g->lines, 0); l >= 0; l = bits_next(g->lines, (uint32_t)l + 1)) {
        uint32_t line = analysis_first_line(f->result.analysis, (uint32_t)l);
        if (!has(f->result.executed, line) || line >= t->n_lines)
            continue;
        put(ret->ran, line);
        t->lines[line].ran_ms = now;
        bool first = (size_t)l >= in->n_first || !in->first[l] ||
                     str_eq(news->contexts[in->first[l] - 1].name, ret->by);
        if (has(t->executed, line) || !first)
            continue;
        t->n_new += !has(ret->fresh, line);
        put(ret->fresh, line);
        t->lines[line].new_ms = now;
        t->lines[line].by = by;
    }
    if (!bits_none(ret->ran)) {
        t->changed_ms = now;
        t->by = by;
        t->function = str_copy(&w->own, ret->function);
    }
}

static int by_time(const void *va, const void *vb)
{
    const struct watch_event *x = va, *y = vb;
    return x->ms != y->ms ? (x->ms > y->ms) - (x->ms < y->ms)
                          : str_cmp(x->file->name, y->file->name);
}

static bool is_file(struct str wanted, struct str name)
{
    return !wanted.n || str_eq(name, wanted) ||
           (str_ends(name, wanted) && name.p[name.n - wanted.n - 1] == '/');
}

/* ---- what is told ---- */

static struct json *lines_json(struct arena *a, struct bits lines)
{
    struct json *v = json_new(a, JSON_ARRAY);
    for (int64_t l = bits_next(lines, 0); l >= 0; l = bits_next(lines, (uint32_t)l + 1))
        json_add(v, json_new_int(a, l));
    return v;
}

static struct json *percent_json(struct arena *a, const struct coverage_numbers *n)
{
    struct json *v = json_new(a, JSON_NUMBER);
    v->text = numbers_repr(a, numbers_percent(n));
    return v;
}

static void tell_json(struct watch *w, struct arena *a, const struct watch_event *e)
{
    struct json *v = json_new(a, JSON_OBJECT);
    json_set(a, v, S("time"), json_new_str(a, clock_iso8601(a, e->ms)));
    json_set(a, v, S("function"), json_new_str(a, e->function));
    json_set(a, v, S("version"), json_new_str(a, e->version));
    json_set(a, v, S("context"), json_new_str(a, e->by));
    json_set(a, v, S("file"), json_new_str(a, e->file->name));
    json_set(a, v, S("new"), lines_json(a, e->fresh));
    json_set(a, v, S("ran"), lines_json(a, e->ran));
    json_set(a, v, S("percent"), percent_json(a, &e->file->result.numbers));
    json_set(a, v, S("total"), percent_json(a, &w->report.totals));
    struct str text = json_text(a, v, -1);
    printf("%.*s\n", STR(text));
}

static void tell(struct watch *w, struct arena *a, const struct watch_event *e)
{
    struct str percent = numbers_display(a, numbers_percent(&e->file->result.numbers),
                                         w->report.precision),
               fresh = watch_ranges(a, e->fresh), when = watch_clock(a, e->ms);
    printf("%.*s  %.*s  %.*s  %.*s  %.*s%%  %zu run", STR(when), STR(e->function), STR(e->by),
           STR(e->file->name), STR(percent), bits_count(e->ran));
    if (fresh.n)
        printf(", %zu new: %.*s", bits_count(e->fresh), STR(fresh));
    putchar('\n');
}

static void tell_all(struct watch *w, struct arena *a, struct watch_event *events, size_t n,
                     struct screen *screen)
{
    struct str wanted = coverage_watch_of(w->run)->file;
    if (n)
        qsort(events, n, sizeof *events, by_time);
    for (size_t i = 0; i < n; i++) {
        if (screen)
            screen_changed(screen, events[i].file->path);
        else if (!is_file(wanted, events[i].file->name))
            continue;
        else if (target_of(w->run)->json)
            tell_json(w, a, &events[i]);
        else
            tell(w, a, &events[i]);
    }
    if (!screen)
        fflush(stdout);
}

/* After a change: reports of all and of what is new, their events, and what they leave behind. */
static int take_news(struct watch *w, struct data *news, struct screen *screen)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct coverage_report r;
    size_t n = 0, cap = 0;
    struct watch_event *events = NULL, e;
    arena_reset(&w->making);
    w->report = (struct coverage_report){0};
    int rc = make_report(w, &w->making, w->in.data, true, &w->report);
    if (!rc)
        rc = make_report(w, &a, news, false, &r);
    if (rc)
        return rc;
    w->changed_ms = clock_now_ms();
    for (size_t i = 0; i < r.n_files; i++) {
        if (!file_at(&w->report, r.files[i].path))
            continue;
        for (size_t k = 0; k < r.files[i].n_groups; k++) {
            add_event(w, &a, &r, &r.files[i], &r.files[i].groups[k], &e);
            if (!bits_none(e.ran))
                *(struct watch_event *)arena_push(&a, (void **)&events, &n, &cap, sizeof e) = e;
        }
    }
    tell_all(w, &a, events, n, screen);
    for (size_t i = 0; i < w->report.n_files; i++)
        keep_executed(watch_file_of(w, &w->report.files[i]), w->report.files[i].result.executed);
    return 0;
}

/* ---- the loop ---- */

static int pause_of(const struct watch *w, bool trouble)
{
    int64_t wanted = coverage_watch_of(w->run)->interval_ms;
    if (trouble)
        return TROUBLE_MS;
    if (wanted)
        return wanted < INT32_MAX ? (int)wanted : INT32_MAX;
    if (aws_client_is_local(w->in.aws))
        return LOCAL_MS;
    return clock_now_ms() - w->changed_ms > QUIET_MS ? AWS_IDLE_MS : AWS_MS;
}

static void say_trouble(struct watch *w, struct str why, const struct screen *screen)
{
    if (!screen && why.n && !str_eq(w->trouble, why))
        fprintf(stderr, "lamina: coverage: %.*s\n", STR(why));
    w->trouble = why;
}

static int look(struct watch *w, struct screen *screen, bool *ret_trouble)
{
    struct aws_error err = {0};
    struct data *news = data_new(DATA_BY_CONTEXT);
    int e = 0, r = watch_poll(w, news, &err);
    *ret_trouble = r < 0 && !leaving;
    if (*ret_trouble)
        say_trouble(w,
                    str_printf(&w->own, "S3 does not answer, trying again: %.*s", STR(err.message)),
                    screen);
    else if (r > 0)
        e = take_news(w, news, screen);
    data_free(news);
    return e;
}

static bool rest(struct screen *screen, int ms)
{
    if (screen)
        return screen_wait(screen, ms);
    poll(NULL, 0, ms);
    return true;
}

static int watch_loop(struct watch *w)
{
    struct screen *screen = target_of(w->run)->json ? NULL : screen_open(w);
    int e = 0;
    while (!leaving && !e) {
        bool trouble;
        e = look(w, screen, &trouble);
        if (screen && !e)
            screen_draw(screen);
        if (!e && !leaving && !rest(screen, pause_of(w, trouble)))
            break;
    }
    screen_close(screen);
    return e;
}

static void watch_done(struct watch *w)
{
    size_t at = 0;
    struct str path;
    void *value;
    while (map_next(&w->files, &at, &path, &value)) {
        struct watch_file *t = value;
        free(t->lines);
        free((void *)(uintptr_t)t->executed.p);
    }
    struct map *maps[] = {&w->etags, &w->base, &w->seen, &w->files};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_done(maps[i]);
    arena_done(&w->making);
    arena_done(&w->own);
    coverage_inputs_done(&w->in);
}

static void catch_signals(struct watch *w)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    aws_client_cancel_on(w->in.aws, &leaving);
}

int coverage_watch_run(struct verb_run *run)
{
    struct watch w = {.run = run, .in.data = data_new(DATA_BY_NOTHING)};
    struct map *maps[] = {&w.etags, &w.base, &w.seen, &w.files};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_init(maps[i]);
    arena_init(&w.making);
    arena_init(&w.own);
    map_init(&w.in.names);
    int e = coverage_place(run, &w.in, &w.bucket, &w.prefix);
    w.functions = w.in.physical;
    w.n_functions = w.in.n_functions;
    if (!e) {
        catch_signals(&w);
        e = watch_begin(&w);
    }
    if (!e) {
        struct data *none = data_new(DATA_BY_CONTEXT);
        e = take_news(&w, none, NULL);
        data_free(none);
    }
    if (!e && !leaving) {
        if (target_of(run)->json || !isatty(STDOUT_FILENO))
            fprintf(stderr, "lamina: coverage: watching s3://%.*s/%.*s with %zu object%s\n",
                    STR(w.bucket), STR(w.prefix), w.n_objects, w.n_objects == 1 ? "" : "s");
        e = watch_loop(&w);
    }
    e = leaving ? 0 : e;
    watch_done(&w);
    return e;
}
