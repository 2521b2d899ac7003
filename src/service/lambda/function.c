/* function - functions as wholes: create, look at, list, delete. */
#include <errno.h>
#include "base/digest.h"
#include "service/lambda/image.h"
#include "service/lambda/concurrency.h"
#include "service/lambda/event.h"
#include "service/lambda/event_config.h"
#include "service/lambda/lambda.h"
#include "service/lambda/start_path.h"
#include "service/lambda/url.h"
#include "service/lambda/target.h"

/* create_function -> role_known -> code_there, each in a later turn. */
struct creation {
    const struct lambda_create_function_input *in;
    struct str name;
    struct lambda_version_record version;
};

static int check_new(struct call *call, struct str name)
{
    struct lambda_function_record f = {0};
    int r = function_load(call, name, &f);
    if (r == 0)
        return lambda_fail(call, LAMBDA_RESOURCE_CONFLICT, "Function already exist: %.*s",
                           STR(name));
    return r == -ENOENT ? 0 : r;
}

/* Builds are counted from anywhere: a function of this name that has just been deleted may still
 * have environments, and they must not be taken for those of the new one. */
static int64_t first_build(void)
{
    uint32_t n;
    random_bytes(&n, sizeof(n));
    return ((int64_t)n << 16) + 1;
}

/* All checks have passed: what is written here stays. */
static int store_function(struct call *call, struct creation *k, const struct code *code)
{
    struct lambda_create_function_output *out = call->out;
    struct lambda_version_record *v = &k->version;
    v->build = opt_int(first_build());
    struct lambda_function_record f = {
        .name = k->name, .last_version = opt_int(0), .last_build = v->build, .tags = k->in->tags};
    int r = code_hold(call, code);
    for (size_t i = 0; r == 0 && i < v->layer_codes.n; i++)
        r = code_hold_again(call, v->layer_codes.items[i]);
    if (r == 0)
        r = version_save(call, k->name, 0, v);
    if (r == 0)
        r = function_save(call, &f);
    if (r < 0)
        return r;
    struct lambda_version_record shown = *v;
    if (k->in->publish.is) {
        bool is_new;
        r = version_publish(call, &f, v, (struct str){0}, &shown, &is_new);
        if (r < 0)
            return r;
    }
    configuration_out(call, &shown, S(""), out);
    configuration_show(out, SHOW_PENDING);
    start_path_expect_function(lambda_state(call), v->configuration);
    return 0;
}

static void code_there(struct call *call, int result, const struct code *code, void *user)
{
    struct creation *k = user;
    if (result == 0) {
        k->version.code = code->digest;
        k->version.unpacked_bytes = opt_int(code->unpacked_bytes);
        k->version.configuration->code_sha256 = code->sha256_base64;
        k->version.configuration->code_size = opt_int(code->zipped_bytes);
        k->version.image = (struct lambda_image_record *)code->image;
        result = check_new(call, k->name); /* another one may have been quicker */
    }
    if (result == 0 && k->in->layers.n) /* and a layer may have gone meanwhile */
        result = configuration_check_layers(call, &k->version, &k->in->layers,
                                            k->version.configuration->runtime);
    if (result == 0)
        result = configuration_check_size(call, &k->version);
    if (result == 0)
        result = store_function(call, k, code);
    call_finish(call, result);
}

static void role_known(struct call *call, int result, void *user)
{
    struct creation *k = user;
    if (result < 0) {
        call_finish(call, result);
        return;
    }
    const struct lambda_function_code *code = k->in->code;
    if (code->image_uri.n) {
        image_fetch(call, code->image_uri, k->version.configuration->architectures.items[0],
                    code_there, k);
        return;
    }
    struct code_source from = {code->zip_file, code->s3_bucket, code->s3_key,
                               code->s3_object_version};
    code_fetch(call, &from, code_there, k);
}

int code_check_source(struct call *call, struct str zip, struct str bucket, struct str key)
{
    if (str_has(zip) && zip.n > LAMBDA_ZIPPED_MAX)
        return call_fail_code(call, S("RequestEntityTooLargeException"), 413,
                              str_printf(call->arena, "Zipped size must be smaller than %d bytes",
                                         LAMBDA_ZIPPED_MAX));
    if (str_has(zip) && (bucket.n || key.n))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Please do not provide other FunctionCode parameters when providing a "
                           "ZipFile.");
    if (!str_has(zip) && (!bucket.n || !key.n))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Please provide a source for function code.");
    if (str_has(zip) && zip.n == 0)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Uploaded file must be a non-empty zip");
    return 0;
}

static int create_function(struct call *call, const struct lambda_create_function_input *in,
                           struct lambda_create_function_output *out)
{
    struct creation *k = ARENA_NEW(call->arena, struct creation);
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, S(""), &ref);
    if (r < 0)
        return r;
    if (ref.name.n > 64)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "1 validation error detected: Value '%.*s' at 'functionName' failed to "
                           "satisfy constraint: Member must have length less than or equal to 64",
                           STR(ref.name));
    k->in = in;
    k->name = ref.name;
    const struct lambda_function_code *code = in->code;
    if (str_is(in->package_type, "Image"))
        r = image_check_source(call, code->image_uri, code->zip_file, code->s3_bucket,
                               code->s3_key);
    else if (code->image_uri.n)
        r = lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                        "Please don't provide ImageUri when the intended function PackageType is "
                        "Zip.");
    else
        r = code_check_source(call, code->zip_file, code->s3_bucket, code->s3_key);
    if (r == 0)
        r = tag_count_check(call, in->tags.n);
    if (r == 0)
        r = configuration_create(call, in, k->name, &k->version);
    if (r == 0)
        r = check_new(call, k->name);
    if (r < 0)
        return r;
    struct str why;
    if (call_allowed(call, call->who, S("iam:PassRole"), in->role, &why) < 0)
        return call_fail(call, LAMBDA_ACCESS_DENIED, "%.*s", STR(why));
    role_check(call, in->role, role_known, k);
    return CALL_LATER;
}

static int get_function(struct call *call, const struct lambda_get_function_input *in,
                        struct lambda_get_function_output *out)
{
    struct function_ref ref;
    struct lambda_version_record v = {0};
    struct lambda_function_record f = {0};
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r == 0)
        r = version_resolve(call, &ref, &v, NULL);
    if (r == 0)
        r = function_load(call, ref.name, &f);
    if (r < 0)
        return r;
    out->configuration = ARENA_NEW(call->arena, struct lambda_function_configuration);
    configuration_out(call, &v, ref.qualifier, out->configuration);
    out->code = ARENA_NEW(call->arena, struct lambda_function_code_location);
    if (v.image) {
        out->code->repository_type = S("ECR");
        out->code->image_uri = v.image->image_uri;
        out->code->resolved_image_uri = v.image->resolved_image_uri;
    } else {
        out->code->repository_type = S("S3");
        out->code->location = code_location(call, v.code);
    }
    if (f.tags.n)
        out->tags = f.tags;
    int64_t reserved;
    r = reserved_load(call, ref.name, &reserved);
    if (r == 0 && reserved >= 0) {
        out->concurrency = ARENA_NEW(call->arena, struct lambda_concurrency);
        out->concurrency->reserved_concurrent_executions = opt_int(reserved);
    }
    return r;
}

static int get_configuration(struct call *call,
                             const struct lambda_get_function_configuration_input *in,
                             struct lambda_get_function_configuration_output *out)
{
    struct function_ref ref;
    struct lambda_version_record v = {0};
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r == 0)
        r = version_resolve(call, &ref, &v, NULL);
    if (r == 0)
        configuration_out(call, &v, ref.qualifier, out);
    return r;
}

static int list_functions(struct call *call, const struct lambda_list_functions_input *in,
                          struct lambda_list_functions_output *out)
{
    bool all = in->function_version.n > 0;
    struct store_row *rows;
    size_t n;
    int r = page_scan(call, all ? key_all_versions(call) : key_functions(call), in->marker,
                      in->max_items, &rows, &n, &out->next_marker);
    if (r < 0)
        return r;
    out->functions.items = ARENA_ARRAY(call->arena, struct lambda_function_configuration, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct lambda_version_record v = {0};
        if (all) {
            r = record_get(call, rows[i].key, &lambda_version_record_shape, &v);
        } else {
            struct lambda_function_record f = {0};
            r = record_get(call, rows[i].key, &lambda_function_record_shape, &f);
            if (r == 0)
                r = version_load(call, f.name, 0, &v);
        }
        if (r < 0)
            return r;
        struct lambda_function_configuration *c = &out->functions.items[out->functions.n++];
        configuration_out(call, &v, all ? v.configuration->version : S(""), c);
        configuration_show(c, SHOW_NONE);
    }
    return 0;
}

static int release_version(struct call *call, const struct lambda_version_record *v)
{
    int r = code_release(call, v->code);
    for (size_t i = 0; r == 0 && i < v->layer_codes.n; i++)
        r = code_release(call, v->layer_codes.items[i]);
    return r;
}

static int delete_version(struct call *call, const struct function_ref *ref)
{
    struct lambda_version_record v = {0};
    int64_t number;
    if (str_is(ref->qualifier, "$LATEST"))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "$LATEST version cannot be deleted without deleting the function.");
    if (str_to_int64(ref->qualifier, &number) < 0)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Deletion of aliases is not currently supported.");
    int r = version_load(call, ref->name, number, &v);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    struct store_row *rows;
    size_t n;
    r = store_scan(call->store, key_aliases(call, ref->name), (struct str){0}, 1000, call->arena,
                   &rows, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct lambda_alias_configuration a = {0};
        r = record_get(call, rows[i].key, &lambda_alias_configuration_shape, &a);
        bool used = str_eq(a.function_version, ref->qualifier);
        for (size_t j = 0; a.routing_config && j < a.routing_config->additional_version_weights.n;
             j++)
            used = used || str_eq(a.routing_config->additional_version_weights.items[j].key,
                                  ref->qualifier);
        if (r == 0 && used)
            return lambda_fail(
                call, LAMBDA_RESOURCE_CONFLICT,
                "Version was not able to be deleted because these aliases reference it: "
                "[%.*s]",
                STR(a.name));
    }
    if (r == 0)
        r = version_remove(call, ref->name, number);
    if (r == 0)
        r = record_delete(call, key_policy(call, ref->name, ref->qualifier));
    if (r == 0)
        r = qualifier_forget(call, ref->name, ref->qualifier);
    return r == 0 ? release_version(call, &v) : r;
}

static int delete_function(struct call *call, const struct lambda_delete_function_input *in,
                           struct lambda_delete_function_output *out)
{
    struct function_ref ref;
    struct lambda_function_record f = {0};
    int r = function_ref_get(call, in->function_name, in->qualifier, &ref);
    if (r < 0)
        return r;
    out->status_code = opt_int(204);
    r = function_load(call, ref.name, &f);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
    if (ref.qualifier.n)
        return delete_version(call, &ref);

    struct str after = {0};
    for (size_t n = 100; r == 0 && n == 100;) {
        struct store_row *rows;
        r = store_scan(call->store, key_versions(call, ref.name), after, 100, call->arena, &rows,
                       &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct lambda_version_record v = {0};
            r = record_get(call, rows[i].key, &lambda_version_record_shape, &v);
            if (r == 0)
                r = release_version(call, &v);
            after = rows[i].key;
        }
    }
    struct str prefixes[] = {key_versions(call, ref.name), key_aliases(call, ref.name),
                             key_policies(call, ref.name), key_provisioned_of(call, ref.name),
                             key_event_configs(call, ref.name)};
    for (size_t i = 0; r == 0 && i < sizeof(prefixes) / sizeof(*prefixes); i++)
        r = store_delete_prefix(call->store, prefixes[i]);
    if (r == 0)
        r = record_delete(call, key_reserved(call, ref.name));
    if (r == 0)
        r = event_forget_function(call, ref.name);
    if (r == 0)
        r = url_forget_function(call, ref.name);
    concurrency_forget(lambda_state(call)->concurrency);
    if (r == 0)
        r = function_remove(call, ref.name);
    return r;
}

const struct handler lambda_function_handlers[] = {
    {lambda_create_function_run(create_function), NULL, "function:{FunctionName}"},
    {lambda_get_function_run(get_function), NULL, "function:{FunctionName}"},
    {lambda_get_function_configuration_run(get_configuration), NULL, "function:{FunctionName}"},
    {lambda_list_functions_run(list_functions), NULL, "*"},
    {lambda_delete_function_run(delete_function), NULL, "function:{FunctionName}"},
    {0},
};
