/* coverage_combine - `lamina coverage combine`: many objects into one file, or one object of S3. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fs.h"
#include "cli/coverage_report.h"
#include "cli/target.h"
#include "coverage/report_rows.h"
#include "coverage/sqlite.h"
#include "wire/s3.h"

#define FILE_MAX ((size_t)1 << 30)

/* By the end of the name; anything else is coverage.py's data file. */
static enum coverage_format format_of(struct str name)
{
    static const struct {
        const char *end;
        enum coverage_format format;
    } ends[] = {{".json", COVERAGE_JSON}, {".xml", COVERAGE_XML},     {".lcov", COVERAGE_LCOV},
                {".info", COVERAGE_LCOV}, {".md", COVERAGE_MARKDOWN}, {".txt", COVERAGE_TEXT},
                {".html", COVERAGE_HTML}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(name, str_from(ends[i].end)))
            return ends[i].format;
    return COVERAGE_DATA;
}

static void tell(struct arena *a, const struct report_left_out *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "lamina: coverage: %.*s is left out: %.*s\n",
                STR(report_safe_name(a, items[i].name)), STR(report_safe_name(a, items[i].reason)));
}

static int write_data(struct verb_run *run, const struct coverage_inputs *in,
                      const struct coverage_settings *settings, struct str path, size_t *ret_files)
{
    struct report_request q;
    struct sqlite_result result;
    int e = coverage_request(run, in, settings, &q);
    if (e)
        return e;
    /* Without it the file is right, but for branches that can only be concluded. */
    struct coverage_report report;
    bool analysed = report_build(run->arena, &q, &report) == 0;
    e = sqlite_write(run->arena, &q, analysed ? &report : NULL, str_c(run->arena, path), &result);
    tell(run->arena, in->unreadable, in->n_unreadable);
    tell(run->arena, result.left_out, result.n_left_out);
    *ret_files = result.files;
    return e < 0 ? verb_fail(run, "%.*s: %.*s", STR(path), STR(result.error)) : 0;
}

static int write_report(struct verb_run *run, const struct coverage_inputs *in,
                        const struct coverage_settings *settings, enum coverage_format format,
                        struct str path, size_t *ret_files)
{
    struct coverage_report r;
    int e = coverage_report_make(run, in, settings, &r);
    if (e)
        return e;
    auto_buf struct buf b;
    buf_init(&b, FILE_MAX);
    e = coverage_format(run, &b, &r, format, false);
    if (e)
        return e;
    *ret_files = r.n_files;
    int w = buf_failed(&b) ? -EFBIG : fs_write(str_c(run->arena, path), buf_view(&b), 0644);
    return w < 0 ? verb_fail(run, "%.*s: %s", STR(path), strerror(-w)) : 0;
}

static int upload(struct verb_run *run, struct coverage_inputs *in, struct str url, struct str path)
{
    struct str bucket, key, bytes;
    struct aws_error err = {0};
    str_cut(str_slice(url, 5, url.n), '/', &bucket, &key);
    int r = fs_read(str_c(run->arena, path), FILE_MAX, run->arena, &bytes);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    int e = in->aws ? 0 : target_open(run, &in->aws);
    if (e)
        return e;
    struct s3_put_object_input put = {.bucket = bucket,
                                      .key = key,
                                      .body = body_mem(bytes),
                                      .server_side_encryption = S("AES256")};
    if (aws_call(in->aws, run->arena, &s3_put_object_op, &put, NULL, &err) < 0)
        return target_fail(run, &err, str_c(run->arena, url));
    return 0;
}

static int combine(struct verb_run *run, struct coverage_inputs *in,
                   const struct coverage_settings *settings, struct str to)
{
    bool remote = str_starts(to, S("s3://"));
    struct str path = to;
    size_t files = 0;
    if (remote) {
        char name[] = "/tmp/lamina-coverage-XXXXXX";
        int fd = mkstemp(name);
        if (fd < 0)
            return verb_fail(run, "%s: %s", name, strerror(errno));
        close(fd);
        path = str_copy(run->arena, str_from(name));
    }
    enum coverage_format format = format_of(to);
    int e = format == COVERAGE_DATA ? write_data(run, in, settings, path, &files)
                                    : write_report(run, in, settings, format, path, &files);
    if (!e && remote)
        e = upload(run, in, to, path);
    if (remote)
        unlink(str_c(run->arena, path));
    if (!e)
        fprintf(stderr, "%.*s: %zu file%s, from %zu object%s in %.*s\n", STR(to), files,
                files == 1 ? "" : "s", in->n_read, in->n_read == 1 ? "" : "s", STR(in->looked));
    return e;
}

int coverage_combine_run(struct verb_run *run)
{
    const struct coverage_report_options *o = coverage_report_of(run);
    struct str to = o->to.n ? o->to : o->output.n ? o->output : S(".coverage"), bucket, key;
    if (str_starts(to, S("s3://")) &&
        (!str_cut(str_slice(to, 5, to.n), '/', &bucket, &key) || !bucket.n || !key.n))
        return verb_usage(run, "--to %.*s is not s3://BUCKET/KEY", STR(to));
    struct coverage_inputs in;
    struct coverage_settings settings;
    int e = coverage_configure(run, &settings);
    if (e)
        return e;
    e = coverage_inputs_read(run, &in);
    if (!e)
        e = combine(run, &in, &settings, to);
    coverage_inputs_done(&in);
    return e;
}
