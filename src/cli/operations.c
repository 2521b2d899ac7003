/* operations - `lamina operations`: what the embedded cloud carries out, from the models and the
 * handler tables. */
#include "base/json.h"
#include "base/table.h"
#include "cli/verbs_all.h"
#include "cloud/services.h"

struct operations_options {
    bool json, markdown, all;
};

static const struct option_row rows[] = {
    {OPTION(struct operations_options, json), .name = "json", .type = OPTION_FLAG,
     .help = "every operation with its state, as JSON"},
    {OPTION(struct operations_options, markdown), .name = "markdown", .type = OPTION_FLAG,
     .help = "a table for a document"},
    {OPTION(struct operations_options, all), .name = "all", .type = OPTION_FLAG,
     .help = "name the operations that answer NotImplemented, too"},
    {0},
};

static const char *const states[] = {"known", "modelled", "implemented"};

struct count {
    size_t of[3];
};

static struct count count(const struct service_model *m)
{
    struct count c = {{0}};
    for (uint32_t i = 0; i < m->n_operations; i++)
        c.of[operation_state(&m->operations[i])]++;
    return c;
}

static void print_names(const struct service_model *m, enum operation_state state,
                        const char *between)
{
    bool first = true;
    for (uint32_t i = 0; i < m->n_operations; i++) {
        if (operation_state(&m->operations[i]) != state)
            continue;
        printf("%s%s", first ? "" : between, operation_name(&m->operations[i]));
        first = false;
    }
}

static void print_markdown(void)
{
    printf("| Service | Implemented | Known | Operations |\n|---|--:|--:|---|\n");
    for (const struct service_model *const *m = all_models; *m; m++) {
        struct count c = count(*m);
        printf("| %s | %zu | %u | ", (*m)->id, c.of[OPERATION_IMPLEMENTED], (*m)->n_operations);
        print_names(*m, OPERATION_IMPLEMENTED, ", ");
        printf(" |\n");
    }
}

static void print_json(struct arena *a)
{
    struct json *root = json_new(a, JSON_OBJECT);
    for (const struct service_model *const *m = all_models; *m; m++) {
        struct json *service = json_new(a, JSON_OBJECT);
        json_set(a, root, str_from((*m)->id), service);
        for (uint32_t i = 0; i < (*m)->n_operations; i++) {
            const struct operation *op = &(*m)->operations[i];
            json_set(a, service, str_from(operation_name(op)),
                     json_new_str(a, str_from(states[operation_state(op)])));
        }
    }
    struct str text = json_text(a, root, 2);
    printf("%.*s\n", STR(text));
}

static void print_list(bool all)
{
    for (const struct service_model *const *m = all_models; *m; m++) {
        struct count c = count(*m);
        printf("%s: %zu of %u implemented\n  ", (*m)->id, c.of[OPERATION_IMPLEMENTED],
               (*m)->n_operations);
        print_names(*m, OPERATION_IMPLEMENTED, "\n  ");
        putchar('\n');
        for (int s = OPERATION_MODELLED; all && s >= OPERATION_KNOWN; s--)
            for (uint32_t i = 0; i < (*m)->n_operations; i++)
                if (operation_state(&(*m)->operations[i]) == (enum operation_state)s)
                    printf("  %s (%s)\n", operation_name(&(*m)->operations[i]), states[s]);
    }
}

static int run_operations(struct verb_run *run)
{
    const struct operations_options *o = run->values[0];
    if (o->json && o->markdown)
        return verb_usage(run, "--json and --markdown contradict each other");
    if (o->json)
        print_json(run->arena);
    else if (o->markdown)
        print_markdown();
    else
        print_list(o->all);
    return 0;
}

const struct verb operations_verb = {
    .name = "operations",
    .run = run_operations,
    .sets = {{rows, sizeof(struct operations_options)}},
    .summary = "list the services and operations that the embedded cloud implements",
    .details = "Of a known operation only the name and route are there; of a modelled one inputs "
               "are checked, too.\nBoth answer NotImplemented. Asks no cloud.\n\n"
               "    lamina operations --json",
};
