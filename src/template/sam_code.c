/* template/sam_code - where the code of functions and layers is. */
#include "template/sam_inside.h"

#include "base/digest.h"

#include <errno.h>

/* {{resolve:ssm:/path}}: a dynamic reference with a slash in it. */
static bool has_path_reference(struct str uri)
{
    static const struct str kinds[] = {S_INIT("ssm:"), S_INIT("ssm-secure:"),
                                       S_INIT("secretsmanager:")};
    ssize_t at = str_find(uri, S("{{resolve:"));
    if (at < 0)
        return false;
    struct str rest = str_slice(uri, (size_t)at + 10, uri.n);
    ssize_t end = str_find(rest, S("}}"));
    struct str inner = str_slice(rest, 0, end < 0 ? 0 : (size_t)end);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_starts(inner, kinds[i]))
            return str_find_byte(inner, '/') >= 0;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str unquote(struct sam *s, struct str text)
{
    char *out = arena_alloc(s->arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] == '+' ? ' ' : text.p[i];
        if (c == '%' && i + 2 < text.n && hex_digit(text.p[i + 1]) >= 0 &&
            hex_digit(text.p[i + 2]) >= 0) {
            c = (char)(hex_digit(text.p[i + 1]) * 16 + hex_digit(text.p[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return str_of(out, n);
}

/* s3://bucket/key?versionId=v; false when it is something else. */
static bool parse_uri(struct sam *s, struct str uri, struct str *ret_bucket, struct str *ret_key,
                      struct str *ret_version)
{
    struct str rest, query = {0};
    if (!str_eq_nocase(str_slice(uri, 0, 5), S("s3://")))
        return false;
    str_cut(str_slice(uri, 5, uri.n), '#', &rest, &query);
    bool queried = str_cut(rest, '?', &rest, &query);
    ssize_t slash = str_find_byte(rest, '/');
    if (slash <= 0)
        return false;
    *ret_bucket = str_slice(rest, 0, (size_t)slash);
    struct str key = str_slice(rest, (size_t)slash, rest.n);
    while (key.n && key.p[0] == '/')
        key = str_slice(key, 1, key.n);
    *ret_key = key;
    *ret_version = (struct str){0};
    size_t versions = 0;
    struct str pair, name, value;
    for (bool more = queried; more;) {
        more = str_cut(query, '&', &pair, &query);
        if (!str_cut(pair, '=', &name, &value) || !str_is(name, "versionId") || !value.n)
            continue;
        *ret_version = unquote(s, value);
        versions++;
    }
    if (versions > 1)
        *ret_version = (struct str){0};
    return true;
}

int sam_code_location(struct sam *s, struct str id, const char *property, const struct json *uri,
                      struct json **ret)
{
    struct json *code = json_new(s->arena, JSON_OBJECT);
    if (json_is(uri, JSON_OBJECT)) {
        const struct json *bucket = json_get(uri, "Bucket"), *key = json_get(uri, "Key");
        if (!truthy(bucket) || !truthy(key))
            return sam_invalid(s, id, "'%s' requires Bucket and Key properties to be specified.",
                               property);
        put(s, code, "S3Bucket", bucket);
        put(s, code, "S3Key", key);
        put(s, code, "S3ObjectVersion", json_get(uri, "Version"));
        *ret = code;
        return 0;
    }
    if (!json_is(uri, JSON_STRING))
        return sam_invalid(s, id, "'%s' must be of type dict or string.", property);
    if (has_path_reference(uri->text))
        return sam_invalid(s, id,
                           "Unsupported dynamic reference detected in '%s'. Please consider using "
                           "alternative 'FunctionCode' object format.",
                           property);
    struct str bucket, key, version;
    if (!parse_uri(s, uri->text, &bucket, &key, &version))
        return sam_invalid(s, id,
                           "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional "
                           "versionId query parameter.",
                           property);
    put_text(s, code, "S3Bucket", bucket);
    put_text(s, code, "S3Key", key);
    if (str_has(version))
        put_text(s, code, "S3ObjectVersion", version);
    *ret = code;
    return 0;
}

int function_code(struct sam *s, struct str id, struct json *properties, struct json **ret)
{
    const struct json *type = json_get(properties, "PackageType");
    const struct json *inline_code = json_get(properties, "InlineCode");
    const struct json *uri = json_get(properties, "CodeUri");
    const struct json *image = json_get(properties, "ImageUri");
    bool zip = !truthy(type) || str_is(json_str(type), "Zip");
    if (!zip && !str_is(json_str(type), "Image"))
        return sam_invalid(s, id, "invalid 'PackageType' : %.*s", STR(python_text(s, type)));
    if (zip && is_none(inline_code) && is_none(uri))
        return sam_invalid(s, id, "Only one of 'InlineCode' or 'CodeUri' can be set.");
    if (!zip && is_none(image))
        return sam_invalid(s, id, "'ImageUri' must be set.");
    struct json *code = json_new(s->arena, JSON_OBJECT);
    if (!zip) {
        if (!truthy(image))
            return sam_invalid(s, id,
                               "'ImageUri' requires that a image hosted at a registry be "
                               "specified.");
        put(s, code, "ImageUri", image);
    } else if (!is_none(inline_code)) {
        put(s, code, "ZipFile", inline_code);
    } else {
        int r = sam_code_location(s, id, "CodeUri", uri, &code);
        if (r < 0)
            return r;
    }
    if (zip && truthy(json_get(properties, "SourceKMSKeyArn")))
        put(s, code, "SourceKMSKeyArn", json_get(properties, "SourceKMSKeyArn"));
    *ret = code;
    return 0;
}
