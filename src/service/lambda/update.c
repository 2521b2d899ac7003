/* update - changes of $LATEST: its code, its configuration. */
#include <errno.h>
#include "service/lambda/image.h"
#include "service/lambda/lambda.h"
#include "service/lambda/start_covered.h"
#include "service/lambda/start_path.h"

struct update {
    const struct lambda_update_function_code_input *code;
    const struct lambda_update_function_configuration_input *settings;
    struct str name;
};

static int load_latest(struct call *call, struct str text, struct str revision,
                       struct str *ret_name, struct lambda_function_record *f,
                       struct lambda_version_record *v)
{
    struct function_ref ref;
    int r = function_ref_get(call, text, S(""), &ref);
    if (r < 0)
        return r;
    if (ref.qualifier.n && !qualifier_is_latest(ref.qualifier))
        return lambda_fail(
            call, LAMBDA_INVALID_PARAMETER_VALUE,
            "This operation is permitted on Lambda functions with $LATEST only: %.*s",
            STR(ref.qualifier));
    r = function_load(call, ref.name, f);
    if (r == 0)
        r = version_load(call, ref.name, 0, v);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
    if (revision.n && !str_eq(revision, v->configuration->revision_id))
        return lambda_fail(call, LAMBDA_PRECONDITION_FAILED,
                           "The Revision Id provided does not match the latest Revision Id. Call "
                           "the GetFunction/GetAlias API to retrieve the latest Revision Id");
    *ret_name = ref.name;
    return 0;
}

static int save_latest(struct call *call, struct lambda_function_record *f,
                       struct lambda_version_record *v)
{
    f->last_build = opt_int(f->last_build.is + 1);
    v->build = f->last_build;
    int r = version_save(call, f->name, 0, v);
    return r == 0 ? function_save(call, f) : r;
}

static void new_code_there(struct call *call, int result, const struct code *code, void *user)
{
    struct update *u = user;
    struct lambda_update_function_code_output *out = call->out;
    struct lambda_function_record f = {0};
    struct lambda_version_record v = {0};
    if (result == 0)
        result = load_latest(call, u->code->function_name, u->code->revision_id, &u->name, &f, &v);
    if (result < 0) {
        call_finish(call, result);
        return;
    }
    struct str old_code = v.code;
    v.code = code->digest;
    v.unpacked_bytes = opt_int(code->unpacked_bytes);
    v.configuration->code_sha256 = code->sha256_base64;
    v.configuration->code_size = opt_int(code->zipped_bytes);
    v.image = (struct lambda_image_record *)code->image;
    if (u->code->architectures.n)
        v.configuration->architectures = u->code->architectures;
    configuration_touch(call, &v);
    result = configuration_check_size(call, &v);
    struct lambda_version_record shown = v;
    if (result == 0 && !u->code->dry_run.is) {
        result = code_hold(call, code); /* before the release: it may be the same one */
        if (result == 0)
            result = code_release(call, old_code);
        if (result == 0)
            result = save_latest(call, &f, &v);
        shown = v;
        bool is_new;
        if (result == 0 && u->code->publish.is)
            result = version_publish(call, &f, &v, (struct str){0}, &shown, &is_new);
    }
    if (result == 0) {
        configuration_out(call, &shown, u->code->publish.is ? shown.configuration->version : S(""),
                          out);
        configuration_show(out, u->code->dry_run.is ? SHOW_ACTIVE : SHOW_UPDATING);
    }
    call_finish(call, result);
}

static int update_code(struct call *call, const struct lambda_update_function_code_input *in,
                       struct lambda_update_function_code_output *out)
{
    struct update *u = ARENA_NEW(call->arena, struct update);
    struct lambda_function_record f = {0};
    struct lambda_version_record v = {0};
    u->code = in;
    int r = load_latest(call, in->function_name, in->revision_id, &u->name, &f, &v);
    if (r < 0)
        return r;
    if (image_is(v.configuration)) {
        if (!in->image_uri.n)
            return lambda_fail(
                call, LAMBDA_INVALID_PARAMETER_VALUE,
                "Please provide ImageUri when updating a function with packageType Image.");
        r = image_check_source(call, in->image_uri, in->zip_file, in->s3_bucket, in->s3_key);
        if (r < 0)
            return r;
        image_fetch(call, in->image_uri,
                    in->architectures.n ? in->architectures.items[0]
                                        : v.configuration->architectures.items[0],
                    new_code_there, u);
        return CALL_LATER;
    }
    if (in->image_uri.n)
        return lambda_fail(
            call, LAMBDA_INVALID_PARAMETER_VALUE,
            "Please don't provide ImageUri when updating a function with packageType "
            "Zip.");
    r = code_check_source(call, in->zip_file, in->s3_bucket, in->s3_key);
    if (r < 0)
        return r;
    struct code_source from = {in->zip_file, in->s3_bucket, in->s3_key, in->s3_object_version};
    code_fetch(call, &from, new_code_there, u);
    return CALL_LATER;
}

static int apply_settings(struct call *call, struct update *u)
{
    struct lambda_update_function_configuration_output *out = call->out;
    struct lambda_function_record f = {0};
    struct lambda_version_record v = {0};
    int r =
        load_latest(call, u->settings->function_name, u->settings->revision_id, &u->name, &f, &v);
    if (r < 0)
        return r;
    struct lambda_string_list old = v.layer_codes;
    r = configuration_update(call, u->settings, &v);
    if (r < 0)
        return r;
    if (v.layer_codes.items != old.items) {
        for (size_t i = 0; r == 0 && i < v.layer_codes.n; i++)
            r = code_hold_again(call, v.layer_codes.items[i]);
        for (size_t i = 0; r == 0 && i < old.n; i++)
            r = code_release(call, old.items[i]);
    }
    if (r == 0)
        r = save_latest(call, &f, &v);
    if (r == 0) {
        configuration_out(call, &v, S(""), out);
        configuration_show(out, SHOW_UPDATING);
        if (start_is_covered(v.configuration))
            start_path_expect_function(lambda_state(call), v.configuration);
    }
    return r;
}

static void new_role_known(struct call *call, int result, void *user)
{
    call_finish(call, result < 0 ? result : apply_settings(call, user));
}

static int update_configuration(struct call *call,
                                const struct lambda_update_function_configuration_input *in,
                                struct lambda_update_function_configuration_output *out)
{
    struct update *u = ARENA_NEW(call->arena, struct update);
    struct lambda_function_record f = {0};
    struct lambda_version_record v = {0};
    u->settings = in;
    int r = load_latest(call, in->function_name, in->revision_id, &u->name, &f, &v);
    if (r < 0)
        return r;
    if (!in->role.n || str_eq(in->role, v.configuration->role))
        return apply_settings(call, u);
    struct str why;
    if (call_allowed(call, call->who, S("iam:PassRole"), in->role, &why) < 0)
        return call_fail(call, LAMBDA_ACCESS_DENIED, "%.*s", STR(why));
    role_check(call, in->role, new_role_known, u);
    return CALL_LATER;
}

const struct handler lambda_update_handlers[] = {
    {lambda_update_function_code_run(update_code), NULL, "function:{FunctionName}"},
    {lambda_update_function_configuration_run(update_configuration), NULL,
     "function:{FunctionName}"},
    {0},
};
