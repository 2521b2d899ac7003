/* rollback_report - what a rollback will do, or has done: on the terminal, as JSON, as Markdown. */
#include <errno.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/table.h"
#include "cli/rollback.h"
#include "cli/target.h"

static const char *const words[] = {"not done", "done", "failed"};

struct rollback_step *rollback_step(struct rollback *r, struct str where, struct str what,
                                    struct str from, struct str to, struct str how)
{
    struct rollback_step *s =
        arena_push(r->a, (void **)&r->steps, &r->n_steps, &r->cap_steps, sizeof *s);
    *s = (struct rollback_step){.where = where, .what = what, .from = from, .to = to, .how = how};
    return s;
}

static void add_text(struct rollback *r, struct str **items, size_t *n, size_t *cap,
                     struct str text)
{
    for (size_t i = 0; i < *n; i++)
        if (str_eq((*items)[i], text))
            return;
    *(struct str *)arena_push(r->a, (void **)items, n, cap, sizeof text) = text;
}

void rollback_note(struct rollback *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_text(r, &r->notes, &r->n_notes, &r->cap_notes, str_vprintf(r->a, fmt, ap));
    va_end(ap);
}

void rollback_obstacle(struct rollback *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_text(r, &r->obstacles, &r->n_obstacles, &r->cap_obstacles, str_vprintf(r->a, fmt, ap));
    va_end(ap);
}

static void show_steps(struct rollback *r)
{
    static const struct table_column columns[] = {{.title = "STATE"},
                                                  {.title = "WHERE"},
                                                  {.title = "WHAT"},
                                                  {.title = "FROM", .shrink = true},
                                                  {.title = "TO", .shrink = true},
                                                  {.title = "HOW", .shrink = true},
                                                  {0}};
    struct table *t = table_new(r->a, columns);
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct rollback_step *s = &r->steps[i];
        table_row(t);
        table_cell_style(t,
                         s->state == ROLLBACK_DONE     ? STYLE_GREEN
                         : s->state == ROLLBACK_FAILED ? STYLE_RED
                                                       : STYLE_NONE,
                         r->planned ? S("planned") : str_from(words[s->state]));
        table_cell(t, s->where);
        table_cell(t, s->what);
        table_cell(t, str_slice(s->from, 0, 60));
        table_cell(t, str_slice(s->to, 0, 60));
        table_cell(t, s->error.n ? s->error : s->how);
    }
    if (r->n_steps)
        table_print(stdout, t);
}

static void show_validation(struct rollback *r)
{
    JSON_EACH(json_get(r->validation, "compared"), c) {
        bool equal = json_get(c, "equal")->boolean;
        printf("%.*s: configuration, code, layers and aliases %s\n",
               STR(json_get_str(c, "function")),
               equal ? "are those of the record" : "ARE NOT those of the record");
        JSON_EACH(json_get(c, "differences"), d)
            printf("    %.*s is %.*s, not %.*s\n", STR(json_get_str(d, "what")),
                   STR(deployment_show(r->a, json_get(d, "to"), 80)),
                   STR(deployment_show(r->a, json_get(d, "from"), 80)));
    }
    JSON_EACH(json_get(r->validation, "invoked"), i)
        printf("%s  %.*s %.*s%s%.*s\n", json_get(i, "passed")->boolean ? "ok  " : "FAIL",
               STR(json_get_str(i, "function")), STR(json_get_str(i, "name")),
               json_get_str(i, "reason").n ? ": " : "", STR(json_get_str(i, "reason")));
}

void rollback_show(struct rollback *r)
{
    if (target_of(r->run)->json)
        return;
    show_steps(r);
    for (size_t i = 0; i < r->n_notes; i++)
        printf("note: %.*s\n", STR(r->notes[i]));
    for (size_t i = 0; i < r->n_obstacles; i++)
        printf("impossible: %.*s\n", STR(r->obstacles[i]));
    if (r->validation)
        show_validation(r);
    fflush(stdout);
}

static struct json *texts(struct arena *a, const struct str *items, size_t n)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < n; i++)
        json_add(list, json_new_str(a, items[i]));
    return list;
}

struct json *rollback_report_json(struct rollback *r, const char *result)
{
    struct json *v = json_new(r->a, JSON_OBJECT), *steps = json_new(r->a, JSON_ARRAY);
    const struct {
        const char *key;
        struct str text;
    } about[] = {{"rollback_id", r->record.id},
                 {"timestamp", json_get_str(r->record.json, "timestamp")},
                 {r->stack ? "stack" : "function", r->name},
                 {"restores", json_get_str(r->target, "deployment_id")},
                 {"restores_timestamp", json_get_str(r->target, "timestamp")},
                 {"result", str_from(result)}};
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        if (about[i].text.n)
            json_set(r->a, v, str_from(about[i].key), json_new_str(r->a, about[i].text));
    json_set(r->a, v, S("steps"), steps);
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct rollback_step *s = &r->steps[i];
        struct json *o = json_add(steps, json_new(r->a, JSON_OBJECT));
        json_set(r->a, o, S("where"), json_new_str(r->a, s->where));
        json_set(r->a, o, S("what"), json_new_str(r->a, s->what));
        json_set(r->a, o, S("from"), json_new_str(r->a, s->from));
        json_set(r->a, o, S("to"), json_new_str(r->a, s->to));
        json_set(r->a, o, S("how"), json_new_str(r->a, s->how));
        json_set(r->a, o, S("state"),
                 json_new_str(r->a, r->o->plan ? S("planned") : str_from(words[s->state])));
        if (s->error.n)
            json_set(r->a, o, S("error"), json_new_str(r->a, s->error));
    }
    json_set(r->a, v, S("notes"), texts(r->a, r->notes, r->n_notes));
    json_set(r->a, v, S("obstacles"), texts(r->a, r->obstacles, r->n_obstacles));
    if (r->validation)
        json_set(r->a, v, S("validation"), json_copy(r->a, r->validation));
    return v;
}

/* ---- Markdown ---- */

/* A cell: no line ends, no bars, nothing that is markup. */
static struct str cell(struct arena *a, struct str text)
{
    auto_buf struct buf b;
    buf_init(&b, 65536);
    for (size_t i = 0; i < text.n && i < 200; i++) {
        char c = text.p[i];
        if (strchr("|\\`*_<>[]", c) && c)
            buf_byte(&b, '\\');
        buf_byte(&b, (unsigned char)c < 0x20 ? ' ' : c);
    }
    if (text.n > 200)
        buf_printf(&b, "...");
    return buf_copy(&b, a);
}

static struct str markdown(struct rollback *r, const char *result)
{
    auto_buf struct buf b;
    struct arena *a = r->a;
    buf_init(&b, 16 * 1024 * 1024);
    buf_printf(&b, "# Rollback of %.*s: %s\n\n", STR(cell(a, r->name)), result);
    buf_printf(&b, "Back to %.*s (%.*s), at %.*s, by %.*s.\n\n",
               STR(json_get_str(r->target, "deployment_id")),
               STR(json_get_str(r->target, "timestamp")),
               STR(json_get_str(r->record.json, "timestamp")),
               STR(cell(a, json_get_str(r->record.json, "caller"))));
    if (r->n_steps)
        buf_text(&b, "| state | where | what | from | to | how |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < r->n_steps; i++) {
        const struct rollback_step *s = &r->steps[i];
        buf_printf(&b, "| %s | %.*s | %.*s | %.*s | %.*s | %.*s |\n", words[s->state],
                   STR(cell(a, s->where)), STR(cell(a, s->what)), STR(cell(a, s->from)),
                   STR(cell(a, s->to)), STR(cell(a, s->error.n ? s->error : s->how)));
    }
    if (!r->n_steps)
        buf_text(&b, "Nothing had to be changed.\n");
    buf_byte(&b, '\n');
    for (size_t i = 0; i < r->n_notes; i++)
        buf_printf(&b, "- %.*s\n", STR(cell(a, r->notes[i])));
    JSON_EACH(json_get(r->validation, "compared"), c)
        buf_printf(&b, "- %.*s: %s\n", STR(cell(a, json_get_str(c, "function"))),
                   json_get(c, "equal")->boolean ? "as recorded" : "differs from the record");
    JSON_EACH(json_get(r->validation, "invoked"), i)
        buf_printf(&b, "- invoked %.*s (%.*s): %s %.*s\n",
                   STR(cell(a, json_get_str(i, "function"))), STR(cell(a, json_get_str(i, "name"))),
                   json_get(i, "passed")->boolean ? "passed" : "FAILED",
                   STR(cell(a, json_get_str(i, "reason"))));
    return buf_copy(&b, a);
}

static int write_one(struct rollback *r, const char *suffix, struct str text)
{
    char *path = str_c(r->a, str_printf(r->a, "%.*s%s", STR(r->o->report), suffix));
    int e = fs_write(path, text, 0644);
    return e < 0 ? verb_fail(r->run, "the report %s cannot be written: %s", path, strerror(-e)) : 0;
}

int rollback_report_write(struct rollback *r, const char *result)
{
    if (!r->o->report.n)
        return 0;
    struct str json = json_text(r->a, rollback_report_json(r, result), 2);
    int e = write_one(r, ".json", str_printf(r->a, "%.*s\n", STR(json)));
    int other = write_one(r, ".md", markdown(r, result));
    return e ? e : other;
}
