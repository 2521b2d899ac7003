/* tag - tags of functions, and what the account has. */
#include <errno.h>
#include "service/lambda/lambda.h"

#define TAGS_MAX 50

int tag_count_check(struct call *call, size_t n)
{
    return n > TAGS_MAX ? lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                                      "Number of tags exceeds resource tag limit.")
                        : 0;
}

static int load(struct call *call, struct str arn, struct lambda_function_record *ret)
{
    struct function_ref ref;
    struct layer_name layer;
    if (layer_name_parse(arn, &layer) && layer.account.n)
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "Tags on layers are not supported here: %.*s", STR(arn));
    int r = function_ref_get(call, arn, S(""), &ref);
    if (r < 0)
        return r;
    if (ref.qualifier.n)
        return lambda_fail(
            call, LAMBDA_INVALID_PARAMETER_VALUE,
            "Tags on function aliases and versions are not supported. Please specify "
            "a function ARN.");
    r = function_load(call, ref.name, ret);
    return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
}

static int tag_resource(struct call *call, const struct lambda_tag_resource_input *in, void *out)
{
    struct lambda_function_record f = {0};
    int r = load(call, in->resource, &f);
    if (r < 0)
        return r;
    struct lambda_tags_entry *all =
        ARENA_ARRAY(call->arena, struct lambda_tags_entry, f.tags.n + in->tags.n + 1);
    size_t n = f.tags.n;
    if (n)
        memcpy(all, f.tags.items, n * sizeof(*all));
    for (size_t i = 0; i < in->tags.n; i++) {
        size_t at = 0;
        while (at < n && !str_eq(all[at].key, in->tags.items[i].key))
            at++;
        all[at] = in->tags.items[i];
        if (at == n)
            n++;
    }
    r = tag_count_check(call, n);
    if (r < 0)
        return r;
    f.tags.items = all;
    f.tags.n = n;
    return function_save(call, &f);
}

static int untag_resource(struct call *call, const struct lambda_untag_resource_input *in,
                          void *out)
{
    struct lambda_function_record f = {0};
    int r = load(call, in->resource, &f);
    if (r < 0)
        return r;
    size_t n = 0;
    for (size_t i = 0; i < f.tags.n; i++) {
        bool gone = false;
        for (size_t j = 0; j < in->tag_keys.n; j++)
            gone = gone || str_eq(in->tag_keys.items[j], f.tags.items[i].key);
        if (!gone)
            f.tags.items[n++] = f.tags.items[i];
    }
    f.tags.n = n;
    return function_save(call, &f);
}

static int list_tags(struct call *call, const struct lambda_list_tags_input *in,
                     struct lambda_list_tags_output *out)
{
    struct lambda_function_record f = {0};
    int r = load(call, in->resource, &f);
    if (r < 0)
        return r;
    out->tags = f.tags;
    if (!out->tags.items)
        out->tags.items = ARENA_ARRAY(call->arena, struct lambda_tags_entry, 1);
    return 0;
}

const struct handler lambda_tag_handlers[] = {
    {lambda_tag_resource_run(tag_resource), NULL, "{Resource}"},
    {lambda_untag_resource_run(untag_resource), NULL, "{Resource}"},
    {lambda_list_tags_run(list_tags), NULL, "{Resource}"},
    {0},
};
