/* coverage_html - `lamina coverage html`, and --html beside other formats: a folder of pages, or
 * one file. */
#include <errno.h>
#include <stdlib.h>
#include "base/fs.h"
#include "cli/coverage_report.h"

#define HTML_MAX ((size_t)1 << 30)

static struct report_html_options options_of(const struct verb_run *run)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    return (struct report_html_options){
        .title = o->title, .skip_covered = o->html_skip_covered, .skip_empty = o->html_skip_empty};
}

static int write_single(struct verb_run *run, const struct coverage_report *r, struct str path)
{
    auto_buf struct buf b;
    buf_init(&b, HTML_MAX);
    struct report_html_options o = options_of(run);
    coverage_write_html(&b, r, &o);
    if (buf_failed(&b))
        return verb_fail(run, "the report is too large for one file");
    if (str_is(path, "-")) {
        fwrite(b.p, 1, b.n, stdout);
        return fflush(stdout) ? verb_fail(run, "the report cannot be written: %s", strerror(errno))
                              : 0;
    }
    int e = fs_write(str_c(run->arena, path), buf_view(&b), 0644);
    if (e < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-e));
    fprintf(stderr, "wrote %.*s: %zu file%s\n", STR(path), r->n_files, r->n_files == 1 ? "" : "s");
    return 0;
}

static int write_folder(struct verb_run *run, const struct coverage_report *r, struct str dir)
{
    struct report_html_options o = options_of(run);
    struct report_html_result done;
    if (str_is(dir, "-"))
        return verb_usage(run, "standard output takes one file: --single-file");
    int e = coverage_write_html_folder(run->arena, r, &o, str_c(run->arena, dir), &done);
    if (e < 0)
        return verb_fail(run, "%.*s: %s", STR(done.path), strerror(-e));
    fprintf(stderr, "wrote %.*s/index.html: %zu file%s", STR(dir), r->n_files,
            r->n_files == 1 ? "" : "s");
    if (done.kept)
        fprintf(stderr, "; %zu pages written, %zu were up to date", done.written, done.kept);
    fputs("\n", stderr);
    return 0;
}

int coverage_html_write(struct verb_run *run, const struct coverage_report *r, struct str to)
{
    bool single = coverage_report_of(run)->single_file;
    if (!to.n)
        to = single ? S("coverage.html") : S("htmlcov");
    return single ? write_single(run, r, to) : write_folder(run, r, to);
}

void coverage_html_format(const struct verb_run *run, struct buf *b,
                          const struct coverage_report *r)
{
    struct report_html_options o = options_of(run);
    coverage_write_html(b, r, &o);
}
