/* policy_place - where statements stand in a document, and which keys it asks for. The text has
 * been parsed: here it is only walked over. */
#include "service/policy_document.h"

struct walk {
    const char *p, *end;
    int line, column;
};

static void step(struct walk *w)
{
    if (*w->p == '\n') {
        w->line++;
        w->column = 0;
    }
    w->column += ((unsigned char)*w->p & 0xc0) != 0x80; /* bytes that continue a character */
    w->p++;
}

static void skip_blanks(struct walk *w)
{
    while (w->p < w->end && strchr(" \t\r\n", *w->p))
        step(w);
}

/* Over a value, its opening byte included. */
static void skip_value(struct walk *w)
{
    int depth = 0;
    do {
        if (w->p == w->end)
            return;
        if (*w->p == '"') {
            for (step(w); w->p < w->end && *w->p != '"'; step(w))
                if (*w->p == '\\' && w->p + 1 < w->end)
                    step(w);
            if (w->p < w->end)
                step(w);
        } else if (strchr("{[", *w->p)) {
            depth++;
            step(w);
        } else if (strchr("}]", *w->p)) {
            depth--;
            step(w);
        } else if (depth) {
            step(w);
        } else {
            while (w->p < w->end && !strchr(",}] \t\r\n", *w->p))
                step(w);
        }
    } while (depth);
}

/* To the value of the document's member, behind whose colon *w then stands. */
static bool find_member(struct walk *w, struct str name)
{
    skip_blanks(w);
    if (w->p == w->end || *w->p != '{')
        return false;
    for (step(w);;) {
        skip_blanks(w);
        if (w->p == w->end || *w->p != '"')
            return false;
        const char *from = w->p + 1;
        skip_value(w);
        bool found = str_eq(str_of(from, (size_t)(w->p - from) - 1), name);
        skip_blanks(w);
        if (w->p == w->end)
            return false;
        step(w); /* the colon */
        skip_blanks(w);
        if (found)
            return true;
        skip_value(w);
        skip_blanks(w);
        if (w->p == w->end || *w->p != ',')
            return false;
        step(w);
    }
}

static struct walk begin(struct str text)
{
    return (struct walk){.p = text.p, .end = text.p + text.n, .line = 1, .column = 1};
}

/* From the value of the member Statement to the statement, counted from 0; place: where the one
 * before ends. */
static void to_statement(struct walk *w, size_t statement, struct policy_place *place)
{
    struct walk inner = *w;
    step(&inner); /* behind the bracket of the list, or the brace of the only statement */
    place->start_line = inner.line;
    place->start_column = inner.column;
    for (size_t i = 0; *w->p == '[' && i < statement; i++) {
        skip_blanks(&inner);
        skip_value(&inner);
        place->start_line = inner.line;
        place->start_column = inner.column;
        skip_blanks(&inner);
        if (inner.p < inner.end)
            step(&inner); /* the comma */
    }
    if (*w->p != '[')
        return;
    skip_blanks(&inner);
    *w = inner;
}

struct policy_place policy_place_of(const struct policy *p, size_t statement)
{
    struct walk w = begin(p->text);
    struct policy_place place = {0};
    if (!find_member(&w, S("Statement")) || w.p == w.end)
        return place;
    to_statement(&w, statement, &place);
    skip_value(&w);
    place.end_line = w.line;
    place.end_column = w.column;
    return place;
}

void policy_place_member(struct str text, size_t statement, struct str member, int *ret_line,
                         int *ret_column)
{
    struct walk w = begin(text);
    skip_blanks(&w);
    if (statement && find_member(&w, S("Statement")) && w.p < w.end)
        to_statement(&w, statement - 1, &(struct policy_place){0});
    struct walk value = w;
    if (member.n && find_member(&value, member))
        w = value;
    *ret_line = w.line;
    *ret_column = w.column;
}

struct str policy_fault_text(struct arena *a, struct str file, const struct policy_fault *fault)
{
    struct str statement = S("");
    if (fault->statement)
        statement = str_printf(a, "statement %zu: ", fault->statement);
    if (!fault->detail.n)
        return str_printf(a, "%.*s:%d:%d: %.*s%.*s", STR(file), fault->line, fault->column,
                          STR(statement), STR(fault->message));
    return str_printf(a, "%.*s:%d:%d: %.*s%.*s (IAM only says: %.*s)", STR(file), fault->line,
                      fault->column, STR(statement), STR(fault->detail), STR(fault->message));
}

static void add_key(struct arena *a, struct policy_values *keys, size_t *cap, struct str key)
{
    for (size_t i = 0; i < keys->n; i++)
        if (str_eq_nocase(keys->items[i], key))
            return;
    struct str *slot = arena_push(a, (void **)&keys->items, &keys->n, cap, sizeof *slot);
    *slot = key;
}

static void add_variables(struct arena *a, struct policy_values *keys, size_t *cap, struct str text)
{
    for (;;) {
        ssize_t at = str_find(text, S("${"));
        if (at < 0)
            return;
        struct str name;
        text = str_slice(text, (size_t)at + 2, text.n);
        if (!str_cut(text, '}', &name, &text))
            return;
        str_cut(name, ',', &name, &(struct str){0});
        name = str_trim(name);
        if (str_find_byte(name, ':') > 0)
            add_key(a, keys, cap, name);
    }
}

void policy_missing_keys(const struct policy *p, const struct policy_request *r,
                         struct policy_values *ret)
{
    struct policy_values keys = {0};
    size_t cap = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_statement *s = &p->statements[i];
        if (!statement_concerns(p, s, r))
            continue;
        for (size_t j = 0; j < s->n_conditions; j++) {
            struct policy_values have = {0};
            if (!r->lookup || !r->lookup(r->user, r->arena, s->conditions[j].key, &have) || !have.n)
                add_key(r->arena, &keys, &cap, s->conditions[j].key);
        }
    }
    *ret = keys;
}

void policy_context_keys(const struct policy *p, struct arena *a, struct policy_values *ret)
{
    struct policy_values keys = {0};
    size_t cap = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_statement *s = &p->statements[i];
        for (size_t j = 0; p->variables && j < s->resources.n; j++)
            add_variables(a, &keys, &cap, s->resources.items[j]);
        for (size_t j = 0; j < s->n_conditions; j++) {
            add_key(a, &keys, &cap, s->conditions[j].key);
            for (size_t k = 0; p->variables && k < s->conditions[j].values.n; k++)
                add_variables(a, &keys, &cap, s->conditions[j].values.items[k]);
        }
    }
    *ret = keys;
}
