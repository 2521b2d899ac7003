/* change_undo - what a run has changed is put back, unless somebody else has changed it since: see
 * change.h. Every step looks before it acts, so that it may be repeated from any point. */
#include <errno.h>
#include <poll.h>
#include "base/cleanup.h"
#include "bench/change_own.h"

#define ATTEMPTS 20
#define PAUSE_MS 200

static struct str name_of(struct str arn)
{
    return str_slice(arn, (size_t)(str_find_last_byte(arn, ':') + 1), arn.n);
}

static struct str function_of(const struct undoing *u)
{
    return journal_head(u->journal)->function;
}

static bool is_gone(const struct aws_error *err)
{
    return change_error_is(err, "ResourceNotFoundException");
}

/* ---- the configuration ---- */

static const struct json *record_of(const struct undoing *u, const char *what)
{
    JSON_EACH(journal_records(u->journal), v)
        if (str_is(json_get_str(v, "what"), what))
            return v;
    return NULL;
}

/* One of the sizes that the run has set. */
static bool set_memory(const struct undoing *u, int64_t memory_mb)
{
    int64_t set;
    JSON_EACH(journal_records(u->journal), v)
        if (str_is(json_get_str(v, "what"), "configure") &&
            json_int(json_get(v, "MemorySize"), &set) == 0 && set == memory_mb)
            return true;
    return false;
}

/* 1: in is to be sent. 0: there is nothing to do. */
static int plan_configuration(struct undoing *u, const struct lambda_function_configuration *now,
                              struct lambda_update_function_configuration_input *in)
{
    const struct json *before = json_get(record_of(u, "before"), "before");
    struct str name = name_of(function_of(u)), was = json_get_str(before, "Description");
    int64_t memory_mb = 0;
    if (!before || !str_has(was) || json_int(json_get(before, "MemorySize"), &memory_mb) < 0)
        return 0; /* cut off before the first change */
    if (!str_starts(now->description, change_mark(u->arena, journal_head(u->journal)->run))) {
        if (!str_eq(now->description, was) || now->memory_size.is != memory_mb) {
            u->report->left++;
            change_say(u->arena, u->report,
                       "the configuration of %.*s was changed by somebody else meanwhile, and is "
                       "left as it is (%lld MB; it had %lld MB before the run)",
                       STR(name), (long long)now->memory_size.is, (long long)memory_mb);
        }
        return 0;
    }
    *in = (struct lambda_update_function_configuration_input){
        .function_name = function_of(u), .description = was, .revision_id = now->revision_id};
    if (now->memory_size.is == memory_mb)
        return 1;
    if (set_memory(u, now->memory_size.is)) {
        in->memory_size.has = true;
        in->memory_size.is = memory_mb;
    } else {
        u->report->left++;
        change_say(u->arena, u->report,
                   "MemorySize of %.*s was set to %lld MB by somebody else meanwhile, and is left",
                   STR(name), (long long)now->memory_size.is);
    }
    return 1;
}

int undo_configuration(struct undoing *u, struct aws_error *err)
{
    int r = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct lambda_function_configuration *now = NULL;
        struct lambda_update_function_configuration_input in;
        struct change_report before = *u->report; /* counts, and how many notes */
        r = change_settle(u->arena, u->aws, function_of(u), (struct str){0}, NULL, &now, err);
        if (r < 0 && (r != -EIO || !now)) /* an update that has failed is undone, too */
            return r;
        if (!plan_configuration(u, now, &in))
            return 0;
        void *out;
        r = aws_call(u->aws, u->arena, &lambda_update_function_configuration_op, &in, &out, err);
        if (r == 0) {
            u->report->restored++;
            return change_settle(u->arena, u->aws, function_of(u), (struct str){0}, NULL, &now,
                                 err);
        }
        if (!change_error_is(err, "ResourceConflictException") &&
            !change_error_is(err, "PreconditionFailedException"))
            return r;
        *u->report = before; /* it has changed since it was looked at: again */
        poll(NULL, 0, PAUSE_MS);
    }
    return r;
}

/* ---- versions ---- */

static int delete_version(struct undoing *u, struct str version, struct aws_error *err)
{
    struct lambda_delete_function_input in = {.function_name = function_of(u),
                                              .qualifier = version};
    int r = aws_call(u->aws, u->arena, &lambda_delete_function_op, &in, NULL, err);
    if (r < 0 && is_gone(err))
        return 0;
    if (r == 0)
        u->report->restored++;
    return r;
}

/* The version that has this description; absent: there is none. */
static int find_version(struct undoing *u, struct str description, struct str *ret,
                        struct aws_error *err)
{
    struct lambda_list_versions_by_function_input in = {.function_name = function_of(u)};
    struct lambda_list_versions_by_function_output *out;
    *ret = (struct str){0};
    do {
        int r = aws_call(u->aws, u->arena, &lambda_list_versions_by_function_op, &in, (void **)&out,
                         err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < out->versions.n; i++) {
            const struct lambda_function_configuration *v = &out->versions.items[i];
            if (str_eq(v->description, description) && !str_is(v->version, "$LATEST"))
                *ret = v->version;
        }
        in.marker = out->next_marker;
    } while (in.marker.n && !str_has(*ret));
    return 0;
}

int undo_version(struct undoing *u, struct str version, struct str description,
                 struct aws_error *err)
{
    struct lambda_get_function_configuration_input in = {.function_name = function_of(u),
                                                         .qualifier = version};
    struct lambda_function_configuration *v;
    int r;
    if (!str_has(version)) {
        r = find_version(u, description, &version, err);
        return r < 0 ? r : !str_has(version) ? 0 : delete_version(u, version, err);
    }
    /* Of a function that was deleted and made anew it may be somebody else's. */
    r = aws_call(u->aws, u->arena, &lambda_get_function_configuration_op, &in, (void **)&v, err);
    if (r < 0)
        return is_gone(err) ? 0 : r;
    if (!str_starts(v->description, change_mark(u->arena, journal_head(u->journal)->run))) {
        u->report->left++;
        change_say(u->arena, u->report,
                   "version %.*s of %.*s is not the run's any more, and is left", STR(version),
                   STR(name_of(function_of(u))));
        return 0;
    }
    return delete_version(u, version, err);
}

static struct str published_as(const struct undoing *u, const struct json *publish)
{
    int64_t step, other;
    json_int(json_get(publish, "step"), &step);
    JSON_EACH(journal_records(u->journal), v)
        if (str_is(json_get_str(v, "what"), "published") &&
            json_int(json_get(v, "step"), &other) == 0 && other == step)
            return json_get_str(v, "Version");
    return (struct str){0};
}

int undo_versions(struct undoing *u, struct aws_error *err)
{
    int first = 0;
    JSON_EACH(journal_records(u->journal), v) {
        struct aws_error one = {0};
        if (!str_is(json_get_str(v, "what"), "publish"))
            continue;
        struct str version = published_as(u, v);
        int r = undo_version(u, version, json_get_str(v, "Description"), &one);
        if (r == 0)
            continue;
        if (is_gone(&one))
            return first; /* the function is */
        u->report->failed++;
        change_say(u->arena, u->report, "version %.*s of %.*s cannot be deleted: %.*s",
                   STR(str_has(version) ? version : S("?")), STR(name_of(function_of(u))),
                   STR(one.message));
        if (!first) {
            first = r;
            *err = one;
        }
    }
    return first;
}

/* ---- all ---- */

int change_undo(struct arena *a, struct aws_client *aws, struct journal *j,
                struct change_report *report, struct aws_error *err)
{
    struct undoing u = {a, aws, j, report};
    struct str name = name_of(journal_head(j)->function);
    int r = undo_configuration(&u, err);
    if (r < 0 && is_gone(err)) {
        report->left++;
        change_say(a, report, "%.*s does not exist any more: there is nothing to put back",
                   STR(name));
        journal_end(j);
        return 0;
    }
    if (r < 0) {
        report->failed++;
        change_say(a, report, "the configuration of %.*s cannot be put back: %.*s", STR(name),
                   STR(err->message));
    }
    struct aws_error other = {0};
    int r2 = undo_versions(&u, &other);
    if (r == 0 && r2 < 0) {
        r = r2;
        *err = other;
    }
    if (r == 0) {
        journal_end(j);
        return 0;
    }
    change_say(a, report, "the journal %.*s is kept; `lamina bench restore` tries again",
               STR(journal_path(j)));
    journal_leave(j);
    return r;
}
