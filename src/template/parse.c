/* template/parse - what both notations share: errors, limits, repeated keys, canonical text. */
#include "template/parse.h"

#include "base/digest.h"
#include "base/map.h"
#include "template/read_yaml.h"

#include <errno.h>

int template_fail(struct arena *a, struct template_error *err, const struct json *v,
                  const char *fmt, ...)
{
    if (!err)
        return -EBADMSG;
    va_list ap;
    va_start(ap, fmt);
    err->message = str_vprintf(a, fmt, ap);
    va_end(ap);
    err->line = v ? v->line : 0;
    err->column = v ? v->column : 0;
    return -EBADMSG;
}

/* JSON allows a repeated key; a template does not. */
static int check_keys(struct arena *a, const struct json *v, struct template_error *err)
{
    int r = 0;
    if (v->type == JSON_OBJECT && v->n > 1) {
        struct map seen;
        map_init(&seen);
        JSON_EACH(v, member) {
            if (map_put(&seen, member->key, member)) {
                r = template_fail(
                    a, err, member,
                    "Template format error: JSON not well-formed. Duplicate key '%.*s' "
                    "(line %d, column %d)",
                    STR(member->key), member->key_line, member->key_column);
                if (err) {
                    err->line = member->key_line;
                    err->column = member->key_column;
                }
                break;
            }
        }
        map_done(&seen);
    }
    for (const struct json *child = v->first; child && r == 0; child = child->next)
        r = check_keys(a, child, err);
    return r;
}

static int parse_json(struct arena *a, struct str text, struct json **ret,
                      struct template_error *err)
{
    struct json *tree;
    struct json_error problem = {0};
    if (json_parse(a, text, &tree, &problem) < 0) {
        template_fail(a, err, NULL,
                      "Template format error: JSON not well-formed. (line %d, column %d)",
                      problem.line, problem.column);
        if (err) {
            err->line = problem.line;
            err->column = problem.column;
        }
        return -EBADMSG;
    }
    int r = check_keys(a, tree, err);
    if (r < 0)
        return r;
    *ret = tree;
    return 0;
}

int template_parse(struct arena *a, struct str text, struct json **ret, struct template_error *err)
{
    if (text.n > TEMPLATE_MAX_BYTES)
        return template_fail(a, err, NULL,
                             "Template may not exceed %d bytes in size; this one has %zu.",
                             TEMPLATE_MAX_BYTES, text.n);
    struct json *tree = NULL;
    struct str start = str_trim(text);
    int r = start.n && start.p[0] == '{' ? parse_json(a, text, &tree, err)
                                         : read_yaml(a, text, &tree, err);
    if (r < 0)
        return r;
    if (!json_is(tree, JSON_OBJECT))
        return template_fail(a, err, tree, "Template format error: unsupported structure.");
    *ret = tree;
    return 0;
}

struct str template_to_json(struct arena *a, const struct json *tree, int indent)
{
    return json_text(a, tree, indent);
}

static int by_key(const void *x, const void *y)
{
    return str_cmp((*(const struct json *const *)x)->key, (*(const struct json *const *)y)->key);
}

static void write_canonical(struct buf *b, const struct json *v)
{
    if (v->type == JSON_ARRAY) {
        buf_byte(b, '[');
        JSON_EACH(v, item) {
            write_canonical(b, item);
            if (item->next)
                buf_byte(b, ',');
        }
        buf_byte(b, ']');
        return;
    }
    if (v->type != JSON_OBJECT) {
        json_write(b, v, -1);
        return;
    }
    const struct json **members = malloc((v->n ? v->n : 1) * sizeof *members);
    if (!members)
        abort();
    size_t n = 0;
    JSON_EACH(v, member)
        members[n++] = member;
    qsort(members, n, sizeof *members, by_key);
    buf_byte(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(b, ',');
        json_write_str(b, members[i]->key);
        buf_byte(b, ':');
        write_canonical(b, members[i]);
    }
    buf_byte(b, '}');
    free(members);
}

struct str template_canonical(struct arena *a, const struct json *tree)
{
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    write_canonical(&b, tree);
    struct str text = buf_copy(&b, a);
    buf_done(&b);
    return text;
}

struct str template_hash(struct arena *a, const struct json *tree)
{
    return sha256_hex(a, template_canonical(a, tree));
}
