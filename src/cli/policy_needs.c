/* policy_needs - files that policies are made of and held against: records, documents. */
#include <errno.h>
#include "base/fs.h"
#include "cli/policy_tool.h"
#include "cli/target.h"

#define FILE_MAX (64 << 20)
#define FORMAT "lamina-policy-record/1"

int policy_read_json(struct verb_run *run, struct str path, struct str *ret_text, struct json **ret)
{
    struct json_error err;
    int r = fs_read(str_c(run->arena, path), FILE_MAX, run->arena, ret_text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    if (json_parse(run->arena, *ret_text, ret, &err) < 0)
        return verb_fail(run, "%.*s:%d:%d: %s", STR(path), err.line, err.column, err.message);
    return 0;
}

int policy_write(struct verb_run *run, struct str text)
{
    const struct policy_output_options *o = run->values[POLICY_SET_OUTPUT];
    if (!o->output.n || str_is(o->output, "-")) {
        fwrite(text.p, 1, text.n, stdout);
        return 0;
    }
    int r = fs_write(str_c(run->arena, o->output), text, 0644);
    return r < 0 ? verb_fail(run, "%.*s: %s", STR(o->output), strerror(-r)) : 0;
}

void policy_need_add(struct arena *a, struct needs *needs, const struct need *need)
{
    for (size_t i = 0; i < needs->n; i++) {
        struct need *n = &needs->items[i];
        if (str_eq(n->action, need->action) && str_eq(n->resource, need->resource) &&
            str_eq(n->principal, need->principal) && json_equal(n->context, need->context)) {
            n->count += need->count;
            return;
        }
    }
    struct need *slot = arena_push(a, (void **)&needs->items, &needs->n, &needs->cap, sizeof *slot);
    *slot = *need;
}

int policy_read_record(struct verb_run *run, struct str path, struct needs *ret)
{
    const struct policy_source_options *o = run->values[POLICY_SET_SOURCE];
    struct str text;
    struct json *root;
    int64_t dropped = 0;
    int e = policy_read_json(run, path, &text, &root);
    if (e)
        return e;
    const struct json *list = json_get(root, "decisions");
    if (!str_is(json_get_str(root, "format"), FORMAT) || !json_is(list, JSON_ARRAY))
        return verb_fail(run, "%.*s is no record: its format is not " FORMAT, STR(path));
    if (json_int(json_get(root, "dropped"), &dropped) == 0 && dropped > 0)
        fprintf(stderr, "lamina: policy: %.*s is incomplete: %lld decisions did not fit\n",
                STR(path), (long long)dropped);
    *ret = (struct needs){0};
    JSON_EACH(list, d) {
        struct need need = {
            .principal = json_get_str(d, "principal"),
            .session = json_get_str(d, "session"),
            .action = json_get_str(d, "action"),
            .resource = json_get_str(d, "resource"),
            .context = json_get(d, "context"),
            .time = json_get_str(d, "last"),
            .allowed = json_get(d, "allowed") && json_get(d, "allowed")->boolean,
        };
        if (!need.action.n || !need.resource.n || str_find_byte(need.action, ':') < 1)
            return verb_fail(run, "%.*s:%d: a decision without action or resource", STR(path),
                             d->line);
        json_int(json_get(d, "count"), &need.count);
        if (o->principal.n && !policy_glob(o->principal, need.principal, false) &&
            !policy_glob(o->principal, need.session, false))
            continue;
        struct need *slot =
            arena_push(run->arena, (void **)&ret->items, &ret->n, &ret->cap, sizeof *slot);
        *slot = need;
    }
    if (!ret->n)
        return verb_fail(run, "%.*s has no decisions%s%.*s", STR(path),
                         o->principal.n ? " of " : "", STR(o->principal));
    return 0;
}

static bool one(struct arena *a, struct str value, struct policy_values *ret)
{
    if (!value.n)
        return false;
    ret->items = ARENA_NEW(a, struct str);
    ret->items[0] = value;
    ret->n = 1;
    return true;
}

bool policy_need_value(const struct need *need, struct arena *a, struct str key,
                       struct policy_values *ret)
{
    *ret = (struct policy_values){0};
    JSON_EACH(need->context, m) {
        if (!str_eq_nocase(m->key, key))
            continue;
        ret->items = ARENA_ARRAY(a, struct str, m->n + 1);
        if (m->type == JSON_STRING)
            ret->items[ret->n++] = m->text;
        JSON_EACH(m, v)
            if (v->type == JSON_STRING)
                ret->items[ret->n++] = v->text;
        return ret->n > 0;
    }
    if (str_eq_nocase(key, S("aws:CurrentTime")))
        return one(a, need->time, ret);
    if (str_eq_nocase(key, S("aws:PrincipalArn")))
        return one(a, need->principal, ret);
    return false;
}

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    return policy_need_value(user, a, key, ret);
}

static struct str account_of(struct str arn)
{
    struct str head = {0}, rest = arn;
    for (int i = 0; i < 5; i++)
        str_cut(rest, ':', &head, &rest);
    return head;
}

struct policy_request policy_need_request(struct need *need, struct arena *a)
{
    return (struct policy_request){
        .arena = a,
        .action = need->action,
        .resource = need->resource,
        .who = {.account = account_of(need->principal),
                .arn = need->session.n ? need->session : need->principal,
                .role_arn = need->session.n ? need->principal : (struct str){0}},
        .lookup = lookup,
        .user = need,
    };
}
