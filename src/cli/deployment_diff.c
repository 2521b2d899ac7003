/* deployment_diff - what two deployments, or two states of a function, differ in. Pure. */
#include "base/cleanup.h"
#include "cli/deployment.h"

static void add(struct arena *a, struct deployment_changes *c, struct str where, struct str what,
                const struct json *from, const struct json *to)
{
    *(struct deployment_change *)arena_push(a, (void **)&c->items, &c->n, &c->cap,
                                            sizeof *c->items) =
        (struct deployment_change){where, what, from, to};
}

/* Two values, member by member where both are objects. */
static void compare(struct arena *a, struct str where, struct str what, const struct json *from,
                    const struct json *to, struct deployment_changes *ret)
{
    if (!from && !to)
        return;
    if (deployment_is_redacted(from) || deployment_is_redacted(to))
        return;
    if (json_is(from, JSON_OBJECT) && json_is(to, JSON_OBJECT)) {
        struct str dot = what.n ? S(".") : S("");
        JSON_EACH(from, v)
            compare(a, where, str_printf(a, "%.*s%.*s%.*s", STR(what), STR(dot), STR(v->key)), v,
                    json_find(to, v->key), ret);
        JSON_EACH(to, v)
            if (!json_find(from, v->key))
                compare(a, where, str_printf(a, "%.*s%.*s%.*s", STR(what), STR(dot), STR(v->key)),
                        NULL, v, ret);
        return;
    }
    if (!from || !to || !json_equal(from, to))
        add(a, ret, where, what, from, to);
}

/* ---- functions ---- */

static bool same_layers(const struct json *from, const struct json *to, bool by_content)
{
    const struct json *x = from ? from->first : NULL, *y = to ? to->first : NULL;
    for (; x && y; x = x->next, y = y->next) {
        struct str one = json_get_str(x, "sha256"), other = json_get_str(y, "sha256");
        bool same = str_eq(json_get_str(x, "arn"), json_get_str(y, "arn"));
        if (!same && (!by_content || !one.n || !str_eq(one, other)))
            return false;
    }
    return !x && !y;
}

static struct json *arns(struct arena *a, const struct json *layers)
{
    struct json *list = json_new(a, JSON_ARRAY);
    JSON_EACH(layers, l)
        json_add(list, json_new_str(a, json_get_str(l, "arn")));
    return list;
}

static struct json *alias_named(const struct json *aliases, struct str name)
{
    JSON_EACH(aliases, v)
        if (str_eq(json_get_str(v, "name"), name))
            return v;
    return NULL;
}

static struct json *alias_value(struct arena *a, const struct json *alias)
{
    if (!alias)
        return NULL;
    struct str text = json_get_str(alias, "version");
    JSON_EACH(json_get(alias, "weights"), w)
        text = str_printf(a, "%.*s, %.*s: %.*s", STR(text), STR(w->key), STR(w->text));
    return json_new_str(a, text);
}

static bool same_alias(const struct json *x, const struct json *y, bool by_content)
{
    const struct json *wx = json_get(x, "weights"), *wy = json_get(y, "weights");
    struct str sx = json_get_str(x, "sha256"), sy = json_get_str(y, "sha256");
    if (!x || !y || !str_eq(json_get_str(x, "description"), json_get_str(y, "description")))
        return false;
    if (str_eq(json_get_str(x, "version"), json_get_str(y, "version")))
        return (!wx && !wy) || (wx && wy && json_equal(wx, wy));
    return by_content && !wx && !wy && sx.n && str_eq(sx, sy);
}

static void diff_aliases(struct arena *a, struct str where, const struct json *from,
                         const struct json *to, bool by_content, struct deployment_changes *ret)
{
    JSON_EACH(from, v) {
        const struct json *other = alias_named(to, json_get_str(v, "name"));
        if (!same_alias(v, other, by_content))
            add(a, ret, where, str_printf(a, "alias %.*s", STR(json_get_str(v, "name"))),
                alias_value(a, v), alias_value(a, other));
    }
    JSON_EACH(to, v)
        if (!alias_named(from, json_get_str(v, "name")))
            add(a, ret, where, str_printf(a, "alias %.*s", STR(json_get_str(v, "name"))), NULL,
                alias_value(a, v));
}

void deployment_diff_function(struct arena *a, struct str where, const struct json *from,
                              const struct json *to, bool by_content,
                              struct deployment_changes *ret)
{
    const struct json *x = json_get(json_get(from, "code"), "sha256"),
                      *y = json_get(json_get(to, "code"), "sha256");
    if (!x || !y || !json_equal(x, y))
        add(a, ret, where, S("code"), x, y);
    const struct json *lx = json_get(from, "layers"), *ly = json_get(to, "layers");
    if (!same_layers(lx, ly, by_content))
        add(a, ret, where, S("layers"), arns(a, lx), arns(a, ly));
    struct json *cx = json_copy(a, json_get(from, "configuration")),
                *cy = json_copy(a, json_get(to, "configuration"));
    static const char *const told[] = {"CodeSha256", "CodeSize", "Layers", "ConfigSha256"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        json_remove(cx, str_from(told[i]));
        json_remove(cy, str_from(told[i]));
    }
    compare(a, where, S("configuration"), cx, cy, ret);
    compare(a, where, S("reserved_concurrency"), json_get(from, "reserved_concurrency"),
            json_get(to, "reserved_concurrency"), ret);
    diff_aliases(a, where, json_get(from, "aliases"), json_get(to, "aliases"), by_content, ret);
    deployment_diff_settings(a, where, from, to, by_content, ret);
}

static struct str renamed(struct arena *a, struct str text, const struct json *from,
                          const struct json *to)
{
    JSON_EACH(from, f) {
        struct str now = json_str(json_find(to, f->key));
        ssize_t at = f->text.n >= 4 ? str_find(text, f->text) : -1;
        if (at < 0 || !now.n || str_eq(now, f->text))
            continue;
        return str_printf(a, "%.*s%.*s%.*s", (int)at, text.p, STR(now),
                          STR(str_slice(text, (size_t)at + f->text.n, text.n)));
    }
    return text;
}

static void rename_in(struct arena *a, struct json *v, const struct json *from,
                      const struct json *to)
{
    if (v->type == JSON_STRING)
        v->text = renamed(a, v->text, from, to);
    JSON_EACH(v, item)
        rename_in(a, item, from, to);
}

struct json *deployment_rename(struct arena *a, const struct json *entry, const struct json *from,
                               const struct json *to)
{
    struct json *copy = json_copy(a, entry);
    static const char *const members[] = {"configuration", "event_invoke", "permissions"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_get(copy, members[i]))
            rename_in(a, json_get(copy, members[i]), from, to);
    return copy;
}

struct json *deployment_entry(const struct json *record, const struct json *like)
{
    struct str logical = json_get_str(like, "logical_id"), name = json_get_str(like, "name");
    JSON_EACH(json_get(record, "functions"), f) {
        struct str other = json_get_str(f, "logical_id");
        if (logical.n && other.n ? str_eq(logical, other) : str_eq(name, json_get_str(f, "name")))
            return f;
    }
    return NULL;
}

static struct str label(const struct json *f)
{
    struct str logical = json_get_str(f, "logical_id");
    return logical.n ? logical : json_get_str(f, "name");
}

void deployment_diff(struct arena *a, const struct json *from, const struct json *to,
                     struct deployment_changes *ret)
{
    static const char *const simple[] = {"template", "parameters", "tags", "capabilities", "git"};
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        const struct json *x = json_get(from, simple[i]), *y = json_get(to, simple[i]);
        if (!strcmp(simple[i], "template")) {
            x = json_get(x, "sha256");
            y = json_get(y, "sha256");
        }
        compare(a, str_from(simple[i]), (struct str)S_INIT(""), x, y, ret);
    }
    JSON_EACH(json_get(from, "functions"), f) {
        const struct json *other = deployment_entry(to, f);
        if (other)
            deployment_diff_function(a, label(f), f, other, false, ret);
        else
            add(a, ret, label(f), S("function"), json_get(f, "name"), NULL);
    }
    JSON_EACH(json_get(to, "functions"), f)
        if (!deployment_entry(from, f))
            add(a, ret, label(f), S("function"), NULL, json_get(f, "name"));
}

/* ---- shown ---- */

struct str deployment_show(struct arena *a, const struct json *v, size_t max)
{
    if (!v)
        return (struct str){0};
    struct str text = v->type == JSON_STRING ? v->text : json_text(a, v, -1);
    if (deployment_is_redacted(v))
        text = S("(NoEcho)");
    return text.n > max ? str_printf(a, "%.*s...", (int)(max - 3), text.p) : text;
}

struct json *deployment_changes_json(struct arena *a, const struct deployment_changes *c)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < c->n; i++) {
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, o, S("where"), json_new_str(a, c->items[i].where));
        json_set(a, o, S("what"), json_new_str(a, c->items[i].what));
        json_set(a, o, S("from"),
                 c->items[i].from ? json_copy(a, c->items[i].from) : json_new(a, JSON_NULL));
        json_set(a, o, S("to"),
                 c->items[i].to ? json_copy(a, c->items[i].to) : json_new(a, JSON_NULL));
    }
    return list;
}
