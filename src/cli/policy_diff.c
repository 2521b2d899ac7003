/* policy_diff - `lamina policy diff`: what two policies decide, compared over the actions that are
 * known and over examples of all resources and conditions that either of them names. */
#include <stdlib.h>
#include "base/table.h"
#include "cli/policy_tool.h"
#include "cli/target.h"
#include "cloud/services.h"
#include "service/policy_document.h"

#define EXAMPLES_MAX 400
#define CONTEXTS_MAX 40

struct context {
    struct str text; /* "aws:SourceIp=10.0.0.0", or "" */
    struct json *values;
};
struct difference {
    bool only_b;
    struct str resource, vendor;
    const struct context *context;
    struct policy_values actions;
    size_t cap;
};
struct differ {
    struct verb_run *run;
    struct arena *a;
    struct policy *sides[2];
    struct policy_values actions, resources;
    size_t cap_actions, cap_resources;
    struct context *contexts;
    size_t n_contexts, cap_contexts;
    struct difference *found;
    size_t n_found, cap_found;
    bool cut; /* not all examples were tried */
};

static void add(struct differ *d, struct policy_values *to, size_t *cap, struct str text,
                size_t max)
{
    for (size_t i = 0; i < to->n; i++)
        if (str_eq(to->items[i], text))
            return;
    if (to->n == max) {
        d->cut = true;
        return;
    }
    struct str *slot = arena_push(d->a, (void **)&to->items, &to->n, cap, sizeof *slot);
    *slot = text;
}

static struct str vendor_of(struct str action)
{
    struct str vendor, rest;
    str_cut(action, ':', &vendor, &rest);
    return vendor;
}

/* ---- what is tried ---- */

/* One text that the pattern covers. A lone * stays: that is how requests without a resource ask. */
static struct str example(struct differ *d, struct str pattern)
{
    if (str_is(pattern, "*"))
        return pattern;
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '*' || pattern.p[i] == '?') {
            buf_byte(&b, 'x');
        } else if (pattern.p[i] == '$' && i + 1 < pattern.n && pattern.p[i + 1] == '{') {
            while (i < pattern.n && pattern.p[i] != '}')
                i++;
            buf_byte(&b, 'x');
        } else {
            buf_byte(&b, pattern.p[i]);
        }
    }
    struct str out = buf_copy(&b, d->a);
    buf_done(&b);
    return out;
}

/* A value that satisfies the condition; absent: the key's absence does. */
static struct str satisfying(struct differ *d, const struct policy_condition *c)
{
    if (c->operator.negated || !c->values.n)
        return (struct str){0};
    struct str v = c->values.items[0];
    bool less = c->operator.relation == RELATION_LESS;
    bool more = c->operator.relation == RELATION_MORE;
    if (c->operator.type == CONDITION_NULL)
        return str_eq_nocase(v, S("false")) ? S("x") : (struct str){0};
    if (c->operator.type == CONDITION_DATE &&(less || more))
        return less ? S("1971-01-01T00:00:00Z") : S("2199-01-01T00:00:00Z");
    if (c->operator.type == CONDITION_NUMBER &&(less || more))
        return str_printf(d->a, "%.0f", strtod(str_c(d->a, v), NULL) + (less ? -1 : 1));
    if (c->operator.type == CONDITION_IP) {
        struct str base, width;
        str_cut(v, '/', &base, &width);
        return base;
    }
    return example(d, v);
}

static void add_context(struct differ *d, const struct policy_statement *s)
{
    struct context c = {.text = S(""), .values = json_new(d->a, JSON_OBJECT)};
    for (size_t i = 0; i < s->n_conditions; i++) {
        struct str value = satisfying(d, &s->conditions[i]);
        if (!str_has(value))
            continue;
        json_set(d->a, c.values, s->conditions[i].key, json_new_str(d->a, value));
        c.text = str_printf(d->a, "%.*s%s%.*s=%.*s", STR(c.text), c.text.n ? ", " : "",
                            STR(s->conditions[i].key), STR(value));
    }
    for (size_t i = 0; i < d->n_contexts; i++)
        if (str_eq(d->contexts[i].text, c.text))
            return;
    if (d->n_contexts == CONTEXTS_MAX) {
        d->cut = true;
        return;
    }
    struct context *slot =
        arena_push(d->a, (void **)&d->contexts, &d->n_contexts, &d->cap_contexts, sizeof *slot);
    *slot = c;
}

static void collect(struct differ *d, const struct policy *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_statement *s = &p->statements[i];
        for (size_t j = 0; j < s->actions.n; j++) {
            struct str action = s->actions.items[j];
            if (str_find_byte(action, ':') > 0)
                add(d, &d->actions, &d->cap_actions, example(d, action), SIZE_MAX);
        }
        for (size_t j = 0; j < s->resources.n; j++)
            add(d, &d->resources, &d->cap_resources, example(d, s->resources.items[j]),
                EXAMPLES_MAX);
        add_context(d, s);
    }
}

/* Operations under the names that policies have for them, those that are not carried out here too:
 * their action is their name. */
static void collect_models(struct differ *d)
{
    for (const struct service_model *const *m = all_models; *m; m++) {
        const struct service *service = service_find((*m)->id);
        for (const struct handler *const *list = service ? service->handlers : NULL; list && *list;
             list++)
            for (const struct handler *h = *list; h->op; h++)
                if (!h->action || *h->action)
                    add(d, &d->actions, &d->cap_actions,
                        str_printf(d->a, "%s:%s", (*m)->signing_name,
                                   h->action ? h->action : operation_name(h->op)),
                        SIZE_MAX);
        for (uint32_t j = 0; j < (*m)->n_operations; j++)
            if (operation_state(&(*m)->operations[j]) != OPERATION_IMPLEMENTED)
                add(d, &d->actions, &d->cap_actions,
                    str_printf(d->a, "%s:%s", (*m)->signing_name,
                               operation_name(&(*m)->operations[j])),
                    SIZE_MAX);
    }
}

static int collect_record(struct differ *d, struct str path)
{
    struct needs needs;
    int e = policy_read_record(d->run, path, &needs);
    for (size_t i = 0; i < needs.n && !e; i++) {
        add(d, &d->actions, &d->cap_actions, needs.items[i].action, SIZE_MAX);
        add(d, &d->resources, &d->cap_resources, needs.items[i].resource, EXAMPLES_MAX);
    }
    return e;
}

/* ---- what they decide ---- */

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    const struct context *c = user;
    struct need need = {.context = c->values};
    return policy_need_value(&need, a, key, ret);
}

static void note(struct differ *d, bool only_b, struct str resource, struct str action,
                 const struct context *c)
{
    struct difference *f = NULL;
    struct str vendor = vendor_of(action);
    for (size_t i = 0; i < d->n_found && !f; i++)
        if (d->found[i].only_b == only_b && d->found[i].context == c &&
            str_eq(d->found[i].resource, resource) && str_eq(d->found[i].vendor, vendor))
            f = &d->found[i];
    if (!f) {
        f = arena_push(d->a, (void **)&d->found, &d->n_found, &d->cap_found, sizeof *f);
        *f = (struct difference){
            .only_b = only_b, .resource = resource, .vendor = vendor, .context = c};
    }
    add(d, &f->actions, &f->cap, action, SIZE_MAX);
}

/* Under another context only what the empty one does not tell already. */
static bool told(const struct differ *d, bool only_b, struct str resource, struct str action)
{
    for (size_t i = 0; i < d->n_found; i++) {
        const struct difference *f = &d->found[i];
        if (f->only_b != only_b || f->context != &d->contexts[0] || !str_eq(f->resource, resource))
            continue;
        for (size_t j = 0; j < f->actions.n; j++)
            if (str_eq(f->actions.items[j], action))
                return true;
    }
    return false;
}

static void compare(struct differ *d)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    for (size_t c = 0; c < d->n_contexts; c++)
        for (size_t i = 0; i < d->resources.n; i++)
            for (size_t j = 0; j < d->actions.n; j++) {
                struct str resource = d->resources.items[i], action = d->actions.items[j], service;
                service = resource;
                for (int k = 0; k < 3; k++) {
                    struct str head;
                    str_cut(service, ':', &head, &service);
                    if (k == 2)
                        service = head;
                }
                if (!str_is(resource, "*") && !str_is(service, "x") &&
                    !str_eq(service, vendor_of(action)))
                    continue;
                struct policy_request r = {.arena = &scratch,
                                           .action = action,
                                           .resource = resource,
                                           .lookup = lookup,
                                           .user = &d->contexts[c]};
                bool a = policy_evaluate(d->sides[0], &r) == POLICY_ALLOWS;
                bool b = policy_evaluate(d->sides[1], &r) == POLICY_ALLOWS;
                arena_reset(&scratch);
                if (a != b && !(c && told(d, b, resource, action)))
                    note(d, b, resource, action, &d->contexts[c]);
            }
}

/* ---- output ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str actions_text(struct differ *d, const struct difference *f)
{
    size_t all = 0;
    for (size_t i = 0; i < d->actions.n; i++)
        all += str_eq(vendor_of(d->actions.items[i]), f->vendor);
    if (all == f->actions.n && all > 1)
        return str_printf(d->a, "%.*s:* (all %zu that are known)", STR(f->vendor), all);
    return str_join(d->a, S(", "), f->actions.items, f->actions.n);
}

static void print_json(struct differ *d)
{
    struct json *root = json_new(d->a, JSON_OBJECT), *lists[2];
    for (int side = 0; side < 2; side++) {
        lists[side] = json_new(d->a, JSON_ARRAY);
        json_set(d->a, root, side ? S("onlyB") : S("onlyA"), lists[side]);
    }
    for (size_t i = 0; i < d->n_found; i++) {
        const struct difference *f = &d->found[i];
        struct json *v = json_add(lists[f->only_b], json_new(d->a, JSON_OBJECT)),
                    *actions = json_new(d->a, JSON_ARRAY);
        for (size_t j = 0; j < f->actions.n; j++)
            json_add(actions, json_new_str(d->a, f->actions.items[j]));
        json_set(d->a, v, S("resource"), json_new_str(d->a, f->resource));
        json_set(d->a, v, S("actions"), actions);
        if (f->context->values->n)
            json_set(d->a, v, S("context"), json_copy(d->a, f->context->values));
    }
    json_set(d->a, root, S("complete"), json_new_bool(d->a, !d->cut));
    target_print_json(d->a, root);
}

static void print_text(struct differ *d, bool markdown)
{
    static const struct table_column columns[] = {
        {.title = "ALLOWS"}, {.title = "RESOURCE"}, {.title = "ACTIONS"}, {.title = "WHEN"}, {0}};
    struct table *t = table_new(d->a, columns);
    if (markdown)
        printf("| allows | resource | actions | when |\n|---|---|---|---|\n");
    for (size_t i = 0; i < d->n_found; i++) {
        const struct difference *f = &d->found[i];
        struct str actions = actions_text(d, f), when = f->context->text;
        if (markdown) {
            printf("| only %c | `%.*s` | %.*s | %.*s |\n", f->only_b ? 'B' : 'A', STR(f->resource),
                   STR(actions), STR(when));
            continue;
        }
        table_row(t);
        table_cell_style(t, f->only_b ? STYLE_GREEN : STYLE_RED,
                         f->only_b ? S("only B") : S("only A"));
        table_cell(t, f->resource);
        table_cell(t, actions);
        table_cell(t, when.n ? when : (struct str){0});
    }
    if (!markdown && d->n_found)
        table_print(stdout, t);
    if (!d->n_found)
        printf("they decide alike: %zu actions on %zu resources, %zu contexts\n", d->actions.n,
               d->resources.n, d->n_contexts);
}

static int read_side(struct differ *d, int side, struct str path)
{
    struct str text;
    struct policy_fault fault;
    struct json *root;
    int e = policy_read_json(d->run, path, &text, &root);
    if (e)
        return e;
    if (policy_parse_explained(d->a, POLICY_IDENTITY, text, &d->sides[side], &fault) < 0)
        return verb_fail(d->run, "%.*s is no identity-based policy: %.*s", STR(path),
                         STR(policy_fault_text(d->a, path, &fault)));
    return 0;
}

int policy_diff_run(struct verb_run *run)
{
    const struct policy_source_options *o = run->values[POLICY_SET_SOURCE];
    const struct policy_table_options *table = run->values[POLICY_SET_TABLE];
    struct differ d = {.run = run, .a = run->arena};
    int e = read_side(&d, 0, run->parsed.operands[1]);
    if (!e)
        e = read_side(&d, 1, run->parsed.operands[2]);
    if (e)
        return e;
    struct context *none =
        arena_push(d.a, (void **)&d.contexts, &d.n_contexts, &d.cap_contexts, sizeof *none);
    *none = (struct context){S(""), json_new(d.a, JSON_OBJECT)};
    collect_models(&d);
    collect(&d, d.sides[0]);
    collect(&d, d.sides[1]);
    if (o->from.n)
        e = collect_record(&d, o->from);
    if (e)
        return e;
    qsort(d.actions.items, d.actions.n, sizeof *d.actions.items, by_text);
    qsort(d.resources.items, d.resources.n, sizeof *d.resources.items, by_text);
    compare(&d);
    if (d.cut)
        fprintf(stderr, "lamina: policy: too many resources or conditions: not all were tried\n");
    if (target_of(run)->json)
        print_json(&d);
    else
        print_text(&d, table->markdown);
    return d.n_found ? 1 : 0;
}
