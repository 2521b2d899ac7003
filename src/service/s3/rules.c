/* rules - what S3 decides from text alone. */
#include "service/s3/rules.h"
#include <ctype.h>
#include <errno.h>
#include "base/digest.h"
#include "wire/request.h"

/* ---- bucket names ---- */

static bool looks_like_address(struct str name)
{
    int dots = 0;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.')
            dots++;
        else if (!isdigit((unsigned char)name.p[i]))
            return false;
    }
    return dots == 3;
}

bool s3_bucket_name_valid(struct str name)
{
    static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const suffixes[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
    if (name.n < 3 || name.n > 63 || looks_like_address(name))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '.')
            return false;
        if (!letter && (i == 0 || i == name.n - 1))
            return false;
        if (c == '.' && name.p[i + 1] == '.')
            return false;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (str_starts(name, str_from(prefixes[i])))
            return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (str_ends(name, str_from(suffixes[i])))
            return false;
    return true;
}

/* ---- ranges ---- */

static bool digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit((unsigned char)s.p[i]))
            return false;
    return s.n > 0 && s.n < 19;
}

int s3_range_parse(struct str text, int64_t size, int64_t *ret_first, int64_t *ret_last)
{
    struct str from, to;
    int64_t first = 0, last = size - 1;
    if (!str_starts(text, S("bytes=")))
        return -EINVAL;
    if (!str_cut(str_slice(text, 6, text.n), '-', &from, &to) || (!from.n && !to.n) ||
        (from.n && !digits(from)) || (to.n && !digits(to)))
        return -EINVAL;
    if (!from.n) { /* the last so many bytes */
        str_to_int64(to, &first);
        if (!first || !size)
            return -ERANGE;
        first = first > size ? 0 : size - first;
    } else {
        str_to_int64(from, &first);
        if (to.n) {
            str_to_int64(to, &last);
            if (last < first)
                return -EINVAL;
        }
        if (first >= size)
            return -ERANGE;
        if (last >= size)
            last = size - 1;
    }
    *ret_first = first;
    *ret_last = last;
    return 0;
}

/* ---- conditions ---- */

bool s3_etag_listed(struct str list, struct str etag)
{
    struct str one, rest = list;
    bool more = true;
    while (more) {
        more = str_cut(rest, ',', &one, &rest);
        one = str_trim(one);
        if (str_is(one, "*"))
            return true;
        if (str_starts(one, S("W/")))
            one = str_slice(one, 2, one.n);
        if (one.n >= 2 && one.p[0] == '"' && one.p[one.n - 1] == '"')
            one = str_slice(one, 1, one.n - 1);
        if (one.n && str_eq(one, etag))
            return true;
    }
    return false;
}

enum s3_condition s3_conditions_check(const struct s3_conditions *c, struct str etag,
                                      int64_t modified_ms)
{
    int64_t modified = modified_ms / 1000; /* HTTP dates have no fractions */
    if (str_has(c->if_match)) {
        if (!s3_etag_listed(c->if_match, etag))
            return S3_CONDITION_FAILED;
    } else if (c->has_unmodified_since && modified > c->unmodified_since_ms / 1000) {
        return S3_CONDITION_FAILED;
    }
    if (str_has(c->if_none_match)) {
        if (s3_etag_listed(c->if_none_match, etag))
            return S3_CONDITION_UNCHANGED;
    } else if (c->has_modified_since && modified <= c->modified_since_ms / 1000) {
        return S3_CONDITION_UNCHANGED;
    }
    return S3_CONDITION_HOLDS;
}

/* ---- copy sources, tags ---- */

int s3_source_parse(struct arena *a, struct str text, struct s3_source *ret)
{
    struct str path, query, bucket, key;
    bool has_query = str_cut(text, '?', &path, &query);
    path = wire_percent_decode(a, path, false);
    if (path.n && path.p[0] == '/')
        path = str_slice(path, 1, path.n);
    if (!str_cut(path, '/', &bucket, &key) || !bucket.n || !key.n)
        return -EINVAL;
    struct s3_source source = {.bucket = bucket, .key = key};
    if (has_query) {
        source.version_id = wire_query_get(a, query, S("versionId"));
        if (!source.version_id.n)
            return -EINVAL;
    }
    *ret = source;
    return 0;
}

int s3_pairs_parse(struct arena *a, struct str text, struct s3_pair **ret, size_t *ret_n)
{
    struct s3_pair *items = NULL;
    size_t n = 0, cap = 0;
    struct str one, rest = text, key, value;
    bool more = text.n > 0;
    while (more) {
        more = str_cut(rest, '&', &one, &rest);
        str_cut(one, '=', &key, &value);
        struct s3_pair pair = {wire_percent_decode(a, key, true), S("")};
        if (value.n)
            pair.value = wire_percent_decode(a, value, true);
        if (!pair.key.n)
            return -EINVAL;
        *(struct s3_pair *)arena_push(a, (void **)&items, &n, &cap, sizeof pair) = pair;
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

/* ---- version ids ---- */

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.";

struct str s3_version_make(struct arena *a, int64_t time_us)
{
    /* In ASCII's order, so that text sorts as the number does. */
    static const char ordered[] =
        ".0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    char head[11];
    uint64_t v = ~(uint64_t)time_us;
    for (int i = 10; i >= 0; i--, v >>= 6)
        head[i] = ordered[v & 63];
    struct str tail = random_text(a, alphabet, 21);
    return str_printf(a, "%.11s%.*s", head, STR(tail));
}

bool s3_version_valid(struct str version)
{
    if (str_is(version, "null"))
        return true;
    for (size_t i = 0; i < version.n; i++)
        if (!version.p[i] || !strchr(alphabet, version.p[i]))
            return false;
    return version.n == 32;
}
