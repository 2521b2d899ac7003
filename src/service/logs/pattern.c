/* pattern - reads filter patterns. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include "service/logs/pattern_tree.h"

#define DEPTH_MAX 32

struct reader {
    struct arena *a;
    struct logs_pattern *pattern;
    const char *p, *end;
    struct str why;
    bool fields; /* inside [...], not {...} */
    int depth;
};

static int refuse(struct reader *r, const char *fmt, struct str what)
{
    if (!r->why.p)
        r->why = str_printf(r->a, "%s '%.*s'", fmt, STR(what));
    return -EINVAL;
}

static struct str rest_of(const struct reader *r)
{
    return str_of(r->p, (size_t)(r->end - r->p));
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && isspace((unsigned char)*r->p))
        r->p++;
}

static bool take(struct reader *r, const char *token)
{
    skip_blanks(r);
    size_t n = strlen(token);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, token, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* A word of letters, in any case, not followed by more of them. */
static bool take_word(struct reader *r, const char *word)
{
    skip_blanks(r);
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || !str_eq_nocase(str_of(r->p, n), str_from(word)))
        return false;
    if (r->p + n < r->end && (isalnum((unsigned char)r->p[n]) || r->p[n] == '_'))
        return false;
    r->p += n;
    return true;
}

/* ---- regular expressions ---- */

static bool regex_char_allowed(char c)
{
    return isalnum((unsigned char)c) || (c && strchr(":_#=@/;,-^$?[]{}|\\*+. ", c));
}

static int read_regex(struct reader *r, struct pattern_regex **ret)
{
    const char *begin = ++r->p;
    while (r->p < r->end && *r->p != '%')
        r->p++;
    struct str text = str_of(begin, (size_t)(r->p - begin));
    if (r->p == r->end)
        return refuse(r, "Invalid filter pattern: missing % behind", text);
    r->p++;
    for (size_t i = 0; i < text.n; i++)
        if (!regex_char_allowed(text.p[i]))
            return refuse(r, "Invalid character(s) in regex", text);
    struct logs_pattern *p = r->pattern;
    if (!text.n || p->n_regexes == PATTERN_REGEX_MAX)
        return refuse(r, "Invalid filter pattern: too many or empty regex", text);
    static const struct regex_limits limits = {100000, 1000, 1024, false};
    struct pattern_regex *regex = ARENA_NEW(r->a, struct pattern_regex);
    int error;
    size_t where;
    if (regex_compile(r->a, text, &limits, &regex->is, &error, &where) < 0)
        return refuse(r, "Invalid regex", text);
    regex->gave_up = &p->gave_up;
    p->regexes[p->n_regexes++] = regex;
    *ret = regex;
    return 0;
}

/* ---- values ---- */

static int read_quoted(struct reader *r, struct str *ret)
{
    const char *begin = ++r->p;
    char *text = arena_alloc(r->a, (size_t)(r->end - begin) + 1);
    size_t n = 0;
    while (r->p < r->end && *r->p != '"') {
        if (*r->p == '\\' && r->p + 1 < r->end && (r->p[1] == '"' || r->p[1] == '\\'))
            r->p++;
        text[n++] = *r->p++;
    }
    if (r->p == r->end)
        return refuse(r, "Invalid filter pattern: missing closing quote behind",
                      str_of(begin, (size_t)(r->end - begin)));
    r->p++;
    *ret = str_of(text, n);
    return 0;
}

static void operand_number(struct arena *a, struct pattern_operand *operand)
{
    if (!operand->text.n || operand->text.n > 64 || isspace((unsigned char)operand->text.p[0]))
        return;
    char *text = str_c(a, operand->text), *stop;
    double v = strtod(text, &stop);
    if (*stop || !isfinite(v) || strpbrk(text, "xX"))
        return;
    operand->has_number = true;
    operand->number = v;
}

/* Where an unquoted value or name of an expression ends. */
static bool ends_value(const struct reader *r)
{
    char c = *r->p;
    if (isspace((unsigned char)c) || c == ')' || c == '(')
        return true;
    if (r->fields ? c == ',' || c == ']' : c == '}')
        return true;
    return r->p + 1 < r->end && ((c == '&' && r->p[1] == '&') || (c == '|' && r->p[1] == '|'));
}

static int read_operand(struct reader *r, struct pattern_operand *ret)
{
    skip_blanks(r);
    if (r->p < r->end && *r->p == '%')
        return read_regex(r, &ret->regex);
    if (r->p < r->end && *r->p == '"')
        return read_quoted(r, &ret->text);
    const char *begin = r->p;
    while (r->p < r->end && !ends_value(r))
        r->p++;
    if (r->p == begin)
        return refuse(r, "Invalid filter pattern: a value is missing at", rest_of(r));
    ret->text = str_of(begin, (size_t)(r->p - begin));
    operand_number(r->a, ret);
    return 0;
}

/* ---- expressions ---- */

static int read_bracket_step(struct reader *r, struct pattern_step *ret)
{
    skip_blanks(r);
    char quote = r->p < r->end ? *r->p : 0;
    if (quote == '\'' || quote == '"') {
        const char *begin = ++r->p;
        while (r->p < r->end && *r->p != quote)
            r->p++;
        if (r->p == r->end)
            return refuse(r, "Invalid property selector", str_of(begin, (size_t)(r->p - begin)));
        *ret = (struct pattern_step){.type = STEP_KEY, .key = {begin, (size_t)(r->p - begin)}};
        r->p++;
    } else if (take(r, "*")) {
        *ret = (struct pattern_step){.type = STEP_EACH};
    } else {
        const char *begin = r->p;
        while (r->p < r->end && isdigit((unsigned char)*r->p))
            r->p++;
        int64_t index;
        if (str_to_int64(str_of(begin, (size_t)(r->p - begin)), &index) < 0)
            return refuse(r, "Invalid property selector", rest_of(r));
        *ret = (struct pattern_step){.type = STEP_INDEX, .index = index};
    }
    return take(r, "]") ? 0 : refuse(r, "Invalid property selector", rest_of(r));
}

static bool key_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '$' || c == '@' ||
           (unsigned char)c >= 0x80;
}

/* $.a.b[0]['c'] */
static int read_selector(struct reader *r, struct pattern_node *node)
{
    size_t cap = 0;
    if (!take(r, "$"))
        return refuse(r,
                      "Invalid filter pattern: a property selector must begin with $:", rest_of(r));
    while (r->p < r->end && (*r->p == '.' || *r->p == '[')) {
        struct pattern_step step = {.type = STEP_KEY};
        bool dot = *r->p++ == '.';
        if (dot && r->p < r->end && *r->p == '[') {
            dot = false;
            r->p++;
        }
        if (!dot) {
            int err = read_bracket_step(r, &step);
            if (err < 0)
                return err;
        } else if (r->p < r->end && *r->p == '*') {
            r->p++;
            step.type = STEP_EACH;
        } else {
            const char *begin = r->p;
            while (r->p < r->end && key_char(*r->p))
                r->p++;
            step.key = str_of(begin, (size_t)(r->p - begin));
            if (!step.key.n)
                return refuse(r, "Invalid property selector", rest_of(r));
        }
        *(struct pattern_step *)arena_push(r->a, (void **)&node->steps, &node->n_steps, &cap,
                                           sizeof step) = step;
    }
    if (!node->n_steps)
        return refuse(r, "Invalid property selector", rest_of(r));
    return 0;
}

static bool read_op(struct reader *r, enum pattern_op *ret)
{
    static const struct {
        const char *text;
        enum pattern_op op;
    } ops[] = {{"!=", PATTERN_NE}, {"<=", PATTERN_LE}, {">=", PATTERN_GE},
               {"=", PATTERN_EQ},  {"<", PATTERN_LT},  {">", PATTERN_GT}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (take(r, ops[i].text)) {
            *ret = ops[i].op;
            return true;
        }
    return false;
}

static int read_is(struct reader *r, struct pattern_node *node)
{
    if (take_word(r, "IS")) {
        node->op = take_word(r, "TRUE")    ? PATTERN_IS_TRUE
                   : take_word(r, "FALSE") ? PATTERN_IS_FALSE
                   : take_word(r, "NULL")  ? PATTERN_IS_NULL
                                           : PATTERN_ANY;
        return node->op == PATTERN_ANY
                   ? refuse(r, "Invalid filter pattern: expected TRUE, FALSE or NULL at",
                            rest_of(r))
                   : 0;
    }
    if (take_word(r, "NOT") && take_word(r, "EXISTS")) {
        node->op = PATTERN_NOT_EXISTS;
        return 0;
    }
    return refuse(r, "Invalid filter pattern: expected an operator at", rest_of(r));
}

static bool is_op_char(char c)
{
    return c == '=' || c == '!' || c == '<' || c == '>';
}

static int read_compare(struct reader *r, struct pattern_node **ret)
{
    struct pattern_node *node = ARENA_NEW(r->a, struct pattern_node);
    node->type = NODE_COMPARE;
    if (r->fields) {
        skip_blanks(r);
        const char *begin = r->p;
        while (r->p < r->end && !ends_value(r) && !is_op_char(*r->p))
            r->p++;
        if (r->p == begin)
            return refuse(r, "Invalid filter pattern: a field name is missing at", rest_of(r));
    } else {
        int err = read_selector(r, node);
        if (err < 0)
            return err;
    }
    int err = 0;
    if (read_op(r, &node->op))
        err = read_operand(r, &node->operand);
    else if (r->fields)
        node->op = PATTERN_ANY;
    else
        err = read_is(r, node);
    if (err < 0)
        return err;
    if (node->op >= PATTERN_LT && node->op <= PATTERN_GE && !node->operand.has_number)
        return refuse(r, "Invalid filter pattern: a number is needed instead of",
                      node->operand.text);
    *ret = node;
    return 0;
}

static int read_or(struct reader *r, struct pattern_node **ret);

static int read_primary(struct reader *r, struct pattern_node **ret)
{
    if (!take(r, "("))
        return read_compare(r, ret);
    if (++r->depth > DEPTH_MAX)
        return refuse(r, "Invalid filter pattern: too deeply nested at", rest_of(r));
    int err = read_or(r, ret);
    r->depth--;
    if (err < 0)
        return err;
    return take(r, ")") ? 0 : refuse(r, "Invalid filter pattern: missing ) at", rest_of(r));
}

static struct pattern_node *join(struct reader *r, int type, struct pattern_node *left,
                                 struct pattern_node *right)
{
    struct pattern_node *node = ARENA_NEW(r->a, struct pattern_node);
    node->type = type;
    node->left = left;
    node->right = right;
    return node;
}

static int read_and(struct reader *r, struct pattern_node **ret)
{
    struct pattern_node *left, *right;
    int err = read_primary(r, &left);
    while (err == 0 && take(r, "&&")) {
        err = read_primary(r, &right);
        if (err == 0)
            left = join(r, NODE_AND, left, right);
    }
    if (err == 0)
        *ret = left;
    return err;
}

static int read_or(struct reader *r, struct pattern_node **ret)
{
    struct pattern_node *left, *right;
    int err = read_and(r, &left);
    while (err == 0 && take(r, "||")) {
        err = read_and(r, &right);
        if (err == 0)
            left = join(r, NODE_OR, left, right);
    }
    if (err == 0)
        *ret = left;
    return err;
}

/* ---- the three kinds ---- */

static int read_json(struct reader *r, struct logs_pattern *p)
{
    p->type = PATTERN_JSON;
    int err = read_or(r, &p->condition);
    if (err < 0)
        return err;
    return take(r, "}") ? 0 : refuse(r, "Invalid filter pattern: missing } at", rest_of(r));
}

static int read_fields(struct reader *r, struct logs_pattern *p)
{
    p->type = PATTERN_FIELDS;
    r->fields = true;
    int rests = 0;
    if (take(r, "]"))
        return refuse(r, "Invalid filter pattern: no fields in", S("[]"));
    do {
        struct pattern_field *field =
            arena_push(r->a, (void **)&p->fields, &p->n_fields, &p->cap_fields, sizeof *p->fields);
        *field = (struct pattern_field){0};
        if (take(r, "...")) {
            field->rest = true;
            if (++rests > 1)
                return refuse(r, "Invalid filter pattern: more than one", S("..."));
        } else {
            struct pattern_node *condition;
            int err = read_or(r, &condition);
            if (err < 0)
                return err;
            p->fields[p->n_fields - 1].condition = condition;
        }
    } while (take(r, ","));
    return take(r, "]") ? 0 : refuse(r, "Invalid filter pattern: missing ] at", rest_of(r));
}

static int read_term(struct reader *r, struct pattern_term *ret)
{
    if (*r->p == '?' || *r->p == '-')
        ret->sign = *r->p++;
    if (r->p < r->end && *r->p == '"')
        return read_quoted(r, &ret->what.text);
    if (r->p < r->end && *r->p == '%')
        return read_regex(r, &ret->what.regex);
    const char *begin = r->p;
    bool good = true;
    for (; r->p < r->end && !isspace((unsigned char)*r->p); r->p++)
        if (!isalnum((unsigned char)*r->p) && *r->p != '_' && (unsigned char)*r->p < 0x80)
            good = false;
    ret->what.text = str_of(begin, (size_t)(r->p - begin));
    if (!good || !ret->what.text.n)
        return refuse(r, "Invalid character(s) in term", ret->what.text);
    return 0;
}

static int read_terms(struct reader *r, struct logs_pattern *p)
{
    p->type = PATTERN_TERMS;
    p->optional_only = true;
    for (skip_blanks(r); r->p < r->end; skip_blanks(r)) {
        struct pattern_term term = {0};
        int err = read_term(r, &term);
        if (err < 0)
            return err;
        if (term.sign != '?')
            p->optional_only = false;
        *(struct pattern_term *)arena_push(r->a, (void **)&p->terms, &p->n_terms, &p->cap_terms,
                                           sizeof term) = term;
    }
    return 0;
}

int logs_pattern_parse(struct arena *a, struct str text, struct logs_pattern **ret,
                       struct str *ret_why)
{
    struct logs_pattern *p = ARENA_NEW(a, struct logs_pattern);
    text = str_trim(text);
    struct reader r = {.a = a, .pattern = p, .p = text.p, .end = text.p + text.n};
    int err = 0;
    if (!text.n)
        p->type = PATTERN_ALL;
    else if (take(&r, "{"))
        err = read_json(&r, p);
    else if (take(&r, "["))
        err = read_fields(&r, p);
    else
        err = read_terms(&r, p);
    if (err == 0 && text.n) {
        skip_blanks(&r);
        if (r.p < r.end)
            err = refuse(&r, "Invalid filter pattern: unexpected", rest_of(&r));
    }
    if (err < 0) {
        *ret_why = r.why;
        return err;
    }
    *ret = p;
    return 0;
}

void logs_pattern_speed_up(struct logs_pattern *p)
{
    for (int i = 0; i < p->n_regexes; i++)
        regex_speed_up(&p->regexes[i]->is);
}

void logs_pattern_slow_down(struct logs_pattern *p)
{
    for (int i = 0; i < p->n_regexes; i++)
        regex_slow_down(&p->regexes[i]->is);
}

bool logs_pattern_gave_up(const struct logs_pattern *p)
{
    return p->gave_up;
}
