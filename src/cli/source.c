/* source - where a template is looked for, and how parameters are read: see source.h. */
#include "cli/source.h"
#include <errno.h>
#include "base/fs.h"

int source_find(struct verb_run *run, struct str given, bool built, struct str *ret_path)
{
    static const char *const names[] = {".aws-sam/build/template.yaml", "template.yaml",
                                        "template.yml", "template.json", NULL};
    if (str_has(given)) {
        *ret_path = str_copy(run->arena, given);
        return 0;
    }
    for (int i = built ? 0 : 1; names[i]; i++)
        if (fs_exists(names[i])) {
            *ret_path = str_from(names[i]);
            return 0;
        }
    return verb_fail(run, "no template.yaml here; name one with --template, or make a project with "
                          "\"lamina init NAME\"");
}

int source_read(struct verb_run *run, struct str path, struct str *ret_text, struct json **ret_root)
{
    struct template_error err = {0};
    int r = fs_read(str_c(run->arena, path), 8 * 1024 * 1024, run->arena, ret_text);
    if (r < 0)
        return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    if (template_parse(run->arena, *ret_text, ret_root, &err) < 0)
        return verb_fail(run, "%.*s:%d:%d: %.*s", STR(path), err.line, err.column,
                         STR(err.message));
    return 0;
}

/* One word of "A=1 B='x y'": quotes may surround a part, a backslash takes the next character. */
static bool next_word(struct arena *a, struct str *rest, struct str *ret)
{
    struct str s = *rest;
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n'))
        s = str_slice(s, 1, s.n);
    if (!s.n)
        return false;
    char *out = arena_alloc(a, s.n + 1), quote = 0;
    size_t n = 0, i = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (!quote && (c == ' ' || c == '\t' || c == '\n'))
            break;
        if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (quote && c == quote)
            quote = 0;
        else if (c == '\\' && i + 1 < s.n && quote != '\'')
            out[n++] = s.p[++i];
        else
            out[n++] = c;
    }
    *ret = str_of(out, n);
    *rest = str_slice(s, i, s.n);
    return true;
}

static int value_of(struct verb_run *run, struct str key, struct str given, struct str *ret)
{
    if (str_starts(given, S("env:"))) {
        const char *v = getenv(str_c(run->arena, str_slice(given, 4, given.n)));
        if (!v)
            return verb_fail(run, "parameter %.*s: the environment has no %.*s", STR(key),
                             STR(str_slice(given, 4, given.n)));
        *ret = str_from(v);
        return 0;
    }
    if (str_starts(given, S("file://"))) {
        struct str path = str_slice(given, 7, given.n);
        int r = fs_read(str_c(run->arena, path), 64 * 1024, run->arena, ret);
        if (r < 0)
            return verb_fail(run, "parameter %.*s: %.*s: %s", STR(key), STR(path), strerror(-r));
        if (str_ends(*ret, S("\n")))
            ret->n--;
        if (str_ends(*ret, S("\r")))
            ret->n--;
        return 0;
    }
    *ret = given;
    return 0;
}

static int add(struct verb_run *run, struct str word, struct template_param **items, size_t *n,
               size_t *cap)
{
    struct str key, value, part = S("ParameterKey=");
    if (str_starts(word, part)) {
        struct str head, tail;
        str_cut(word, ',', &head, &tail);
        key = str_slice(head, part.n, head.n);
        struct str second = S("ParameterValue=");
        if (!str_starts(tail, second))
            return verb_usage(run, "parameter \"%.*s\": ParameterValue= is missing", STR(word));
        value = str_slice(tail, second.n, tail.n);
    } else if (!str_cut(word, '=', &key, &value) || !key.n) {
        return verb_usage(run, "parameter \"%.*s\" is not of the form NAME=VALUE", STR(word));
    }
    int e = value_of(run, key, value, &value);
    if (e)
        return e;
    for (size_t i = 0; i < *n; i++)
        if (str_eq((*items)[i].key, key)) {
            (*items)[i].value = value; /* the last one counts, as in SAM */
            return 0;
        }
    struct template_param *p = arena_push(run->arena, (void **)items, n, cap, sizeof **items);
    *p = (struct template_param){.key = key, .value = value};
    return 0;
}

int source_parameters(struct verb_run *run, const struct option_list *overrides,
                      struct template_param **ret, size_t *ret_n)
{
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < overrides->n; i++) {
        struct str rest = overrides->items[i], word;
        while (next_word(run->arena, &rest, &word)) {
            int e = add(run, word, ret, ret_n, &cap);
            if (e)
                return e;
        }
    }
    return 0;
}

void source_words(struct arena *a, const struct option_list *list, struct str **ret, size_t *ret_n)
{
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct str rest = str_copy(a, list->items[i]), word;
        for (size_t k = 0; k < rest.n; k++)
            if (rest.p[k] == ',')
                ((char *)(uintptr_t)rest.p)[k] = ' ';
        while (next_word(a, &rest, &word))
            *(struct str *)arena_push(a, (void **)ret, ret_n, &cap, sizeof word) = word;
    }
}
