/* change - see change.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/change_own.h"
#include "bench/lamina.h"

#define SETTLE_POLLS 600
#define SETTLE_PAUSE_MAX_MS 1000
#define CONFLICTS_MAX 60

struct change {
    struct arena *arena;
    struct aws_client *aws;
    struct change_options options;
    struct str function; /* ARN */
    struct str run, mark;
    struct lambda_function_configuration *before;
    struct str revision; /* the last that is known */
    struct str written;  /* the description that it has now, when that is the run's; or absent */
    int memory_mb;       /* as it is now */
    int sequence, steps;
    struct journal *journal; /* NULL: nothing has been changed yet */
};

void change_say(struct arena *a, struct change_report *report, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    *(struct str *)arena_push(a, (void **)&report->notes, &report->n_notes, &report->cap_notes,
                              sizeof(*report->notes)) = str_vprintf(a, fmt, ap);
    va_end(ap);
}

bool change_error_is(const struct aws_error *err, const char *code)
{
    return str_is(err->code, code);
}

struct str change_mark(struct arena *a, struct str run)
{
    return str_printf(a, CHANGE_MARK "%.*s:", STR(run));
}

int change_settle(struct arena *a, struct aws_client *aws, struct str function,
                  struct str qualifier, const volatile sig_atomic_t *stop,
                  struct lambda_function_configuration **ret, struct aws_error *err)
{
    struct lambda_get_function_configuration_input in = {.function_name = function,
                                                         .qualifier = qualifier};
    int pause_ms = 1;
    for (int i = 0; i < SETTLE_POLLS; i++) {
        int r = aws_call(aws, a, &lambda_get_function_configuration_op, &in, (void **)ret, err);
        if (r < 0)
            return r;
        const struct lambda_function_configuration *c = *ret;
        if (str_is(c->state, "Failed") || str_is(c->last_update_status, "Failed"))
            return aws_fail(
                err, -EIO,
                str_printf(a, "%.*s is not ready: %.*s", STR(function),
                           STR(str_has(c->last_update_status_reason) ? c->last_update_status_reason
                                                                     : c->state_reason)));
        if (!str_is(c->last_update_status, "InProgress") && !str_is(c->state, "Pending"))
            return 0;
        if (stop && *stop)
            return aws_fail(err, -ECANCELED, S("interrupted"));
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 < SETTLE_PAUSE_MAX_MS ? pause_ms * 2 : SETTLE_PAUSE_MAX_MS;
    }
    return aws_fail(err, -ETIMEDOUT, str_printf(a, "%.*s is still being updated", STR(function)));
}

/* arn:aws:lambda:REGION:ACCOUNT:function:NAME, without what follows. */
static struct str unqualified(struct str arn)
{
    size_t colons = 0;
    for (size_t i = 0; i < arn.n; i++)
        if (arn.p[i] == ':' && ++colons == 7)
            return str_slice(arn, 0, i);
    return arn;
}

int change_open(struct arena *a, struct aws_client *aws, const struct change_options *options,
                struct change **ret, struct aws_error *err)
{
    struct change *c = ARENA_NEW(a, struct change);
    *c = (struct change){.arena = a, .aws = aws, .options = *options};
    int r = change_settle(a, aws, options->function, S("$LATEST"), options->stop, &c->before, err);
    if (r < 0)
        return r;
    c->function = unqualified(c->before->function_arn);
    struct str was = c->before->description, run, rest;
    if (str_starts(was, S(CHANGE_MARK))) {
        str_cut(str_slice(was, strlen(CHANGE_MARK), was.n), ':', &run, &rest);
        return aws_fail(
            err, -EBUSY,
            str_printf(a,
                       "run %.*s of lamina bench is changing %.*s, or has left it changed: "
                       "wait for its end, or put it back by `lamina bench restore` where "
                       "its journal is",
                       STR(run), STR(c->before->function_name)));
    }
    c->revision = c->before->revision_id;
    c->memory_mb = (int)c->before->memory_size.is;
    c->run = journal_new_run(a);
    c->mark = change_mark(a, c->run);
    *ret = c;
    return 0;
}

struct str change_function(const struct change *c)
{
    return c->function;
}

/* ---- notes ---- */

static struct json *record(struct change *c, const char *what, int step)
{
    struct json *o = json_new(c->arena, JSON_OBJECT);
    json_set(c->arena, o, S("step"), json_new_int(c->arena, step));
    json_set(c->arena, o, S("what"), json_new_str(c->arena, str_from(what)));
    return o;
}

static int note(struct change *c, const struct json *o, struct aws_error *err)
{
    int r = journal_note(c->journal, o);
    if (r == 0)
        return 0;
    return aws_fail(err, r,
                    str_printf(c->arena, "the journal %.*s cannot be written: %s",
                               STR(journal_path(c->journal)), strerror(-r)));
}

/* The journal, with what the function is now. */
static int begin(struct change *c, struct aws_error *err)
{
    struct arena *a = c->arena;
    struct str folder = str_has(c->options.folder) ? c->options.folder : journal_folder(a);
    bool local = aws_client_is_local(c->aws);
    struct journal_head head = {
        .run = c->run,
        .target = local ? S("local") : S("aws"),
        .endpoint = local ? aws_client_endpoint(c->aws, &lambda_model, a) : (struct str){0},
        .region = aws_client_region(c->aws),
        .profile = c->options.profile,
        .function = c->function,
        .cloud = local ? lamina_cloud(a, lamina_endpoint(a, c->aws)) : (struct str){0},
        .created_ms = clock_now_ms(),
    };
    int r = journal_begin(a, folder, &head, &c->journal);
    if (r < 0)
        return aws_fail(err, r,
                        str_printf(a,
                                   "no journal can be written in %.*s, so nothing is changed: %s",
                                   STR(folder), strerror(-r)));
    struct json *o = record(c, "before", c->steps++), *before = json_new(a, JSON_OBJECT);
    struct str was = str_has(c->before->description) ? c->before->description : S("");
    json_set(a, before, S("Description"), json_new_str(a, was));
    json_set(a, before, S("MemorySize"), json_new_int(a, c->before->memory_size.is));
    json_set(a, o, S("before"), before);
    json_set(a, o, S("revision"), json_new_str(a, c->before->revision_id));
    r = note(c, o, err);
    if (r < 0)
        journal_end(TAKE(c->journal));
    return r;
}

/* ---- changes ---- */

/* Which revision it is now, and that it still is as the run has made it. */
static int look_again(struct change *c, struct aws_error *err)
{
    struct lambda_function_configuration *now;
    int r =
        change_settle(c->arena, c->aws, c->function, (struct str){0}, c->options.stop, &now, err);
    if (r < 0)
        return r;
    if (!str_eq(now->description, c->written) || now->memory_size.is != c->memory_mb)
        return aws_fail(err, -ESTALE,
                        str_printf(c->arena,
                                   "%.*s was changed by somebody else while it was measured",
                                   STR(c->before->function_name)));
    c->revision = now->revision_id;
    return 0;
}

static int explain(struct change *c, int r, struct aws_error *err)
{
    if (change_error_is(err, "PreconditionFailedException"))
        err->message = str_printf(c->arena, "%.*s was changed by somebody else at the same moment",
                                  STR(c->before->function_name));
    return r;
}

/* A change is waited for, interrupted or not: one that was given up on might come to the function
 * when all has been put back. */
static int call_whole(struct change *c, const struct operation *op, const void *in, void **out,
                      struct aws_error *err)
{
    if (c->options.stop && *c->options.stop)
        return -ECANCELED;
    const volatile sig_atomic_t *flag = aws_client_cancel_on(c->aws, NULL);
    int r = aws_call(c->aws, c->arena, op, in, out, err);
    aws_client_cancel_on(c->aws, flag);
    return r;
}

int change_configure(struct change *c, int memory_mb, struct aws_error *err)
{
    struct arena *a = c->arena;
    int r = c->journal ? 0 : begin(c, err);
    if (r < 0)
        return r;
    if (!memory_mb)
        memory_mb = c->memory_mb;
    struct str description = str_printf(a, "%.*s%d is being measured, and put back to what it was",
                                        STR(c->mark), ++c->sequence);
    struct json *o = record(c, "configure", c->steps++);
    json_set(a, o, S("MemorySize"), json_new_int(a, memory_mb));
    r = note(c, o, err);
    if (r < 0)
        return r;
    struct lambda_update_function_configuration_input in = {
        .function_name = c->function,
        .description = description,
        .memory_size = {.has = true, .is = memory_mb},
        .revision_id = c->revision,
    };
    r = -ECANCELED;
    for (int i = 0; i < CONFLICTS_MAX; i++) {
        void *out;
        r = call_whole(c, &lambda_update_function_configuration_op, &in, &out, err);
        if (r == 0 || r == -ECANCELED || !change_error_is(err, "ResourceConflictException"))
            break;
        poll(NULL, 0, 200); /* an update by somebody else is under way: the next one is refused */
    }
    if (r < 0)
        return explain(c, r, err);
    c->written = description;
    c->memory_mb = memory_mb;
    return look_again(c, err);
}

int change_publish(struct change *c, struct str *ret_version, struct aws_error *err)
{
    struct arena *a = c->arena;
    struct lambda_function_configuration *out;
    int step = c->steps++;
    struct json *o = record(c, "publish", step);
    json_set(a, o, S("Description"), json_new_str(a, c->written));
    int r = note(c, o, err);
    if (r < 0)
        return r;
    struct lambda_publish_version_input in = {
        .function_name = c->function, .description = c->written, .revision_id = c->revision};
    r = call_whole(c, &lambda_publish_version_op, &in, (void **)&out, err);
    if (r < 0)
        return explain(c, r, err);
    o = record(c, "published", step);
    json_set(a, o, S("Version"), json_new_str(a, out->version));
    journal_note(c->journal, o); /* without it the version is found by its description */
    *ret_version = out->version;
    struct lambda_function_configuration *now;
    r = change_settle(a, c->aws, c->function, *ret_version, c->options.stop, &now, err);
    return r < 0 ? r : look_again(c, err);
}

/* ---- and back ---- */

static struct undoing undoing_of(struct change *c, struct change_report *report)
{
    aws_client_cancel_on(c->aws, NULL); /* what has been changed is put back, interrupted or not */
    return (struct undoing){c->arena, c->aws, c->journal, report};
}

int change_drop_version(struct change *c, struct str version, struct aws_error *err)
{
    struct change_report report = {0};
    struct undoing u = {c->arena, c->aws, c->journal, &report};
    return undo_version(&u, version, (struct str){0}, err);
}

int change_put_back(struct change *c, struct change_report *report, struct aws_error *err)
{
    if (!c->journal || !str_has(c->written))
        return 0;
    struct undoing u = undoing_of(c, report);
    int r = undo_configuration(&u, err);
    if (r < 0)
        return r;
    struct lambda_function_configuration *now;
    c->written = (struct str){0};
    r = change_settle(c->arena, c->aws, c->function, (struct str){0}, NULL, &now, err);
    if (r < 0)
        return r;
    c->revision = now->revision_id;
    c->memory_mb = (int)now->memory_size.is;
    return 0;
}

int change_close(struct change *c, struct change_report *report, struct aws_error *err)
{
    sigset_t impatience, before;
    if (!c || !c->journal)
        return 0;
    /* A second Ctrl-C would end the program here, and leave the rest to the next run. */
    sigemptyset(&impatience);
    sigaddset(&impatience, SIGINT);
    sigaddset(&impatience, SIGTERM);
    sigaddset(&impatience, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &impatience, &before);
    struct undoing u = undoing_of(c, report);
    int r = change_undo(u.arena, u.aws, TAKE(c->journal), report, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}
