/* pattern_match - does a message match a filter pattern? */
#include <ctype.h>
#include <math.h>
#include "base/json.h"
#include "service/logs/pattern_tree.h"

#define FIELDS_MAX 512 /* of a message, for [..] patterns */

static bool regex_matches(const struct pattern_regex *regex, struct str s)
{
    if (*regex->gave_up)
        return false;
    int r = regex_match(&regex->is, s);
    *regex->gave_up = r == REGEX_TOO_MANY_STEPS || r == REGEX_TOO_LONG;
    return r >= 0;
}

/* The whole of s against a text in which * stands for any run of bytes. */
static bool glob(struct str pattern, struct str s)
{
    size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (j < s.n) {
        if (i < pattern.n && pattern.p[i] == '*') {
            star = i++;
            mark = j;
        } else if (i < pattern.n && pattern.p[i] == s.p[j]) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++mark;
        } else {
            return false;
        }
    }
    while (i < pattern.n && pattern.p[i] == '*')
        i++;
    return i == pattern.n;
}

static bool text_number(struct str s, double *ret)
{
    char text[64], *stop;
    if (!s.n || s.n >= sizeof text || isspace((unsigned char)s.p[0]))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = strtod(text, &stop);
    if (*stop || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

static bool equals(const struct pattern_operand *operand, struct str value)
{
    double v;
    if (operand->regex)
        return regex_matches(operand->regex, value);
    if (operand->has_number && text_number(value, &v))
        return v == operand->number;
    return glob(operand->text, value);
}

static bool compare(const struct pattern_node *node, struct str value)
{
    double v;
    if (node->op == PATTERN_ANY)
        return true;
    if (node->op == PATTERN_EQ)
        return equals(&node->operand, value);
    if (node->op == PATTERN_NE)
        return !equals(&node->operand, value);
    if (!text_number(value, &v))
        return false;
    switch (node->op) {
    case PATTERN_LT:
        return v < node->operand.number;
    case PATTERN_LE:
        return v <= node->operand.number;
    case PATTERN_GT:
        return v > node->operand.number;
    default:
        return v >= node->operand.number;
    }
}

/* ---- JSON ---- */

static bool compare_json(const struct pattern_node *node, const struct json *v)
{
    switch (node->op) {
    case PATTERN_IS_NULL:
        return v->type == JSON_NULL;
    case PATTERN_IS_TRUE:
        return v->type == JSON_BOOL && v->boolean;
    case PATTERN_IS_FALSE:
        return v->type == JSON_BOOL && !v->boolean;
    case PATTERN_NOT_EXISTS:
        return true; /* here it exists; the caller turns it round */
    default:
        break;
    }
    if (v->type == JSON_STRING || v->type == JSON_NUMBER)
        return compare(node, v->text);
    if (v->type == JSON_BOOL)
        return compare(node, v->boolean ? S("true") : S("false"));
    return false;
}

/* Any of the values that the steps lead to. */
static bool select_json(const struct pattern_node *node, size_t step, const struct json *v)
{
    if (!v)
        return false;
    if (step == node->n_steps)
        return compare_json(node, v);
    const struct pattern_step *s = &node->steps[step];
    if (s->type == STEP_KEY)
        return v->type == JSON_OBJECT && select_json(node, step + 1, json_find(v, s->key));
    if (s->type == STEP_INDEX)
        return v->type == JSON_ARRAY && (uint64_t)s->index < v->n &&
               select_json(node, step + 1, json_at(v, (size_t)s->index));
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return false;
    JSON_EACH(v, child)
        if (select_json(node, step + 1, child))
            return true;
    return false;
}

static bool matches_json(const struct pattern_node *node, const struct json *v)
{
    if (node->type == NODE_AND)
        return matches_json(node->left, v) && matches_json(node->right, v);
    if (node->type == NODE_OR)
        return matches_json(node->left, v) || matches_json(node->right, v);
    return select_json(node, 0, v) != (node->op == PATTERN_NOT_EXISTS);
}

/* ---- fields ---- */

static bool matches_field(const struct pattern_node *node, struct str value)
{
    if (node->type == NODE_AND)
        return matches_field(node->left, value) && matches_field(node->right, value);
    if (node->type == NODE_OR)
        return matches_field(node->left, value) || matches_field(node->right, value);
    return compare(node, value);
}

/* Blanks separate; what stands in quotes or brackets is one field, without them. */
static size_t split_fields(struct str s, struct str *ret)
{
    size_t n = 0, i = 0;
    while (n < FIELDS_MAX) {
        while (i < s.n && isspace((unsigned char)s.p[i]))
            i++;
        if (i == s.n)
            break;
        char close = s.p[i] == '"' ? '"' : s.p[i] == '[' ? ']' : 0;
        ssize_t end = close ? str_find_byte(str_slice(s, i + 1, s.n), close) : -1;
        if (end >= 0) {
            ret[n++] = str_slice(s, i + 1, i + 1 + (size_t)end);
            i += (size_t)end + 2;
            continue;
        }
        size_t from = i;
        while (i < s.n && !isspace((unsigned char)s.p[i]))
            i++;
        ret[n++] = str_slice(s, from, i);
    }
    return n;
}

static bool matches_fields(const struct logs_pattern *p, struct str message)
{
    struct str fields[FIELDS_MAX];
    size_t n = split_fields(message, fields), rest = p->n_fields;
    for (size_t i = 0; i < p->n_fields; i++)
        if (p->fields[i].rest)
            rest = i;
    if (rest == p->n_fields ? n != p->n_fields : n + 1 < p->n_fields)
        return false;
    for (size_t i = 0; i < rest; i++)
        if (!matches_field(p->fields[i].condition, fields[i]))
            return false;
    for (size_t i = rest + 1; i < p->n_fields; i++)
        if (!matches_field(p->fields[i].condition, fields[n - (p->n_fields - i)]))
            return false;
    return true;
}

/* ---- terms ---- */

static bool has_term(const struct pattern_operand *what, struct str message)
{
    return what->regex ? regex_matches(what->regex, message) : str_find(message, what->text) >= 0;
}

static bool matches_terms(const struct logs_pattern *p, struct str message)
{
    for (size_t i = 0; i < p->n_terms; i++) {
        const struct pattern_term *t = &p->terms[i];
        /* Beside terms that must or must not be there, ?terms say nothing. */
        if (t->sign == '?' && !p->optional_only)
            continue;
        bool there = has_term(&t->what, message);
        if (t->sign == '?' && there)
            return true;
        if (t->sign != '?' && there == (t->sign == '-'))
            return false;
    }
    return !p->optional_only;
}

bool logs_pattern_match(const struct logs_pattern *p, struct str message, struct arena *scratch)
{
    struct json *v;
    switch (p->type) {
    case PATTERN_ALL:
        return true;
    case PATTERN_TERMS:
        return matches_terms(p, message);
    case PATTERN_FIELDS:
        return matches_fields(p, message);
    case PATTERN_JSON:
        message = str_trim(message);
        if (!message.n || (message.p[0] != '{' && message.p[0] != '['))
            return false;
        return json_parse(scratch, message, &v, NULL) == 0 && matches_json(p->condition, v);
    }
    return false;
}

struct str logs_pattern_needle(const struct logs_pattern *p, bool *ret_all)
{
    struct str longest = {0};
    *ret_all = false;
    if (p->type != PATTERN_TERMS || (p->optional_only && p->n_terms != 1))
        return longest;
    for (size_t i = 0; i < p->n_terms; i++) {
        const struct pattern_term *term = &p->terms[i];
        struct str text = term->what.regex ? term->what.regex->is.literal : term->what.text;
        if ((!term->sign || p->optional_only) && text.n > longest.n)
            longest = text;
    }
    *ret_all = longest.n && p->n_terms == 1 && !p->terms[0].what.regex;
    return longest;
}
