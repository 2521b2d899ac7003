/* deployment_redact - secrets of templates, and what must not be recorded of them; ids of records.
 * Pure. */
#include "cli/deployment.h"

#define ID_LENGTH 28 /* 20261121T223500123Z-1a2b3c4d */

bool deployment_id_is(struct str text)
{
    static const char form[] = "00000000T000000000Z-xxxxxxxx";
    if (text.n != ID_LENGTH)
        return false;
    for (size_t i = 0; i < ID_LENGTH; i++) {
        bool ok = form[i] == '0'   ? text.p[i] >= '0' && text.p[i] <= '9'
                  : form[i] == 'x' ? text.p[i] && strchr("0123456789abcdef", text.p[i])
                                   : text.p[i] == form[i];
        if (!ok)
            return false;
    }
    return true;
}

struct str deployment_key_id(struct str key)
{
    struct str name = key, dir = {0};
    ssize_t slash = str_find_last_byte(key, '/');
    if (slash >= 0) {
        dir = str_slice(key, 0, (size_t)slash);
        name = str_slice(key, (size_t)slash + 1, key.n);
    }
    if (!str_is(dir, "deployments") && !str_ends(dir, S("/deployments")))
        return (struct str){0};
    struct str id = str_slice(name, 0, name.n > 5 ? name.n - 5 : 0);
    return str_ends(name, S(".json")) && deployment_id_is(id) ? id : (struct str){0};
}

static bool names_it(const struct json *o, struct str name)
{
    struct str id = json_get_str(o, "name"), arn = json_get_str(o, "arn"),
               logical = json_get_str(o, "logical_id");
    return (id.n && str_eq(id, name)) || (arn.n && str_eq(arn, name)) ||
           (logical.n && str_eq(logical, name));
}

bool deployment_matches(const struct json *record, struct str name)
{
    if (!name.n || names_it(json_get(record, "stack"), name))
        return true;
    JSON_EACH(json_get(record, "functions"), f)
        if (names_it(f, name))
            return true;
    JSON_EACH(json_get(record, "layers"), l)
        if (names_it(l, name))
            return true;
    return false;
}

/* ---- secrets ---- */

struct json *deployment_mark(struct arena *a)
{
    struct json *v = json_new(a, JSON_OBJECT);
    json_set(a, v, S("no_echo"), json_new_bool(a, true));
    return v;
}

bool deployment_is_redacted(const struct json *v)
{
    const struct json *m = json_get(v, "no_echo");
    return json_is(m, JSON_BOOL) && m->boolean && v->n == 1;
}

bool deployment_no_echo(const struct json *parameter)
{
    const struct json *v = json_get(parameter, "NoEcho");
    return v && (v->boolean || str_eq_nocase(json_str(v), S("true")));
}

/* A text that is a NoEcho parameter's name, or has ${NAME}, anywhere in the value. Rather once too
 * often: what is marked so is only not compared. */
bool deployment_mentions_secret(const struct json *v, const struct json *parameters)
{
    if (json_is(v, JSON_STRING)) {
        JSON_EACH(parameters, p) {
            if (!deployment_no_echo(p))
                continue;
            if (str_eq(v->text, p->key))
                return true;
            ssize_t at = str_find(v->text, S("${"));
            for (struct str rest = v->text; at >= 0; at = str_find(rest, S("${"))) {
                rest = str_slice(rest, (size_t)at + 2, rest.n);
                if (str_starts(str_trim(rest), p->key))
                    return true;
            }
        }
        return false;
    }
    JSON_EACH(v, item)
        if (deployment_mentions_secret(item, parameters))
            return true;
    return false;
}

bool deployment_holds(struct str text, const struct str *secrets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (secrets[i].n &&
            (str_eq(text, secrets[i]) || (secrets[i].n >= 4 && str_find(text, secrets[i]) >= 0)))
            return true;
    return false;
}

static void replace(struct arena *a, struct json *object, struct json *member)
{
    json_set(a, object, member->key, deployment_mark(a));
}

static void redact_texts(struct arena *a, struct json *v, const struct str *secrets, size_t n)
{
    JSON_EACH(v, item) {
        if (json_is(v, JSON_OBJECT) && json_is(item, JSON_STRING) &&
            deployment_holds(item->text, secrets, n)) {
            replace(a, v, item);
            redact_texts(a, v, secrets, n); /* the list has changed */
            return;
        }
        redact_texts(a, item, secrets, n);
    }
}

void deployment_redact(struct arena *a, struct json *configuration, const struct json *properties,
                       const struct json *parameters, const struct str *secrets, size_t n)
{
    const struct json *given = json_get(json_get(properties, "Environment"), "Variables");
    struct json *variables = json_get(json_get(configuration, "Environment"), "Variables");
    bool computed = given && given->n == 1 &&
                    (str_starts(given->first->key, S("Fn::")) || str_is(given->first->key, "Ref"));
    struct json *copy = variables ? json_copy(a, variables) : NULL;
    JSON_EACH(copy, v)
        if (computed ? deployment_mentions_secret(given, parameters)
                     : deployment_mentions_secret(json_find(given, v->key), parameters))
            json_set(a, variables, v->key, deployment_mark(a));
    JSON_EACH(properties, p)
        if (!str_is(p->key, "Environment") && !str_is(p->key, "Code") &&
            !str_is(p->key, "CodeUri") && json_find(configuration, p->key) &&
            deployment_mentions_secret(p, parameters))
            json_set(a, configuration, p->key, deployment_mark(a));
    redact_texts(a, configuration, secrets, n);
}
