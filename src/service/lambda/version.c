/* version - published versions: frozen copies of $LATEST. */
#include <errno.h>
#include "service/lambda/lambda.h"

/* Publishes what $LATEST is. Nothing new when the last version was made from the same build. */
int version_publish(struct call *call, struct lambda_function_record *f,
                    struct lambda_version_record *latest, struct str description,
                    struct lambda_version_record *ret, bool *ret_new)
{
    struct arena *a = call->arena;
    int r;
    if (f->last_version.is > 0) {
        r = version_load(call, f->name, f->last_version.is, ret);
        if (r < 0 && r != -ENOENT)
            return r;
        if (r == 0 && ret->build.is == latest->build.is) {
            *ret_new = false;
            return 0;
        }
    }
    f->last_version = opt_int(f->last_version.is + 1);
    *ret = *latest;
    ret->configuration = arena_copy(a, latest->configuration, sizeof(*latest->configuration));
    struct lambda_function_configuration *c = ret->configuration;
    c->version = str_printf(a, "%lld", (long long)f->last_version.is);
    c->function_arn = function_arn(call, f->name, c->version);
    if (str_has(description))
        c->description = description;
    configuration_touch(call, ret);
    r = version_save(call, f->name, f->last_version.is, ret);
    if (r == 0)
        r = function_save(call, f);
    for (size_t i = 0; r == 0 && i <= ret->layer_codes.n; i++)
        r = code_hold_again(call, i ? ret->layer_codes.items[i - 1] : ret->code);
    *ret_new = true;
    return r;
}

static int publish_version(struct call *call, const struct lambda_publish_version_input *in,
                           struct lambda_publish_version_output *out)
{
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, S(""), &ref);
    if (r < 0)
        return r;
    struct lambda_function_record f = {0};
    struct lambda_version_record latest = {0}, version = {0};
    r = function_load(call, ref.name, &f);
    if (r == 0)
        r = version_load(call, ref.name, 0, &latest);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
    const struct lambda_function_configuration *c = latest.configuration;
    if (in->revision_id.n && !str_eq(in->revision_id, c->revision_id))
        return lambda_fail(call, LAMBDA_PRECONDITION_FAILED,
                           "The RevisionId provided does not match the latest RevisionId. Call the "
                           "GetFunction/GetAlias API to retrieve the latest RevisionId");
    if (in->code_sha256.n && !str_eq(in->code_sha256, c->code_sha256))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "CodeSHA256 (%.*s) is different from current CodeSHA256 in $LATEST "
                           "(%.*s). Please try again with the CodeSHA256 in $LATEST.",
                           STR(in->code_sha256), STR(c->code_sha256));
    bool is_new;
    r = version_publish(call, &f, &latest, in->description, &version, &is_new);
    if (r < 0)
        return r;
    configuration_out(call, &version, version.configuration->version, out);
    if (is_new)
        configuration_show(out, SHOW_PENDING);
    return 0;
}

static int list_versions(struct call *call, const struct lambda_list_versions_by_function_input *in,
                         struct lambda_list_versions_by_function_output *out)
{
    struct function_ref ref;
    int r = function_ref_get(call, in->function_name, S(""), &ref);
    if (r < 0)
        return r;
    struct lambda_function_record f = {0};
    r = function_load(call, ref.name, &f);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
    struct store_row *rows;
    size_t n;
    r = page_scan(call, key_versions(call, ref.name), in->marker, in->max_items, &rows, &n,
                  &out->next_marker);
    if (r < 0)
        return r;
    out->versions.items = ARENA_ARRAY(call->arena, struct lambda_function_configuration, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct lambda_version_record v = {0};
        r = record_get(call, rows[i].key, &lambda_version_record_shape, &v);
        if (r < 0)
            return r;
        struct lambda_function_configuration *c = &out->versions.items[out->versions.n++];
        configuration_out(call, &v, v.configuration->version, c);
        configuration_show(c, SHOW_NONE);
    }
    return 0;
}

const struct handler lambda_version_handlers[] = {
    {lambda_publish_version_run(publish_version), NULL, "function:{FunctionName}"},
    {lambda_list_versions_by_function_run(list_versions), NULL, "function:{FunctionName}"},
    {0},
};
