/* entity - roles, users and groups, as far as they are alike: see entity.h. */
#include <errno.h>
#include "service/iam/entity.h"
#include "wire/walk.h"

const struct iam_kind iam_roles = {"role", "Role", "AROA", 10240},
                      iam_users = {"user", "User", "AIDA", 2048},
                      iam_groups = {"group", "Group", "AGPA", 5120};

int entity_find(struct call *call, const struct iam_kind *kind, struct str name,
                struct iam_role_record *ret)
{
    int r = iam_entity_find(call->store, call->arena, call->account, kind->word, name, ret);
    return r != -ENOENT
               ? r
               : call_fail(call, IAM_NO_SUCH_ENTITY, "The %s with name %.*s cannot be found.",
                           kind->word, STR(name));
}

/* The role, user or group of an ARN; *ret_kind: which of them. */
int entity_of_arn(struct call *call, struct str arn, struct iam_role_record *ret,
                  const char **ret_kind)
{
    static const char *const kinds[] = {"role", "user", "group"};
    struct str account = {0}, resource = arn, head, kind, name;
    for (int i = 0; i < 5; i++) {
        if (!str_cut(resource, ':', &head, &resource))
            return call_fail(call, IAM_INVALID_INPUT, "Invalid entity arn: %.*s", STR(arn));
        account = head;
    }
    str_cut(resource, '/', &kind, &name);
    name = str_slice(arn, (size_t)(str_find_last_byte(arn, '/') + 1), arn.n);
    *ret_kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_is(kind, kinds[i]) && str_starts(arn, S("arn:aws:iam::")))
            *ret_kind = kinds[i];
    if (!*ret_kind || !name.n)
        return call_fail(call, IAM_INVALID_INPUT, "Invalid entity arn: %.*s", STR(arn));
    int r = iam_entity_find(call->store, call->arena, account, *ret_kind, name, ret);
    if (r == -ENOENT || (r == 0 && (!str_eq(account, call->account) || !str_eq(ret->arn, arn))))
        return call_fail(call, IAM_NO_SUCH_ENTITY, "The %s with name %.*s cannot be found.",
                         *ret_kind, STR(name));
    return r;
}

int entity_save(struct call *call, const struct iam_kind *kind, const struct iam_role_record *e)
{
    return record_put(call, iam_entity_key(call->arena, call->account, kind->word, e->role_name),
                      &iam_role_record_shape, e);
}

int entity_create(struct call *call, const struct iam_kind *kind, struct str path, struct str name,
                  struct iam_role_record *ret)
{
    struct str key = iam_entity_key(call->arena, call->account, kind->word, name);
    if (store_has(call->store, key))
        return call_fail(call, IAM_ENTITY_ALREADY_EXISTS, "%s with name %.*s already exists.",
                         kind->name, STR(name));
    path = path.n ? path : S("/");
    *ret = (struct iam_role_record){
        .path = path,
        .role_name = name,
        .role_id = iam_id(call, kind->id),
        .arn = call_arn(call, "iam", "%s%.*s%.*s", kind->word, STR(path), STR(name)),
        .create_date = opt_time(call->now_ms / 1000 * 1000),
    };
    return 0;
}

int entity_delete(struct call *call, const struct iam_kind *kind, const struct iam_role_record *e)
{
    const char *first = e->access_keys.n       ? "must delete access keys first."
                        : e->attached.n        ? "must detach all policies first."
                        : e->inline_policies.n ? "must delete policies first."
                        : e->links.n           ? "must remove users from group first."
                                               : NULL;
    if (first)
        return call_fail(call, IAM_DELETE_CONFLICT, "Cannot delete entity, %s", first);
    return record_delete(call,
                         iam_entity_key(call->arena, call->account, kind->word, e->role_name));
}

/* Rows that say by name what is attached to whom. */
static int move_uses(struct call *call, const struct iam_kind *kind,
                     const struct iam_role_record *e, struct str name)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->attached.n; i++) {
        struct str arn = e->attached.items[i];
        r = store_delete(call->store, entity_use_key(call, kind, "attached", arn, e->role_name));
        if (r == 0)
            r = store_put(call->store, entity_use_key(call, kind, "attached", arn, name),
                          e->role_id);
    }
    if (r < 0 || !e->boundary.n)
        return r;
    r = store_delete(call->store,
                     entity_use_key(call, kind, "boundary", e->boundary, e->role_name));
    return r < 0 ? r
                 : store_put(call->store, entity_use_key(call, kind, "boundary", e->boundary, name),
                             S(""));
}

/* Its name in the links of those it is linked to. */
static int move_links(struct call *call, const struct iam_kind *other,
                      const struct iam_role_record *e, struct str name)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->links.n; i++) {
        struct iam_role_record linked;
        r = iam_entity_find(call->store, call->arena, call->account, other->word, e->links.items[i],
                            &linked);
        ssize_t at = r == 0 ? entity_link(&linked, e->role_name) : -1;
        if (at >= 0) {
            linked.links.items[at] = name;
            r = entity_save(call, other, &linked);
        }
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

int entity_move(struct call *call, const struct iam_kind *kind, struct iam_role_record *e,
                struct str path, struct str name)
{
    path = path.n ? path : e->path;
    name = name.n ? name : e->role_name;
    struct str from = iam_entity_key(call->arena, call->account, kind->word, e->role_name);
    struct str to = iam_entity_key(call->arena, call->account, kind->word, name);
    int r = 0;
    if (!str_eq(from, to) && store_has(call->store, to))
        return call_fail(call, IAM_ENTITY_ALREADY_EXISTS, "%s with name %.*s already exists.",
                         kind->name, STR(name));
    if (!str_eq(name, e->role_name)) {
        r = move_uses(call, kind, e, name);
        if (r == 0)
            r = move_links(call, kind == &iam_users ? &iam_groups : &iam_users, e, name);
        if (r == 0 && !str_eq(from, to))
            r = record_delete(call, from);
    }
    e->path = path;
    e->role_name = name;
    e->arn = call_arn(call, "iam", "%s%.*s%.*s", kind->word, STR(path), STR(name));
    return r < 0 ? r : entity_save(call, kind, e);
}

struct str entity_use_key(struct call *call, const struct iam_kind *kind, const char *what,
                          struct str arn, struct str name)
{
    if (kind != &iam_roles) /* a role is there by its name alone */
        name = str_printf(call->arena, "%s/%.*s", kind->word, STR(name));
    return iam_use_key(call, what, arn, name);
}

int entity_rows(struct call *call, const struct iam_kind *kind, const struct page *page,
                int (*accept)(struct call *call, const struct store_row *row, void *user),
                void *user, struct opt_bool *ret_truncated, struct str *ret_marker)
{
    return page_rows(call, page,
                     store_prefix(call->arena, 3, S("iam"), call->account, str_from(kind->word)),
                     accept, user, ret_truncated, ret_marker);
}

ssize_t entity_link(const struct iam_role_record *e, struct str name)
{
    for (size_t i = 0; i < e->links.n; i++)
        if (str_eq_nocase(e->links.items[i], name))
            return (ssize_t)i;
    return -1;
}

/* ---- permissions boundaries ---- */

int entity_boundary_check(struct call *call, struct str arn)
{
    if (!arn.n || policy_exists(call, arn) == 0)
        return 0;
    return call_fail_code(
        call, S("NoSuchEntity"), 404,
        str_printf(call->arena, "Scope ARN: %.*s does not exist or is not attachable.", STR(arn)));
}

int entity_boundary_set(struct call *call, const struct iam_kind *kind, struct iam_role_record *e,
                        struct str arn)
{
    int r = 0;
    if (e->boundary.n)
        r = store_delete(call->store,
                         entity_use_key(call, kind, "boundary", e->boundary, e->role_name));
    if (r == 0 && arn.n)
        r = store_put(call->store, entity_use_key(call, kind, "boundary", arn, e->role_name),
                      S(""));
    e->boundary = arn;
    return r;
}

struct iam_attached_permissions_boundary *entity_boundary_show(struct call *call,
                                                               const struct iam_role_record *e)
{
    if (!e->boundary.n)
        return NULL;
    struct iam_attached_permissions_boundary *out =
        ARENA_NEW(call->arena, struct iam_attached_permissions_boundary);
    out->permissions_boundary_type = S("Policy");
    out->permissions_boundary_arn = e->boundary;
    return out;
}

/* ---- policies ---- */

static ssize_t find_inline(const struct iam_role_record *e, struct str name)
{
    for (size_t i = 0; i < e->inline_policies.n; i++)
        if (str_eq(e->inline_policies.items[i].name, name))
            return (ssize_t)i;
    return -1;
}

int entity_put_policy(struct call *call, const struct iam_kind *kind, struct str name,
                      struct str policy, struct str document)
{
    struct iam_role_record e;
    int r = entity_find(call, kind, name, &e);
    if (r == 0)
        r = iam_document_check(call, POLICY_IDENTITY, document);
    if (r < 0)
        return r;
    size_t n = e.inline_policies.n, size = 0;
    struct iam_inline_policy_record *items =
        ARENA_ARRAY(call->arena, struct iam_inline_policy_record, n + 1);
    if (n)
        memcpy(items, e.inline_policies.items, n * sizeof *items);
    ssize_t at = find_inline(&e, policy);
    if (at < 0)
        at = (ssize_t)n++;
    items[at] = (struct iam_inline_policy_record){.name = policy, .document = document};
    for (size_t i = 0; i < n; i++)
        size += iam_document_size(items[i].document);
    if (size > kind->inline_max)
        return call_fail(call, IAM_LIMIT_EXCEEDED,
                         "Maximum policy size of %zu bytes exceeded for %s %.*s", kind->inline_max,
                         kind->word, STR(name));
    e.inline_policies.items = items;
    e.inline_policies.n = n;
    return entity_save(call, kind, &e);
}

static int no_inline(struct call *call, const struct iam_kind *kind, struct str policy)
{
    return call_fail(call, IAM_NO_SUCH_ENTITY, "The %s policy with name %.*s cannot be found.",
                     kind->word, STR(policy));
}

int entity_get_policy(struct call *call, const struct iam_kind *kind, struct str name,
                      struct str policy, struct str *ret_name, struct str *ret_document)
{
    struct iam_role_record e;
    int r = entity_find(call, kind, name, &e);
    if (r < 0)
        return r;
    ssize_t at = find_inline(&e, policy);
    if (at < 0)
        return no_inline(call, kind, policy);
    *ret_name = e.role_name;
    *ret_document = iam_document_out(call, e.inline_policies.items[at].document);
    return 0;
}

int entity_delete_policy(struct call *call, const struct iam_kind *kind, struct str name,
                         struct str policy)
{
    struct iam_role_record e;
    int r = entity_find(call, kind, name, &e);
    if (r < 0)
        return r;
    ssize_t at = find_inline(&e, policy);
    if (at < 0)
        return no_inline(call, kind, policy);
    struct iam_inline_policy_record *items = e.inline_policies.items;
    memmove(&items[at], &items[at + 1], (--e.inline_policies.n - (size_t)at) * sizeof *items);
    return entity_save(call, kind, &e);
}

int entity_list_policies(struct call *call, const struct iam_kind *kind, struct str name,
                         const struct page *page, struct iam_policy_name_list_type *ret,
                         struct opt_bool *ret_truncated, struct str *ret_marker)
{
    struct iam_role_record e;
    size_t from, to;
    int r = entity_find(call, kind, name, &e);
    if (r == 0)
        r = page_cut(call, page, e.inline_policies.n, &from, &to, ret_truncated, ret_marker);
    if (r < 0)
        return r;
    ret->items = ARENA_ARRAY(call->arena, struct str, to - from + 1);
    for (size_t i = from; i < to; i++)
        ret->items[ret->n++] = e.inline_policies.items[i].name;
    return 0;
}

static ssize_t find_attached(const struct iam_role_record *e, struct str arn)
{
    for (size_t i = 0; i < e->attached.n; i++)
        if (str_eq(e->attached.items[i], arn))
            return (ssize_t)i;
    return -1;
}

int entity_attach(struct call *call, const struct iam_kind *kind, struct str name, struct str arn)
{
    struct iam_role_record e;
    int r = entity_find(call, kind, name, &e);
    if (r < 0)
        return r;
    if (!str_starts(arn, S("arn:")))
        return call_fail(call, IAM_INVALID_INPUT, "ARN %.*s is not valid.", STR(arn));
    if (policy_exists(call, arn) < 0)
        return call_fail(call, IAM_NO_SUCH_ENTITY,
                         "Policy %.*s does not exist or is not attachable.", STR(arn));
    if (find_attached(&e, arn) >= 0)
        return 0;
    if (e.attached.n >= IAM_ATTACHED_MAX)
        return call_fail(call, IAM_LIMIT_EXCEEDED, "Cannot exceed quota for PoliciesPer%s: %d",
                         kind->name, IAM_ATTACHED_MAX);
    struct str *items = ARENA_ARRAY(call->arena, struct str, e.attached.n + 1);
    if (e.attached.n)
        memcpy(items, e.attached.items, e.attached.n * sizeof *items);
    items[e.attached.n++] = arn;
    e.attached.items = items;
    r = store_put(call->store, entity_use_key(call, kind, "attached", arn, e.role_name), e.role_id);
    return r < 0 ? r : entity_save(call, kind, &e);
}

int entity_detach(struct call *call, const struct iam_kind *kind, struct str name, struct str arn)
{
    struct iam_role_record e;
    int r = entity_find(call, kind, name, &e);
    if (r < 0)
        return r;
    ssize_t at = find_attached(&e, arn);
    if (at < 0)
        return call_fail(call, IAM_NO_SUCH_ENTITY, "Policy %.*s was not found.", STR(arn));
    memmove(&e.attached.items[at], &e.attached.items[at + 1],
            (--e.attached.n - (size_t)at) * sizeof(struct str));
    r = store_delete(call->store, entity_use_key(call, kind, "attached", arn, e.role_name));
    return r < 0 ? r : entity_save(call, kind, &e);
}

int entity_list_attached(struct call *call, const struct iam_kind *kind, struct str name,
                         struct str path_prefix, const struct page *page,
                         struct iam_attached_policies_list_type *ret,
                         struct opt_bool *ret_truncated, struct str *ret_marker)
{
    struct iam_role_record e;
    size_t from, to;
    int r = entity_find(call, kind, name, &e);
    if (r == 0)
        r = page_cut(call, page, e.attached.n, &from, &to, ret_truncated, ret_marker);
    if (r < 0)
        return r;
    ret->items = ARENA_ARRAY(call->arena, struct iam_attached_policy, to - from + 1);
    for (size_t i = from; i < to; i++) {
        struct str arn = e.attached.items[i];
        struct str full = str_slice(arn, (size_t)str_find_byte(arn, '/'), arn.n);
        size_t slash = (size_t)str_find_last_byte(full, '/');
        if (path_prefix.n && !str_starts(str_slice(full, 0, slash + 1), path_prefix))
            continue;
        ret->items[ret->n++] = (struct iam_attached_policy){
            .policy_name = str_slice(full, slash + 1, full.n), .policy_arn = arn};
    }
    return 0;
}
