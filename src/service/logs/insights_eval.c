/* insights_eval - expressions over a row. */
#include <math.h>
#include "service/logs/insights_stage.h"
#include "service/logs/regex.h"

struct insights_value insights_slot_value(struct insights_run *run, int slot)
{
    if (run->known[slot] == run->generation)
        return run->values[slot];
    struct insights_value v = insights_absent();
    int base = run->bases[slot];
    struct str name = run->query->slots[slot];
    if (base >= 0 && run->known[base] == run->generation) {
        struct str path = str_slice(name, run->query->slots[base].n + 1, name.n);
        if (run->values[base].type == INSIGHTS_JSON)
            v = insights_of_json(insights_json_at(run->values[base].json, path));
    } else if (run->in_event) {
        v = insights_discover(&run->event, run->ids[slot], name, &run->scratch);
    }
    insights_set(run, slot, v);
    return v;
}

void insights_set(struct insights_run *run, int slot, struct insights_value v)
{
    run->values[slot] = v;
    run->known[slot] = run->generation;
}

static struct insights_value arithmetic(struct insights_run *run, const struct insights_expr *e)
{
    double x, y, v = NAN;
    struct insights_value left = insights_eval(run, e->args[0]),
                          right = insights_eval(run, e->args[1]);
    if (!insights_to_number(&left, &x) || !insights_to_number(&right, &y))
        return insights_absent();
    switch (e->op) {
    case '+':
        v = x + y;
        break;
    case '-':
        v = x - y;
        break;
    case '*':
        v = x * y;
        break;
    case '/':
        v = y != 0 ? x / y : NAN;
        break;
    case '%':
        v = y != 0 ? fmod(x, y) : NAN;
        break;
    case '^':
        v = pow(x, y);
        break;
    }
    return isfinite(v) ? insights_number(v) : insights_absent();
}

static bool compare(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value x = insights_eval(run, e->args[0]), y = insights_eval(run, e->args[1]);
    if (e->op == '=')
        return insights_equal(&run->scratch, &x, &y);
    if (e->op == '!')
        return !insights_equal(&run->scratch, &x, &y);
    if (x.type == INSIGHTS_ABSENT || y.type == INSIGHTS_ABSENT)
        return false;
    int cmp = insights_compare(&run->scratch, &x, &y);
    switch (e->op) {
    case '<':
        return cmp < 0;
    case '>':
        return cmp > 0;
    case 'l':
        return cmp <= 0;
    default:
        return cmp >= 0;
    }
}

int insights_match(struct insights_run *run, const struct regex *regex, struct str s)
{
    int r = regex_match(regex, s);
    if (r == REGEX_TOO_MANY_STEPS)
        run->failed = S("A regular expression takes too many steps.");
    else if (r == REGEX_TOO_LONG)
        run->failed = S("A regular expression takes too long.");
    return r;
}

static bool like(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value x = insights_eval(run, e->args[0]);
    if (x.type == INSIGHTS_ABSENT)
        return false;
    struct str s = insights_to_text(&run->scratch, &x);
    if (e->regex)
        return insights_match(run, e->regex, s) >= 0;
    return str_find(s, e->args[1]->literal.text) >= 0;
}

static bool in_list(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value x = insights_eval(run, e->args[0]);
    for (size_t i = 1; i < e->n_args; i++) {
        struct insights_value y = insights_eval(run, e->args[i]);
        if (insights_equal(&run->scratch, &x, &y))
            return true;
    }
    return false;
}

static struct insights_value call(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value few[4], *args = few;
    if (e->n_args > 4)
        args = ARENA_ARRAY(&run->scratch, struct insights_value, e->n_args);
    for (size_t i = 0; i < e->n_args; i++)
        args[i] = insights_eval(run, e->args[i]);
    return e->function->run(&run->scope, e, args, e->n_args);
}

/* list[1], map.name */
static struct insights_value at(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value list = insights_eval(run, e->args[0]);
    double i;
    if (list.type != INSIGHTS_JSON)
        return insights_absent();
    if (e->op != '[')
        return insights_of_json(insights_json_at(list.json, e->path));
    struct insights_value index = insights_eval(run, e->args[1]);
    if (list.json->type == JSON_ARRAY && insights_to_number(&index, &i))
        return i >= 0 && i < 1e9 ? insights_of_json(json_at(list.json, (size_t)i))
                                 : insights_absent();
    return insights_of_json(json_find(list.json, insights_to_text(&run->scratch, &index)));
}

static bool is_true(struct insights_run *run, const struct insights_expr *e)
{
    struct insights_value v = insights_eval(run, e);
    return insights_true(&v);
}

struct insights_value insights_eval(struct insights_run *run, const struct insights_expr *e)
{
    switch (e->type) {
    case INSIGHTS_LITERAL:
        return e->literal;
    case INSIGHTS_SLOT:
        return insights_slot_value(run, e->slot);
    case INSIGHTS_CALL:
        return call(run, e);
    case INSIGHTS_AGGREGATE:
        return run->aggregates ? run->aggregates[e->aggregate] : insights_absent();
    case INSIGHTS_AND:
        return insights_bool(is_true(run, e->args[0]) && is_true(run, e->args[1]));
    case INSIGHTS_OR:
        return insights_bool(is_true(run, e->args[0]) || is_true(run, e->args[1]));
    case INSIGHTS_NOT:
        return insights_bool(!is_true(run, e->args[0]));
    case INSIGHTS_COMPARE:
        return insights_bool(compare(run, e));
    case INSIGHTS_ARITHMETIC:
        return arithmetic(run, e);
    case INSIGHTS_LIKE:
        return insights_bool(like(run, e));
    case INSIGHTS_IN:
        return insights_bool(in_list(run, e));
    case INSIGHTS_AT:
        return at(run, e);
    }
    return insights_absent();
}

struct insights_value insights_keep(struct arena *a, const struct insights_value *v)
{
    struct insights_value kept = *v;
    if (v->type == INSIGHTS_TEXT)
        kept.text = str_copy(a, v->text);
    else if (v->type == INSIGHTS_JSON) {
        struct json *copy;
        struct str text = json_text(a, v->json, -1);
        if (json_parse(a, text, &copy, NULL) < 0)
            return insights_absent();
        kept.json = copy;
    }
    return kept;
}
