/* policy_simulate_api - the same question put to the cloud's simulator: SimulateCustomPolicy for
 * documents, SimulatePrincipalPolicy for a role. */
#include "base/table.h"
#include "cli/policy_tool.h"
#include "cli/target.h"
#include "wire/iam.h"

struct asker {
    struct verb_run *run;
    struct aws_client *aws;
    const struct policy_simulate_options *o;
    struct str *documents, *boundaries;
    struct str resource_policy;
    struct iam_context_entry *entries;
    size_t n_entries;
    struct json *results;
    size_t n_denied;
    struct table *table;
};

static int read_files(struct asker *k, const struct option_list *files, struct str **ret)
{
    struct json *root;
    int e = 0;
    *ret = ARENA_ARRAY(k->run->arena, struct str, files->n + 1);
    for (size_t i = 0; i < files->n && !e; i++)
        e = policy_read_json(k->run, files->items[i], &(*ret)[i], &root);
    return e;
}

/* Each value's type is told by its looks: the policies say how it is compared. */
static void add_entry(struct asker *k, struct str key, const struct policy_values *values)
{
    struct iam_context_entry *e = &k->entries[k->n_entries++];
    e->context_key_name = key;
    e->context_key_type = values->n > 1 ? S("stringList") : S("string");
    if (str_eq_nocase(key, S("aws:CurrentTime")))
        e->context_key_type = S("date");
    else if (str_eq_nocase(key, S("aws:SourceIp")))
        e->context_key_type = S("ip");
    else if (values->n == 1 &&
             (str_is(values->items[0], "true") || str_is(values->items[0], "false")))
        e->context_key_type = S("boolean");
    e->context_key_values.items = values->items;
    e->context_key_values.n = values->n;
}

static void add_context(struct asker *k, const struct json *context)
{
    JSON_EACH(context, m) {
        struct policy_values v = {ARENA_ARRAY(k->run->arena, struct str, m->n + 1), 0};
        JSON_EACH(m, one)
            v.items[v.n++] = one->text;
        add_entry(k, m->key, &v);
    }
}

static int show(struct asker *k, const struct iam_simulate_policy_response *out)
{
    struct arena *a = k->run->arena;
    for (size_t i = 0; i < out->evaluation_results.n; i++) {
        const struct iam_evaluation_result *e = &out->evaluation_results.items[i];
        struct json *v = json_add(k->results, json_new(a, JSON_OBJECT)),
                    *list = json_new(a, JSON_ARRAY), *missing = json_new(a, JSON_ARRAY);
        bool allowed = str_is(e->eval_decision, "allowed");
        struct str why = {0};
        json_set(a, v, S("action"), json_new_str(a, e->eval_action_name));
        json_set(a, v, S("resource"), json_new_str(a, e->eval_resource_name));
        json_set(a, v, S("decision"), json_new_str(a, e->eval_decision));
        for (size_t j = 0; j < e->matched_statements.n; j++) {
            const struct iam_statement *s = &e->matched_statements.items[j];
            struct json *one = json_add(list, json_new(a, JSON_OBJECT));
            int64_t line = s->start_position ? s->start_position->line.is : 0;
            json_set(a, one, S("policy"), json_new_str(a, s->source_policy_id));
            json_set(a, one, S("line"), json_new_int(a, line));
            if (!why.n)
                why = str_printf(a, "%.*s:%lld", STR(s->source_policy_id), (long long)line);
        }
        const struct iam_context_key_names_result_list_type *keys = &e->missing_context_values;
        if (e->resource_specific_results.n)
            keys = &e->resource_specific_results.items[0].missing_context_values;
        for (size_t j = 0; j < keys->n; j++)
            json_add(missing, json_new_str(a, keys->items[j]));
        if (!allowed && keys->n)
            why =
                str_printf(a, "no value for %.*s", STR(str_join(a, S(", "), keys->items, keys->n)));
        json_set(a, v, S("statements"), list);
        if (missing->n)
            json_set(a, v, S("missingContextKeys"), missing);
        k->n_denied += !allowed;
        table_row(k->table);
        table_cell_style(k->table, allowed ? STYLE_GREEN : STYLE_RED, e->eval_decision);
        table_cell(k->table, e->eval_action_name);
        table_cell(k->table, e->eval_resource_name);
        table_cell(k->table, why);
    }
    return 0;
}

/* One call takes all combinations of its actions and resources. */
static int ask(struct asker *k, struct str *actions, size_t n_actions, struct str *resources,
               size_t n_resources)
{
    struct iam_simulate_principal_policy_input of_role = {.policy_source_arn = k->o->role};
    struct iam_simulate_custom_policy_input custom = {0};
    struct iam_simulate_policy_response *out;
    struct aws_error err = {0};
    const struct policy_source_options *common = k->run->values[POLICY_SET_SOURCE];
#define FILL(in)                                                                                   \
    do {                                                                                           \
        (in).policy_input_list.items = k->documents;                                               \
        (in).policy_input_list.n = k->o->policies.n;                                               \
        (in).permissions_boundary_policy_input_list.items = k->boundaries;                         \
        (in).permissions_boundary_policy_input_list.n = k->o->boundary.n;                          \
        (in).action_names.items = actions;                                                         \
        (in).action_names.n = n_actions;                                                           \
        (in).resource_arns.items = resources;                                                      \
        (in).resource_arns.n = n_resources;                                                        \
        (in).resource_policy = k->resource_policy;                                                 \
        (in).context_entries.items = k->entries;                                                   \
        (in).context_entries.n = k->n_entries;                                                     \
        if (k->resource_policy.n)                                                                  \
            (in).caller_arn = common->principal;                                                   \
    } while (0)
    FILL(of_role);
    FILL(custom);
    do {
        int r = k->o->role.n ? aws_call(k->aws, k->run->arena, &iam_simulate_principal_policy_op,
                                        &of_role, (void **)&out, &err)
                             : aws_call(k->aws, k->run->arena, &iam_simulate_custom_policy_op,
                                        &custom, (void **)&out, &err);
        if (r < 0)
            return target_fail(k->run, &err, "the simulator refuses");
        show(k, out);
        of_role.marker = custom.marker = out->marker;
    } while (out->is_truncated.is && out->marker.n);
    return 0;
}

static int ask_needs(struct asker *k, struct needs *needs)
{
    int e = 0;
    for (size_t i = 0; i < needs->n && !e; i++) {
        struct need *n = &needs->items[i];
        k->n_entries = 0;
        k->entries = ARENA_ARRAY(k->run->arena, struct iam_context_entry,
                                 (n->context ? n->context->n : 0) + 1);
        add_context(k, n->context);
        e = ask(k, &n->action, 1, &n->resource, 1);
    }
    return e;
}

static int ask_options(struct asker *k)
{
    struct json *context = json_new(k->run->arena, JSON_OBJECT);
    for (size_t i = 0; i < k->o->context.n; i++) {
        struct str key, value;
        if (!str_cut(k->o->context.items[i], '=', &key, &value))
            return verb_usage(k->run, "--context wants KEY=VALUE: %.*s",
                              STR(k->o->context.items[i]));
        struct json *list = json_find(context, key);
        if (!list)
            json_set(k->run->arena, context, key, list = json_new(k->run->arena, JSON_ARRAY));
        json_add(list, json_new_str(k->run->arena, value));
    }
    k->entries = ARENA_ARRAY(k->run->arena, struct iam_context_entry, context->n + 1);
    add_context(k, context);
    return ask(k, k->o->actions.items, k->o->actions.n, k->o->resources.items, k->o->resources.n);
}

int policy_simulate_api_run(struct verb_run *run)
{
    static const struct table_column columns[] = {
        {.title = "DECISION"}, {.title = "ACTION"}, {.title = "RESOURCE"}, {.title = "WHY"}, {0}};
    const struct policy_source_options *common = run->values[POLICY_SET_SOURCE];
    struct asker k = {.run = run, .o = run->values[POLICY_SET_SIMULATE]};
    struct json *root;
    struct needs needs = {0};
    if (k.o->session.n || k.o->scp.n)
        return verb_fail(run,
                         "the cloud's simulator takes no session policy and no service control "
                         "policy; without --role and --target aws they are simulated here");
    if (!k.o->role.n && !k.o->policies.n)
        return verb_usage(run, "-f POLICY or --role ARN is missing");
    if ((k.o->actions.n > 0) + (common->from.n > 0) + (k.o->template.n > 0) != 1)
        return verb_usage(run, "one of these is wanted: --action, --from, --template");
    int e = read_files(&k, &k.o->policies, &k.documents);
    if (!e)
        e = read_files(&k, &k.o->boundary, &k.boundaries);
    if (!e && k.o->resource_policy.n)
        e = policy_read_json(run, k.o->resource_policy, &k.resource_policy, &root);
    if (!e && common->from.n)
        e = policy_read_record(run, common->from, &needs);
    if (!e && k.o->template.n)
        e = policy_read_template(run, k.o->template, &needs);
    if (!e)
        e = target_open(run, &k.aws);
    if (e)
        return e;
    k.results = json_new(run->arena, JSON_ARRAY);
    k.table = table_new(run->arena, columns);
    e = k.o->actions.n ? ask_options(&k) : ask_needs(&k, &needs);
    aws_client_close(k.aws);
    if (e)
        return e;
    if (target_of(run)->json) {
        struct json *v = json_new(run->arena, JSON_OBJECT);
        json_set(run->arena, v, S("asked"), json_new_int(run->arena, (int64_t)k.results->n));
        json_set(run->arena, v, S("denied"), json_new_int(run->arena, (int64_t)k.n_denied));
        json_set(run->arena, v, S("results"), k.results);
        target_print_json(run->arena, v);
    } else {
        table_print(stdout, k.table);
        printf("%zu asked, %zu denied\n", k.results->n, k.n_denied);
    }
    return k.n_denied ? 1 : 0;
}
