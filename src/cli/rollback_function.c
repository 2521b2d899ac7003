/* rollback_function - one function put back to what its record says: see rollback.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/layer.h"
#include "cli/function_wait.h"
#include "cli/rollback.h"
#include "cli/target.h"
#include "wire/walk.h"

/* One function's way back. */
struct way {
    struct rollback *r;
    struct arena *a;
    const struct json *want, *now;
    struct str name; /* as it is called now */
    bool make;
};

int rollback_done(struct rollback *r, struct rollback_step *step, bool make, int e,
                  const struct aws_error *err)
{
    if (!make)
        return 0;
    step->state = e < 0 ? ROLLBACK_FAILED : ROLLBACK_DONE;
    if (e < 0)
        step->error = str_printf(r->a, "%.*s%s%.*s", STR(err->message), err->code.n ? " " : "",
                                 STR(err->code));
    return e < 0 ? 1 : 0;
}

static int done(struct way *w, struct rollback_step *step, int e, const struct aws_error *err)
{
    return rollback_done(w->r, step, w->make, e, err);
}

static int settle(struct way *w, struct aws_error *err)
{
    struct lambda_function_configuration *c;
    int r = function_wait(w->r->aws, w->a, w->name, &c, err);
    if (r == 0 && str_is(c->last_update_status, "Failed")) {
        err->message = c->last_update_status_reason;
        r = err->r = -EREMOTEIO;
    }
    return r;
}

/* ---- code ---- */

static struct str sha_of(const struct json *entry)
{
    return json_get_str(json_get(entry, "code"), "sha256");
}

/* A published version that holds the wanted code. */
static struct str version_with(struct way *w)
{
    struct lambda_list_versions_by_function_input in = {.function_name = w->name};
    do {
        struct lambda_list_versions_by_function_output *out;
        struct aws_error err = {0};
        if (aws_call(w->r->aws, w->a, &lambda_list_versions_by_function_op, &in, (void **)&out,
                     &err) < 0)
            return (struct str){0};
        for (size_t i = 0; i < out->versions.n; i++)
            if (!str_is(out->versions.items[i].version, "$LATEST") &&
                str_eq(out->versions.items[i].code_sha256, sha_of(w->want)))
                return out->versions.items[i].version;
        in.marker = out->next_marker;
    } while (in.marker.n);
    return (struct str){0};
}

/* Where the code comes from: "s3://...", "version 3", an image; absent: from nowhere. */
static struct str origin(struct way *w, struct str *ret_version)
{
    const struct json *code = json_get(w->want, "code");
    struct aws_error err = {0};
    *ret_version = (struct str){0};
    if (json_get_str(code, "image_uri").n)
        return json_get_str(code, "image_uri");
    if (json_get_str(code, "key").n && deployment_artifact_look(w->a, w->r->aws, code, &err) == 0)
        return str_printf(w->a, "s3://%.*s/%.*s", STR(json_get_str(code, "bucket")),
                          STR(json_get_str(code, "key")));
    *ret_version = version_with(w);
    return ret_version->n ? str_printf(w->a, "version %.*s", STR(*ret_version)) : (struct str){0};
}

static int zip_of_version(struct way *w, struct str version, struct str *ret, struct aws_error *err)
{
    char path[] = "/tmp/lamina-code-XXXXXX";
    auto_close int fd = mkstemp(path);
    if (fd < 0) {
        err->message = S("/tmp cannot be written to");
        return err->r = -errno;
    }
    int e = deployment_fetch_code(w->a, w->r->aws, w->name, version, fd, err);
    if (e == 0)
        e = fs_read(path, LAYER_ZIPPED_MAX, w->a, ret);
    unlink(path);
    if (e < 0 && !err->message.n)
        err->message = S("its zip has more than 50 MB, which can only come from a bucket");
    return e;
}

static int send_code(struct way *w, struct str version, struct aws_error *err)
{
    const struct json *code = json_get(w->want, "code");
    const struct json *architectures =
        json_get(json_get(w->want, "configuration"), "Architectures");
    struct lambda_update_function_code_input in = {.function_name = w->name};
    struct lambda_update_function_code_output *out;
    int e = 0;
    if (json_get_str(code, "image_uri").n) {
        in.image_uri = json_get_str(code, "image_uri");
    } else if (version.n) {
        e = zip_of_version(w, version, &in.zip_file, err);
    } else {
        in.s3_bucket = json_get_str(code, "bucket");
        in.s3_key = json_get_str(code, "key");
        in.s3_object_version = json_get_str(code, "version_id");
    }
    struct str architecture = json_str(json_at(architectures, 0));
    if (architecture.n) {
        in.architectures.items = &architecture;
        in.architectures.n = 1;
    }
    if (e == 0)
        e = aws_call(w->r->aws, w->a, &lambda_update_function_code_op, &in, (void **)&out, err);
    if (e == 0 && !str_eq(out->code_sha256, sha_of(w->want))) {
        err->message = str_printf(w->a, "the code that was sent has the hash %.*s, not %.*s",
                                  STR(out->code_sha256), STR(sha_of(w->want)));
        e = err->r = -EBADMSG;
    }
    return e < 0 ? e : settle(w, err);
}

static int put_code(struct way *w)
{
    struct str version, from = origin(w, &version);
    struct aws_error err = {0};
    struct rollback_step *step =
        rollback_step(w->r, w->name, S("code"), sha_of(w->now), sha_of(w->want), from);
    if (!from.n) {
        err.message = S("the code is neither in its bucket nor in a published version");
        return done(w, step, -ENOENT, &err);
    }
    return done(w, step, w->make ? send_code(w, version, &err) : 0, &err);
}

/* ---- configuration ---- */

/* Members of GetFunctionConfiguration that UpdateFunctionConfiguration takes, and what takes them
 * away. */
static const struct {
    const char *name, *none;
} members[] = {
    {"Role", NULL},
    {"Handler", NULL},
    {"Description", "\"\""},
    {"Timeout", NULL},
    {"MemorySize", NULL},
    {"VpcConfig", "{\"SubnetIds\":[],\"SecurityGroupIds\":[]}"},
    {"Environment", "{\"Variables\":{}}"},
    {"Runtime", NULL},
    {"DeadLetterConfig", "{\"TargetArn\":\"\"}"},
    {"KMSKeyArn", "\"\""},
    {"TracingConfig", "{\"Mode\":\"PassThrough\"}"},
    {"Layers", "[]"},
    {"FileSystemConfigs", "[]"},
    {"EphemeralStorage", "{\"Size\":512}"},
    {"SnapStart", "{\"ApplyOn\":\"None\"}"},
    {"LoggingConfig", NULL},
};

/* What is not in the record for its secrecy stays as it is. */
static struct json *keep_secrets(struct arena *a, const struct json *want, const struct json *now)
{
    if (deployment_is_redacted(want))
        return now ? json_copy(a, now) : NULL;
    struct json *copy = json_copy(a, want);
    if (!json_is(want, JSON_OBJECT))
        return copy;
    JSON_EACH(want, v) {
        struct json *kept = keep_secrets(a, v, json_find(now, v->key));
        if (kept)
            json_set(a, copy, v->key, kept);
        else
            json_remove(copy, v->key);
    }
    return copy;
}

/* Versions of layers have other numbers in a stack that was put back: the same content is it. */
static struct str layer_arn(struct way *w, const struct json *layer)
{
    struct str sha = json_get_str(layer, "sha256");
    JSON_EACH(json_get(w->r->record.json, "layers"), other)
        if (sha.n && str_eq(json_get_str(other, "sha256"), sha))
            return json_get_str(other, "arn");
    JSON_EACH(json_get(w->now, "layers"), other)
        if (sha.n && str_eq(json_get_str(other, "sha256"), sha))
            return json_get_str(other, "arn");
    return json_get_str(layer, "arn");
}

static struct json *wanted_member(struct way *w, const char *name, bool by_content)
{
    const struct json *c = json_get(w->want, "configuration");
    if (strcmp(name, "Layers"))
        return json_get(c, name) ? keep_secrets(w->a, json_get(c, name),
                                                json_get(json_get(w->now, "configuration"), name))
                                 : NULL;
    struct json *list = json_new(w->a, JSON_ARRAY);
    JSON_EACH(json_get(w->want, "layers"), l)
        json_add(list, json_new_str(w->a, by_content ? layer_arn(w, l) : json_get_str(l, "arn")));
    return list;
}

static int send_configuration(struct way *w, struct json *body, struct aws_error *err)
{
    struct lambda_update_function_configuration_input in = {0};
    struct wire_read_error why;
    if (wire_json_read(w->a, json_text(w->a, body, -1),
                       operation_input(&lambda_update_function_configuration_op), &in, &why) < 0) {
        err->message = S("the recorded configuration cannot be read");
        return err->r = -EBADMSG;
    }
    in.function_name = w->name;
    int e = aws_call(w->r->aws, w->a, &lambda_update_function_configuration_op, &in, NULL, err);
    return e < 0 ? e : settle(w, err);
}

static bool of_member(const struct deployment_change *c, const char *name)
{
    struct str rest = str_slice(c->what, strlen("configuration."), c->what.n);
    struct str head, tail;
    str_cut(rest, '.', &head, &tail);
    return str_starts(c->what, S("configuration.")) && str_is(head, name);
}

/* All members that differ, in one request: a step each, so that it is told what changes. */
static int put_configuration(struct way *w, const struct deployment_changes *changes,
                             bool by_content)
{
    struct json *body = json_new(w->a, JSON_OBJECT);
    size_t first = w->r->n_steps;
    struct aws_error err = {0};
    for (size_t i = 0; i < changes->n; i++) {
        const struct deployment_change *c = &changes->items[i];
        bool layers = str_is(c->what, "layers");
        for (size_t k = 0; k < ARRAY_LEN(members); k++) {
            if (layers ? strcmp(members[k].name, "Layers") != 0 : !of_member(c, members[k].name))
                continue;
            struct json *v = wanted_member(w, members[k].name, by_content);
            if (!v &&
                (!members[k].none || json_parse(w->a, str_from(members[k].none), &v, NULL) < 0))
                continue;
            json_set(w->a, body, str_from(members[k].name), v);
            rollback_step(w->r, w->name, c->what, deployment_show(w->a, c->from, 200),
                          deployment_show(w->a, c->to, 200), S("UpdateFunctionConfiguration"));
        }
    }
    if (!body->n || !w->make)
        return 0;
    int e = send_configuration(w, body, &err);
    for (size_t i = first; i < w->r->n_steps; i++)
        done(w, &w->r->steps[i], e, &err);
    return e < 0 ? 1 : 0;
}

/* ---- aliases ---- */

static struct str text_of_alias(struct arena *a, const struct json *alias)
{
    struct str text = json_get_str(alias, "version");
    JSON_EACH(json_get(alias, "weights"), v)
        text = str_printf(a, "%.*s, %.*s: %.*s", STR(text), STR(v->key), STR(v->text));
    return text;
}

static const struct json *alias_of(const struct json *entry, struct str name)
{
    JSON_EACH(json_get(entry, "aliases"), v)
        if (str_eq(json_get_str(v, "name"), name))
            return v;
    return NULL;
}

/* The version an alias pointed to, when it is there still with the same code; "": it is gone. */
static struct str version_there(struct way *w, const struct json *alias)
{
    struct str version = json_get_str(alias, "version"), sha = json_get_str(alias, "sha256");
    struct lambda_get_function_configuration_input in = {.function_name = w->name,
                                                         .qualifier = version};
    struct lambda_function_configuration *c;
    struct aws_error err = {0};
    if (aws_call(w->r->aws, w->a, &lambda_get_function_configuration_op, &in, (void **)&c, &err) <
        0)
        return S("");
    return !sha.n || str_eq(c->code_sha256, sha) ? version : S("");
}

static int publish(struct way *w, struct str *ret, struct aws_error *err)
{
    struct lambda_publish_version_input in = {.function_name = w->name,
                                              .code_sha256 = sha_of(w->want)};
    struct lambda_publish_version_output *out;
    int e = aws_call(w->r->aws, w->a, &lambda_publish_version_op, &in, (void **)&out, err);
    if (e == 0)
        *ret = out->version;
    return e < 0 ? e : settle(w, err);
}

static int send_alias(struct way *w, const struct json *alias, struct str version, bool there,
                      struct aws_error *err)
{
    struct lambda_alias_routing_configuration routing = {0};
    struct json *weights = json_get(alias, "weights");
    int e = 0;
    if (!version.n)
        e = publish(w, &version, err);
    if (e < 0)
        return e;
    routing.additional_version_weights.items = ARENA_ARRAY(
        w->a, struct lambda_additional_version_weights_entry, weights ? weights->n + 1 : 1);
    JSON_EACH(weights, v)
        routing.additional_version_weights.items[routing.additional_version_weights.n++] =
            (struct lambda_additional_version_weights_entry){
                v->key, opt_double(atof(str_c(w->a, v->text)))};
    struct str name = json_get_str(alias, "name"), description = json_get_str(alias, "description");
    if (there) {
        struct lambda_update_alias_input in = {w->name,     name,     version,
                                               description, &routing, (struct str){0}};
        return aws_call(w->r->aws, w->a, &lambda_update_alias_op, &in, NULL, err);
    }
    struct lambda_create_alias_input in = {w->name, name, version, description,
                                           weights ? &routing : NULL};
    return aws_call(w->r->aws, w->a, &lambda_create_alias_op, &in, NULL, err);
}

/* Last: until then those who ask for the alias get what it has. */
static int put_alias(struct way *w, struct str name)
{
    const struct json *want = alias_of(w->want, name), *now = alias_of(w->now, name);
    struct aws_error err = {0};
    if (!want) {
        rollback_note(w->r, "the alias %.*s of %.*s is not in the record; it stays", STR(name),
                      STR(w->name));
        return 0;
    }
    struct str version = version_there(w, want);
    struct rollback_step *step = rollback_step(
        w->r, w->name, str_printf(w->a, "alias %.*s", STR(name)),
        now ? text_of_alias(w->a, now) : S("(none)"), text_of_alias(w->a, want),
        version.n ? S("UpdateAlias")
                  : str_printf(w->a, "version %.*s is gone: its code is published again",
                               STR(json_get_str(want, "version"))));
    return done(w, step, w->make ? send_alias(w, want, version, now != NULL, &err) : 0, &err);
}

static int put_concurrency(struct way *w, const struct deployment_change *c)
{
    struct aws_error err = {0};
    int64_t n = 0;
    int e = 0;
    struct rollback_step *step =
        rollback_step(w->r, w->name, S("reserved concurrency"), deployment_show(w->a, c->from, 40),
                      deployment_show(w->a, c->to, 40),
                      c->to ? S("PutFunctionConcurrency") : S("DeleteFunctionConcurrency"));
    if (w->make && json_int(c->to, &n) == 0) {
        struct lambda_put_function_concurrency_input in = {w->name, opt_int(n)};
        e = aws_call(w->r->aws, w->a, &lambda_put_function_concurrency_op, &in, NULL, &err);
    } else if (w->make) {
        struct lambda_delete_function_concurrency_input in = {w->name};
        e = aws_call(w->r->aws, w->a, &lambda_delete_function_concurrency_op, &in, NULL, &err);
    }
    return done(w, step, e, &err);
}

/* ---- all of it ---- */

bool rollback_is_beyond(const struct deployment_change *c)
{
    static const char *const names[] = {
        "configuration.RuntimeVersionConfig", "configuration.SnapStart.OptimizationStatus",
        "configuration.SigningJobArn", "configuration.SigningProfileVersionArn"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_starts(c->what, str_from(names[i])))
            return true;
    return false;
}

static bool has_layer(const struct json *entry, struct str arn)
{
    JSON_EACH(json_get(entry, "layers"), l)
        if (str_eq(json_get_str(l, "arn"), arn))
            return true;
    return false;
}

/* Code that finds its packages in layers must not be there before them, and layers must not go
 * before the code that needs them. */
static bool layers_first(const struct way *w)
{
    JSON_EACH(json_get(w->want, "layers"), l)
        if (!has_layer(w->now, json_get_str(l, "arn")))
            return true;
    return false;
}

static int walk(struct way *w, const struct deployment_changes *changes, bool by_content)
{
    bool code = false;
    int e = 0;
    for (size_t i = 0; i < changes->n; i++)
        code = code || str_is(changes->items[i].what, "code");
    if (code && !layers_first(w))
        e = put_code(w);
    if (!e)
        e = put_configuration(w, changes, by_content);
    if (!e && code && layers_first(w))
        e = put_code(w);
    for (size_t i = 0; i < changes->n && !e; i++)
        if (str_is(changes->items[i].what, "reserved_concurrency"))
            e = put_concurrency(w, &changes->items[i]);
    for (size_t i = 0; i < changes->n && !e; i++)
        if (str_starts(changes->items[i].what, S("alias ")))
            e = put_alias(w, str_slice(changes->items[i].what, 6, changes->items[i].what.n));
    for (size_t i = 0; i < changes->n && !e; i++)
        e = rollback_setting(w->r, w->want, w->now, &changes->items[i], w->make);
    return e;
}

int rollback_function(struct rollback *r, const struct json *want, const struct json *now,
                      bool by_content, bool make)
{
    struct way w = {.r = r,
                    .a = r->a,
                    .want = want,
                    .now = now,
                    .name = json_get_str(now, "name"),
                    .make = make};
    struct deployment_changes changes = {0};
    deployment_diff_function(r->a, w.name, now, want, by_content, &changes);
    return walk(&w, &changes, by_content);
}

static bool layer_there(struct rollback *r, struct str arn)
{
    struct lambda_get_layer_version_by_arn_input in = {.arn = arn};
    struct aws_error err = {0};
    /* somebody else's may be used without being looked at */
    return aws_call(r->aws, r->a, &lambda_get_layer_version_by_arn_op, &in, NULL, &err) == 0 ||
           !target_error_is(&err, "ResourceNotFoundException");
}

void rollback_check_function(struct rollback *r, const struct json *want, const struct json *now)
{
    rollback_check_settings(r, want, now, false);
    struct way w = {.r = r, .a = r->a, .want = want, .now = now, .name = json_get_str(now, "name")};
    struct str version;
    if (!str_eq(sha_of(want), sha_of(now)) && !origin(&w, &version).n)
        rollback_obstacle(r, "%.*s: the code %.*s is neither at s3://%.*s/%.*s nor in a version",
                          STR(w.name), STR(sha_of(want)),
                          STR(json_get_str(json_get(want, "code"), "bucket")),
                          STR(json_get_str(json_get(want, "code"), "key")));
    if (!str_eq(json_get_str(json_get(want, "configuration"), "PackageType"),
                json_get_str(json_get(now, "configuration"), "PackageType")))
        rollback_obstacle(r,
                          "%.*s: a function of an image and one of a zip cannot become each other",
                          STR(w.name));
    JSON_EACH(json_get(want, "layers"), l)
        if (!layer_there(r, json_get_str(l, "arn")))
            rollback_obstacle(r, "%.*s: its layer %.*s was deleted", STR(w.name),
                              STR(json_get_str(l, "arn")));
}
