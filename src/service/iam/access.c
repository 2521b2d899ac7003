/* access - what a role may do, read from the store. */
#include <errno.h>
#include "base/log.h"
#include "service/iam/access.h"
#include "service/iam/managed.h"
#include "wire/walk.h"

struct str iam_role_key(struct arena *a, struct str account, struct str name)
{
    return store_key(a, 4, S("iam"), account, S("role"), str_lower(a, name));
}

struct str iam_policy_key(struct arena *a, struct str account, struct str path_and_name)
{
    return store_key(a, 4, S("iam"), account, S("policy"), path_and_name);
}

/* arn:aws:iam::ACCOUNT:KIND/rest */
static int arn_parse(struct str arn, struct str kind, struct str *ret_account, struct str *ret_rest)
{
    struct str head, account, rest;
    if (!str_starts(arn, S("arn:aws:iam::")))
        return -EINVAL;
    rest = str_slice(arn, sizeof("arn:aws:iam::") - 1, arn.n);
    if (!str_cut(rest, ':', &account, &rest) || !str_cut(rest, '/', &head, &rest) ||
        !str_eq(head, kind) || rest.n == 0)
        return -EINVAL;
    *ret_account = account;
    *ret_rest = rest;
    return 0;
}

int iam_role_arn_parse(struct str arn, struct str *ret_account, struct str *ret_name)
{
    struct str rest;
    int r = arn_parse(arn, S("role"), ret_account, &rest);
    if (r < 0)
        return r;
    *ret_name = str_slice(rest, (size_t)(str_find_last_byte(rest, '/') + 1), rest.n);
    return ret_name->n ? 0 : -EINVAL;
}

static int load(struct store *store, struct arena *a, struct str key, const struct shape *shape,
                void *ret)
{
    struct str text;
    int r = store_get(store, key, a, &text);
    if (r < 0)
        return r;
    if (wire_json_read(a, text, shape, ret, NULL) < 0) {
        log_error("a stored %s is damaged", shape->name);
        return -EIO;
    }
    return 0;
}

int iam_role_find(struct store *store, struct arena *a, struct str account, struct str name,
                  struct iam_role_record *ret)
{
    *ret = (struct iam_role_record){0};
    return load(store, a, iam_role_key(a, account, name), &iam_role_record_shape, ret);
}

int iam_policy_document(struct store *store, struct arena *a, struct str arn, struct str *ret)
{
    const struct managed_policy *aws = managed_policy_find(arn);
    if (aws) {
        *ret = str_from(aws->document);
        return 0;
    }
    struct str account, rest;
    struct iam_policy_record record = {0};
    if (arn_parse(arn, S("policy"), &account, &rest) < 0)
        return -ENOENT;
    int r = load(store, a, iam_policy_key(a, account, rest), &iam_policy_record_shape, &record);
    if (r < 0)
        return r;
    for (size_t i = 0; i < record.versions.n; i++) {
        if (!str_eq(record.versions.items[i].version_id, record.default_version_id))
            continue;
        *ret = record.versions.items[i].document;
        return 0;
    }
    return -ENOENT;
}

int iam_access_load(struct store *store, struct arena *a, struct str account, struct str role_name,
                    struct iam_access *ret)
{
    struct iam_access access = {0};
    int r = iam_role_find(store, a, account, role_name, &access.role);
    if (r < 0)
        return r;
    const struct iam_role_record *role = &access.role;
    access.documents = ARENA_ARRAY(a, struct str, role->inline_policies.n + role->attached.n + 1);
    for (size_t i = 0; i < role->inline_policies.n; i++)
        access.documents[access.n_documents++] = role->inline_policies.items[i].document;
    for (size_t i = 0; i < role->attached.n; i++) {
        r = iam_policy_document(store, a, role->attached.items[i],
                                &access.documents[access.n_documents]);
        if (r < 0 && r != -ENOENT)
            return r;
        access.n_documents += r == 0;
    }
    /* A boundary whose policy is gone allows nothing. */
    if (role->boundary.n && iam_policy_document(store, a, role->boundary, &access.boundary) < 0)
        access.boundary = S("");
    *ret = access;
    return 0;
}
