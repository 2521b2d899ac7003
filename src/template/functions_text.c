/* template/functions_text - joining, splitting, selecting, Base64: texts and lists of texts. */
#include "template/resolving.h"

#include "base/digest.h"

int fn_join(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] =
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
        "(2) a list of strings to be joined or a function that returns a list of strings (such as "
        "Fn::GetAZs) to be joined.";
    if (arg->type != JSON_ARRAY || arg->n != 2 || !json_is(arg->first, JSON_STRING))
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct json *list = NULL;
    int r = resolve_value(rs, json_at(arg, 1), &list);
    if (r < 0)
        return r;
    if (!json_is(list, JSON_ARRAY))
        return template_fail(rs->arena, rs->err, arg, wrong);
    size_t bytes = 0;
    struct str *parts = ARENA_ARRAY(rs->arena, struct str, list->n + 1);
    size_t n = 0;
    JSON_EACH(list, item) {
        parts[n] = scalar_text(item);
        if (!str_has(parts[n]))
            return template_fail(rs->arena, rs->err, item, wrong);
        bytes += parts[n++].n + arg->first->text.n;
    }
    if (bytes > RESOLVED_MAX)
        return template_fail(rs->arena, rs->err, arg, "Template error: the value is too long");
    *ret = text_at(rs, str_join(rs->arena, arg->first->text, parts, n), arg);
    return 0;
}

int fn_select(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] = "Template error: Fn::Select requires a list argument with two "
                                "elements: an integer index and a list";
    if (arg->type != JSON_ARRAY || arg->n != 2)
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct str index;
    int r = resolve_text(rs, arg->first, wrong, &index);
    if (r < 0)
        return r;
    struct json *list = NULL;
    r = resolve_value(rs, json_at(arg, 1), &list);
    if (r < 0)
        return r;
    int64_t i;
    if (!json_is(list, JSON_ARRAY) || str_to_int64(index, &i) < 0)
        return template_fail(rs->arena, rs->err, arg, wrong);
    if (i < 0 || (size_t)i >= list->n)
        return template_fail(rs->arena, rs->err, arg,
                             "Template error: Fn::Select cannot select nonexistent value at index "
                             "%.*s",
                             STR(index));
    *ret = json_copy(rs->arena, json_at(list, (size_t)i));
    return 0;
}

int fn_split(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] =
        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter "
        "and (2) a string to be split or a function that returns a string to be split.";
    if (arg->type != JSON_ARRAY || arg->n != 2 || !json_is(arg->first, JSON_STRING) ||
        !arg->first->text.n)
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct str text, sep = arg->first->text;
    int r = resolve_text(rs, json_at(arg, 1), wrong, &text);
    if (r < 0)
        return r;
    struct json *list = placed(json_new(rs->arena, JSON_ARRAY), arg);
    for (;;) {
        ssize_t at = str_find(text, sep);
        struct str piece = at < 0 ? text : str_slice(text, 0, (size_t)at);
        json_add(list, text_at(rs, piece, arg));
        if (at < 0)
            break;
        text = str_slice(text, (size_t)at + sep.n, text.n);
    }
    *ret = list;
    return 0;
}

int fn_base64(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct str text;
    int r = resolve_text(
        rs, arg, "Template error: every Fn::Base64 object must have a String-typed value.", &text);
    if (r < 0)
        return r;
    *ret = text_at(rs, base64_encode(rs->arena, text), arg);
    return 0;
}
