/* coverage_configure - what .coveragerc, setup.cfg, tox.ini or pyproject.toml say of reports, where
 * the command line says nothing. */
#include <errno.h>
#include <string.h>
#include "cli/coverage_report.h"

static bool given(struct verb_run *run, const char *name)
{
    return options_given(&run->parsed, run->sets, run->n_sets, name);
}

static void *values_of(struct verb_run *run, const struct option_row *rows)
{
    for (size_t i = 0; i < run->n_sets; i++)
        if (run->sets[i].rows == rows)
            return run->sets[i].values;
    return NULL;
}

static void take_list(struct verb_run *run, struct option_list *list, const struct str *items,
                      size_t n)
{
    if (list->n)
        return;
    for (size_t i = 0; i < n; i++)
        *(struct str *)arena_push(run->arena, (void **)&list->items, &list->n, &list->cap,
                                  sizeof *list->items) = items[i];
}

static void take(struct verb_run *run, const struct coverage_settings *s)
{
    struct coverage_report_options *o = values_of(run, coverage_report_rows);
    struct coverage_options *c = values_of(run, coverage_rows);
    take_list(run, &c->include, s->include, s->n_include);
    take_list(run, &c->exclude, s->omit, s->n_omit);
    if (s->has_fail_under && !given(run, "fail-under"))
        o->fail_under = str_printf(run->arena, "%.17g", s->fail_under);
    if (s->precision >= 0 && !given(run, "precision"))
        o->precision = s->precision;
    if (!given(run, "show-missing"))
        o->show_missing = s->show_missing;
    if (!given(run, "skip-covered"))
        o->skip_covered = s->skip_covered;
    if (!given(run, "skip-empty"))
        o->skip_empty = s->skip_empty;
    if (!given(run, "sort"))
        o->sort = s->sort;
}

/* What the project says of the format that is asked for. (coverage.py writes files of these names
 * without being told to; here a format goes to standard output unless somebody names a file.) */
static void take_format(struct verb_run *run, const struct coverage_settings *s)
{
    struct coverage_report_options *o = values_of(run, coverage_report_rows);
    const char *action = run->action ? run->action->name : "";
    const struct {
        const char *action;
        struct str output;
    } outputs[] = {{"html", s->html_directory},
                   {"json", s->json_output},
                   {"xml", s->xml_output},
                   {"lcov", s->lcov_output}};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (!strcmp(action, outputs[i].action) && !given(run, "output") &&
            !(o->single_file && !strcmp(action, "html")))
            o->output = outputs[i].output;
    if (!given(run, "title"))
        o->title = s->html_title;
    if (!given(run, "pretty"))
        o->pretty = s->json_pretty;
    o->html_skip_covered = given(run, "skip-covered") ? o->skip_covered : s->html_skip_covered;
    o->html_skip_empty = given(run, "skip-empty") ? o->skip_empty : s->html_skip_empty;
}

int coverage_configure(struct verb_run *run, struct coverage_settings *ret)
{
    struct settings_error err = {0};
    int r = settings_read(run->arena, S("."), coverage_report_of(run)->config, ret, &err);
    if (r < 0 && err.line)
        return verb_fail(run, "%.*s:%d: %.*s", STR(err.file), err.line, STR(err.reason));
    if (r < 0)
        return verb_fail(run, "%.*s: %s%.*s", STR(err.file), err.reason.n ? "" : strerror(-r),
                         STR(err.reason));
    for (size_t i = 0; i < ret->n_unused; i++)
        fprintf(stderr, "lamina: coverage: %.*s: %.*s is not used\n", STR(ret->file),
                STR(ret->unused[i]));
    take(run, ret);
    take_format(run, ret);
    return 0;
}
