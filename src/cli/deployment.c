/* deployment - records of deployments: begun, written, found: see deployment.h. */
#include "cli/deployment.h"
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/digest.h"
#include "build/process.h"
#include "cli/package.h"
#include "cli/target.h"
#include "wire/s3.h"
#include "wire/sts.h"

#define RECORD_MAX (16 * 1024 * 1024)

static void set(struct arena *a, struct json *o, const char *key, struct str text)
{
    if (str_has(text))
        json_set(a, o, str_from(key), json_new_str(a, text));
}

/* ---- written ---- */

/* 2026-11-21T22:35:00.123Z -> 20261121T223500123Z-1a2b3c4d */
static struct str make_id(struct arena *a, int64_t now_ms)
{
    struct str text = clock_iso8601(a, now_ms);
    char *id = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '-' && text.p[i] != ':' && text.p[i] != '.')
            id[n++] = text.p[i];
    return str_printf(a, "%.*s-%s", (int)n, id, random_hex(a, 8).p);
}

static void add_git(struct arena *a, struct json *o, struct str dir)
{
    const char *const argv[] = {"git",         "describe",  "--always", "--dirty",
                                "--abbrev=40", "--exclude", "*",        NULL};
    struct process_result p;
    if (process_run(a, argv, dir.n ? str_c(a, dir) : ".", NULL, &p) < 0 || p.exit_code)
        return;
    struct str text = str_trim(p.output), commit = text;
    bool dirty = str_ends(text, S("-dirty"));
    if (dirty)
        commit = str_slice(text, 0, text.n - 6);
    for (size_t i = 0; i < commit.n; i++)
        if (!strchr("0123456789abcdef", commit.p[i]))
            return;
    if (commit.n != 40 && commit.n != 64)
        return;
    struct json *git = json_set(a, o, S("git"), json_new(a, JSON_OBJECT));
    set(a, git, "commit", commit);
    json_set(a, git, S("dirty"), json_new_bool(a, dirty));
}

static void add_caller(struct deployment_record *r)
{
    struct arena *a = r->run->arena;
    struct sts_get_caller_identity_input in = {0};
    struct sts_get_caller_identity_output *who;
    struct aws_error err = {0};
    if (aws_call(r->aws, a, &sts_get_caller_identity_op, &in, (void **)&who, &err) < 0)
        return;
    set(a, r->json, "caller", who->arn);
    set(a, r->json, "account", who->account);
}

void deployment_begin(struct deployment_record *r, const char *action, struct str dir)
{
    struct arena *a = r->run->arena;
    int64_t now_ms = clock_now_ms();
    r->id = make_id(a, now_ms);
    r->json = json_new(a, JSON_OBJECT);
    json_set(a, r->json, S("schema"), json_new_int(a, DEPLOYMENT_SCHEMA));
    set(a, r->json, "deployment_id", r->id);
    set(a, r->json, "timestamp", clock_iso8601(a, now_ms));
    set(a, r->json, "action", str_from(action));
    set(a, r->json, "environment", target_of(r->run)->config_env);
    set(a, r->json, "region", aws_client_region(r->aws));
    set(a, r->json, "result", S("in progress"));
    add_caller(r);
    add_git(a, r->json, dir);
    json_set(a, r->json, S("functions"), json_new(a, JSON_ARRAY));
    json_set(a, r->json, S("layers"), json_new(a, JSON_ARRAY));
    json_set(a, r->json, S("validation"), json_new(a, JSON_OBJECT));
}

static int not_written(const struct deployment_record *r, int e, struct str why)
{
    fprintf(stderr, "lamina: %s: this deployment is not recorded: %.*s\n", r->run->verb->name,
            STR(why));
    return e;
}

int deployment_write(struct deployment_record *r, const char *result, struct str reason)
{
    struct arena *a = r->run->arena;
    json_set(a, r->json, S("result"), json_new_str(a, str_from(result)));
    set(a, r->json, "reason", reason);
    if (strcmp(result, "in progress"))
        set(a, r->json, "finished", clock_iso8601(a, clock_now_ms()));
    if (!r->bucket.n) {
        struct str bucket = {0};
        if (package_managed_bucket(r->run, r->aws, false, &bucket))
            return not_written(r, -EIO, S("its bucket cannot be found"));
        r->bucket = bucket;
    }
    if (!r->bucket.n)
        return not_written(r, -ENOENT,
                           S("there is no bucket for it; give --s3-bucket NAME, or --resolve-s3"));
    struct s3_put_object_input in = {
        .bucket = r->bucket,
        .key = str_printf(a, "%.*s%sdeployments/%.*s.json", STR(r->prefix), r->prefix.n ? "/" : "",
                          STR(r->id)),
        .content_type = S("application/json"),
        .body = body_mem(str_printf(a, "%.*s\n", STR(json_text(a, r->json, 1)))),
    };
    struct aws_error err = {0};
    if (aws_call(r->aws, a, &s3_put_object_op, &in, NULL, &err) < 0)
        return not_written(
            r, err.r,
            str_printf(a, "%.*s/%.*s: %.*s", STR(r->bucket), STR(in.key), STR(err.message)));
    return 0;
}

/* ---- found ---- */

int deployment_bucket(struct verb_run *run, struct aws_client *aws, struct str given,
                      struct str *ret)
{
    if (given.n) {
        *ret = given;
        return 0;
    }
    *ret = (struct str){0};
    int e = package_managed_bucket(run, aws, false, ret);
    if (e || ret->n)
        return e;
    return verb_fail(run, "nothing is recorded here: there is no stack " MANAGED_STACK
                          "; name the bucket of the deployments with --s3-bucket");
}

static int by_id(const void *x, const void *y)
{
    return str_cmp(((const struct deployment_key *)y)->id, ((const struct deployment_key *)x)->id);
}

static int keys(const struct deployment_query *q, struct deployment_key **ret, size_t *ret_n)
{
    struct arena *a = q->run->arena;
    struct s3_list_objects_v2_input in = {.bucket = q->bucket};
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    if (q->prefix.n)
        in.prefix = str_printf(a, "%.*s/deployments/", STR(q->prefix));
    do {
        struct s3_list_objects_v2_output *out;
        struct aws_error err = {0};
        if (aws_call(q->aws, a, &s3_list_objects_v2_op, &in, (void **)&out, &err) < 0)
            return target_fail(q->run, &err, "the deployments cannot be listed");
        for (size_t i = 0; i < out->contents.n; i++) {
            struct str key = out->contents.items[i].key, id = deployment_key_id(key);
            if (id.n)
                *(struct deployment_key *)arena_push(a, (void **)ret, ret_n, &cap, sizeof **ret) =
                    (struct deployment_key){key, id};
        }
        in.continuation_token = out->next_continuation_token;
    } while (in.continuation_token.n);
    if (*ret_n)
        qsort(*ret, *ret_n, sizeof **ret, by_id);
    return 0;
}

/* 0; -EBADMSG: no record, or one of a later version, which was told; or an exit code. */
static int read_one(const struct deployment_query *q, const struct deployment_key *of,
                    struct json **ret)
{
    struct arena *a = q->run->arena;
    struct str key = of->key;
    struct s3_get_object_input in = {.bucket = q->bucket, .key = key};
    struct s3_get_object_output *out;
    struct aws_error err = {0};
    struct str text;
    int64_t schema = 0;
    if (aws_call(q->aws, a, &s3_get_object_op, &in, (void **)&out, &err) < 0) {
        if (target_error_is(&err, "NoSuchKey"))
            return -EBADMSG; /* removed meanwhile */
        return target_fail(q->run, &err, str_c(a, key));
    }
    if (body_load(&out->body, RECORD_MAX, a, &text) < 0 || json_parse(a, text, ret, NULL) < 0 ||
        json_int(json_get(*ret, "schema"), &schema) < 0 ||
        !str_eq(json_get_str(*ret, "deployment_id"), of->id)) { /* none in another's name */
        fprintf(stderr, "lamina: %s: %.*s/%.*s is no record of a deployment\n", q->run->verb->name,
                STR(q->bucket), STR(key));
        return -EBADMSG;
    }
    if (schema != DEPLOYMENT_SCHEMA) {
        fprintf(stderr,
                "lamina: %s: %.*s/%.*s has the form %lld, which this version does not know\n",
                q->run->verb->name, STR(q->bucket), STR(key), (long long)schema);
        return -EBADMSG;
    }
    return 0;
}

int deployment_list(const struct deployment_query *q, struct json ***ret, size_t *ret_n)
{
    struct deployment_key *all;
    size_t n, cap = 0;
    *ret = NULL;
    *ret_n = 0;
    int e = keys(q, &all, &n);
    for (size_t i = 0; i < n && !e && (!q->max || *ret_n < q->max); i++) {
        struct json *record;
        e = read_one(q, &all[i], &record);
        bool take = !e && deployment_matches(record, q->name) &&
                    (!q->complete || str_is(json_get_str(record, "result"), "complete"));
        if (take)
            *(struct json **)arena_push(q->run->arena, (void **)ret, ret_n, &cap, sizeof **ret) =
                record;
        if (e < 0)
            e = 0;
    }
    return e;
}

/* latest, and the one before it. */
static int find_newest(const struct deployment_query *q, size_t which, struct json **ret)
{
    struct deployment_query complete = *q;
    struct json **all;
    size_t n;
    complete.complete = true;
    complete.max = which + 1;
    int e = deployment_list(&complete, &all, &n);
    if (e)
        return e;
    if (n <= which)
        return verb_fail(
            q->run,
            n ? "only one complete deployment%s%.*s is recorded in %.*s: there is none "
                "before it"
              : "no complete deployment%s%.*s is recorded in %.*s",
            q->name.n ? " of " : "", STR(q->name), STR(q->bucket));
    *ret = all[which];
    return 0;
}

int deployment_find(const struct deployment_query *q, struct str id, struct json **ret)
{
    struct deployment_key *all;
    size_t n, found = 0, at = 0;
    if (str_is(id, "latest") || str_is(id, "previous"))
        return find_newest(q, str_is(id, "previous"), ret);
    int e = keys(q, &all, &n);
    if (e)
        return e;
    for (size_t i = 0; i < n; i++)
        if (str_starts(all[i].id, id) && id.n) {
            at = i;
            found++;
        }
    if (!found)
        return verb_fail(q->run, "no deployment %.*s is recorded in %.*s", STR(id), STR(q->bucket));
    if (found > 1)
        return verb_fail(q->run, "%zu deployments begin with %.*s; give more of the id", found,
                         STR(id));
    e = read_one(q, &all[at], ret);
    if (e < 0)
        return verb_fail(q->run, "the record of %.*s cannot be read", STR(all[at].id));
    if (!e && !deployment_matches(*ret, q->name))
        return verb_fail(q->run, "the deployment %.*s is none of %.*s", STR(all[at].id),
                         STR(q->name));
    return e;
}
