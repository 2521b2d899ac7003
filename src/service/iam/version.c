/* version - the versions of managed policies; one of them is the default. */
#include <errno.h>
#include "service/iam/iam.h"

#define VERSIONS_MAX 5
#define DOCUMENT_MAX 6144

static struct iam_version_record *find_version(const struct iam_policy_record *policy,
                                               struct str id)
{
    for (size_t i = 0; i < policy->versions.n; i++)
        if (str_eq(policy->versions.items[i].version_id, id))
            return &policy->versions.items[i];
    return NULL;
}

static int no_version(struct call *call, struct str arn, struct str id)
{
    return call_fail(call, IAM_NO_SUCH_ENTITY,
                     "Policy %.*s version %.*s does not exist or is not attachable.", STR(arn),
                     STR(id));
}

static struct iam_policy_version show(struct call *call, const struct iam_policy_record *policy,
                                      const struct iam_version_record *version, bool document)
{
    return (struct iam_policy_version){
        .document = document ? iam_document_out(call, version->document) : (struct str){0},
        .version_id = version->version_id,
        .is_default_version = opt_bool(str_eq(version->version_id, policy->default_version_id)),
        .create_date = version->create_date,
    };
}

/* AWS's policies as a record with one version. */
static int load(struct call *call, struct str arn, struct iam_policy_record *ret)
{
    const struct managed_policy *aws = managed_policy_find(arn);
    if (!aws)
        return policy_get_own(call, arn, ret);
    struct iam_version_record *version = ARENA_NEW(call->arena, struct iam_version_record);
    *version = (struct iam_version_record){.version_id = str_from(aws->version),
                                           .document = str_from(aws->document),
                                           .create_date = opt_time(1423180800000)};
    *ret = (struct iam_policy_record){.default_version_id = version->version_id,
                                      .versions = {version, 1}};
    return 0;
}

static int create_policy_version(struct call *call,
                                 const struct iam_create_policy_version_input *in,
                                 struct iam_create_policy_version_output *out)
{
    struct iam_policy_record policy;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r == 0)
        r = policy_document_check(call, in->policy_document);
    if (r < 0)
        return r;
    if (iam_document_size(in->policy_document) > DOCUMENT_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PolicySize: %d",
                         DOCUMENT_MAX);
    size_t n = policy.versions.n;
    if (n >= VERSIONS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED,
                         "A managed policy can have up to %d versions. Before you create a new "
                         "version, you must delete an existing version.",
                         VERSIONS_MAX);
    struct iam_version_record *items = ARENA_ARRAY(call->arena, struct iam_version_record, n + 1);
    memcpy(items, policy.versions.items, n * sizeof(*items));
    policy.last_version = opt_int(policy.last_version.is + 1);
    items[n] = (struct iam_version_record){
        .version_id = str_printf(call->arena, "v%d", (int)policy.last_version.is),
        .document = in->policy_document,
        .create_date = opt_time(call->now_ms / 1000 * 1000),
    };
    policy.versions.items = items;
    policy.versions.n = n + 1;
    policy.update_date = items[n].create_date;
    if (in->set_as_default.has && in->set_as_default.is)
        policy.default_version_id = items[n].version_id;
    out->policy_version = ARENA_NEW(call->arena, struct iam_policy_version);
    *out->policy_version = show(call, &policy, &items[n], false);
    return policy_save(call, &policy);
}

static int get_policy_version(struct call *call, const struct iam_get_policy_version_input *in,
                              struct iam_get_policy_version_output *out)
{
    struct iam_policy_record policy;
    int r = load(call, in->policy_arn, &policy);
    if (r < 0)
        return r;
    const struct iam_version_record *version = find_version(&policy, in->version_id);
    if (!version)
        return no_version(call, in->policy_arn, in->version_id);
    out->policy_version = ARENA_NEW(call->arena, struct iam_policy_version);
    *out->policy_version = show(call, &policy, version, true);
    return 0;
}

static int delete_policy_version(struct call *call,
                                 const struct iam_delete_policy_version_input *in, void *out)
{
    struct iam_policy_record policy;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r < 0)
        return r;
    struct iam_version_record *version = find_version(&policy, in->version_id);
    if (!version)
        return no_version(call, in->policy_arn, in->version_id);
    if (str_eq(in->version_id, policy.default_version_id))
        return call_fail(call, IAM_DELETE_CONFLICT,
                         "Cannot delete the default version of a policy.");
    size_t at = (size_t)(version - policy.versions.items);
    memmove(version, version + 1, (--policy.versions.n - at) * sizeof(*version));
    return policy_save(call, &policy);
}

static int list_policy_versions(struct call *call, const struct iam_list_policy_versions_input *in,
                                struct iam_list_policy_versions_output *out)
{
    struct iam_policy_record policy;
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    int r = load(call, in->policy_arn, &policy);
    if (r == 0)
        r = page_cut(call, &page, policy.versions.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->versions.items = ARENA_ARRAY(call->arena, struct iam_policy_version, to - from + 1);
    for (size_t i = from; i < to; i++) /* newest first */
        out->versions.items[out->versions.n++] =
            show(call, &policy, &policy.versions.items[policy.versions.n - 1 - i], false);
    return 0;
}

static int set_default_policy_version(struct call *call,
                                      const struct iam_set_default_policy_version_input *in,
                                      void *out)
{
    struct iam_policy_record policy;
    int r = policy_get_own(call, in->policy_arn, &policy);
    if (r < 0)
        return r;
    if (!find_version(&policy, in->version_id))
        return no_version(call, in->policy_arn, in->version_id);
    policy.default_version_id = in->version_id;
    policy.update_date = opt_time(call->now_ms / 1000 * 1000);
    return policy_save(call, &policy);
}

const struct handler iam_version_handlers[] = {
    {iam_create_policy_version_run(create_policy_version), .resource = "{PolicyArn}"},
    {iam_get_policy_version_run(get_policy_version), .resource = "{PolicyArn}"},
    {iam_delete_policy_version_run(delete_policy_version), .resource = "{PolicyArn}"},
    {iam_list_policy_versions_run(list_policy_versions), .resource = "{PolicyArn}"},
    {iam_set_default_policy_version_run(set_default_policy_version), .resource = "{PolicyArn}"},
    {0},
};
