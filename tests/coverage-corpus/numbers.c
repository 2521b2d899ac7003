/* numbers - the analysis and the numbers of files, for tests/coverage-corpus/check to compare.
 *
 * Standard input: a line of JSON a file, {"path": ..., "lines": [...], "arcs": [from, to, ...]};
 * standard output: a line of JSON each. Argument: the minor of Python, "3.11". */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "coverage/numbers.h"
#include <stdlib.h>

static struct json *set_json(struct arena *a, struct bits set)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (int64_t l = bits_next(set, 1); l >= 0; l = bits_next(set, (uint32_t)l + 1))
        json_add(list, json_new_int(a, l));
    return list;
}

static struct json *arcs_json(struct arena *a, const struct file_result *r, bool missing)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < r->n_branches; i++) {
        const struct branch_arc *b = &r->branches[i];
        if (missing ? !b->counts_missing : !b->executed)
            continue;
        struct json *arc = json_add(list, json_new(a, JSON_ARRAY));
        json_add(arc, json_new_int(a, b->arc.from));
        json_add(arc, json_new_int(a, b->arc.to));
    }
    return list;
}

static void set(struct arena *a, struct json *o, const char *key, struct json *v)
{
    json_set(a, o, str_from(key), v);
}

static struct json *result_json(struct arena *a, struct str path, const struct file_result *r)
{
    struct json *o = json_new(a, JSON_OBJECT);
    double percent = numbers_percent(&r->numbers);
    set(a, o, "path", json_new_str(a, path));
    if (str_has(r->analysis->error)) {
        set(a, o, "error", json_new_str(a, r->analysis->error));
        return o;
    }
    set(a, o, "executed", set_json(a, r->executed));
    set(a, o, "missing", set_json(a, r->missing));
    set(a, o, "excluded", set_json(a, r->excluded));
    set(a, o, "branches", json_new_int(a, (int64_t)r->numbers.branches));
    set(a, o, "partial", json_new_int(a, (int64_t)r->numbers.partial_branches));
    set(a, o, "missing_branches", arcs_json(a, r, true));
    set(a, o, "executed_branches", arcs_json(a, r, false));
    set(a, o, "percent", json_new_str(a, numbers_repr(a, percent)));
    set(a, o, "display", json_new_str(a, numbers_display(a, percent, 0)));
    set(a, o, "text", json_new_str(a, numbers_missing_text(a, r)));
    return o;
}

static struct file_hits hits_of(struct arena *a, const struct json *v)
{
    const struct json *lines = json_get(v, "lines"), *ends = json_get(v, "arcs");
    int64_t max = 0, n, to;
    JSON_EACH(lines, line)
        if (json_int(line, &n) == 0 && n > max)
            max = n;
    uint8_t *bytes = arena_alloc(a, bits_size((uint32_t)max));
    JSON_EACH(lines, line)
        if (json_int(line, &n) == 0 && n > 0)
            bits_set(bytes, (uint32_t)n);
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, ends ? ends->n / 2 + 1 : 1);
    size_t n_arcs = 0;
    for (const struct json *e = ends ? ends->first : NULL; e && e->next; e = e->next->next)
        if (json_int(e, &n) == 0 && json_int(e->next, &to) == 0)
            arcs[n_arcs++] = (struct object_arc){(int32_t)n, (int32_t)to};
    return (struct file_hits){
        .lines = {bytes, bits_size((uint32_t)max)},
        .arcs = arcs,
        .n_arcs = n_arcs,
    };
}

int main(int argc, char **argv)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct analysis_source *sources = NULL;
    const struct json **inputs = NULL;
    size_t n = 0, cap = 0, n_inputs = 0, cap_inputs = 0, size = 0;
    auto_free char *line = NULL;
    for (ssize_t got; (got = getline(&line, &size, stdin)) > 0;) {
        struct json *v;
        struct str text = str_copy(&a, str_of(line, (size_t)got));
        if (json_parse(&a, text, &v, NULL) < 0)
            return 2;
        struct analysis_source *s = arena_push(&a, (void **)&sources, &n, &cap, sizeof(*sources));
        const struct json **input =
            arena_push(&a, (void **)&inputs, &n_inputs, &cap_inputs, sizeof(*inputs));
        *input = v;
        *s = (struct analysis_source){.path = json_get_str(v, "path")};
        if (fs_read(str_c(&a, s->path), 1 << 24, &a, &s->text) < 0)
            return 3;
    }
    struct analysis_options options = {.python = str_from(argc > 1 ? argv[1] : ""), .cache = S("")};
    struct analysis_report report;
    struct analysis **analyses;
    if (analysis_run(&a, &options, sources, n, &report, &analyses) < 0)
        return 4;
    for (size_t i = 0; i < n; i++) {
        struct file_hits hits = hits_of(&a, inputs[i]);
        struct file_result result;
        numbers_file(&a, analyses[i], &hits, true, &result);
        struct str text = json_text(&a, result_json(&a, sources[i].path, &result), -1);
        printf("%.*s\n", STR(text));
    }
    return 0;
}
