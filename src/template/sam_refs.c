/* template/sam_refs - references rewritten by the transform: to parameters, to renamed and derived
 * ones. */
#include "template/sam_inside.h"

#include <errno.h>

/* Ref, Fn::Sub or Fn::GetAtt when that is the only member. */
static struct json *only(struct json *v, const char *name)
{
    if (v->type != JSON_OBJECT || v->n != 1 || !str_is(v->first->key, name))
        return NULL;
    return v->first;
}

/* The text of Fn::Sub in either form. */
static struct json *sub_text(struct json *v)
{
    struct json *arg = only(v, "Fn::Sub");
    if (json_is(arg, JSON_ARRAY))
        arg = arg->first;
    return json_is(arg, JSON_STRING) ? arg : NULL;
}

/* Only these are references to the transform: [A-Za-z0-9.]+ or AWS::Name. */
static bool is_reference(struct str name)
{
    struct str rest = name;
    if (str_starts(name, S("AWS::"))) {
        rest = str_slice(name, 5, name.n);
        if (!rest.n || rest.p[0] < 'A' || rest.p[0] > 'Z')
            return false;
    }
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (rest.n != name.n || !((c >= '0' && c <= '9') || c == '.')))
            return false;
    }
    return rest.n > 0;
}

static void replace_all(struct buf *b, struct str text, struct str what, struct str with)
{
    for (;;) {
        ssize_t at = str_find(text, what);
        if (at < 0)
            break;
        buf_str(b, str_slice(text, 0, (size_t)at));
        buf_str(b, with);
        text = str_slice(text, (size_t)at + what.n, text.n);
    }
    buf_str(b, text);
}

typedef int sub_rewrite(struct sam *s, struct str name, struct buf *out);

/* Calls rewrite for every ${name}; it writes what stands there instead. */
static int rewrite_sub(struct sam *s, struct json *text, sub_rewrite *rewrite)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    struct str rest = text->text;
    int r = 0;
    while (r == 0) {
        ssize_t at = str_find(rest, S("${"));
        if (at < 0)
            break;
        buf_str(&b, str_slice(rest, 0, (size_t)at));
        rest = str_slice(rest, (size_t)at + 2, rest.n);
        ssize_t end = str_find_byte(rest, '}');
        struct str name = str_slice(rest, 0, end < 0 ? 0 : (size_t)end);
        if (end <= 0 || !is_reference(name)) {
            buf_text(&b, "${");
            continue;
        }
        rest = str_slice(rest, (size_t)end + 1, rest.n);
        r = rewrite(s, name, &b);
    }
    buf_str(&b, rest);
    text->text = buf_copy(&b, s->arena);
    buf_done(&b);
    return r;
}

/* ---- parameters ---- */

static const struct json *parameter(struct sam *s, struct str name)
{
    const struct json *value = json_find(s->params, name);
    /* What CloudFormation passes for values of nested stacks that do not exist yet. */
    if (json_is(value, JSON_STRING) && str_starts(value->text, S("{{IntrinsicFunction:")))
        return NULL;
    return value;
}

static int sub_parameter(struct sam *s, struct str name, struct buf *out)
{
    const struct json *value = parameter(s, name);
    if (!value) {
        buf_printf(out, "${%.*s}", STR(name));
        return 0;
    }
    if (value->type != JSON_STRING)
        return sam_fatal(s, (struct str){0},
                         "Structure of the SAM template is invalid. Invalid Fn::Sub variable value "
                         "%.*s. Fn::Sub expects all variables to be strings.",
                         STR(python_text(s, value)));
    buf_str(out, value->text);
    return 0;
}

static int resolve_below(struct sam *s, struct json *v)
{
    for (struct json *child = v->first; child; child = child->next) {
        struct json *ref = only(child, "Ref");
        const struct json *value = json_is(ref, JSON_STRING) ? parameter(s, ref->text) : NULL;
        if (value) {
            /* The value takes the node's place: its name and its sibling stay. */
            struct json *copy = json_copy(s->arena, value), kept = *child;
            *child = *copy;
            child->key = kept.key;
            child->key_line = kept.key_line;
            child->key_column = kept.key_column;
            child->line = kept.line;
            child->column = kept.column;
            child->next = kept.next;
            continue;
        }
        struct json *text = sub_text(child);
        int r = text ? rewrite_sub(s, text, sub_parameter) : 0;
        if (r == 0)
            r = resolve_below(s, child);
        if (r < 0)
            return r;
    }
    return 0;
}

int resolve_parameters(struct sam *s, struct json **v)
{
    if (!*v)
        return 0;
    struct json *ref = only(*v, "Ref");
    const struct json *value = json_is(ref, JSON_STRING) ? parameter(s, ref->text) : NULL;
    if (value) {
        *v = json_copy(s->arena, value);
        return 0;
    }
    struct json *text = sub_text(*v);
    int r = text ? rewrite_sub(s, text, sub_parameter) : 0;
    return r < 0 ? r : resolve_below(s, *v);
}

/* ---- names ---- */

/* ["A.b", "c"] -> A, b, c; NULL when it is no list of at least two texts. */
static struct str *att_parts(struct sam *s, const struct json *arg, size_t *ret_n)
{
    if (!json_is(arg, JSON_ARRAY) || arg->n < 2)
        return NULL;
    struct str *texts = ARENA_ARRAY(s->arena, struct str, arg->n);
    size_t n = 0, dots = 0;
    JSON_EACH(arg, item) {
        if (item->type != JSON_STRING)
            return NULL;
        for (size_t i = 0; i < item->text.n; i++)
            dots += item->text.p[i] == '.';
        texts[n++] = item->text;
    }
    struct str all = str_join(s->arena, S("."), texts, n), head;
    struct str *parts = ARENA_ARRAY(s->arena, struct str, n + dots + 1);
    bool more = true;
    for (*ret_n = 0; more; parts[(*ret_n)++] = head)
        more = str_cut(all, '.', &head, &all);
    return parts;
}

static void set_att(struct sam *s, struct json *arg, struct str id, const struct str *rest,
                    size_t n)
{
    arg->first = arg->last = NULL;
    arg->n = 0;
    json_add(arg, json_new_str(s->arena, id));
    for (size_t i = 0; i < n; i++)
        json_add(arg, json_new_str(s->arena, rest[i]));
}

static int sub_renamed(struct sam *s, struct str name, struct buf *out)
{
    struct str head, rest;
    str_cut(name, '.', &head, &rest);
    const struct json *to = json_find(s->changed, head);
    if (to)
        replace_all(out, str_printf(s->arena, "${%.*s}", STR(name)), head, to->text);
    else
        buf_printf(out, "${%.*s}", STR(name));
    return 0;
}

static void rename_walk(struct sam *s, struct json *v)
{
    struct json *arg = only(v, "Ref"), *text = sub_text(v);
    const struct json *to;
    if (json_is(arg, JSON_STRING) && (to = json_find(s->changed, arg->text)))
        arg->text = to->text;
    if (text)
        rewrite_sub(s, text, sub_renamed);
    size_t n;
    struct str *parts;
    if ((arg = only(v, "Fn::GetAtt")) && (parts = att_parts(s, arg, &n)) &&
        (to = json_find(s->changed, parts[0])))
        set_att(s, arg, to->text, parts + 1, n - 1);
    JSON_EACH(v, child)
        rename_walk(s, child);
}

void rename_resources(struct sam *s, struct json *v)
{
    if (s->changed->n)
        rename_walk(s, v);
}

static const struct json *derived(struct sam *s, struct str id, struct str property)
{
    return json_find(json_find(s->derived, id), property);
}

static int sub_derived(struct sam *s, struct str name, struct buf *out)
{
    struct str id, rest, property;
    const struct json *to = NULL;
    if (str_cut(name, '.', &id, &rest)) {
        str_cut(rest, '.', &property, &rest);
        to = derived(s, id, property);
    }
    if (to)
        replace_all(out, str_printf(s->arena, "${%.*s}", STR(name)),
                    str_printf(s->arena, "%.*s.%.*s", STR(id), STR(property)), to->text);
    else
        buf_printf(out, "${%.*s}", STR(name));
    return 0;
}

static void derive_walk(struct sam *s, struct json *v)
{
    struct json *arg = only(v, "Ref"), *text = sub_text(v);
    const struct json *to;
    struct str id, property;
    if (json_is(arg, JSON_STRING) && str_cut(arg->text, '.', &id, &property) &&
        (to = derived(s, id, property)))
        arg->text = to->text;
    if (text)
        rewrite_sub(s, text, sub_derived);
    size_t n;
    struct str *parts;
    if ((arg = only(v, "Fn::GetAtt")) && (parts = att_parts(s, arg, &n)) &&
        (to = derived(s, parts[0], parts[1])))
        set_att(s, arg, to->text, parts + 2, n - 2);
    JSON_EACH(v, child)
        derive_walk(s, child);
}

void resolve_derived(struct sam *s, struct json *v)
{
    if (s->derived->n)
        derive_walk(s, v);
}
