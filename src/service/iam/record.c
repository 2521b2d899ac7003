/* record - what IAM keeps, how it is found, and how it is shown. */
#include <ctype.h>
#include <errno.h>
#include "base/digest.h"
#include "service/iam/entity.h"
#include "wire/request.h"

int role_get(struct call *call, struct str name, struct iam_role_record *ret)
{
    return entity_find(call, &iam_roles, name, ret);
}

int role_save(struct call *call, const struct iam_role_record *role)
{
    return entity_save(call, &iam_roles, role);
}

struct str iam_document_out(struct call *call, struct str document)
{
    return wire_percent_encode(call->arena, document, false);
}

struct iam_role *role_show(struct call *call, const struct iam_role_record *role, bool whole)
{
    struct iam_role *out = ARENA_NEW(call->arena, struct iam_role);
    out->path = role->path;
    out->role_name = role->role_name;
    out->role_id = role->role_id;
    out->arn = role->arn;
    out->create_date = role->create_date;
    out->assume_role_policy_document = iam_document_out(call, role->trust_policy);
    out->description = role->description;
    out->max_session_duration = role->max_session_duration;
    if (!whole)
        return out;
    out->tags = role->tags;
    out->role_last_used = ARENA_NEW(call->arena, struct iam_role_last_used);
    out->permissions_boundary = entity_boundary_show(call, role);
    return out;
}

/* The path and name of arn:aws:iam::ACCOUNT:policy/PATH/NAME of this account. */
static bool own_policy_name(struct call *call, struct str arn, struct str *ret)
{
    struct str prefix = call_arn(call, "iam", "policy/");
    if (!str_starts(arn, prefix) || arn.n == prefix.n)
        return false;
    *ret = str_slice(arn, prefix.n, arn.n);
    return true;
}

int policy_get_own(struct call *call, struct str arn, struct iam_policy_record *ret)
{
    struct str name;
    *ret = (struct iam_policy_record){0};
    if (managed_policy_find(arn))
        return call_fail(call, IAM_ACCESS_DENIED, "Policy is outside your own account.");
    int r = -ENOENT;
    if (own_policy_name(call, arn, &name))
        r = record_get(call, iam_policy_key(call->arena, call->account, name),
                       &iam_policy_record_shape, ret);
    if (r == -ENOENT)
        return call_fail(call, IAM_NO_SUCH_ENTITY, "Policy %.*s was not found.", STR(arn));
    return r;
}

int policy_save(struct call *call, const struct iam_policy_record *policy)
{
    struct str name;
    if (!own_policy_name(call, policy->arn, &name))
        return -EINVAL;
    return record_put(call, iam_policy_key(call->arena, call->account, name),
                      &iam_policy_record_shape, policy);
}

int policy_exists(struct call *call, struct str arn)
{
    struct str name;
    if (managed_policy_find(arn))
        return 0;
    if (!own_policy_name(call, arn, &name) ||
        !store_has(call->store, iam_policy_key(call->arena, call->account, name)))
        return -ENOENT;
    return 0;
}

struct str iam_use_key(struct call *call, const char *what, struct str arn, struct str role)
{
    return store_key(call->arena, 5, S("iam"), call->account, str_from(what), arn,
                     str_lower(call->arena, role));
}

struct str iam_use_prefix(struct call *call, const char *what, struct str arn)
{
    return store_prefix(call->arena, 4, S("iam"), call->account, str_from(what), arn);
}

static struct opt_int count_uses(struct call *call, const char *what, struct str arn)
{
    int64_t n = 0;
    store_count(call->store, iam_use_prefix(call, what, arn), &n);
    return opt_int(n);
}

struct iam_policy *policy_show(struct call *call, const struct iam_policy_record *policy,
                               bool whole)
{
    struct iam_policy *out = ARENA_NEW(call->arena, struct iam_policy);
    out->policy_name = policy->policy_name;
    out->policy_id = policy->policy_id;
    out->arn = policy->arn;
    out->path = policy->path;
    out->default_version_id = policy->default_version_id;
    out->attachment_count = count_uses(call, "attached", policy->arn);
    out->permissions_boundary_usage_count = count_uses(call, "boundary", policy->arn);
    out->is_attachable = opt_bool(true);
    out->create_date = policy->create_date;
    out->update_date = policy->update_date;
    if (whole) {
        out->description = policy->description;
        out->tags = policy->tags;
    }
    return out;
}

struct iam_policy *policy_show_aws(struct call *call, const struct managed_policy *aws, bool whole)
{
    struct arena *a = call->arena;
    struct iam_policy_record record = {
        .policy_name = str_from(aws->name),
        .policy_id = str_from(aws->id),
        .arn = str_printf(a, "arn:aws:iam::aws:policy%s%s", aws->path, aws->name),
        .path = str_from(aws->path),
        .default_version_id = str_from(aws->version),
        .description = str_from(aws->description),
        .create_date = opt_time(1423180800000), /* 2015-02-06: when most of them were made */
        .update_date = opt_time(1423180800000),
    };
    return policy_show(call, &record, whole);
}

struct str iam_id(struct call *call, const char *prefix)
{
    struct str tail = random_text(call->arena, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 17);
    return str_printf(call->arena, "%s%.*s", prefix, STR(tail));
}

int iam_document_check(struct call *call, enum policy_kind kind, struct str document)
{
    struct str message;
    if (policy_check(call->arena, kind, document, &message) < 0)
        return call_fail(call, IAM_MALFORMED_POLICY_DOCUMENT, "%.*s", STR(message));
    return 0;
}

size_t iam_document_size(struct str document)
{
    size_t n = 0;
    for (size_t i = 0; i < document.n; i++)
        n += !isspace((unsigned char)document.p[i]);
    return n;
}
