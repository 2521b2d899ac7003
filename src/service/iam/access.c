/* access - what a role may do, read from the store. */
#include <errno.h>
#include "base/log.h"
#include "service/iam/access.h"
#include "service/iam/managed.h"
#include "wire/walk.h"

struct str iam_role_key(struct arena *a, struct str account, struct str name)
{
    return iam_entity_key(a, account, "role", name);
}

struct str iam_entity_key(struct arena *a, struct str account, const char *kind, struct str name)
{
    return store_key(a, 4, S("iam"), account, str_from(kind), str_lower(a, name));
}

struct str iam_access_key_key(struct arena *a, struct str access_key)
{
    return store_key(a, 2, S("iam-access-key"), access_key);
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
        log_error("a stored %s is damaged", shape_name(shape));
        return -EIO;
    }
    return 0;
}

int iam_role_find(struct store *store, struct arena *a, struct str account, struct str name,
                  struct iam_role_record *ret)
{
    return iam_entity_find(store, a, account, "role", name, ret);
}

int iam_entity_find(struct store *store, struct arena *a, struct str account, const char *kind,
                    struct str name, struct iam_role_record *ret)
{
    *ret = (struct iam_role_record){0};
    return load(store, a, iam_entity_key(a, account, kind, name), &iam_role_record_shape, ret);
}

int iam_access_key_user(struct store *store, struct arena *a, struct str access_key,
                        struct str *ret_account, struct str *ret_user)
{
    struct str text;
    int r = store_get(store, iam_access_key_key(a, access_key), a, &text);
    if (r == 0)
        str_cut(text, '/', ret_account, ret_user);
    return r;
}

int iam_access_key_find(struct store *store, struct arena *a, struct str access_key,
                        struct str *ret_account, struct iam_role_record *ret_user,
                        struct str *ret_secret)
{
    struct str name;
    int r = iam_access_key_user(store, a, access_key, ret_account, &name);
    if (r == 0)
        r = iam_entity_find(store, a, *ret_account, "user", name, ret_user);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ret_user->access_keys.n; i++) {
        const struct iam_access_key_record *key = &ret_user->access_keys.items[i];
        if (!str_eq(key->id, access_key))
            continue;
        *ret_secret = key->secret;
        return str_is(key->status, "Active") ? 0 : -EACCES;
    }
    return -ENOENT;
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

static int add_documents(struct store *store, struct arena *a, const struct iam_role_record *of,
                         struct iam_access *access)
{
    size_t n = access->n_documents + of->inline_policies.n + of->attached.n;
    struct str *documents = ARENA_ARRAY(a, struct str, n + 1);
    if (access->n_documents)
        memcpy(documents, access->documents, access->n_documents * sizeof *documents);
    access->documents = documents;
    for (size_t i = 0; i < of->inline_policies.n; i++)
        documents[access->n_documents++] = of->inline_policies.items[i].document;
    for (size_t i = 0; i < of->attached.n; i++) {
        int r =
            iam_policy_document(store, a, of->attached.items[i], &documents[access->n_documents]);
        if (r < 0 && r != -ENOENT)
            return r;
        access->n_documents += r == 0;
    }
    return 0;
}

static int load_access(struct store *store, struct arena *a, struct str account, const char *kind,
                       struct str name, struct iam_access *ret)
{
    struct iam_access access = {0};
    int r = iam_entity_find(store, a, account, kind, name, &access.role);
    if (r == 0)
        r = add_documents(store, a, &access.role, &access);
    if (r < 0)
        return r;
    /* A boundary whose policy is gone allows nothing. */
    if (access.role.boundary.n &&
        iam_policy_document(store, a, access.role.boundary, &access.boundary) < 0)
        access.boundary = S("");
    *ret = access;
    return 0;
}

int iam_access_load(struct store *store, struct arena *a, struct str account, struct str role_name,
                    struct iam_access *ret)
{
    return load_access(store, a, account, "role", role_name, ret);
}

int iam_user_access_load(struct store *store, struct arena *a, struct str account,
                         struct str user_name, struct iam_access *ret)
{
    int r = load_access(store, a, account, "user", user_name, ret);
    for (size_t i = 0; r == 0 && i < ret->role.links.n; i++) {
        struct iam_role_record group;
        r = iam_entity_find(store, a, account, "group", ret->role.links.items[i], &group);
        r = r == -ENOENT ? 0 : r < 0 ? r : add_documents(store, a, &group, ret);
    }
    return r;
}
