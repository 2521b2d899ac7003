/* bench_sweeps - see bench_sweeps.h. */
#include "cli/bench_sweeps.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/lamina.h"

const struct option_row bench_cold_rows[] = {
    {OPTION(struct bench_sweep_options, method), .name = "method", .type = OPTION_TEXT,
     .choices = "auto|drop|description|version", .default_value = "auto",
     .help = "cold: how a new environment is had"},
    {OPTION(struct bench_sweep_options, warm), .name = "warm", .type = OPTION_INT, .metavar = "N",
     .default_value = "0", .min = 0, .max = 1000,
     .help = "cold: send so many to the same environment after each cold one, as a series"},
    {0},
};

const struct option_row bench_memory_rows[] = {
    {OPTION(struct bench_sweep_options, memory), .name = "memory", .type = OPTION_TEXT,
     .metavar = "SIZES", .default_value = "128,256,512,1024,1536,3008",
     .help = "memory: sizes in MB, as in 512,1024 or 512-2048:256 or ALL"},
    {OPTION(struct bench_sweep_options, strategy), .name = "strategy", .type = OPTION_TEXT,
     .choices = "cost|speed|balanced", .default_value = "cost",
     .help = "memory: what is recommended"},
    {OPTION(struct bench_sweep_options, balanced_weight), .name = "balanced-weight",
     .type = OPTION_TEXT, .metavar = "W", .default_value = "0.5",
     .help = "memory: balanced between 0, speed alone, and 1, cost alone"},
    {OPTION(struct bench_sweep_options, only_cold), .name = "only-cold", .type = OPTION_FLAG,
     .help = "memory: every request to a new environment"},
    {OPTION(struct bench_sweep_options, below_ms), .name = "p99-below", .type = OPTION_DURATION,
     .unit = "ms", .metavar = "TIME",
     .help = "memory: name the cheapest size whose p99 of the duration is below"},
    {OPTION(struct bench_sweep_options, stop_at), .name = "stop-at", .type = OPTION_TEXT,
     .metavar = "SHARE", .default_value = "5%",
     .help = "memory: a size is known when the interval of its median is narrower; 0 for never"},
    {OPTION(struct bench_sweep_options, apply), .name = "apply", .type = OPTION_FLAG,
     .help = "memory: give the function the recommended size"},
    {0},
};

const struct option_row bench_compare_rows[] = {
    {OPTION(struct bench_sweep_options, block), .name = "block", .type = OPTION_INT, .metavar = "N",
     .default_value = "5", .min = 1, .max = 1000,
     .help = "compare: requests a side in each block, whose order is drawn"},
    {OPTION(struct bench_sweep_options, same_answers), .name = "same-answers", .type = OPTION_FLAG,
     .help = "compare: both sides must answer each payload alike"},
    {0},
};

const struct option_row bench_journal_rows[] = {
    {OPTION(struct bench_sweep_options, journal), .name = "journal", .type = OPTION_TEXT,
     .metavar = "DIR", .environment = "LAMINA_BENCH_JOURNAL",
     .help = "folder of journals; otherwise below XDG_STATE_HOME"},
    {0},
};

const struct option_row bench_restore_rows[] = {
    {OPTION(struct bench_sweep_options, forget), .name = "forget", .type = OPTION_FLAG,
     .help = "restore: remove journals that cannot be undone"},
    {0},
};

static const struct bench_sweep_options *set_of(const struct verb_run *run,
                                                const struct option_row *rows)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == rows)
            return run->sets[i].values;
    return NULL;
}

const struct bench_sweep_options *bench_sweeps_of(const struct verb_run *run)
{
    const char *name = run->action->name;
    return set_of(run, !strcmp(name, "cold")      ? bench_cold_rows
                       : !strcmp(name, "memory")  ? bench_memory_rows
                       : !strcmp(name, "compare") ? bench_compare_rows
                                                  : bench_restore_rows);
}

int bench_sweep_check(struct verb_run *run)
{
    const struct bench_options *o = run->values[0];
    if (o->duration_ms)
        return verb_usage(run, "bench %s counts requests: no --duration", run->action->name);
    if (!o->log && strcmp(run->action->name, "compare"))
        return verb_usage(run, "bench %s reads REPORT lines: no --no-log", run->action->name);
    return 0;
}

struct str bench_journal_folder(const struct verb_run *run)
{
    const struct bench_sweep_options *o = set_of(run, bench_journal_rows); /* none: `verify` */
    return o && o->journal.n ? o->journal : journal_folder(run->arena);
}

void bench_sweep_tell(const struct verb_run *run, const struct change_report *report)
{
    for (size_t i = 0; i < report->n_notes; i++)
        fprintf(stderr, "lamina: bench: %.*s\n", STR(report->notes[i]));
}

/* ---- what is left of earlier runs ---- */

struct recovery {
    struct verb_run *run;
    struct aws_client *aws;
    struct str endpoint; /* absent: AWS */
    struct str cloud;    /* which one is there now; absent: not known */
    bool forget;
    int elsewhere, damaged, failed, undone, running;
};

static bool is_here(const struct recovery *r, const struct journal_head *h)
{
    if (aws_client_is_local(r->aws) != str_is(h->target, "local"))
        return false;
    if (!str_eq(h->region, aws_client_region(r->aws)))
        return false;
    if (!aws_client_is_local(r->aws))
        return true;
    /* A function of the same name in another data folder is another function. */
    bool other = h->cloud.n && r->cloud.n && !str_eq(h->cloud, r->cloud);
    return str_eq(h->endpoint, r->endpoint) && !other;
}

static void undo_one(struct recovery *r, struct journal *j)
{
    struct arena *a = r->run->arena;
    const struct journal_head head = *journal_head(j);
    struct change_report report = {0};
    struct aws_error err = {0};
    int code = change_undo(a, r->aws, j, &report, &err);
    if (code == 0 && report.restored)
        fprintf(stderr, "lamina: bench: run %.*s had left %.*s changed: put back\n", STR(head.run),
                STR(head.function));
    bench_sweep_tell(r->run, &report);
    r->undone += code == 0;
    r->failed += code < 0;
}

static void recover_one(struct recovery *r, struct str path)
{
    struct arena *a = r->run->arena;
    struct journal *j;
    int code = journal_take(a, path, &j);
    if (code == -EBUSY)
        r->running++;
    if (code == -EBUSY || code == -ENOENT)
        return;
    if (code < 0 && r->forget && unlink(str_c(a, path)) == 0) {
        fprintf(stderr, "lamina: bench: %.*s is removed: %s\n", STR(path), strerror(-code));
        return;
    }
    if (code < 0) {
        r->damaged++;
        fprintf(stderr, "lamina: bench: the journal %.*s cannot be read: %s\n", STR(path),
                strerror(-code));
        return;
    }
    if (is_here(r, journal_head(j))) {
        undo_one(r, j);
    } else if (lamina_cloud_gone(journal_head(j)->cloud)) {
        fprintf(stderr, "lamina: bench: %.*s was changed by run %.*s, and is gone with its cloud\n",
                STR(journal_head(j)->function), STR(journal_head(j)->run));
        journal_end(j);
    } else if (r->forget) {
        fprintf(stderr, "lamina: bench: %.*s of %.*s is forgotten\n", STR(path),
                STR(journal_head(j)->function));
        journal_end(j);
    } else {
        r->elsewhere++;
        journal_leave(j);
    }
}

static int recover(struct verb_run *run, struct recovery *r)
{
    struct str *paths, folder = bench_journal_folder(run);
    size_t n;
    r->run = run;
    r->endpoint = aws_client_is_local(r->aws)
                      ? aws_client_endpoint(r->aws, &lambda_model, run->arena)
                      : (struct str){0};
    int code = journal_list(run->arena, folder, &paths, &n);
    if (code == 0 && n && r->endpoint.n)
        r->cloud = lamina_cloud(run->arena, lamina_endpoint(run->arena, r->aws));
    if (code < 0)
        return verb_fail(run, "the folder of journals %.*s cannot be read: %s", STR(folder),
                         strerror(-code));
    for (size_t i = 0; i < n; i++)
        recover_one(r, paths[i]);
    return r->failed ? 1 : 0;
}

void bench_recover(struct verb_run *run, struct aws_client *aws)
{
    struct recovery r = {.aws = aws};
    recover(run, &r);
    if (r.elsewhere)
        fprintf(stderr,
                "lamina: bench: %d earlier run%s left a function changed in another cloud, at "
                "another endpoint or region: see `lamina bench restore`\n",
                r.elsewhere, r.elsewhere > 1 ? "s" : "");
}

static void list_elsewhere(struct verb_run *run)
{
    struct str *paths;
    size_t n;
    if (journal_list(run->arena, bench_journal_folder(run), &paths, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct journal *j;
        if (journal_take(run->arena, paths[i], &j) < 0)
            continue;
        const struct journal_head *h = journal_head(j);
        printf("%.*s is changed by run %.*s: --target %.*s%s%.*s --region %.*s%s%.*s%s%.*s%s\n",
               STR(h->function), STR(h->run), STR(h->target), h->endpoint.n ? " --endpoint " : "",
               STR(h->endpoint), STR(h->region), h->profile.n ? " --profile " : "", STR(h->profile),
               h->cloud.n ? " (" : "", STR(h->cloud), h->cloud.n ? ")" : "");
        journal_leave(j);
    }
}

int bench_restore_run(struct verb_run *run)
{
    const struct bench_sweep_options *o = bench_sweeps_of(run);
    struct recovery r = {.forget = o->forget};
    int code = target_open(run, &r.aws);
    if (code)
        return code;
    code = recover(run, &r);
    aws_client_close(r.aws);
    if (r.elsewhere)
        list_elsewhere(run);
    if (r.undone)
        printf("%d run%s put back\n", r.undone, r.undone > 1 ? "s" : "");
    else if (!code && !r.elsewhere && !r.damaged)
        printf("nothing is left to put back%s\n", r.running ? "; a run is still under way" : "");
    return code ? code : r.elsewhere || r.damaged;
}
