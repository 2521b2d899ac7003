/* simulate - what policies would say: SimulateCustomPolicy, SimulatePrincipalPolicy, and the
 * context keys that they want to know. Nothing is looked up but a role's own policies: resources
 * need not exist, and what a condition asks for comes from the request's ContextEntries. */
#include <errno.h>
#include "service/iam/entity.h"

/* Both requests have the same members; SimulatePrincipalPolicy's has one more. */
struct simulation {
    struct call *call;
    const struct iam_simulation_policy_list_type *documents, *boundaries;
    const struct iam_action_name_list_type *actions;
    const struct iam_resource_name_list_type *resources;
    const struct iam_context_entry_list_type *entries;
    struct str resource_policy, resource_owner, caller;
    struct page page;
    struct policy_case c;
    struct policy_principal who;
    struct str account; /* the caller's */
};

static int invalid(struct call *call, const char *what)
{
    return call_fail(call, IAM_INVALID_INPUT, "%s", what);
}

/* ---- policies ---- */

static int add_policy(struct simulation *s, enum policy_layer layer, struct str id, struct str text)
{
    struct policy *policy;
    struct str message;
    enum policy_kind kind = layer == POLICY_LAYER_RESOURCE ? POLICY_RESOURCE : POLICY_IDENTITY;
    if (policy_parse(s->call->arena, kind, text, &policy, &message) < 0)
        return call_fail(s->call, IAM_INVALID_INPUT, "Invalid input in %.*s: %.*s", STR(id),
                         STR(message));
    struct policy_sources *to = &s->c.layers[layer];
    struct policy_source *slot =
        arena_push(s->call->arena, (void **)&to->items, &to->n, &to->cap, sizeof *slot);
    *slot = (struct policy_source){id, policy};
    to->applies = true;
    return 0;
}

static int add_list(struct simulation *s, enum policy_layer layer, const char *name,
                    const struct iam_simulation_policy_list_type *list)
{
    int r = 0;
    for (size_t i = 0; i < list->n && r == 0; i++)
        r = add_policy(s, layer, str_printf(s->call->arena, "%s.%zu", name, i + 1), list->items[i]);
    return r;
}

static struct str last_part(struct str arn)
{
    return str_slice(arn, (size_t)(str_find_last_byte(arn, '/') + 1), arn.n);
}

/* Inline policies are told as role_ROLE_POLICY, managed ones by their names. */
static int add_policies(struct simulation *s, const struct iam_role_record *e, const char *kind)
{
    struct arena *a = s->call->arena;
    int r = 0;
    for (size_t i = 0; i < e->inline_policies.n && r == 0; i++)
        r = add_policy(s, POLICY_LAYER_IDENTITY,
                       str_printf(a, "%s_%.*s_%.*s", kind, STR(e->role_name),
                                  STR(e->inline_policies.items[i].name)),
                       e->inline_policies.items[i].document);
    for (size_t i = 0; i < e->attached.n && r == 0; i++) {
        struct str text;
        r = iam_policy_document(s->call->store, a, e->attached.items[i], &text);
        if (r == 0)
            r = add_policy(s, POLICY_LAYER_IDENTITY, last_part(e->attached.items[i]), text);
        else if (r == -ENOENT)
            r = 0;
    }
    return r;
}

/* Of a user, his groups' policies count as well. */
static int add_entity(struct simulation *s, const struct iam_role_record *e, const char *kind)
{
    struct call *call = s->call;
    struct str text;
    int r = add_policies(s, e, kind);
    for (size_t i = 0; *kind == 'u' && i < e->links.n && r == 0; i++) {
        struct iam_role_record group;
        r = iam_entity_find(call->store, call->arena, call->account, "group", e->links.items[i],
                            &group);
        r = r == -ENOENT ? 0 : r < 0 ? r : add_policies(s, &group, "group");
    }
    /* A boundary that is given stands for the entity's own. */
    if (r < 0 || !e->boundary.n || s->boundaries->n)
        return r;
    s->c.layers[POLICY_LAYER_BOUNDARY].applies = true; /* one that is gone allows nothing */
    if (iam_policy_document(call->store, call->arena, e->boundary, &text) == 0)
        r = add_policy(s, POLICY_LAYER_BOUNDARY, last_part(e->boundary), text);
    return r;
}

/* ---- what is asked ---- */

static struct str arn_part(struct str arn, int part)
{
    struct str head = {0}, rest = arn;
    for (int i = 0; i <= part; i++)
        str_cut(rest, ':', &head, &rest);
    return head;
}

static bool is_account(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n == 12;
}

static int check_entries(struct simulation *s)
{
    for (size_t i = 0; i < s->entries->n; i++) {
        const struct iam_context_entry *e = &s->entries->items[i];
        bool list = str_ends(e->context_key_type, S("List"));
        if (!e->context_key_name.n)
            return invalid(s->call, "A context entry has no ContextKeyName.");
        if (str_find_byte(e->context_key_name, ':') < 0)
            return call_fail(s->call, IAM_INVALID_INPUT,
                             "Invalid input: context key %.*s has no service prefix.",
                             STR(e->context_key_name));
        if (!e->context_key_type.n)
            return call_fail(s->call, IAM_INVALID_INPUT,
                             "Invalid input: context key %.*s has no ContextKeyType.",
                             STR(e->context_key_name));
        if (!list && e->context_key_values.n > 1)
            return call_fail(s->call, IAM_INVALID_INPUT,
                             "Invalid input: context key %.*s of type %.*s takes one value, not "
                             "%zu; its list type takes more.",
                             STR(e->context_key_name), STR(e->context_key_type),
                             e->context_key_values.n);
        for (size_t j = 0; j < e->context_key_values.n; j++)
            if (!policy_value_valid(e->context_key_type, e->context_key_values.items[j]))
                return call_fail(s->call, IAM_INVALID_INPUT,
                                 "Invalid input: context key %.*s: %.*s is not of type %.*s.",
                                 STR(e->context_key_name), STR(e->context_key_values.items[j]),
                                 STR(e->context_key_type));
    }
    return 0;
}

static int check_names(struct simulation *s)
{
    for (size_t i = 0; i < s->actions->n; i++) {
        struct str vendor, name, action = s->actions->items[i];
        if (!str_cut(action, ':', &vendor, &name) || !vendor.n || !name.n ||
            memchr(action.p, '*', action.n))
            return call_fail(s->call, IAM_INVALID_INPUT, "Invalid input: action %.*s.",
                             STR(action));
    }
    for (size_t i = 0; i < s->resources->n; i++) {
        struct str r = s->resources->items[i];
        if (!str_is(r, "*") && (!str_starts(r, S("arn:")) || !arn_part(r, 5).n))
            return call_fail(s->call, IAM_INVALID_INPUT, "Invalid input: resource %.*s.", STR(r));
    }
    if (s->boundaries->n > 1)
        return invalid(s->call, "Only one permissions boundary policy can be given.");
    return 0;
}

/* Who asks: for Principal elements only; a role's ARN stands for its sessions as well. */
static int check_caller(struct simulation *s, struct str source)
{
    struct call *call = s->call;
    struct str arn = s->caller.n ? s->caller : source;
    if (s->caller.n && !str_starts(arn_part(s->caller, 5), S("user/")))
        return call_fail(call, IAM_INVALID_INPUT,
                         "Invalid input: CallerArn %.*s is not the ARN of an IAM user.",
                         STR(s->caller));
    if (s->resource_policy.n && !s->caller.n)
        return invalid(call, "CallerArn is required when ResourcePolicy is given and "
                             "PolicySourceArn is not the ARN of an IAM user.");
    struct str owner = s->resource_owner;
    if (owner.n && arn_part(owner, 4).n)
        owner = arn_part(owner, 4);
    if (owner.n && !is_account(owner))
        return call_fail(call, IAM_INVALID_INPUT, "Invalid input: ResourceOwner %.*s.",
                         STR(s->resource_owner));
    s->resource_owner = owner;
    s->account = arn.n ? arn_part(arn, 4) : call->account;
    s->who = (struct policy_principal){.account = s->account, .arn = arn};
    return 0;
}

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    const struct simulation *s = user;
    for (size_t i = 0; i < s->entries->n; i++) {
        const struct iam_context_entry *e = &s->entries->items[i];
        if (!str_eq_nocase(e->context_key_name, key))
            continue;
        *ret = (struct policy_values){e->context_key_values.items, e->context_key_values.n};
        return ret->n > 0;
    }
    struct str value = {0};
    if (str_eq_nocase(key, S("aws:PrincipalAccount")))
        value = s->account;
    else if (str_eq_nocase(key, S("aws:PrincipalArn")))
        value = s->who.arn;
    else if (str_eq_nocase(key, S("aws:username")) &&
             str_starts(arn_part(s->who.arn, 5), S("user/")))
        value = last_part(s->who.arn);
    if (!value.n)
        return false;
    ret->items = ARENA_NEW(a, struct str);
    ret->items[0] = value;
    ret->n = 1;
    return true;
}

/* ---- results ---- */

static struct iam_position *position(struct arena *a, int line, int column)
{
    struct iam_position *p = ARENA_NEW(a, struct iam_position);
    p->line = opt_int(line);
    p->column = opt_int(column);
    return p;
}

static void show_hits(struct simulation *s, const struct policy_decision *d,
                      struct iam_statement_list_type *ret)
{
    struct arena *a = s->call->arena;
    ret->items = ARENA_ARRAY(a, struct iam_statement, d->n_hits + 1);
    for (size_t i = 0; i < d->n_hits; i++) {
        const struct policy_hit *hit = &d->hits[i];
        const struct policy_source *source = &s->c.layers[hit->layer].items[hit->source];
        struct policy_place place = policy_place_of(source->policy, hit->statement);
        struct iam_statement *out = &ret->items[ret->n++];
        out->source_policy_id = source->id;
        out->source_policy_type =
            hit->layer == POLICY_LAYER_RESOURCE ? S("Resource Policy") : S("IAM Policy");
        out->start_position = position(a, place.start_line, place.start_column);
        out->end_position = position(a, place.end_line, place.end_column);
    }
}

/* Keys of conditions that decided whether a statement speaks, and that nobody gave. */
static void show_missing(struct simulation *s, const struct policy_request *r,
                         struct iam_context_key_names_result_list_type *ret)
{
    struct arena *a = s->call->arena;
    size_t cap = 1;
    ret->items = ARENA_ARRAY(a, struct str, cap); /* told even when it is empty */
    for (int layer = 0; layer < POLICY_LAYERS; layer++) {
        const struct policy_sources *sources = &s->c.layers[layer];
        for (size_t i = 0; i < sources->n; i++) {
            struct policy_values keys;
            policy_missing_keys(sources->items[i].policy, r, &keys);
            for (size_t k = 0; k < keys.n; k++) {
                bool known = false;
                for (size_t j = 0; j < ret->n && !known; j++)
                    known = str_eq_nocase(ret->items[j], keys.items[k]);
                if (known)
                    continue;
                struct str *slot = arena_push(a, (void **)&ret->items, &ret->n, &cap, sizeof *slot);
                *slot = keys.items[k];
            }
        }
    }
}

static struct iam_permissions_boundary_decision_detail *
boundary_detail(struct simulation *s, const struct policy_decision *d)
{
    if (!s->c.layers[POLICY_LAYER_BOUNDARY].applies)
        return NULL;
    struct iam_permissions_boundary_decision_detail *out =
        ARENA_NEW(s->call->arena, struct iam_permissions_boundary_decision_detail);
    out->allowed_by_permissions_boundary =
        opt_bool(d->says[POLICY_LAYER_BOUNDARY] == POLICY_ALLOWS);
    return out;
}

static struct str layer_word(enum policy_verdict says)
{
    if (says == POLICY_DENIES)
        return S("explicitDeny");
    return says == POLICY_SILENT ? S("implicitDeny") : S("allowed");
}

/* Of requests over accounts: what each side says. */
static void decision_details(struct simulation *s, const struct policy_decision *d,
                             struct iam_eval_decision_details_type *ret)
{
    static const struct {
        enum policy_layer layer;
        struct str name;
    } rows[] = {{POLICY_LAYER_IDENTITY, S_INIT("IAM Policy")},
                {POLICY_LAYER_BOUNDARY, S_INIT("Permissions Boundary Policy")},
                {POLICY_LAYER_RESOURCE, S_INIT("Resource Policy")}};
    if (!s->c.cross_account)
        return;
    ret->items = arena_alloc(s->call->arena, sizeof(ret->items[0]) * 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].layer == POLICY_LAYER_BOUNDARY && !s->c.layers[rows[i].layer].applies)
            continue;
        ret->items[ret->n].key = rows[i].name;
        ret->items[ret->n++].value = layer_word(d->says[rows[i].layer]);
    }
}

static void decide(struct simulation *s, struct str action, struct str resource,
                   struct policy_request *r, struct policy_decision *d)
{
    *r = (struct policy_request){
        .arena = s->call->arena,
        .action = action,
        .resource = resource,
        .who = s->who,
        .lookup = lookup,
        .user = s,
    };
    struct str owner = s->resource_owner, in_arn = arn_part(resource, 4);
    if (is_account(in_arn))
        owner = in_arn;
    s->c.cross_account = s->resource_policy.n && owner.n && !str_eq(owner, s->account);
    policy_decide(&s->c, r, d);
}

static void evaluate(struct simulation *s, struct str action, struct str resource,
                     struct iam_evaluation_result *out)
{
    struct policy_request r;
    struct policy_decision d;
    decide(s, action, resource, &r, &d);
    out->eval_action_name = action;
    out->eval_resource_name = resource;
    out->eval_decision = str_from(policy_effect_name(d.effect));
    show_hits(s, &d, &out->matched_statements);
    out->permissions_boundary_decision_detail = boundary_detail(s, &d);
    decision_details(s, &d, &out->eval_decision_details);
    if (str_is(resource, "*")) {
        show_missing(s, &r, &out->missing_context_values);
        return;
    }
    /* A resource that is named has its own result beside. */
    struct iam_resource_specific_result *one =
        ARENA_NEW(s->call->arena, struct iam_resource_specific_result);
    one->eval_resource_name = resource;
    one->eval_resource_decision = out->eval_decision;
    one->matched_statements = out->matched_statements;
    one->eval_decision_details = out->eval_decision_details;
    one->permissions_boundary_decision_detail = out->permissions_boundary_decision_detail;
    show_missing(s, &r, &one->missing_context_values);
    out->resource_specific_results.items = one;
    out->resource_specific_results.n = 1;
}

static int simulate(struct simulation *s, struct iam_simulate_policy_response *out)
{
    static struct str anything[] = {S_INIT("*")};
    static const struct iam_resource_name_list_type any = {.items = anything, .n = 1};
    if (!s->resources->n)
        s->resources = &any;
    int r = add_list(s, POLICY_LAYER_IDENTITY, "PolicyInputList", s->documents);
    if (r == 0)
        r = add_list(s, POLICY_LAYER_BOUNDARY, "PermissionsBoundaryPolicyInputList", s->boundaries);
    if (r == 0 && s->resource_policy.n)
        r = add_policy(s, POLICY_LAYER_RESOURCE, S("ResourcePolicy"), s->resource_policy);
    if (r == 0)
        r = check_names(s);
    if (r == 0)
        r = check_entries(s);
    size_t n = s->actions->n * s->resources->n, from, to;
    if (r == 0)
        r = page_cut(s->call, &s->page, n, &from, &to, &out->is_truncated, &out->marker);
    if (r < 0)
        return r;
    out->evaluation_results.items =
        ARENA_ARRAY(s->call->arena, struct iam_evaluation_result, to - from + 1);
    for (size_t i = from; i < to; i++)
        evaluate(s, s->actions->items[i / s->resources->n],
                 s->resources->items[i % s->resources->n],
                 &out->evaluation_results.items[out->evaluation_results.n++]);
    return 0;
}

#define FROM_INPUT(in)                                                                             \
    {                                                                                              \
        .call = call, .documents = &(in)->policy_input_list,                                       \
        .boundaries = &(in)->permissions_boundary_policy_input_list,                               \
        .actions = &(in)->action_names, .resources = &(in)->resource_arns,                         \
        .entries = &(in)->context_entries, .resource_policy = (in)->resource_policy,               \
        .resource_owner = (in)->resource_owner, .caller = (in)->caller_arn,                        \
        .page = {(in)->marker, (in)->max_items},                                                   \
    }

static int refuse_handling(struct call *call, struct str option)
{
    if (!option.n)
        return 0;
    return call_fail(call, IAM_INVALID_INPUT,
                     "ResourceHandlingOption %.*s is not supported: Lamina has no EC2.",
                     STR(option));
}

static int simulate_custom_policy(struct call *call,
                                  const struct iam_simulate_custom_policy_input *in,
                                  struct iam_simulate_policy_response *out)
{
    struct simulation s = FROM_INPUT(in);
    int r = refuse_handling(call, in->resource_handling_option);
    if (r == 0)
        r = check_caller(&s, (struct str){0});
    return r < 0 ? r : simulate(&s, out);
}

static int simulate_principal_policy(struct call *call,
                                     const struct iam_simulate_principal_policy_input *in,
                                     struct iam_simulate_policy_response *out)
{
    struct simulation s = FROM_INPUT(in);
    struct iam_role_record role;
    const char *kind = NULL;
    int r = refuse_handling(call, in->resource_handling_option);
    if (r == 0)
        r = entity_of_arn(call, in->policy_source_arn, &role, &kind);
    if (r == 0)
        r = check_caller(&s, in->policy_source_arn);
    if (r == 0)
        r = add_entity(&s, &role, kind);
    return r < 0 ? r : simulate(&s, out);
}

/* ---- context keys ---- */

static int context_keys(struct simulation *s, struct iam_get_context_keys_for_policy_response *out)
{
    struct arena *a = s->call->arena;
    size_t cap = 0;
    int r = add_list(s, POLICY_LAYER_IDENTITY, "PolicyInputList", s->documents);
    if (r < 0)
        return r;
    for (int layer = 0; layer < POLICY_LAYERS; layer++) {
        for (size_t i = 0; i < s->c.layers[layer].n; i++) {
            struct policy_values keys;
            policy_context_keys(s->c.layers[layer].items[i].policy, a, &keys);
            for (size_t k = 0; k < keys.n; k++) {
                bool known = false;
                for (size_t j = 0; j < out->context_key_names.n && !known; j++)
                    known = str_eq_nocase(out->context_key_names.items[j], keys.items[k]);
                if (known)
                    continue;
                struct str *slot = arena_push(a, (void **)&out->context_key_names.items,
                                              &out->context_key_names.n, &cap, sizeof *slot);
                *slot = keys.items[k];
            }
        }
    }
    return 0;
}

static int
get_context_keys_for_custom_policy(struct call *call,
                                   const struct iam_get_context_keys_for_custom_policy_input *in,
                                   struct iam_get_context_keys_for_policy_response *out)
{
    struct simulation s = {.call = call, .documents = &in->policy_input_list};
    return context_keys(&s, out);
}

static int get_context_keys_for_principal_policy(
    struct call *call, const struct iam_get_context_keys_for_principal_policy_input *in,
    struct iam_get_context_keys_for_policy_response *out)
{
    static const struct iam_simulation_policy_list_type none;
    struct simulation s = {.call = call, .documents = &in->policy_input_list, .boundaries = &none};
    struct iam_role_record role;
    const char *kind = NULL;
    int r = entity_of_arn(call, in->policy_source_arn, &role, &kind);
    if (r == 0)
        r = add_entity(&s, &role, kind);
    return r < 0 ? r : context_keys(&s, out);
}

const struct handler iam_simulate_handlers[] = {
    {iam_simulate_custom_policy_run(simulate_custom_policy), .resource = "*"},
    {iam_simulate_principal_policy_run(simulate_principal_policy), .resource = "{PolicySourceArn}"},
    {iam_get_context_keys_for_custom_policy_run(get_context_keys_for_custom_policy),
     .resource = "*"},
    {iam_get_context_keys_for_principal_policy_run(get_context_keys_for_principal_policy),
     .resource = "{PolicySourceArn}"},
    {0},
};
