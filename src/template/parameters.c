/* template/parameters - what a template asks for, what it is given, and CloudFormation's words
 * about it. */
#include "template/inside.h"

#include "base/utf8.h"

#include <errno.h>
#include <math.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A pattern comes from the template and runs over a value from the request: bounded work. */
#define MATCH_LIMIT 1000000
#define DEPTH_LIMIT 1000

bool parameter_kind_of(struct str name, enum template_param_kind *ret)
{
    bool list = str_starts(name, S("List<")) && str_ends(name, S(">"));
    struct str inner = list ? str_slice(name, 5, name.n - 1) : name;
    if (str_eq(name, S("CommaDelimitedList")))
        *ret = PARAM_COMMA_LIST;
    else if (str_eq(inner, S("Number")))
        *ret = list ? PARAM_NUMBER_LIST : PARAM_NUMBER;
    else if (str_eq(inner, S("String")) || str_starts(inner, S("AWS::EC2::")) ||
             str_starts(inner, S("AWS::Route53::")) ||
             str_eq(inner, S("AWS::SSM::Parameter::Name")))
        *ret = list ? PARAM_COMMA_LIST : PARAM_STRING;
    else
        return false;
    return true;
}

static int read_type(struct template *t, struct template_parameter *p, const struct json *type,
                     struct template_error *err)
{
    if (parameter_kind_of(p->type, &p->kind))
        return 0;
    if (str_find(p->type, S("AWS::SSM::Parameter::Value<")) >= 0)
        return template_fail(t->arena, err, type,
                             "Parameter type %.*s is not supported: values from Systems Manager "
                             "cannot be read yet",
                             STR(p->type));
    return template_fail(t->arena, err, type,
                         "Template format error: Unrecognized parameter type: "
                         "%.*s",
                         STR(p->type));
}

static int read_default(struct template *t, struct template_parameter *p,
                        struct template_error *err)
{
    const struct json *v = json_get(p->declaration, "Default");
    if (!v)
        return 0;
    p->default_value = scalar_text(v);
    if (!str_has(p->default_value))
        return template_fail(t->arena, err, v,
                             "Template format error: Every Default member must be a string.");
    return 0;
}

static int open_one(struct template *t, const struct json *declaration, struct template_error *err)
{
    static const char *const known[] = {
        "Type",      "Default",  "NoEcho",   "AllowedValues", "AllowedPattern",        "MaxLength",
        "MinLength", "MaxValue", "MinValue", "Description",   "ConstraintDescription", NULL};
    struct arena *a = t->arena;
    if (!is_alphanumeric(declaration->key))
        return template_fail(a, err, declaration,
                             "Template format error: Parameter name %.*s is non alphanumeric.",
                             STR(declaration->key));
    const struct json *type = json_get(declaration, "Type");
    if (declaration->type != JSON_OBJECT || !json_is(type, JSON_STRING))
        return template_fail(
            a, err, declaration,
            "Template format error: Every Parameters object must contain a Type member.");
    JSON_EACH(declaration, member) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++)
            found = str_is(member->key, *k);
        if (!found)
            return template_fail(a, err, member, "Invalid template parameter property '%.*s'",
                                 STR(member->key));
    }
    struct template_parameter *p = &t->parameters[t->n_parameters++];
    p->name = declaration->key;
    p->type = type->text;
    p->declaration = declaration;
    p->description = json_get_str(declaration, "Description");
    p->constraint_description = json_get_str(declaration, "ConstraintDescription");
    p->no_echo = str_eq_nocase(scalar_text(json_get(declaration, "NoEcho")), S("true"));
    const struct json *allowed = json_get(declaration, "AllowedValues");
    if (allowed && allowed->type != JSON_ARRAY)
        return template_fail(a, err, allowed,
                             "Template format error: Every AllowedValues member must be a list.");
    int r = read_type(t, p, type, err);
    return r < 0 ? r : read_default(t, p, err);
}

int parameters_open(struct template *t, const struct json *section, struct template_error *err)
{
    if (!section)
        return 0;
    if (section->n > 200)
        return template_fail(t->arena, err, section,
                             "Template format error: Number of parameters, %zu, is greater than "
                             "maximum allowed, 200",
                             section->n);
    t->parameters = ARENA_ARRAY(t->arena, struct template_parameter, section->n + 1);
    JSON_EACH(section, declaration) {
        int r = open_one(t, declaration, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The author's own words where there are some. */
static int violated(struct template *t, const struct template_parameter *p,
                    struct template_error *err, struct str what)
{
    if (str_has(p->constraint_description) && p->constraint_description.n)
        return template_fail(t->arena, err, p->declaration,
                             "Parameter '%.*s' failed to satisfy constraint: %.*s", STR(p->name),
                             STR(p->constraint_description));
    return template_fail(t->arena, err, p->declaration, "Parameter '%.*s' %.*s", STR(p->name),
                         STR(what));
}

static int check_pattern(struct template *t, const struct template_parameter *p, struct str value,
                         struct template_error *err)
{
    const struct json *v = json_get(p->declaration, "AllowedPattern");
    struct str pattern = json_str(v);
    if (!str_has(pattern))
        return 0;
    int code;
    PCRE2_SIZE offset;
    pcre2_code *re =
        pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_UTF, &code, &offset, NULL);
    if (!re)
        return template_fail(t->arena, err, v,
                             "Template format error: AllowedPattern of parameter '%.*s' is not a "
                             "valid regular expression",
                             STR(p->name));
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (!data || !context)
        abort();
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_depth_limit(context, DEPTH_LIMIT);
    /* The whole value has to match, as with Java's matches(). */
    int r = pcre2_match(re, (PCRE2_SPTR)(value.p ? value.p : ""), value.n, 0,
                        PCRE2_ANCHORED | PCRE2_ENDANCHORED, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    if (r == PCRE2_ERROR_MATCHLIMIT || r == PCRE2_ERROR_DEPTHLIMIT || r == PCRE2_ERROR_HEAPLIMIT)
        return template_fail(
            t->arena, err, v,
            "AllowedPattern of parameter '%.*s' needs too many steps on this value", STR(p->name));
    if (r < 0)
        return violated(t, p, err, str_printf(t->arena, "must match pattern %.*s", STR(pattern)));
    return 0;
}

static bool to_number(struct str s, double *ret)
{
    char text[64];
    s = str_trim(s);
    if (!s.n || s.n >= sizeof text)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i]))
            return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *end;
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static int64_t limit_of(const struct template_parameter *p, const char *name, int64_t absent)
{
    int64_t n;
    if (str_to_int64(scalar_text(json_get(p->declaration, name)), &n) < 0)
        return absent;
    return n;
}

static int check_number(struct template *t, const struct template_parameter *p, struct str value,
                        struct template_error *err)
{
    double number, limit;
    if (!to_number(value, &number))
        return template_fail(t->arena, err, p->declaration, "Parameter '%.*s' must be a number",
                             STR(p->name));
    struct str low = scalar_text(json_get(p->declaration, "MinValue"));
    if (str_has(low) && to_number(low, &limit) && number < limit)
        return violated(t, p, err,
                        str_printf(t->arena, "must be a number not less than %.*s", STR(low)));
    struct str high = scalar_text(json_get(p->declaration, "MaxValue"));
    if (str_has(high) && to_number(high, &limit) && number > limit)
        return violated(t, p, err,
                        str_printf(t->arena, "must be a number not greater than %.*s", STR(high)));
    return 0;
}

static int check_length(struct template *t, const struct template_parameter *p, struct str value,
                        struct template_error *err)
{
    int64_t n = 0, low = limit_of(p, "MinLength", 0), high = limit_of(p, "MaxLength", INT64_MAX);
    for (size_t i = 0; i < value.n; i++)
        n += ((unsigned char)value.p[i] & 0xc0) != 0x80; /* characters, not bytes */
    if (n < low)
        return violated(
            t, p, err,
            str_printf(t->arena, "must contain at least %lld characters", (long long)low));
    if (n > high)
        return violated(
            t, p, err,
            str_printf(t->arena, "must contain at most %lld characters", (long long)high));
    return 0;
}

/* One value; of a list, each item. */
static int check_one(struct template *t, const struct template_parameter *p, struct str value,
                     struct template_error *err)
{
    const struct json *allowed = json_get(p->declaration, "AllowedValues");
    bool found = !allowed;
    JSON_EACH(allowed, item)
        found = found || str_eq(scalar_text(item), value);
    if (!found)
        return violated(t, p, err, S("must be one of AllowedValues"));
    if (p->kind == PARAM_NUMBER || p->kind == PARAM_NUMBER_LIST)
        return check_number(t, p, value, err);
    if (p->kind == PARAM_STRING) {
        int r = check_length(t, p, value, err);
        if (r < 0)
            return r;
    }
    return check_pattern(t, p, value, err);
}

static int take_value(struct template *t, struct template_parameter *p, struct str value,
                      struct template_error *err)
{
    if (!utf8_valid(value))
        return template_fail(t->arena, err, p->declaration, "Parameter '%.*s' is not valid UTF-8",
                             STR(p->name));
    if (value.n > 4096)
        return template_fail(t->arena, err, p->declaration,
                             "Parameter '%.*s' must not exceed 4096 bytes", STR(p->name));
    p->value = value;
    if (p->kind == PARAM_STRING || p->kind == PARAM_NUMBER) {
        p->resolved = json_new_str(t->arena, value);
        return check_one(t, p, value, err);
    }
    p->resolved = json_new(t->arena, JSON_ARRAY);
    struct str head, rest = value;
    bool more = true;
    while (more) {
        more = str_cut(rest, ',', &head, &rest);
        head = str_trim(head);
        json_add(p->resolved, json_new_str(t->arena, head));
        int r = check_one(t, p, head, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct template_param *find_given(const struct template_param *list, size_t n,
                                               struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].key, key))
            return &list[i];
    return NULL;
}

/* Finds the value of one parameter; *ret stays absent when there is none. */
static int choose(struct template *t, struct template_parameter *p,
                  const struct template_param *given, const struct template_param *previous,
                  struct str *ret, struct template_error *err)
{
    p->given = given != NULL;
    if (given && given->use_previous) {
        if (!previous)
            return template_fail(t->arena, err, p->declaration,
                                 "Invalid input for parameter key %.*s. Cannot specify "
                                 "usePreviousValue as true for a parameter key not in the previous "
                                 "template",
                                 STR(p->name));
        *ret = previous->value;
    } else {
        *ret = given ? given->value : p->default_value;
    }
    return 0;
}

static int check_given(struct template *t, const struct template_param *given, size_t n_given,
                       struct template_error *err)
{
    struct str *bad = ARENA_ARRAY(t->arena, struct str, n_given + 1);
    size_t n = 0;
    for (size_t i = 0; i < n_given; i++) {
        if (find_given(given, i, given[i].key))
            return template_fail(t->arena, err, NULL, "Duplicate key in Parameters: %.*s",
                                 STR(given[i].key));
        if (!template_parameter_find(t, given[i].key))
            bad[n++] = given[i].key;
    }
    if (n)
        return template_fail(t->arena, err, NULL, "Parameters: %.*s do not exist in the template",
                             STR(bracketed(t->arena, bad, n)));
    return 0;
}

int parameters_bind(struct template *t, const struct template_param *given, size_t n_given,
                    const struct template_param *previous, size_t n_previous,
                    struct template_error *err)
{
    int r = check_given(t, given, n_given, err);
    if (r < 0)
        return r;
    struct str *missing = ARENA_ARRAY(t->arena, struct str, t->n_parameters + 1);
    struct str *values = ARENA_ARRAY(t->arena, struct str, t->n_parameters + 1);
    const struct json *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < t->n_parameters; i++) {
        struct template_parameter *p = &t->parameters[i];
        r = choose(t, p, find_given(given, n_given, p->name),
                   find_given(previous, n_previous, p->name), &values[i], err);
        if (r < 0)
            return r;
        if (str_has(values[i]))
            continue;
        if (!first)
            first = p->declaration;
        missing[n++] = p->name;
    }
    if (n)
        return template_fail(t->arena, err, first, "Parameters: %.*s must have values",
                             STR(bracketed(t->arena, missing, n)));
    for (size_t i = 0; i < t->n_parameters; i++)
        if ((r = take_value(t, &t->parameters[i], values[i], err)) < 0)
            return r;
    return 0;
}
