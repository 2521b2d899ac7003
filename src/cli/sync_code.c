/* sync_code - one function or layer: from its sources to the cloud, past CloudFormation. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "cli/sync.h"
#include "cli/target.h"
#include "wire/lambda.h"

#define BUSY_MAX_MS 120000

static int complain(struct sync *s, const struct sync_item *item, const char *what, struct str why)
{
    return verb_fail(s->run, "%.*s %s: %.*s", STR(item->artifact->logical_id), what, STR(why));
}

void sync_item_done(struct sync_item *item)
{
    arena_free(TAKE(item->arena));
}

/* ---- built ---- */

static int build(struct sync *s, struct sync_item *item, const char *dir, struct str *why)
{
    struct arena *a = arena_new();
    struct artifact_sources now;
    int r = item->built ? artifact_update(a, item->artifact, dir, &item->sources, &now) : -EAGAIN;
    if (r < 0) {
        struct artifact_request q = {.artifact = item->artifact, .dir = str_from(dir)};
        /* The sources first: what is saved while pip runs is a change again. */
        r = artifact_sources(a, item->artifact, &now);
        if (r < 0)
            *why = str_printf(s->arena, "%.*s: %s", STR(item->artifact->source), strerror(-r));
        else
            r = artifact_build(s->arena, &q, why);
    }
    item->built = r == 0;
    if (r < 0) {
        arena_free(a);
        return r;
    }
    arena_free(item->arena);
    item->arena = a;
    item->sources = now;
    return 0;
}

/* ---- sent ---- */

/* On AWS a function is busy for seconds after each change. */
static int call_patiently(struct sync *s, struct arena *a, const struct operation *op,
                          const void *in, void **out, struct aws_error *err)
{
    int64_t until = clock_mono_ns() + BUSY_MAX_MS * 1000000LL;
    for (;;) {
        int r = aws_call(s->aws, a, op, in, out, err);
        if (r == 0 || !target_error_is(err, "ResourceConflictException") || sync_stopped ||
            clock_mono_ns() > until)
            return r;
        poll(NULL, 0, 500);
    }
}

static int wait_live(struct sync *s, struct arena *a, struct str function, struct aws_error *err)
{
    struct lambda_get_function_configuration_input in = {.function_name = function};
    struct lambda_get_function_configuration_output *out;
    for (int pause_ms = 1;; pause_ms = pause_ms < 1000 ? pause_ms * 2 : 1000) {
        int r = aws_call(s->aws, a, &lambda_get_function_configuration_op, &in, (void **)&out, err);
        if (r < 0)
            return r;
        if (str_is(out->last_update_status, "Failed")) {
            err->message = out->last_update_status_reason;
            return -EREMOTEIO;
        }
        if (!str_is(out->last_update_status, "InProgress"))
            return 0;
        if (sync_stopped)
            return -ECANCELED;
        poll(NULL, 0, pause_ms);
    }
}

/* A new version, and the alias that SAM keeps at the last one. */
static int move_alias(struct sync *s, struct arena *a, const struct sync_item *item,
                      struct aws_error *err)
{
    struct lambda_publish_version_input publish = {.function_name = item->physical_id};
    struct lambda_publish_version_output *version;
    if (!item->alias.n)
        return 0;
    int r = call_patiently(s, a, &lambda_publish_version_op, &publish, (void **)&version, err);
    if (r < 0)
        return r;
    struct lambda_update_alias_input in = {.function_name = item->physical_id,
                                           .name = item->alias,
                                           .function_version = version->version};
    return call_patiently(s, a, &lambda_update_alias_op, &in, NULL, err);
}

/* After a change of the function: until the next invocation sees it. */
static int settle(struct sync *s, struct arena *a, const struct sync_item *item,
                  struct aws_error *err)
{
    int r = wait_live(s, a, item->physical_id, err);
    return r == 0 ? move_alias(s, a, item, err) : r;
}

static int send_function(struct sync *s, struct arena *a, struct sync_item *item, struct str zip,
                         struct aws_error *err)
{
    struct lambda_update_function_code_input in = {.function_name = item->physical_id,
                                                   .zip_file = zip};
    int r = call_patiently(s, a, &lambda_update_function_code_op, &in, NULL, err);
    return r == 0 ? settle(s, a, item, err) : r;
}

/* arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION without its version */
static struct str layer_of(struct str arn)
{
    ssize_t colon = str_find_last_byte(arn, ':');
    return str_slice(arn, 0, colon < 0 ? arn.n : (size_t)colon);
}

static struct str layer_name(struct str arn)
{
    struct str layer = layer_of(arn);
    ssize_t colon = str_find_last_byte(layer, ':');
    return str_slice(layer, (size_t)(colon + 1), layer.n);
}

/* A function of the stack that has the layer gets its new version. */
static int give_layer(struct sync *s, struct arena *a, const struct sync_item *to, struct str arn,
                      struct aws_error *err)
{
    struct str function = to->physical_id;
    struct lambda_get_function_configuration_input ask = {.function_name = function};
    struct lambda_get_function_configuration_output *c;
    int r = aws_call(s->aws, a, &lambda_get_function_configuration_op, &ask, (void **)&c, err);
    if (r < 0)
        return r;
    struct lambda_update_function_configuration_input in = {.function_name = function};
    in.layers.items = ARENA_ARRAY(a, struct str, c->layers.n + 1);
    bool has = false;
    for (size_t i = 0; i < c->layers.n; i++) {
        struct str old = c->layers.items[i].arn;
        bool same = str_eq(layer_of(old), layer_of(arn));
        has = has || same;
        in.layers.items[in.layers.n++] = same ? arn : old;
    }
    if (!has)
        return 0;
    r = call_patiently(s, a, &lambda_update_function_configuration_op, &in, NULL, err);
    return r == 0 ? settle(s, a, to, err) : r;
}

static int send_layer(struct sync *s, struct arena *a, struct sync_item *item, struct str zip,
                      struct aws_error *err)
{
    struct lambda_layer_version_content_input content = {.zip_file = zip};
    struct lambda_publish_layer_version_input in = {.layer_name = layer_name(item->physical_id),
                                                    .content = &content};
    struct lambda_publish_layer_version_output *out;
    const struct json *properties = json_get(item->artifact->resource, "Properties");
    const struct json *list = json_get(properties, "CompatibleRuntimes");
    in.compatible_runtimes.items = ARENA_ARRAY(a, struct str, list ? list->n + 1 : 1);
    JSON_EACH(list, v)
        if (json_is(v, JSON_STRING))
            in.compatible_runtimes.items[in.compatible_runtimes.n++] = v->text;
    int r = aws_call(s->aws, a, &lambda_publish_layer_version_op, &in, (void **)&out, err);
    if (r < 0)
        return r;
    item->physical_id = str_copy(s->arena, out->layer_version_arn);
    for (size_t i = 0; r == 0 && i < s->n_items; i++)
        if (!s->items[i].artifact->layer && str_has(s->items[i].physical_id))
            r = give_layer(s, a, &s->items[i], item->physical_id, err);
    return r;
}

static void print_live(struct sync *s, struct arena *a, const struct sync_item *item,
                       int64_t began_ns)
{
    const struct artifact *artifact = item->artifact;
    double ms = s->saved_us ? (double)(clock_now_us() - s->saved_us) / 1e3
                            : (double)(clock_mono_ns() - began_ns) / 1e6;
    struct str what = artifact->layer ? str_printf(a, "%.*s (%.*s)", STR(artifact->logical_id),
                                                   STR(item->physical_id))
                                      : artifact->logical_id;
    printf("%.*s: live %.1f ms after %s\n", STR(what), ms,
           s->saved_us ? "it was saved" : "its build began");
    fflush(stdout);
}

static int send(struct sync *s, struct arena *a, struct sync_item *item, const char *zip,
                int64_t began_ns)
{
    struct str bytes;
    struct aws_error err = {0};
    int r = fs_read(zip, LAYER_ZIPPED_MAX, a, &bytes);
    if (r == -EMSGSIZE)
        return complain(s, item, "cannot be sent directly",
                        S("its zip has more than 50 MB; `lamina deploy` sends it by way of S3"));
    if (r < 0)
        return complain(s, item, "cannot be sent", str_from(strerror(-r)));
    uint8_t sum[32];
    digest_sha256(bytes, sum);
    struct str sha = base64_encode(a, str_of((char *)sum, sizeof(sum)));
    if (str_eq(sha, item->sha256)) {
        printf("%.*s: unchanged, not sent\n", STR(item->artifact->logical_id));
        fflush(stdout);
        return 0;
    }
    r = item->artifact->layer ? send_layer(s, a, item, bytes, &err)
                              : send_function(s, a, item, bytes, &err);
    if (r < 0 && sync_stopped)
        return 1;
    if (r < 0)
        return target_fail(s->run, &err, str_printf(a, "%.*s", STR(item->artifact->logical_id)).p);
    item->sha256 = str_copy(s->arena, sha);
    print_live(s, a, item, began_ns);
    return 0;
}

/* The image is told anew: what its file has now. */
static int send_image(struct sync *s, struct arena *a, struct sync_item *item)
{
    struct lambda_update_function_code_input in = {.function_name = item->physical_id,
                                                   .image_uri = item->image_uri};
    struct lambda_update_function_code_output *out;
    struct aws_error err = {0};
    int64_t began_ns = clock_mono_ns();
    int r = call_patiently(s, a, &lambda_update_function_code_op, &in, (void **)&out, &err);
    if (r == 0)
        r = settle(s, a, item, &err);
    if (r < 0)
        return sync_stopped ? 1 : target_fail(s->run, &err, str_c(a, item->artifact->logical_id));
    item->sha256 = str_copy(s->arena, out->code_sha256);
    print_live(s, a, item, began_ns);
    return 0;
}

int sync_item_send(struct sync *s, struct sync_item *item)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str why = {0};
    int64_t began_ns = clock_mono_ns();
    const char *dir =
        str_printf(&a, "%.*s/%.*s", STR(s->build_dir), STR(item->artifact->logical_id)).p;
    if (!str_has(item->physical_id))
        return complain(s, item, "cannot be updated",
                        str_printf(&a, "the stack %.*s has no such resource; deploy it first",
                                   STR(s->stack_name)));
    if (item->image_uri.n)
        return send_image(s, &a, item);
    if (build(s, item, dir, &why) < 0)
        return complain(s, item, "cannot be built", why);
    char zip[] = "/tmp/lamina-sync-XXXXXX";
    auto_close int fd = mkstemp(zip);
    if (fd < 0)
        return verb_fail(s->run, "/tmp: %s", strerror(errno));
    int e = layer_pack(&a, dir, zip, &why) < 0 ? complain(s, item, "cannot be packed", why)
                                               : send(s, &a, item, zip, began_ns);
    unlink(zip);
    return e;
}
