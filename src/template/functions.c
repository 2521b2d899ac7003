/* template/functions - maps, conditions, address ranges and the language extensions. */
#include "template/resolving.h"

#include <arpa/inet.h>
#include <errno.h>

static int map_fail(struct resolving *rs, const struct json *arg, struct str map, struct str one,
                    struct str two)
{
    return template_fail(rs->arena, rs->err, arg,
                         "Template error: Unable to get mapping for %.*s::%.*s::%.*s", STR(map),
                         STR(one), STR(two));
}

int fn_find_in_map(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] =
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map "
        "key and the attribute for return value";
    const struct json *fallback = json_get(json_at(arg, 3), "DefaultValue");
    bool extended = arg->n == 4 && fallback && rs->t->language_extensions;
    if (arg->type != JSON_ARRAY || (arg->n != 3 && !extended))
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct str names[3];
    for (size_t i = 0; i < 3; i++) {
        int r = resolve_text(rs, json_at(arg, i), wrong, &names[i]);
        if (r < 0)
            return r;
    }
    const struct json *map = json_find(rs->t->mappings, names[0]);
    const struct json *value = json_find(json_find(map, names[1]), names[2]);
    if (value) {
        *ret = json_copy(rs->arena, value);
        return 0;
    }
    if (extended)
        return resolve_value(rs, fallback, ret);
    if (!map)
        return template_fail(
            rs->arena, rs->err, arg,
            "Template error: Mapping named '%.*s' is not present in the 'Mappings' "
            "section of template.",
            STR(names[0]));
    return map_fail(rs, arg, names[0], names[1], names[2]);
}

int fn_if(struct resolving *rs, const struct json *arg, struct json **ret)
{
    if (arg->type != JSON_ARRAY || arg->n != 3 || !json_is(arg->first, JSON_STRING))
        return template_fail(rs->arena, rs->err, arg,
                             "Template error: Fn::If requires a list argument with the first "
                             "element being a condition and two values");
    bool holds;
    int r = template_condition_holds(rs->t, arg->first->text, &holds, rs->err);
    return r < 0 ? r : resolve_value(rs, json_at(arg, holds ? 1 : 2), ret);
}

/* ---- conditions ---- */

static int evaluate(struct resolving *rs, const struct json *v, bool *ret);

static int evaluate_equals(struct resolving *rs, const struct json *arg, bool *ret)
{
    static const char wrong[] =
        "Template error: every Fn::Equals object requires a list of 2 string parameters.";
    if (arg->type != JSON_ARRAY || arg->n != 2)
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct json *a = NULL, *b = NULL;
    int r;
    if ((r = resolve_value(rs, arg->first, &a)) < 0 ||
        (r = resolve_value(rs, json_at(arg, 1), &b)) < 0)
        return r;
    if (!a || !b)
        return template_fail(rs->arena, rs->err, arg, wrong);
    struct str x = scalar_text(a), y = scalar_text(b);
    *ret = str_has(x) && str_has(y) ? str_eq(x, y) : json_equal(a, b);
    return 0;
}

static int evaluate_many(struct resolving *rs, const struct json *arg, bool all, bool *ret)
{
    if (arg->type != JSON_ARRAY || arg->n < 2 || arg->n > 10)
        return template_fail(rs->arena, rs->err, arg,
                             "Template error: every %.*s object requires a list of at least 2 and "
                             "at most 10 boolean parameters.",
                             STR(arg->key));
    bool result = all;
    JSON_EACH(arg, item) {
        bool one;
        int r = evaluate(rs, item, &one);
        if (r < 0)
            return r;
        result = all ? result && one : result || one;
    }
    *ret = result;
    return 0;
}

static int evaluate(struct resolving *rs, const struct json *v, bool *ret)
{
    if (!template_is_intrinsic(v))
        return template_fail(rs->arena, rs->err, v,
                             "Template format error: Conditions can only be boolean operations on "
                             "parameters and other conditions");
    const struct json *arg = v->first;
    if (str_eq(arg->key, S("Condition")) && arg->type == JSON_STRING)
        return template_condition_holds(rs->t, arg->text, ret, rs->err);
    if (str_eq(arg->key, S("Fn::Equals")))
        return evaluate_equals(rs, arg, ret);
    if (str_eq(arg->key, S("Fn::And")))
        return evaluate_many(rs, arg, true, ret);
    if (str_eq(arg->key, S("Fn::Or")))
        return evaluate_many(rs, arg, false, ret);
    if (str_eq(arg->key, S("Fn::Not"))) {
        if (arg->type != JSON_ARRAY || arg->n != 1)
            return template_fail(
                rs->arena, rs->err, arg,
                "Template error: every Fn::Not object requires one boolean parameter.");
        int r = evaluate(rs, arg->first, ret);
        if (r == 0)
            *ret = !*ret;
        return r;
    }
    return template_fail(rs->arena, rs->err, arg,
                         "Template format error: Conditions can only be boolean operations on "
                         "parameters and other conditions");
}

int template_condition_holds(struct template *t, struct str name, bool *ret,
                             struct template_error *err)
{
    struct template_condition *c = NULL;
    for (size_t i = 0; i < t->n_conditions && !c; i++)
        if (str_eq(t->conditions[i].name, name))
            c = &t->conditions[i];
    if (!c)
        return template_fail(t->arena, err, NULL,
                             "Template format error: Unresolved condition dependency %.*s in the "
                             "Conditions block of the template",
                             STR(name));
    if (c->state == CONDITION_BUSY)
        return template_fail(t->arena, err, c->expression,
                             "Template format error: Found circular condition dependency: %.*s",
                             STR(name));
    if (c->state == CONDITION_UNKNOWN) {
        c->state = CONDITION_BUSY;
        struct resolving rs = {.t = t,
                               .arena = t->arena,
                               .err = err,
                               .block = "Conditions",
                               .used_before = t->arena->used};
        bool holds;
        int r = evaluate(&rs, c->expression, &holds);
        if (r < 0) {
            c->state = CONDITION_UNKNOWN;
            return r;
        }
        c->state = holds ? CONDITION_TRUE : CONDITION_FALSE;
    }
    *ret = c->state == CONDITION_TRUE;
    return 0;
}

/* The boolean functions used as a value. */
int fn_boolean(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct json holder = {.type = JSON_OBJECT, .n = 1};
    struct json only = *arg;
    only.next = NULL;
    holder.first = holder.last = &only;
    bool holds;
    int r = evaluate(rs, &holder, &holds);
    if (r == 0)
        *ret = placed(json_new_bool(rs->arena, holds), arg);
    return r;
}

/* ---- address ranges ---- */

/* Addresses as 16 bytes in network order; IPv4 uses the last four. */
static void add_block(uint8_t address[16], unsigned bit)
{
    unsigned carry = 1u << (bit % 8);
    for (int i = 15 - (int)(bit / 8); i >= 0 && carry; i--) {
        carry += address[i];
        address[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static int parse_block(struct str text, uint8_t ret[16], int *ret_family, int *ret_prefix)
{
    struct str address, prefix;
    char buf[64];
    int64_t n;
    if (!str_cut(text, '/', &address, &prefix) || address.n >= sizeof buf ||
        str_to_int64(prefix, &n) < 0 || n < 0)
        return -EINVAL;
    memcpy(buf, address.p, address.n);
    buf[address.n] = '\0';
    memset(ret, 0, 16);
    if (inet_pton(AF_INET, buf, ret + 12) == 1 && n <= 32)
        *ret_family = AF_INET;
    else if (inet_pton(AF_INET6, buf, ret) == 1 && n <= 128)
        *ret_family = AF_INET6;
    else
        return -EINVAL;
    *ret_prefix = (int)n;
    /* Host bits do not count. */
    int keep = (*ret_family == AF_INET ? 96 : 0) + *ret_prefix;
    for (int bit = keep; bit < 128; bit++)
        ret[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return 0;
}

int fn_cidr(struct resolving *rs, const struct json *arg, struct json **ret)
{
    static const char wrong[] =
        "Template error: every Fn::Cidr object requires two parameters, (1) "
        "a IP address or CIDR block and (2) the number of CIDRs to generate";
    struct str block, count_text, bits_text = S("8");
    int r;
    if (arg->type != JSON_ARRAY || arg->n < 2 || arg->n > 3)
        return template_fail(rs->arena, rs->err, arg, wrong);
    if ((r = resolve_text(rs, arg->first, wrong, &block)) < 0 ||
        (r = resolve_text(rs, json_at(arg, 1), wrong, &count_text)) < 0 ||
        (arg->n == 3 && (r = resolve_text(rs, json_at(arg, 2), wrong, &bits_text)) < 0))
        return r;
    uint8_t address[16];
    int family, prefix;
    int64_t count, bits;
    if (parse_block(block, address, &family, &prefix) < 0)
        return template_fail(rs->arena, rs->err, arg,
                             "Template error: Fn::Cidr cannot parse IP address block %.*s",
                             STR(block));
    int width = family == AF_INET ? 32 : 128;
    if (str_to_int64(count_text, &count) < 0 || count < 1 || count > 256 ||
        str_to_int64(bits_text, &bits) < 0 || bits < 0 || width - bits < prefix ||
        (width - bits - prefix < 8 && count > 1 << (width - bits - prefix)))
        return template_fail(
            rs->arena, rs->err, arg,
            "Template error: Fn::Cidr cannot make %.*s blocks of %.*s bits in %.*s",
            STR(count_text), STR(bits_text), STR(block));
    struct json *list = placed(json_new(rs->arena, JSON_ARRAY), arg);
    for (int64_t i = 0; i < count; i++) {
        char text[64];
        inet_ntop(family, family == AF_INET ? address + 12 : address, text, sizeof text);
        json_add(list, text_at(rs, str_printf(rs->arena, "%s/%d", text, width - (int)bits), arg));
        if (bits < width)
            add_block(address, (unsigned)bits);
    }
    *ret = list;
    return 0;
}

/* ---- AWS::LanguageExtensions ---- */

int fn_length(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct json *list = NULL;
    int r = resolve_value(rs, arg, &list);
    if (r < 0)
        return r;
    if (!json_is(list, JSON_ARRAY))
        return template_fail(rs->arena, rs->err, arg,
                             "Transform AWS::LanguageExtensions failed with: Fn::Length layout is "
                             "incorrect");
    *ret = placed(json_new_int(rs->arena, (int64_t)list->n), arg);
    return 0;
}

int fn_to_json(struct resolving *rs, const struct json *arg, struct json **ret)
{
    struct json *value = NULL;
    int r = resolve_value(rs, arg, &value);
    if (r < 0)
        return r;
    if (!json_is(value, JSON_OBJECT) && !json_is(value, JSON_ARRAY))
        return template_fail(rs->arena, rs->err, arg,
                             "Transform AWS::LanguageExtensions failed with: Fn::ToJsonString "
                             "layout is incorrect");
    *ret = text_at(rs, json_text(rs->arena, value, -1), arg);
    return 0;
}
