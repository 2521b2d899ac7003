/* settings_ini - ini files as Python's RawConfigParser reads them. */
#include "base/buf.h"
#include "base/json.h"
#include "coverage/settings.h"
#include <errno.h>

struct ini {
    struct arena *a;
    struct json *root, *section;
    struct str key; /* absent: none yet in this section */
    struct buf value;
    size_t indent; /* of the key */
    int line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static size_t indent_of(struct str line)
{
    size_t n = 0;
    while (n < line.n && is_blank(line.p[n]))
        n++;
    return n;
}

static int fail(const struct ini *ini, const char *reason, struct settings_error *err)
{
    err->line = ini->line;
    err->reason = str_from(reason);
    return -EBADMSG;
}

static int end_value(struct ini *ini, struct settings_error *err)
{
    if (!str_has(ini->key))
        return 0;
    if (json_find(ini->section, ini->key))
        return fail(ini, "a setting is given twice in its section", err);
    struct str value = buf_view(&ini->value);
    while (value.n && (is_blank(value.p[value.n - 1]) || value.p[value.n - 1] == '\n'))
        value.n--;
    json_set(ini->a, ini->section, ini->key, json_new_str(ini->a, str_copy(ini->a, value)));
    ini->key = (struct str){0};
    buf_clear(&ini->value);
    return 0;
}

static int add_section(struct ini *ini, struct str line, struct settings_error *err)
{
    ssize_t end = str_find_byte(line, ']');
    if (end < 2)
        return fail(ini, "a section's name does not end in ]", err);
    struct str name = str_slice(line, 1, (size_t)end);
    if (json_find(ini->root, name))
        return fail(ini, "a section is there twice", err);
    ini->section = json_new(ini->a, JSON_OBJECT);
    json_set(ini->a, ini->root, str_copy(ini->a, name), ini->section);
    return 0;
}

static int add_key(struct ini *ini, struct str line, struct settings_error *err)
{
    if (!ini->section)
        return fail(ini, "a setting stands before the first section", err);
    size_t i = 0;
    while (i < line.n && line.p[i] != '=' && line.p[i] != ':')
        i++;
    struct str key = str_trim(str_slice(line, 0, i));
    if (i == line.n || !key.n)
        return fail(ini, "a line is neither a section nor a setting", err);
    ini->key = str_lower(ini->a, key);
    buf_str(&ini->value, str_trim(str_slice(line, i + 1, line.n)));
    return 0;
}

static int add_line(struct ini *ini, struct str line, struct settings_error *err)
{
    size_t indent = indent_of(line);
    struct str text = str_trim(line);
    if (text.n && (text.p[0] == '#' || text.p[0] == ';'))
        return 0; /* in the middle of a value, too */
    if (str_has(ini->key) && (!text.n || indent > ini->indent)) {
        buf_byte(&ini->value, '\n');
        buf_str(&ini->value, text);
        return 0;
    }
    if (!text.n)
        return 0;
    int r = end_value(ini, err);
    ini->indent = indent;
    if (r < 0)
        return r;
    return text.p[0] == '[' ? add_section(ini, text, err) : add_key(ini, text, err);
}

int ini_parse(struct arena *a, struct str text, struct json **ret, struct settings_error *err)
{
    struct ini ini = {.a = a, .root = json_new(a, JSON_OBJECT)};
    buf_init(&ini.value, text.n + 1);
    if (str_starts(text, S("\xef\xbb\xbf")))
        text = str_slice(text, 3, text.n);
    struct str line;
    int r = 0;
    for (bool more = true; more && r == 0;) {
        more = str_cut(text, '\n', &line, &text);
        ini.line++;
        r = add_line(&ini, line, err);
    }
    if (r == 0)
        r = end_value(&ini, err);
    buf_done(&ini.value);
    if (r == 0)
        *ret = ini.root;
    return r;
}
