/* policy_derive - `lamina policy derive`: needs put together to statements. Resources that the same
 * actions are needed on share one; everything is sorted, so that equal needs give equal texts. */
#include <ctype.h>
#include <stdlib.h>
#include "cli/policy_tool.h"
#include "cli/target.h"
#include "template/template.h"

/* ---- what is made up anew each time ---- */

static bool is_suffix(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]))
            return false;
    return s.n == 12 || s.n == 13;
}

/* Where STACK- begins in a name of one of the record's stacks; -1: it is of none of them. */
static ssize_t stack_prefix(const struct policy_values *stacks, struct str arn)
{
    for (size_t i = 0; i < stacks->n; i++) {
        struct str name = stacks->items[i];
        for (size_t at = 0; at + name.n < arn.n; at++)
            if ((at == 0 || strchr(":/", arn.p[at - 1])) && arn.p[at + name.n] == '-' &&
                str_eq_nocase(str_slice(arn, at, at + name.n), name))
                return (ssize_t)at;
    }
    return -1;
}

/* Behind this, everything is the service's own choice. */
static struct str star_behind(struct arena *a, struct str arn, struct str marker)
{
    ssize_t at = str_find(arn, marker);
    if (at < 0 || (size_t)at + marker.n == arn.n)
        return arn;
    return str_printf(a, "%.*s*", STR(str_slice(arn, 0, (size_t)at + marker.n)));
}

/* BUCKET/PREFIX/DIGEST[.template]: code and templates stand under the digest of their content. */
static struct str without_digest(struct arena *a, struct str arn)
{
    size_t from = (size_t)(str_find_last_byte(arn, '/') + 1);
    struct str name = str_slice(arn, from, arn.n);
    if (str_ends(name, S(".template")))
        name.n -= sizeof(".template") - 1;
    bool digest = from && name.n == 32;
    for (size_t i = 0; i < name.n && digest; i++)
        digest = strchr("0123456789abcdef", name.p[i]) != NULL;
    return digest ? str_printf(a, "%.*s*", STR(str_slice(arn, 0, from))) : arn;
}

static struct str service_of(struct str arn)
{
    struct str scheme, partition, service, rest = arn;
    str_cut(rest, ':', &scheme, &rest);
    str_cut(rest, ':', &partition, &rest);
    str_cut(rest, ':', &service, &rest);
    return service;
}

/* The embedded cloud is of the partition aws whatever its region; the policy is for the region's.
 */
static struct str in_partition(struct verb_run *run, struct str arn)
{
    struct str rest, service, region;
    if (!str_starts(arn, S("arn:aws:")))
        return arn;
    struct str tail = str_slice(arn, 8, arn.n);
    str_cut(tail, ':', &service, &rest);
    str_cut(rest, ':', &region, &rest);
    if (!region.n)
        region = policy_region(run);
    return str_printf(run->arena, "arn:%.*s:%.*s", STR(template_partition(region)), STR(tail));
}

/* stack/NAME/ID, log streams, uploads and records of deployments, STACK-LOGICALID-SUFFIX. */
static struct str without_generated(struct arena *a, const struct policy_values *stacks,
                                    struct str arn)
{
    ssize_t at = str_find(arn, S(":stack/"));
    if (str_is(service_of(arn), "cloudformation") && at > 0) {
        struct str name, id;
        str_cut(str_slice(arn, (size_t)at + 7, arn.n), '/', &name, &id);
        return str_printf(a, "%.*s%.*s/*", STR(str_slice(arn, 0, (size_t)at + 7)), STR(name));
    }
    if (str_is(service_of(arn), "logs"))
        arn = star_behind(a, arn, S(":log-stream:"));
    else if (str_is(service_of(arn), "s3"))
        arn = without_digest(a, star_behind(a, arn, S("/deployments/")));
    at = stack_prefix(stacks, arn);
    for (size_t i = at < 0 ? arn.n : (size_t)at; i < arn.n; i++) {
        size_t end = i + 1;
        if (arn.p[i] != '-')
            continue;
        while (end < arn.n && isalnum((unsigned char)arn.p[end]))
            end++;
        if (is_suffix(str_slice(arn, i + 1, end)) && (end == arn.n || strchr(":/", arn.p[end])))
            return str_printf(a, "%.*s-*%.*s", STR(str_slice(arn, 0, i)),
                              STR(str_slice(arn, end, arn.n)));
    }
    return arn;
}

/* Names of the stacks that the needs are about. */
static void find_stacks(struct verb_run *run, const struct needs *needs, struct policy_values *ret)
{
    size_t cap = 0;
    for (size_t i = 0; i < needs->n; i++) {
        struct str arn = needs->items[i].resource, name, rest;
        ssize_t at = str_find(arn, S(":stack/"));
        if (!str_is(service_of(arn), "cloudformation") || at < 0)
            continue;
        str_cut(str_slice(arn, (size_t)at + 7, arn.n), '/', &name, &rest);
        bool known = false;
        for (size_t j = 0; j < ret->n && !known; j++)
            known = str_eq(ret->items[j], name);
        if (known || !name.n)
            continue;
        struct str *slot =
            arena_push(run->arena, (void **)&ret->items, &ret->n, &cap, sizeof *slot);
        *slot = name;
    }
}

static struct str widened(struct verb_run *run, const struct policy_values *stacks,
                          struct str resource)
{
    const struct policy_derive_options *o = run->values[POLICY_SET_DERIVE];
    struct str arn = in_partition(run, resource);
    struct str out = o->generated ? without_generated(run->arena, stacks, arn) : arn;
    for (size_t i = 0; i < o->widen.n; i++)
        if (policy_glob(o->widen.items[i], out, false))
            out = o->widen.items[i];
    return out;
}

/* ---- grouping ---- */

struct group {
    struct str vendor, conditions; /* JSON, or absent */
    struct str resource;
    struct policy_values actions; /* sorted */
    size_t cap;
    struct policy_values resources; /* after merging */
    size_t cap_resources;
    bool merged;
};
struct groups {
    struct group *items;
    size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void add_sorted(struct arena *a, struct policy_values *to, size_t *cap, struct str text)
{
    for (size_t i = 0; i < to->n; i++)
        if (str_eq(to->items[i], text))
            return;
    struct str *slot = arena_push(a, (void **)&to->items, &to->n, cap, sizeof *slot);
    *slot = text;
    qsort(to->items, to->n, sizeof *to->items, by_text);
}

/* A role is passed on to the services that it was passed on to, and no other. */
static struct str conditions_of(struct arena *a, const struct need *need)
{
    struct policy_values v;
    if (!str_is(need->action, "iam:PassRole") ||
        !policy_need_value(need, a, S("iam:PassedToService"), &v))
        return (struct str){0};
    struct json *block = json_new(a, JSON_OBJECT), *key = json_new(a, JSON_OBJECT);
    json_set(a, key, S("iam:PassedToService"), json_new_str(a, v.items[0]));
    json_set(a, block, S("StringEquals"), key);
    return json_text(a, block, -1);
}

static void add_need(struct verb_run *run, struct groups *groups,
                     const struct policy_values *stacks, const struct need *need)
{
    struct arena *a = run->arena;
    struct str vendor, rest, conditions = conditions_of(a, need);
    struct str resource = widened(run, stacks, need->resource);
    str_cut(need->action, ':', &vendor, &rest);
    struct group *g = NULL;
    for (size_t i = 0; i < groups->n && !g; i++)
        if (str_eq(groups->items[i].resource, resource) &&
            str_eq(groups->items[i].vendor, vendor) &&
            str_eq(groups->items[i].conditions, conditions))
            g = &groups->items[i];
    if (!g) {
        g = arena_push(a, (void **)&groups->items, &groups->n, &groups->cap, sizeof *g);
        *g = (struct group){.vendor = vendor, .conditions = conditions, .resource = resource};
        add_sorted(a, &g->resources, &g->cap_resources, resource);
    }
    add_sorted(a, &g->actions, &g->cap, need->action);
}

static bool same_actions(const struct group *a, const struct group *b)
{
    if (a->actions.n != b->actions.n || !str_eq(a->conditions, b->conditions))
        return false;
    for (size_t i = 0; i < a->actions.n; i++)
        if (!str_eq(a->actions.items[i], b->actions.items[i]))
            return false;
    return true;
}

static int by_group(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    int order = str_cmp(a->vendor, b->vendor);
    if (!order)
        order = str_cmp(a->resources.items[0], b->resources.items[0]);
    if (!order)
        order = str_cmp(a->actions.items[0], b->actions.items[0]);
    return order ? order : str_cmp(a->conditions, b->conditions);
}

static void merge(struct arena *a, struct groups *groups)
{
    for (size_t i = 0; i < groups->n; i++) {
        struct group *g = &groups->items[i];
        for (size_t j = 0; j < i; j++) {
            struct group *other = &groups->items[j];
            if (other->merged || !same_actions(other, g))
                continue;
            add_sorted(a, &other->resources, &other->cap_resources, g->resource);
            g->merged = true;
            break;
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < groups->n; i++)
        if (!groups->items[i].merged)
            groups->items[n++] = groups->items[i];
    groups->n = n;
    qsort(groups->items, n, sizeof *groups->items, by_group);
}

/* ---- the document ---- */

static struct json *words(struct arena *a, const struct policy_values *v)
{
    if (v->n == 1)
        return json_new_str(a, v->items[0]);
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < v->n; i++)
        json_add(list, json_new_str(a, v->items[i]));
    return list;
}

/* "Lambda1": letters and digits are all that a Sid may have. */
static struct str sid(struct arena *a, struct str vendor, size_t number)
{
    struct str name = str_copy(a, vendor);
    char *p = (char *)(uintptr_t)name.p;
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++)
        if (isalnum((unsigned char)p[i]))
            p[n++] = p[i];
    if (n)
        p[0] = (char)toupper((unsigned char)p[0]);
    bool digit = n && isdigit((unsigned char)p[n - 1]);
    return str_printf(a, "%.*s%s%zu", (int)n, p, digit ? "No" : "", number);
}

static struct json *document(struct arena *a, const struct groups *groups)
{
    struct json *root = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, root, S("Version"), json_new_str(a, S("2012-10-17")));
    size_t number = 0;
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *g = &groups->items[i];
        number = i && str_eq(groups->items[i - 1].vendor, g->vendor) ? number + 1 : 1;
        struct json *s = json_add(list, json_new(a, JSON_OBJECT)), *conditions;
        json_set(a, s, S("Sid"), json_new_str(a, sid(a, g->vendor, number)));
        json_set(a, s, S("Effect"), json_new_str(a, S("Allow")));
        json_set(a, s, S("Action"), words(a, &g->actions));
        json_set(a, s, S("Resource"), words(a, &g->resources));
        if (g->conditions.n && json_parse(a, g->conditions, &conditions, NULL) == 0)
            json_set(a, s, S("Condition"), conditions);
    }
    json_set(a, root, S("Statement"), list);
    return root;
}

static size_t size_of(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += !isspace((unsigned char)text.p[i]);
    return n;
}

static int tell_size(struct verb_run *run, size_t n_statements, size_t size)
{
    fprintf(stderr,
            "%zu statements, %zu characters: %s of %d of a managed policy, %s of %d inline in "
            "a role\n",
            n_statements, size, size > POLICY_MANAGED_MAX ? "ABOVE the limit" : "within the limit",
            POLICY_MANAGED_MAX, size > POLICY_INLINE_MAX ? "ABOVE the limit" : "within the limit",
            POLICY_INLINE_MAX);
    if (size > POLICY_INLINE_MAX)
        return verb_fail(run,
                         "no policy may be that long: use --widen, or derive for several roles");
    return 0;
}

/* All that is asked for by one principal: a policy is one principal's. */
static int check_principals(struct verb_run *run, const struct needs *needs)
{
    struct policy_values seen = {0};
    size_t cap = 0;
    for (size_t i = 0; i < needs->n; i++)
        add_sorted(run->arena, &seen, &cap, needs->items[i].principal);
    if (seen.n < 2)
        return 0;
    return verb_fail(run, "the record has %zu principals; name one with --principal: %.*s", seen.n,
                     STR(str_join(run->arena, S(", "), seen.items, seen.n)));
}

int policy_derive_run(struct verb_run *run)
{
    const struct policy_source_options *o = run->values[POLICY_SET_SOURCE];
    struct needs needs = {0};
    struct groups groups = {0};
    struct policy_values stacks = {0};
    bool template = run->parsed.n_operands > 1;
    int e;
    if (template == (o->from.n > 0))
        return verb_usage(run, "either a TEMPLATE or --from RECORD is wanted");
    if (template)
        e = policy_read_template(run, run->parsed.operands[1], &needs);
    else
        e = policy_read_record(run, o->from, &needs);
    if (!e)
        e = check_principals(run, &needs);
    if (e)
        return e;
    find_stacks(run, &needs, &stacks);
    for (size_t i = 0; i < needs.n; i++)
        add_need(run, &groups, &stacks, &needs.items[i]);
    merge(run->arena, &groups);
    struct json *doc = document(run->arena, &groups);
    size_t size = size_of(json_text(run->arena, doc, -1));
    e = policy_write(run, str_printf(run->arena, "%.*s\n", STR(json_text(run->arena, doc, 2))));
    return e ? e : tell_size(run, groups.n, size);
}
