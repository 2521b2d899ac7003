/* policy_simulate - `lamina policy simulate`: what is asked for, held against policies; each denial
 * with the statement and condition that decide, or with the statement that came nearest. */
#include "base/table.h"
#include "base/clock.h"
#include "cli/policy_tool.h"
#include "cli/target.h"

struct row {
    struct need *need;
    struct policy_decision d;
    struct str why;
    struct json *json;
};

struct simulator {
    struct verb_run *run;
    const struct policy_simulate_options *o;
    struct policy_case c;
    struct needs needs;
    struct row *rows;
    size_t n_denied;
};

/* ---- policies ---- */

static int add_file(struct simulator *s, enum policy_layer layer, struct str path)
{
    struct arena *a = s->run->arena;
    struct str text;
    struct policy_fault fault;
    struct json *root;
    struct policy *policy;
    int e = policy_read_json(s->run, path, &text, &root);
    if (e)
        return e;
    enum policy_kind kind = layer == POLICY_LAYER_RESOURCE ? POLICY_RESOURCE : POLICY_IDENTITY;
    if (policy_parse_explained(a, kind, text, &policy, &fault) < 0)
        return verb_fail(s->run, "%.*s is no %s: %.*s", STR(path), policy_layer_name(layer),
                         STR(policy_fault_text(a, path, &fault)));
    struct policy_sources *to = &s->c.layers[layer];
    struct policy_source *slot = arena_push(a, (void **)&to->items, &to->n, &to->cap, sizeof *slot);
    *slot = (struct policy_source){path, policy};
    to->applies = true;
    return 0;
}

static int add_files(struct simulator *s, enum policy_layer layer, const struct option_list *files)
{
    int e = 0;
    for (size_t i = 0; i < files->n && !e; i++)
        e = add_file(s, layer, files->items[i]);
    return e;
}

/* ---- what is asked ---- */

static int parse_context(struct simulator *s, struct json **ret)
{
    struct arena *a = s->run->arena;
    *ret = json_new(a, JSON_OBJECT);
    for (size_t i = 0; i < s->o->context.n; i++) {
        struct str key, value;
        if (!str_cut(s->o->context.items[i], '=', &key, &value) || str_find_byte(key, ':') < 1)
            return verb_usage(s->run,
                              "--context wants KEY=VALUE, as in aws:SourceIp=10.0.0.1: %.*s",
                              STR(s->o->context.items[i]));
        struct json *list = json_find(*ret, key);
        if (!list)
            json_set(a, *ret, key, list = json_new(a, JSON_ARRAY));
        json_add(list, json_new_str(a, value));
    }
    return 0;
}

static int check_action(struct simulator *s, struct str action)
{
    struct str vendor, name;
    if (!str_cut(action, ':', &vendor, &name) || !vendor.n || !name.n ||
        memchr(action.p, '*', action.n))
        return verb_usage(s->run, "\"%.*s\" is no action: SERVICE:Name, without wildcards",
                          STR(action));
    return 0;
}

static int needs_of_options(struct simulator *s)
{
    const struct policy_source_options *common = s->run->values[POLICY_SET_SOURCE];
    struct json *context;
    int e = parse_context(s, &context);
    for (size_t i = 0; i < s->o->actions.n && !e; i++) {
        e = check_action(s, s->o->actions.items[i]);
        for (size_t j = 0; j < (s->o->resources.n ? s->o->resources.n : 1) && !e; j++) {
            struct need need = {
                .principal = common->principal,
                .action = s->o->actions.items[i],
                .resource = s->o->resources.n ? s->o->resources.items[j] : S("*"),
                .context = context,
                .time = clock_iso8601_s(s->run->arena, clock_now_ms()),
                .count = 1,
            };
            if (!str_is(need.resource, "*") && !str_starts(need.resource, S("arn:")))
                return verb_usage(s->run, "\"%.*s\" is no ARN", STR(need.resource));
            policy_need_add(s->run->arena, &s->needs, &need);
        }
    }
    return e;
}

static int read_needs(struct simulator *s)
{
    const struct policy_source_options *common = s->run->values[POLICY_SET_SOURCE];
    int ways = (s->o->actions.n > 0) + (common->from.n > 0) + (s->o->template.n > 0);
    if (ways != 1)
        return verb_usage(s->run, "one of these is wanted: --action, --from, --template");
    if (common->from.n)
        return policy_read_record(s->run, common->from, &s->needs);
    if (s->o->template.n)
        return policy_read_template(s->run, s->o->template, &s->needs);
    return needs_of_options(s);
}

/* ---- why ---- */

static struct str place_text(struct arena *a, const struct policy_source *source, size_t statement,
                             struct str sid)
{
    struct policy_place at = policy_place_of(source->policy, statement);
    if (sid.n)
        return str_printf(a, "%.*s:%d (%.*s)", STR(source->id), at.start_line, STR(sid));
    return str_printf(a, "%.*s:%d (statement %zu)", STR(source->id), at.start_line, statement + 1);
}

static struct str list_text(struct arena *a, const struct policy_values *v)
{
    return v->n ? str_join(a, S(", "), v->items, v->n) : S("nothing");
}

static struct json *statement_json(struct arena *a, const struct policy_source *source,
                                   enum policy_layer layer, const struct policy_finding *f)
{
    struct policy_place at = policy_place_of(source->policy, f->statement);
    struct json *v = json_new(a, JSON_OBJECT), *from = json_new(a, JSON_OBJECT),
                *to = json_new(a, JSON_OBJECT);
    json_set(a, v, S("policy"), json_new_str(a, source->id));
    json_set(a, v, S("kind"), json_new_str(a, str_from(policy_layer_name(layer))));
    json_set(a, v, S("statement"), json_new_int(a, (int64_t)f->statement + 1));
    if (f->sid.n)
        json_set(a, v, S("sid"), json_new_str(a, f->sid));
    json_set(a, from, S("line"), json_new_int(a, at.start_line));
    json_set(a, from, S("column"), json_new_int(a, at.start_column));
    json_set(a, to, S("line"), json_new_int(a, at.end_line));
    json_set(a, to, S("column"), json_new_int(a, at.end_column));
    json_set(a, v, S("start"), from);
    json_set(a, v, S("end"), to);
    return v;
}

/* The allowing statement of the layer that came nearest to the request. */
static bool find_nearest(struct simulator *s, const struct policy_request *r,
                         enum policy_layer layer, const struct policy_source **ret_source,
                         struct policy_finding *ret)
{
    const struct policy_sources *sources = &s->c.layers[layer];
    bool found = false;
    for (size_t i = 0; i < sources->n; i++) {
        size_t n;
        struct policy_finding *f = policy_explain(sources->items[i].policy, r, &n);
        for (size_t j = 0; j < n; j++) {
            if (!f[j].allow || f[j].miss <= POLICY_MISSES_ACTION ||
                (found && f[j].miss <= ret->miss))
                continue;
            *ret = f[j];
            *ret_source = &sources->items[i];
            found = true;
        }
    }
    return found;
}

static struct str condition_text(struct arena *a, const struct policy_finding *f)
{
    if (!f->have.n)
        return str_printf(a, "%.*s wants %.*s = %.*s, and the request has no such key",
                          STR(f->operator), STR(f->key), STR(list_text(a, f->wanted)));
    return str_printf(a, "%.*s wants %.*s = %.*s, and the request has %.*s", STR(f->operator),
                      STR(f->key), STR(list_text(a, f->wanted)), STR(list_text(a, &f->have)));
}

static void explain_silence(struct simulator *s, struct row *row, const struct policy_request *r)
{
    struct arena *a = s->run->arena;
    const struct policy_source *source;
    struct policy_finding f;
    const char *layer = policy_layer_name(row->d.layer);
    json_set(a, row->json, S("layer"), json_new_str(a, str_from(layer)));
    if (!find_nearest(s, r, row->d.layer, &source, &f)) {
        row->why = str_printf(a, "no %s names the action", layer);
        return;
    }
    struct str place = place_text(a, source, f.statement, f.sid);
    struct json *near = statement_json(a, source, row->d.layer, &f);
    if (f.miss == POLICY_MISSES_CONDITION) {
        struct str text = condition_text(a, &f);
        row->why = str_printf(a, "%.*s: %.*s", STR(place), STR(text));
        json_set(a, near, S("misses"), json_new_str(a, S("condition")));
        json_set(a, near, S("operator"), json_new_str(a, f.operator));
        json_set(a, near, S("key"), json_new_str(a, f.key));
    } else {
        const char *what = f.miss == POLICY_MISSES_RESOURCE ? "resource" : "principal";
        row->why = str_printf(a, "%.*s allows the action, but not for this %s", STR(place), what);
        json_set(a, near, S("misses"), json_new_str(a, str_from(what)));
    }
    json_set(a, row->json, S("nearest"), near);
}

static void explain_hits(struct simulator *s, struct row *row, const struct policy_request *r)
{
    struct arena *a = s->run->arena;
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < row->d.n_hits; i++) {
        const struct policy_hit *hit = &row->d.hits[i];
        const struct policy_source *source = &s->c.layers[hit->layer].items[hit->source];
        size_t n;
        struct policy_finding *f = policy_explain(source->policy, r, &n);
        json_add(list, statement_json(a, source, hit->layer, &f[hit->statement]));
        if (row->why.n)
            continue;
        row->why = place_text(a, source, hit->statement, f[hit->statement].sid);
        if (row->d.effect == POLICY_EXPLICIT_DENY)
            row->why = str_printf(a, "denied by %.*s", STR(row->why));
    }
    json_set(a, row->json, S("statements"), list);
}

static bool is_account(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n == 12;
}

static void evaluate(struct simulator *s, struct row *row)
{
    struct arena *a = s->run->arena;
    struct policy_request r = policy_need_request(row->need, a);
    struct str owner = {0}, rest = row->need->resource;
    for (int i = 0; i < 5; i++)
        str_cut(rest, ':', &owner, &rest);
    s->c.cross_account = s->c.layers[POLICY_LAYER_RESOURCE].applies && is_account(owner) &&
                         is_account(r.who.account) && !str_eq(owner, r.who.account);
    policy_decide(&s->c, &r, &row->d);
    row->json = json_new(a, JSON_OBJECT);
    json_set(a, row->json, S("action"), json_new_str(a, row->need->action));
    json_set(a, row->json, S("resource"), json_new_str(a, row->need->resource));
    json_set(a, row->json, S("decision"),
             json_new_str(a, str_from(policy_effect_name(row->d.effect))));
    if (row->d.effect == POLICY_IMPLICIT_DENY)
        explain_silence(s, row, &r);
    else
        explain_hits(s, row, &r);
    json_set(a, row->json, S("why"), json_new_str(a, row->why));
    struct json *missing = json_new(a, JSON_ARRAY);
    for (int i = 0; i < POLICY_LAYERS; i++)
        for (size_t j = 0; j < s->c.layers[i].n; j++) {
            struct policy_values keys;
            policy_missing_keys(s->c.layers[i].items[j].policy, &r, &keys);
            for (size_t k = 0; k < keys.n; k++)
                json_add(missing, json_new_str(a, keys.items[k]));
        }
    if (missing->n)
        json_set(a, row->json, S("missingContextKeys"), missing);
    s->n_denied += row->d.effect != POLICY_ALLOWED;
}

/* ---- output ---- */

static void print_table(struct simulator *s)
{
    static const struct table_column columns[] = {
        {.title = "DECISION"}, {.title = "ACTION"}, {.title = "RESOURCE"}, {.title = "WHY"}, {0}};
    struct table *t = table_new(s->run->arena, columns);
    for (size_t i = 0; i < s->needs.n; i++) {
        const struct row *row = &s->rows[i];
        table_row(t);
        table_cell_style(t, row->d.effect == POLICY_ALLOWED ? STYLE_GREEN : STYLE_RED,
                         str_from(policy_effect_name(row->d.effect)));
        table_cell(t, row->need->action);
        table_cell(t, row->need->resource);
        table_cell(t, row->why);
    }
    table_print(stdout, t);
    printf("%zu asked, %zu denied\n", s->needs.n, s->n_denied);
}

static void print_markdown(struct simulator *s)
{
    printf("| decision | action | resource | why |\n|---|---|---|---|\n");
    for (size_t i = 0; i < s->needs.n; i++) {
        const struct row *row = &s->rows[i];
        printf("| %s | `%.*s` | `%.*s` | %.*s |\n", policy_effect_name(row->d.effect),
               STR(row->need->action), STR(row->need->resource), STR(row->why));
    }
    printf("\n%zu asked, %zu denied\n", s->needs.n, s->n_denied);
}

static void print_json(struct simulator *s)
{
    struct arena *a = s->run->arena;
    struct json *root = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, root, S("asked"), json_new_int(a, (int64_t)s->needs.n));
    json_set(a, root, S("denied"), json_new_int(a, (int64_t)s->n_denied));
    for (size_t i = 0; i < s->needs.n; i++)
        json_add(list, s->rows[i].json);
    json_set(a, root, S("results"), list);
    target_print_json(a, root);
}

int policy_simulate_run(struct verb_run *run)
{
    const struct policy_table_options *table = run->values[POLICY_SET_TABLE];
    struct simulator s = {.run = run, .o = run->values[POLICY_SET_SIMULATE]};
    if (s.o->role.n || str_is(target_of(run)->target, "aws"))
        return policy_simulate_api_run(run);
    if (!s.o->policies.n && !s.o->resource_policy.n)
        return verb_usage(run, "-f POLICY is missing");
    s.c.layers[POLICY_LAYER_IDENTITY].applies = true;
    int e = add_files(&s, POLICY_LAYER_IDENTITY, &s.o->policies);
    if (!e)
        e = add_files(&s, POLICY_LAYER_BOUNDARY, &s.o->boundary);
    if (!e)
        e = add_files(&s, POLICY_LAYER_SESSION, &s.o->session);
    if (!e)
        e = add_files(&s, POLICY_LAYER_ORGANIZATION, &s.o->scp);
    if (!e && s.o->resource_policy.n)
        e = add_file(&s, POLICY_LAYER_RESOURCE, s.o->resource_policy);
    if (!e)
        e = read_needs(&s);
    if (e)
        return e;
    s.rows = ARENA_ARRAY(run->arena, struct row, s.needs.n + 1);
    for (size_t i = 0; i < s.needs.n; i++) {
        s.rows[i].need = &s.needs.items[i];
        evaluate(&s, &s.rows[i]);
    }
    if (target_of(run)->json)
        print_json(&s);
    else if (table->markdown)
        print_markdown(&s);
    else
        print_table(&s);
    return s.n_denied ? 1 : 0;
}
