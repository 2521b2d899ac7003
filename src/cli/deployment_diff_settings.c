/* deployment_diff_settings - what two states of a function differ in besides code and
 * configuration: see deployment.h. Pure. */
#include <ctype.h>
#include "base/cleanup.h"
#include "cli/deployment.h"

static bool has_mark(const struct json *v)
{
    if (deployment_is_redacted(v))
        return true;
    JSON_EACH(v, item)
        if (has_mark(item))
            return true;
    return false;
}

static void add(struct arena *a, struct deployment_changes *c, struct str where, struct str what,
                const struct json *from, const struct json *to)
{
    if (has_mark(from) || has_mark(to))
        return;
    *(struct deployment_change *)arena_push(a, (void **)&c->items, &c->n, &c->cap,
                                            sizeof *c->items) =
        (struct deployment_change){where, what, from, to};
}

static bool is_version(struct str qualifier)
{
    for (size_t i = 0; i < qualifier.n; i++)
        if (!isdigit((unsigned char)qualifier.p[i]))
            return false;
    return qualifier.n > 0;
}

static void diff_map(struct arena *a, struct str where, const char *word, const struct json *from,
                     const struct json *to, bool no_versions, struct deployment_changes *ret)
{
    JSON_EACH(from, v) {
        const struct json *other = json_find(to, v->key);
        if ((!other || !json_equal(v, other)) && !(no_versions && is_version(v->key)))
            add(a, ret, where, str_printf(a, "%s %.*s", word, STR(v->key)), v, other);
    }
    JSON_EACH(to, v)
        if (!json_find(from, v->key) && !(no_versions && is_version(v->key)))
            add(a, ret, where, str_printf(a, "%s %.*s", word, STR(v->key)), NULL, v);
}

static const struct json *statement(const struct json *list, struct str sid)
{
    JSON_EACH(list, s)
        if (str_eq(json_get_str(s, "Sid"), sid))
            return s;
    return NULL;
}

/* Statements that a stack makes again have other ids. */
static bool has_statement(struct arena *a, const struct json *list, const struct json *s,
                          bool by_content)
{
    struct json *x = json_copy(a, s);
    if (by_content)
        json_remove(x, S("Sid"));
    JSON_EACH(list, other) {
        struct json *y = json_copy(a, other);
        if (by_content)
            json_remove(y, S("Sid"));
        if (json_equal(x, y))
            return true;
    }
    return false;
}

static void diff_policy(struct arena *a, struct str where, struct str qualifier,
                        const struct json *from, const struct json *to, bool by_content,
                        struct deployment_changes *ret)
{
    JSON_EACH(from, s) {
        struct str sid = json_get_str(s, "Sid");
        if (!has_statement(a, to, s, by_content))
            add(a, ret, where, str_printf(a, "permission %.*s %.*s", STR(qualifier), STR(sid)), s,
                statement(to, sid));
    }
    JSON_EACH(to, s) {
        struct str sid = json_get_str(s, "Sid");
        if (!statement(from, sid) && !has_statement(a, from, s, by_content))
            add(a, ret, where, str_printf(a, "permission %.*s %.*s", STR(qualifier), STR(sid)),
                NULL, s);
    }
}

void deployment_diff_settings(struct arena *a, struct str where, const struct json *from,
                              const struct json *to, bool by_content,
                              struct deployment_changes *ret)
{
    static const struct {
        const char *member, *word;
    } maps[] = {{"tags", "tag"},
                {"event_invoke", "retries"},
                {"urls", "url"},
                {"provisioned", "provisioned concurrency"}};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        const struct json *x = json_get(from, maps[i].member), *y = json_get(to, maps[i].member);
        if (x && y && !deployment_is_redacted(x) && !deployment_is_redacted(y))
            diff_map(a, where, maps[i].word, x, y, by_content && i > 0, ret);
    }
    const struct json *x = json_get(from, "recursive_loop"), *y = json_get(to, "recursive_loop");
    if (x && y && !json_equal(x, y))
        add(a, ret, where, S("recursion"), x, y);
    x = json_get(from, "permissions");
    y = json_get(to, "permissions");
    if (!x || !y)
        return;
    JSON_EACH(x, list)
        diff_policy(a, where, list->key, list, json_find(y, list->key), by_content, ret);
    JSON_EACH(y, list)
        if (!json_find(x, list->key))
            diff_policy(a, where, list->key, NULL, list, by_content, ret);
}
