/* stack_policy - see the header. */
#include "service/cloudformation/stack_policy.h"
#include <errno.h>
#include "base/json.h"
#include "service/policy.h"

#define LOGICAL "LogicalResourceId/"

struct words {
    struct str *items;
    size_t n;
    bool has;
};

struct statement {
    bool allows, not_action, not_resource;
    struct words actions, resources, equals, like;
};

struct stack_policy {
    struct statement *items;
    size_t n;
};

/* A text, or a list of some. */
static int words_of(struct arena *a, const struct json *v, struct words *ret)
{
    if (ret->has)
        return -EBADMSG;
    ret->has = true;
    if (json_is(v, JSON_STRING)) {
        ret->items = ARENA_NEW(a, struct str);
        ret->items[ret->n++] = v->text;
        return 0;
    }
    if (!json_is(v, JSON_ARRAY) || !v->n)
        return -EBADMSG;
    ret->items = ARENA_ARRAY(a, struct str, v->n);
    JSON_EACH(v, item) {
        if (item->type != JSON_STRING)
            return -EBADMSG;
        ret->items[ret->n++] = item->text;
    }
    return 0;
}

static int parse_condition(struct arena *a, const struct json *v, struct statement *s)
{
    if (v->type != JSON_OBJECT)
        return -EBADMSG;
    JSON_EACH(v, test) {
        struct words *to = str_is(test->key, "StringEquals") ? &s->equals
                           : str_is(test->key, "StringLike") ? &s->like
                                                             : NULL;
        const struct json *type = json_get(test, "ResourceType");
        if (!to || test->type != JSON_OBJECT || test->n != 1 || !type || words_of(a, type, to) < 0)
            return -EBADMSG;
    }
    return 0;
}

static bool is_everybody(const struct json *v)
{
    if (json_is(v, JSON_OBJECT))
        v = v->n == 1 ? json_get(v, "AWS") : NULL;
    return json_is(v, JSON_STRING) && str_is(v->text, "*");
}

static int parse_member(struct arena *a, const struct json *v, struct statement *s)
{
    struct str name = v->key;
    if (str_is(name, "Effect")) {
        s->allows = json_is(v, JSON_STRING) && str_is(v->text, "Allow");
        return s->allows || (json_is(v, JSON_STRING) && str_is(v->text, "Deny")) ? 0 : -EBADMSG;
    }
    if (str_is(name, "Action") || str_is(name, "NotAction")) {
        s->not_action = s->not_action || str_is(name, "NotAction");
        return words_of(a, v, &s->actions);
    }
    if (str_is(name, "Resource") || str_is(name, "NotResource")) {
        s->not_resource = s->not_resource || str_is(name, "NotResource");
        return words_of(a, v, &s->resources);
    }
    if (str_is(name, "Principal"))
        return is_everybody(v) ? 0 : -EBADMSG;
    if (str_is(name, "Condition"))
        return parse_condition(a, v, s);
    return str_is(name, "Sid") && v->type == JSON_STRING ? 0 : -EBADMSG;
}

static int parse_statement(struct arena *a, const struct json *v, struct statement *s)
{
    static const char *const known[] = {"Update:Modify", "Update:Replace", "Update:Delete"};
    if (!json_is(v, JSON_OBJECT) || !json_get(v, "Effect") || !json_get(v, "Principal"))
        return -EBADMSG;
    JSON_EACH(v, member)
        if (parse_member(a, member, s) < 0)
            return -EBADMSG;
    if (!s->actions.has || !s->resources.has)
        return -EBADMSG;
    for (size_t i = 0; i < s->actions.n; i++) {
        bool is_known = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            is_known = is_known || policy_glob(s->actions.items[i], str_from(known[k]), false);
        if (!is_known || !str_starts(s->actions.items[i], S("Update:")))
            return -EBADMSG;
    }
    for (size_t i = 0; i < s->resources.n; i++)
        if (!str_is(s->resources.items[i], "*") && !str_starts(s->resources.items[i], S(LOGICAL)))
            return -EBADMSG;
    return 0;
}

int stack_policy_parse(struct arena *a, struct str text, struct stack_policy **ret)
{
    struct json *root;
    if (json_parse(a, text, &root, NULL) < 0 || root->type != JSON_OBJECT)
        return -EBADMSG;
    *ret = NULL;
    if (!root->n)
        return 0;
    JSON_EACH(root, member)
        if (!str_is(member->key, "Statement") && !str_is(member->key, "Version") &&
            !str_is(member->key, "Id"))
            return -EBADMSG;
    const struct json *list = json_get(root, "Statement");
    struct stack_policy *p = ARENA_NEW(a, struct stack_policy);
    bool many = json_is(list, JSON_ARRAY);
    if (!list || (many && !list->n))
        return -EBADMSG;
    p->items = ARENA_ARRAY(a, struct statement, many ? list->n : 1);
    for (const struct json *v = many ? list->first : list; v; v = many ? v->next : NULL)
        if (parse_statement(a, v, &p->items[p->n++]) < 0)
            return -EBADMSG;
    *ret = p;
    return 0;
}

struct str stack_policy_unknown(const struct stack_policy *p,
                                bool (*has)(void *user, struct str logical_id), void *user)
{
    for (size_t i = 0; p && i < p->n; i++)
        for (size_t k = 0; k < p->items[i].resources.n; k++) {
            struct str name = p->items[i].resources.items[k];
            if (str_starts(name, S(LOGICAL)) && str_find_byte(name, '*') < 0 &&
                str_find_byte(name, '?') < 0 &&
                !has(user, str_slice(name, sizeof LOGICAL - 1, name.n)))
                return name;
        }
    return (struct str){0};
}

static bool any(const struct words *patterns, struct str text)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (policy_glob(patterns->items[i], text, false))
            return true;
    return false;
}

static bool equal(const struct words *words, struct str text)
{
    for (size_t i = 0; i < words->n; i++)
        if (str_eq(words->items[i], text))
            return true;
    return false;
}

static bool speaks_of(const struct statement *s, struct str action, struct str resource,
                      struct str type)
{
    return any(&s->actions, action) != s->not_action &&
           any(&s->resources, resource) != s->not_resource &&
           (!s->equals.has || equal(&s->equals, type)) && (!s->like.has || any(&s->like, type));
}

bool stack_policy_allows(struct arena *a, const struct stack_policy *p, const char *action,
                         struct str logical_id, struct str type, struct str *ret_why)
{
    struct str resource = str_printf(a, LOGICAL "%.*s", STR(logical_id));
    bool allowed = !p;
    for (size_t i = 0; p && i < p->n; i++) {
        const struct statement *s = &p->items[i];
        if (!speaks_of(s, str_from(action), resource, type))
            continue;
        if (!s->allows) {
            *ret_why = str_printf(a,
                                  "Action denied by stack policy: Statement [#%zu] does not allow "
                                  "[%s] for resource [%.*s]",
                                  i + 1, action, STR(resource));
            return false;
        }
        allowed = true;
    }
    if (!allowed)
        *ret_why = str_printf(a,
                              "Action not allowed by stack policy: No statement allows [%s] for "
                              "resource [%.*s]",
                              action, STR(resource));
    return allowed;
}
