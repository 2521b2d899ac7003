/* user - users, and their access keys. */
#include <errno.h>
#include "base/digest.h"
#include "service/iam/entity.h"
#include "service/iam/last_used.h"
#include "wire/walk.h"

#define USERS_MAX 5000
#define KEYS_MAX 2
#define SECRET_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

struct iam_user *user_show(struct call *call, const struct iam_role_record *e, bool whole)
{
    struct iam_user *out = ARENA_NEW(call->arena, struct iam_user);
    out->path = e->path;
    out->user_name = e->role_name;
    out->user_id = e->role_id;
    out->arn = e->arn;
    out->create_date = e->create_date;
    if (!whole)
        return out;
    out->tags = e->tags;
    out->permissions_boundary = entity_boundary_show(call, e);
    return out;
}

static int boundary_set(struct call *call, struct iam_role_record *user, struct str arn)
{
    int r = entity_boundary_check(call, arn);
    return r < 0 ? r : entity_boundary_set(call, &iam_users, user, arn);
}

static int create_user(struct call *call, const struct iam_create_user_input *in,
                       struct iam_create_user_output *out)
{
    struct iam_role_record user;
    int64_t n = 0;
    int r = tags_check(call, &in->tags);
    if (r == 0)
        r = entity_create(call, &iam_users, in->path, in->user_name, &user);
    if (r == 0)
        r = store_count(call->store,
                        store_prefix(call->arena, 3, S("iam"), call->account, S("user")), &n);
    if (r == 0 && n >= USERS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for UsersPerAccount: %d",
                         USERS_MAX);
    if (r == 0)
        r = boundary_set(call, &user, in->permissions_boundary);
    if (r < 0)
        return r;
    user.tags = in->tags;
    out->user = user_show(call, &user, true);
    return entity_save(call, &iam_users, &user);
}

/* Absent: the user who asks. */
static int named(struct call *call, struct str name, struct iam_role_record *ret)
{
    if (!name.n && call->who->type != PRINCIPAL_USER)
        return call_fail(call, IAM_VALIDATION_ERROR,
                         "Must specify userName when calling with non-User credentials");
    return entity_find(call, &iam_users, name.n ? name : call->who->role_name, ret);
}

static int get_user(struct call *call, const struct iam_get_user_input *in,
                    struct iam_get_user_output *out)
{
    struct iam_role_record user;
    if (!in->user_name.n && call->who->type == PRINCIPAL_ROOT) {
        out->user = ARENA_NEW(call->arena, struct iam_user);
        out->user->user_id = call->account;
        out->user->arn = call->who->arn;
        out->user->create_date = opt_time(1423180800000);
        return 0;
    }
    int r = named(call, in->user_name, &user);
    if (r == 0)
        out->user = user_show(call, &user, true);
    return r;
}

static struct str key_owner(struct call *call, struct str user_name)
{
    return str_printf(call->arena, "%.*s/%.*s", STR(call->account), STR(user_name));
}

static int update_user(struct call *call, const struct iam_update_user_input *in, void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r == 0)
        r = entity_move(call, &iam_users, &user, in->new_path, in->new_user_name);
    for (size_t i = 0; r == 0 && i < user.access_keys.n; i++)
        r = store_put(call->store, iam_access_key_key(call->arena, user.access_keys.items[i].id),
                      key_owner(call, user.role_name));
    return r;
}

static int delete_user(struct call *call, const struct iam_delete_user_input *in, void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r == 0)
        r = entity_delete(call, &iam_users, &user);
    return r < 0 ? r : boundary_set(call, &user, (struct str){0});
}

struct user_list {
    struct str path_prefix;
    struct iam_user_list_type *out;
    size_t cap;
};

static int accept_user(struct call *call, const struct store_row *row, void *user)
{
    struct user_list *list = user;
    struct iam_role_record e = {0};
    if (wire_json_read(call->arena, row->value, &iam_role_record_shape, &e, NULL) < 0)
        return -EIO;
    if (list->path_prefix.n && !str_starts(e.path, list->path_prefix))
        return 0;
    *(struct iam_user *)arena_push(call->arena, (void **)&list->out->items, &list->out->n,
                                   &list->cap, sizeof(struct iam_user)) =
        *user_show(call, &e, false);
    return 1;
}

static int list_users(struct call *call, const struct iam_list_users_input *in,
                      struct iam_list_users_output *out)
{
    struct user_list list = {in->path_prefix, &out->users, 1};
    struct page page = {in->marker, in->max_items};
    out->users.items = ARENA_NEW(call->arena, struct iam_user); /* none is an empty list */
    return entity_rows(call, &iam_users, &page, accept_user, &list, &out->is_truncated,
                       &out->marker);
}

static int put_user_permissions_boundary(struct call *call,
                                         const struct iam_put_user_permissions_boundary_input *in,
                                         void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r == 0)
        r = boundary_set(call, &user, in->permissions_boundary);
    return r < 0 ? r : entity_save(call, &iam_users, &user);
}

static int delete_user_permissions_boundary(
    struct call *call, const struct iam_delete_user_permissions_boundary_input *in, void *out)
{
    struct iam_role_record user;
    int r = entity_find(call, &iam_users, in->user_name, &user);
    if (r < 0)
        return r;
    if (!user.boundary.n)
        return call_fail(call, IAM_NO_SUCH_ENTITY,
                         "User %.*s does not have a permissions boundary.", STR(in->user_name));
    r = boundary_set(call, &user, (struct str){0});
    return r < 0 ? r : entity_save(call, &iam_users, &user);
}

/* ---- access keys ---- */

static int create_access_key(struct call *call, const struct iam_create_access_key_input *in,
                             struct iam_create_access_key_output *out)
{
    struct iam_role_record user;
    int r = named(call, in->user_name, &user);
    if (r < 0)
        return r;
    if (user.access_keys.n >= KEYS_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for AccessKeysPerUser: %d",
                         KEYS_MAX);
    struct iam_access_key_record *keys =
        ARENA_ARRAY(call->arena, struct iam_access_key_record, KEYS_MAX);
    if (user.access_keys.n)
        memcpy(keys, user.access_keys.items, user.access_keys.n * sizeof *keys);
    struct iam_access_key_record *key = &keys[user.access_keys.n++];
    struct str tail = random_text(call->arena, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
    *key = (struct iam_access_key_record){.id = str_printf(call->arena, "AKIA%.*s", STR(tail)),
                                          .secret = random_text(call->arena, SECRET_ALPHABET, 40),
                                          .status = S("Active"),
                                          .create_date = opt_time(call->now_ms / 1000 * 1000)};
    user.access_keys.items = keys;
    out->access_key = ARENA_NEW(call->arena, struct iam_access_key);
    *out->access_key = (struct iam_access_key){.user_name = user.role_name,
                                               .access_key_id = key->id,
                                               .status = key->status,
                                               .secret_access_key = key->secret,
                                               .create_date = key->create_date};
    r = store_put(call->store, iam_access_key_key(call->arena, key->id),
                  key_owner(call, user.role_name));
    return r < 0 ? r : entity_save(call, &iam_users, &user);
}

/* Without a name, the key's own user's; the caller's when there is one. */
static int find_key(struct call *call, struct str name, struct str id,
                    struct iam_role_record *ret_user, size_t *ret_at)
{
    struct str account;
    int r = 0;
    if (!name.n && call->who->type != PRINCIPAL_USER &&
        (iam_access_key_user(call->store, call->arena, id, &account, &name) < 0 ||
         !str_eq(account, call->account)))
        r = -ENOENT;
    if (r == 0)
        r = named(call, name, ret_user);
    if (r == 0)
        for (size_t i = 0; i < ret_user->access_keys.n; i++)
            if (str_eq(ret_user->access_keys.items[i].id, id)) {
                *ret_at = i;
                return 0;
            }
    return r == CALL_FAILED ? r
                            : call_fail(call, IAM_NO_SUCH_ENTITY,
                                        "The Access Key with id %.*s cannot be found.", STR(id));
}

static int update_access_key(struct call *call, const struct iam_update_access_key_input *in,
                             void *out)
{
    struct iam_role_record user;
    size_t at;
    if (!str_is(in->status, "Active") && !str_is(in->status, "Inactive"))
        return call_fail(call, IAM_VALIDATION_ERROR,
                         "1 validation error detected: Value '%.*s' at 'status' failed to satisfy "
                         "constraint: Member must satisfy enum value set: [Active, Inactive]",
                         STR(in->status)); /* the model has a third, which only AWS sets */
    int r = find_key(call, in->user_name, in->access_key_id, &user, &at);
    if (r < 0)
        return r;
    user.access_keys.items[at].status = in->status;
    return entity_save(call, &iam_users, &user);
}

static int delete_access_key(struct call *call, const struct iam_delete_access_key_input *in,
                             void *out)
{
    struct iam_role_record user;
    size_t at;
    int r = find_key(call, in->user_name, in->access_key_id, &user, &at);
    if (r == 0)
        r = store_delete(call->store, iam_access_key_key(call->arena, in->access_key_id));
    if (r == 0)
        r = last_used_forget(call->state, in->access_key_id);
    if (r < 0)
        return r;
    struct iam_access_key_record *keys = user.access_keys.items;
    memmove(&keys[at], &keys[at + 1], (--user.access_keys.n - at) * sizeof *keys);
    return entity_save(call, &iam_users, &user);
}

static int get_access_key_last_used(struct call *call,
                                    const struct iam_get_access_key_last_used_input *in,
                                    struct iam_get_access_key_last_used_output *out)
{
    struct str account;
    int r =
        iam_access_key_user(call->store, call->arena, in->access_key_id, &account, &out->user_name);
    /* The model has no error for a key that is not there, or another account's. */
    if (r == -ENOENT || (r == 0 && !str_eq(account, call->account)))
        return call_fail(call, IAM_ACCESS_DENIED,
                         "User: %.*s is not authorized to perform: iam:GetAccessKeyLastUsed on "
                         "resource: access key %.*s",
                         STR(call->who->arn), STR(in->access_key_id));
    struct iam_role_record owner;
    struct str why = {0};
    if (r == 0)
        r = named(call, out->user_name, &owner);
    if (r == 0)
        r = call_allowed(call, call->who, S("iam:GetAccessKeyLastUsed"), owner.arn, &why);
    if (r == -EACCES)
        return call_fail(call, IAM_ACCESS_DENIED, "%.*s", STR(why));
    struct iam_access_key_last_used *used = ARENA_NEW(call->arena, struct iam_access_key_last_used);
    int64_t at_ms;
    out->access_key_last_used = used;
    if (r == 0)
        r = last_used_find(call->state, call->arena, in->access_key_id, &at_ms, &used->service_name,
                           &used->region);
    if (r == 0)
        used->last_used_date = opt_time(at_ms / 1000 * 1000);
    else if (r == -ENOENT)
        used->service_name = used->region = S("N/A");
    return r == -ENOENT ? 0 : r;
}

static int list_access_keys(struct call *call, const struct iam_list_access_keys_input *in,
                            struct iam_list_access_keys_output *out)
{
    struct iam_role_record user = {0};
    struct page page = {in->marker, in->max_items};
    size_t from, to;
    bool roots =
        !in->user_name.n && call->who->type == PRINCIPAL_ROOT; /* has none that are listed */
    int r = roots ? 0 : named(call, in->user_name, &user);
    if (r == 0)
        r = page_cut(call, &page, user.access_keys.n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->access_key_metadata.items =
        ARENA_ARRAY(call->arena, struct iam_access_key_metadata, to - from + 1);
    for (size_t i = from; i < to; i++) {
        const struct iam_access_key_record *k = &user.access_keys.items[i];
        out->access_key_metadata.items[out->access_key_metadata.n++] =
            (struct iam_access_key_metadata){.user_name = user.role_name,
                                             .access_key_id = k->id,
                                             .status = k->status,
                                             .create_date = k->create_date};
    }
    return 0;
}

const struct handler iam_user_handlers[] = {
    {iam_create_user_run(create_user), .resource = "user/{UserName}"},
    {iam_get_user_run(get_user), .resource = "user/{UserName}"},
    {iam_update_user_run(update_user), .resource = "user/{UserName}"},
    {iam_delete_user_run(delete_user), .resource = "user/{UserName}"},
    {iam_list_users_run(list_users), .resource = "user/"},
    {iam_put_user_permissions_boundary_run(put_user_permissions_boundary),
     .resource = "user/{UserName}"},
    {iam_delete_user_permissions_boundary_run(delete_user_permissions_boundary),
     .resource = "user/{UserName}"},
    {iam_create_access_key_run(create_access_key), .resource = "user/{UserName}"},
    {iam_update_access_key_run(update_access_key), .resource = "user/{UserName}"},
    {iam_delete_access_key_run(delete_access_key), .resource = "user/{UserName}"},
    {iam_list_access_keys_run(list_access_keys), .resource = "user/{UserName}"},
    /* The request names no user: the handler asks, once it knows whose key it is. */
    {iam_get_access_key_last_used_run(get_access_key_last_used), .action = ""},
    {0},
};
