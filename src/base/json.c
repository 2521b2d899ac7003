/* json - trees: reading, building, comparing. */
#include "base/json.h"
#include <errno.h>

struct json *json_find(const struct json *object, struct str key)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    JSON_EACH(object, child)
        if (str_eq(child->key, key))
            return child;
    return NULL;
}

struct json *json_get(const struct json *object, const char *key)
{
    return json_find(object, str_from(key));
}

struct str json_str(const struct json *v)
{
    return json_is(v, JSON_STRING) ? v->text : (struct str){0};
}

struct str json_get_str(const struct json *object, const char *key)
{
    return json_str(json_get(object, key));
}

int json_int(const struct json *v, int64_t *ret)
{
    if (!json_is(v, JSON_NUMBER))
        return -EINVAL;
    return str_to_int64(v->text, ret) < 0 ? -EINVAL : 0;
}

struct json *json_at(const struct json *array, size_t i)
{
    if (!array || (array->type != JSON_ARRAY && array->type != JSON_OBJECT) || i >= array->n)
        return NULL;
    struct json *v = array->first;
    while (i-- > 0)
        v = v->next;
    return v;
}

bool json_is(const struct json *v, enum json_type type)
{
    return v && v->type == type;
}

/* A number as sign, significant digits without zeros at either end, and a power of ten:
 * 0.d1d2d3... * 10^exponent. */
struct decimal {
    bool negative;
    struct str digits; /* may hold the point, which the comparison skips */
    int64_t exponent;
};

/* False: the exponent is beyond reason, only the spelling can be compared. */
static bool decimal_from(struct str text, struct decimal *ret)
{
    struct decimal d = {0};
    int64_t exponent = 0;
    ssize_t e = str_find_byte(text, 'e');
    if (e < 0)
        e = str_find_byte(text, 'E');
    if (e >= 0) {
        struct str exponent_text = str_slice(text, (size_t)e + 1, text.n);
        if (str_to_int64(exponent_text, &exponent) < 0 || exponent > INT64_MAX / 2 ||
            exponent < INT64_MIN / 2)
            return false;
        text = str_slice(text, 0, (size_t)e);
    }
    if (text.n && text.p[0] == '-') {
        d.negative = true;
        text = str_slice(text, 1, text.n);
    }
    ssize_t point = str_find_byte(text, '.');
    int64_t before_point = point < 0 ? (int64_t)text.n : point;
    size_t first = 0;
    while (first < text.n && (text.p[first] == '0' || text.p[first] == '.'))
        first++;
    size_t last = text.n;
    while (last > first && (text.p[last - 1] == '0' || text.p[last - 1] == '.'))
        last--;
    if (first == last) {
        *ret = (struct decimal){0}; /* zero has no sign */
        return true;
    }
    d.digits = str_slice(text, first, last);
    bool fraction_only = point >= 0 && first > (size_t)point;
    d.exponent = exponent + before_point - (int64_t)first + (fraction_only ? 1 : 0);
    *ret = d;
    return true;
}

static bool digits_equal(struct str a, struct str b)
{
    size_t i = 0, j = 0;
    for (;;) {
        i += i < a.n && a.p[i] == '.';
        j += j < b.n && b.p[j] == '.';
        if (i == a.n || j == b.n)
            return i == a.n && j == b.n;
        if (a.p[i++] != b.p[j++])
            return false;
    }
}

static bool numbers_equal(struct str a, struct str b)
{
    struct decimal x, y;
    if (str_eq(a, b))
        return true;
    if (!decimal_from(a, &x) || !decimal_from(b, &y))
        return false;
    return x.negative == y.negative && x.exponent == y.exponent && digits_equal(x.digits, y.digits);
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type || a->n != b->n)
        return false;
    switch (a->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_NUMBER:
        return numbers_equal(a->text, b->text);
    case JSON_STRING:
        return str_eq(a->text, b->text);
    case JSON_ARRAY:
        for (struct json *x = a->first, *y = b->first; x && y; x = x->next, y = y->next)
            if (!json_equal(x, y))
                return false;
        return true;
    case JSON_OBJECT:
        /* Of a repeated key the first counts, as in json_get(). */
        JSON_EACH(a, x)
            if (!json_equal(json_find(a, x->key), json_find(b, x->key)))
                return false;
        JSON_EACH(b, y)
            if (!json_find(a, y->key))
                return false;
        return true;
    }
    return false;
}

struct json *json_new(struct arena *a, enum json_type type)
{
    struct json *v = ARENA_NEW(a, struct json);
    v->type = type;
    return v;
}

struct json *json_new_str(struct arena *a, struct str s)
{
    struct json *v = json_new(a, JSON_STRING);
    v->text = str_has(s) ? s : S("");
    return v;
}

struct json *json_new_int(struct arena *a, int64_t number)
{
    struct json *v = json_new(a, JSON_NUMBER);
    v->text = str_printf(a, "%lld", (long long)number);
    return v;
}

struct json *json_new_bool(struct arena *a, bool boolean)
{
    struct json *v = json_new(a, JSON_BOOL);
    v->boolean = boolean;
    return v;
}

struct json *json_add(struct json *array, struct json *v)
{
    v->next = NULL;
    if (array->last)
        array->last->next = v;
    else
        array->first = v;
    array->last = v;
    array->n++;
    return v;
}

struct json *json_set(struct arena *a, struct json *object, struct str key, struct json *v)
{
    v->key = str_copy(a, str_has(key) ? key : S(""));
    struct json *before = NULL;
    JSON_EACH(object, child) {
        if (!str_eq(child->key, key)) {
            before = child;
            continue;
        }
        if (child == v)
            return v;
        v->next = child->next;
        v->key_line = child->key_line;
        v->key_column = child->key_column;
        if (before)
            before->next = v;
        else
            object->first = v;
        if (object->last == child)
            object->last = v;
        child->next = NULL;
        return v;
    }
    return json_add(object, v);
}

bool json_remove(struct json *object, struct str key)
{
    struct json *before = NULL;
    JSON_EACH(object, child) {
        if (!str_eq(child->key, key)) {
            before = child;
            continue;
        }
        if (before)
            before->next = child->next;
        else
            object->first = child->next;
        if (object->last == child)
            object->last = before;
        object->n--;
        child->next = NULL;
        return true;
    }
    return false;
}

struct json *json_copy(struct arena *a, const struct json *v)
{
    struct json *copy = ARENA_NEW(a, struct json);
    *copy = *v;
    copy->text = str_copy(a, v->text);
    copy->key = (struct str){0};
    copy->key_line = copy->key_column = 0;
    copy->next = copy->first = copy->last = NULL;
    copy->n = 0;
    JSON_EACH(v, child) {
        struct json *below = json_add(copy, json_copy(a, child));
        below->key = str_copy(a, child->key);
        below->key_line = child->key_line;
        below->key_column = child->key_column;
    }
    return copy;
}
