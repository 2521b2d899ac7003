/* template/sam_build - small things the transform builds with. */
#include "template/sam_inside.h"

#include "base/digest.h"
#include "base/utf8.h"

bool is_none(const struct json *v)
{
    return !v || v->type == JSON_NULL;
}

bool truthy(const struct json *v)
{
    if (is_none(v))
        return false;
    switch (v->type) {
    case JSON_BOOL:
        return v->boolean;
    case JSON_STRING:
        return v->text.n > 0;
    case JSON_NUMBER: {
        char text[64] = "";
        memcpy(text, v->text.p, v->text.n < sizeof text ? v->text.n : sizeof text - 1);
        return strtod(text, NULL) != 0;
    }
    default:
        return v->n > 0;
    }
}

bool is_no_value(const struct json *v)
{
    return json_is(v, JSON_OBJECT) && v->n == 1 && str_is(json_get_str(v, "Ref"), "AWS::NoValue");
}

bool is_if(const struct json *v)
{
    return json_is(v, JSON_OBJECT) && v->n == 1 && json_get(v, "Fn::If");
}

struct json *put(struct sam *s, struct json *object, const char *key, const struct json *v)
{
    if (!is_none(v))
        json_set(s->arena, object, str_from(key), json_copy(s->arena, v));
    return object;
}

struct json *put_text(struct sam *s, struct json *object, const char *key, struct str text)
{
    json_set(s->arena, object, str_from(key), json_new_str(s->arena, text));
    return object;
}

struct json *ref_to(struct sam *s, struct str id)
{
    return put_text(s, json_new(s->arena, JSON_OBJECT), "Ref", id);
}

struct json *att_of(struct sam *s, struct str id, const char *name)
{
    struct json *pair = json_new(s->arena, JSON_ARRAY);
    json_add(pair, json_new_str(s->arena, id));
    json_add(pair, json_new_str(s->arena, str_from(name)));
    struct json *object = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, object, S("Fn::GetAtt"), pair);
    return object;
}

struct json *from_text(struct sam *s, const char *json_with_apostrophes)
{
    char *text = str_c(s->arena, str_from(json_with_apostrophes));
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    struct json *v;
    if (json_parse(s->arena, str_from(text), &v, NULL) < 0)
        abort(); /* our own data */
    return v;
}

struct json *passed_attributes(struct sam *s)
{
    static const char *const names[] = {"Condition", "DeletionPolicy", "UpdateReplacePolicy", NULL};
    struct json *attributes = json_new(s->arena, JSON_OBJECT);
    for (const char *const *n = names; *n; n++)
        if (json_get(s->resource, *n))
            json_set(s->arena, attributes, str_from(*n),
                     json_copy(s->arena, json_get(s->resource, *n)));
    return attributes;
}

struct json *generate(struct sam *s, struct str id, const char *type, const struct json *attributes,
                      struct json **ret_properties)
{
    struct json *resource = json_new(s->arena, JSON_OBJECT);
    resource->line = s->resource->line;
    resource->column = s->resource->column;
    put_text(s, resource, "Type", str_from(type));
    JSON_EACH(attributes, attribute)
        json_set(s->arena, resource, attribute->key, json_copy(s->arena, attribute));
    struct json *properties = json_new(s->arena, JSON_OBJECT);
    json_set(s->arena, resource, S("Properties"), properties);
    json_set(s->arena, s->generated, id, resource);
    resource->key_line = s->resource->key_line;
    resource->key_column = s->resource->key_column;
    *ret_properties = properties;
    return resource;
}

struct json *tag_list(struct sam *s, const struct json *tags, bool with_sam)
{
    struct json *list = json_new(s->arena, JSON_ARRAY);
    if (with_sam)
        json_add(list, from_text(s, "{'Key':'lambda:createdBy','Value':'SAM'}"));
    JSON_EACH(tags, tag) {
        struct json *one = put_text(s, json_new(s->arena, JSON_OBJECT), "Key", tag->key);
        if (is_none(tag))
            put_text(s, one, "Value", S(""));
        json_add(list, put(s, one, "Value", tag));
    }
    return list;
}

/* ---- Python's json.dumps(data, separators=(",", ":"), sort_keys=True) ---- */

static void dump_text(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    const char *p = s.p, *end = s.p + s.n;
    while (p < end) {
        size_t n = utf8_length(p, end);
        uint32_t c = n ? utf8_char(p, n) : 0xfffd;
        p += n ? n : 1;
        const char *names = "\"\"\\\\\bb\ff\nn\rr\tt", *short_form = NULL;
        for (const char *f = names; *f && c < 0x80; f += 2)
            if ((uint32_t)*f == c)
                short_form = f + 1;
        if (short_form)
            buf_printf(b, "\\%c", *short_form);
        else if (c >= 0x10000)
            buf_printf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                       0xdc00 + ((c - 0x10000) & 0x3ff));
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_byte(b, (char)c);
    }
    buf_byte(b, '"');
}

/* A float as repr() writes it: the shortest text that gives the same number. */
static void dump_number(struct buf *b, struct str spelling)
{
    bool whole = true;
    for (size_t i = 0; i < spelling.n; i++)
        whole = whole && !strchr(".eE", spelling.p[i]);
    if (whole || spelling.n > 300) {
        buf_str(b, spelling);
        return;
    }
    char text[304], out[40];
    memcpy(text, spelling.p, spelling.n);
    text[spelling.n] = '\0';
    double value = strtod(text, NULL);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, sizeof out, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    /* repr() goes over to exponents at 1e16, %g at the number of digits. */
    double size = value < 0 ? -value : value;
    if (strchr(out, 'e') && size >= 1e-4 && size < 1e16)
        snprintf(out, sizeof out, "%.1f", value);
    buf_text(b, out);
    if (!strpbrk(out, ".en"))
        buf_text(b, ".0");
}

static void print(struct buf *b, const struct json *v)
{
    char quote;
    switch (v->type) {
    case JSON_NULL:
        buf_text(b, "None");
        break;
    case JSON_BOOL:
        buf_text(b, v->boolean ? "True" : "False");
        break;
    case JSON_NUMBER:
        dump_number(b, v->text);
        break;
    case JSON_STRING:
        quote = str_find_byte(v->text, '\'') >= 0 && str_find_byte(v->text, '"') < 0 ? '"' : '\'';
        buf_byte(b, quote);
        for (size_t i = 0; i < v->text.n; i++) {
            char c = v->text.p[i];
            if (c == quote || c == '\\')
                buf_byte(b, '\\');
            if (c == '\n')
                buf_text(b, "\\n");
            else
                buf_byte(b, c);
        }
        buf_byte(b, quote);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_byte(b, v->type == JSON_ARRAY ? '[' : '{');
        JSON_EACH(v, child) {
            if (v->type == JSON_OBJECT) {
                struct json key = {.type = JSON_STRING, .text = child->key};
                print(b, &key);
                buf_text(b, ": ");
            }
            print(b, child);
            if (child->next)
                buf_text(b, ", ");
        }
        buf_byte(b, v->type == JSON_ARRAY ? ']' : '}');
        break;
    }
}

struct str python_text(struct sam *s, const struct json *v)
{
    if (v->type == JSON_STRING)
        return v->text;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    print(&b, v);
    struct str text = buf_copy(&b, s->arena);
    buf_done(&b);
    return text;
}

static int by_key(const void *x, const void *y)
{
    return str_cmp((*(const struct json *const *)x)->key, (*(const struct json *const *)y)->key);
}

static void dump(struct sam *s, struct buf *b, const struct json *v)
{
    const struct json **members;
    size_t n = 0;
    switch (v->type) {
    case JSON_NULL:
        buf_text(b, "null");
        break;
    case JSON_BOOL:
        buf_text(b, v->boolean ? "true" : "false");
        break;
    case JSON_NUMBER:
        dump_number(b, v->text);
        break;
    case JSON_STRING:
        dump_text(b, v->text);
        break;
    case JSON_ARRAY:
        buf_byte(b, '[');
        JSON_EACH(v, item) {
            dump(s, b, item);
            if (item->next)
                buf_byte(b, ',');
        }
        buf_byte(b, ']');
        break;
    case JSON_OBJECT:
        members = ARENA_ARRAY(s->arena, const struct json *, v->n + 1);
        JSON_EACH(v, member)
            members[n++] = member;
        qsort(members, n, sizeof *members, by_key);
        buf_byte(b, '{');
        for (size_t i = 0; i < n; i++) {
            if (i)
                buf_byte(b, ',');
            dump_text(b, members[i]->key);
            buf_byte(b, ':');
            dump(s, b, members[i]);
        }
        buf_byte(b, '}');
        break;
    }
}

struct str sam_hash(struct sam *s, const struct json *data)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    dump(s, &b, data);
    uint8_t sum[20];
    digest_sha1(buf_view(&b), sum);
    buf_done(&b);
    return hex_encode(s->arena, sum, 5);
}
