/* cost - `lamina cost`: what functions cost in a month, from what was measured of them. */
#include "cli/cost.h"
#include <errno.h>
#include <math.h>
#include "base/fs.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct cost_options {
    struct option_list from_bench;
    int64_t from_logs_ms, invocations, storage, provisioned, limit;
    struct str memory, architecture, free_tier, stack_name;
    bool log_bytes, markdown;
};

static const struct option_row rows[] = {
    {OPTION(struct cost_options, from_bench), .name = "from-bench", .type = OPTION_LIST,
     .metavar = "FILE",
     .help = "billed durations of a report of lamina bench; twice: the second against the first"},
    {OPTION(struct cost_options, from_logs_ms), .name = "from-logs", .type = OPTION_DURATION,
     .unit = "s", .metavar = "TIME",
     .help = "billed durations of the log's last 30m, 24h, 7d; 24h when nothing else is given"},
    {OPTION(struct cost_options, invocations), .name = "invocations-per-month", .letter = 'n',
     .type = OPTION_INT, .metavar = "N", .min = 1, .max = INT64_C(1000000000000),
     .help = "how often it is called; otherwise as often as in the log, or a million times"},
    {OPTION(struct cost_options, memory), .name = "memory", .type = OPTION_TEXT,
     .metavar = "MB,...",
     .help = "with these memory sizes, the first against the others; otherwise as measured"},
    {OPTION(struct cost_options, architecture), .name = "arch", .type = OPTION_TEXT,
     .metavar = "NAME,...", .help = "x86_64, arm64, or both to compare them"},
    {OPTION(struct cost_options, storage), .name = "storage", .type = OPTION_INT, .metavar = "MB",
     .min = 512, .max = 10240, .help = "size of /tmp; otherwise the function's"},
    {OPTION(struct cost_options, provisioned), .name = "provisioned", .type = OPTION_INT,
     .metavar = "N", .min = 1, .max = 1000000,
     .help = "environments of provisioned concurrency, all month"},
    {OPTION(struct cost_options, free_tier), .name = "free-tier", .type = OPTION_TEXT,
     .choices = "on|off", .default_value = "off",
     .help = "take the account's free tier off, as if nothing else used it"},
    {OPTION(struct cost_options, log_bytes), .name = "log-bytes", .type = OPTION_FLAG,
     .default_value = "true",
     .help = "with --from-logs: read all events, to know what logs cost; without: only REPORT "
             "lines"},
    {OPTION(struct cost_options, limit), .name = "limit", .type = OPTION_INT, .metavar = "N",
     .default_value = "1000000", .min = 1, .max = INT64_C(1000000000),
     .help = "log events read at most, of each function"},
    {OPTION(struct cost_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {OPTION(struct cost_options, markdown), .name = "markdown", .type = OPTION_FLAG,
     .help = "print a table for a job summary or a pull request"},
    {0},
};

struct coster {
    struct verb_run *run;
    const struct cost_options *o;
    struct aws_client *aws; /* NULL: nothing is asked */
    struct cost_measured **measured;
    struct str *labels; /* of measured */
    size_t n, cap, cap_labels;
    struct cost_row *rows;
    size_t n_rows, cap_rows;
    bool stack;
};

static void add_measured(struct coster *c, const struct cost_measured *m, struct str label)
{
    struct arena *a = c->run->arena;
    size_t n = c->n;
    *(struct str *)arena_push(a, (void **)&c->labels, &n, &c->cap_labels, sizeof(struct str)) =
        label;
    *(struct cost_measured **)arena_push(a, (void **)&c->measured, &c->n, &c->cap, sizeof m) =
        arena_copy(a, m, sizeof *m);
}

/* ---- what was measured ---- */

static int read_bench(struct coster *c)
{
    struct arena *a = c->run->arena;
    for (size_t i = 0; i < c->o->from_bench.n; i++) {
        struct str path = c->o->from_bench.items[i], why = {0};
        struct cost_measured *list;
        size_t n;
        int r = cost_from_bench(a, path, &list, &n, &why);
        if (r < 0)
            return verb_fail(c->run, "%.*s: %.*s", STR(path),
                             STR(why.n ? why : str_from(strerror(-r))));
        for (size_t k = 0; k < n; k++) {
            struct str label = c->o->from_bench.n > 1 ? path : (struct str){0};
            if (n > 1)
                label =
                    str_printf(a, "%.*s%s%.*s", STR(label), label.n ? ", " : "", STR(list[k].from));
            list[k].from = path;
            add_measured(c, &list[k], label);
        }
    }
    return 0;
}

static int read_logs(struct coster *c, struct str function, bool known, struct cost_measured *m)
{
    struct arena *a = c->run->arena;
    struct aws_error err = {0};
    struct cost_log_request q = {
        .since_ms = c->o->from_logs_ms, .limit = c->o->limit, .all = c->o->log_bytes};
    q.group = known ? stacks_log_group(c->run, c->aws, function)
                    : str_printf(a, "/aws/lambda/%.*s", STR(function));
    if (!q.since_ms)
        q.since_ms = 24 * 3600000;
    double configured = m->memory_mb;
    int r = cost_from_logs(c->aws, a, &q, m, &err);
    if (r == 0 && m->mixed_memory && configured > 0) /* not that of whichever came last */
        m->memory_mb = configured;
    if (r < 0 && !target_error_is(&err, "ResourceNotFoundException"))
        return target_fail(c->run, &err, str_c(a, q.group));
    if (r < 0 && !known)
        return verb_fail(c->run,
                         "there is no function and no stack %.*s, and no log group %.*s either",
                         STR(function), STR(q.group));
    if (r < 0)
        m->from = str_printf(a, "%.*s, which is not there", STR(q.group));
    return 0;
}

static int nothing(struct coster *c, struct str name, struct str from)
{
    return verb_fail(c->run,
                     "nothing was measured of %.*s (%.*s): invoke it, look back further with "
                     "--from-logs 7d, or measure it: lamina bench warm %.*s --out bench, then "
                     "lamina cost %.*s --from-bench bench/report.json",
                     STR(name), STR(from), STR(name), STR(name));
}

static int add_from_logs(struct coster *c, struct str function, bool known, struct cost_measured *m,
                         struct str label)
{
    m->function = function;
    int e = read_logs(c, function, known, m);
    if (e)
        return e;
    if (m->n)
        add_measured(c, m, label);
    else if (!c->stack)
        return nothing(c, function, m->from);
    else
        fprintf(stderr, "lamina: cost: %.*s is left out: no REPORT lines (%.*s)\n", STR(function),
                STR(m->from));
    return 0;
}

/* All functions of a stack; *ret_found: there is such a stack. */
static int read_stack(struct coster *c, struct str name, bool *ret_found)
{
    struct cloudformation_stack_resource_summary *items;
    struct aws_error err = {0};
    size_t n, functions = 0;
    *ret_found = stacks_resources(c->run, c->aws, name, &items, &n, &err) == 0;
    c->stack = *ret_found;
    for (size_t i = 0; *ret_found && i < n; i++) {
        struct str physical = items[i].physical_resource_id;
        struct cost_measured m = {.region = aws_client_region(c->aws)};
        if (!str_is(items[i].resource_type, "AWS::Lambda::Function") || !str_has(physical))
            continue;
        functions++;
        int r = cost_configuration(c->aws, c->run->arena, physical, &m, &err);
        if (r < 0 && r != -ENOENT)
            return target_fail(c->run, &err, NULL);
        int e = add_from_logs(c, physical, r == 0, &m, items[i].logical_resource_id);
        if (e)
            return e;
    }
    if (*ret_found && !functions)
        return verb_fail(c->run, "the stack %.*s has no functions", STR(name));
    return *ret_found && !c->n ? nothing(c, name, S("logs of its functions")) : 0;
}

/* The function's size of /tmp is in no report. */
static int complete(struct coster *c, struct str name)
{
    struct cost_measured facts = {0};
    struct aws_error err = {0};
    int r = cost_configuration(c->aws, c->run->arena, name, &facts, &err);
    if (r < 0 && r != -ENOENT)
        return target_fail(c->run, &err, NULL);
    if (r == -ENOENT)
        return verb_fail(c->run, "there is no function %.*s", STR(name));
    for (size_t i = 0; i < c->n; i++) {
        c->measured[i]->storage_mb = facts.storage_mb;
        if (!c->measured[i]->architecture.n)
            c->measured[i]->architecture = facts.architecture;
    }
    return 0;
}

static int read_cloud(struct coster *c, struct str given)
{
    struct aws_error err = {0};
    struct str name = stacks_function(c->run, c->aws, c->o->stack_name, given);
    struct cost_measured m = {.region = aws_client_region(c->aws)};
    if (c->o->from_bench.n)
        return complete(c, name);
    int r = cost_configuration(c->aws, c->run->arena, name, &m, &err);
    if (r < 0 && r != -ENOENT)
        return target_fail(c->run, &err, NULL);
    if (r == 0)
        return add_from_logs(c, m.function, true, &m, (struct str){0});
    bool found;
    int e = read_stack(c, name, &found);
    return found || e ? e : add_from_logs(c, name, false, &m, (struct str){0});
}

/* ---- rows ---- */

/* "1024,1536" and "x86_64,arm64": each word, checked. Without: one absent word. */
static int words(struct coster *c, struct str list, const char *option, bool number,
                 struct str *ret, size_t *n)
{
    struct str word;
    *n = 0;
    if (!list.n)
        ret[(*n)++] = (struct str){0};
    while (list.n) {
        int64_t mb;
        str_cut(list, ',', &word, &list);
        word = str_trim(word);
        if (number && str_ends(word, S("MB")))
            word = str_trim(str_slice(word, 0, word.n - 2));
        bool good = number ? str_to_int64(word, &mb) == 0 && mb >= 128 && mb <= 10240
                           : str_is(word, "x86_64") || str_is(word, "arm64");
        if (!good || *n == 16)
            return verb_usage(c->run, "--%s: \"%.*s\" is no %s", option, STR(word),
                              number ? "memory size between 128 and 10240 MB"
                                     : "architecture: x86_64 or arm64");
        ret[(*n)++] = word;
    }
    return 0;
}

static struct str label_of(struct arena *a, struct str own, struct str memory,
                           struct str architecture)
{
    struct str parts[3];
    size_t n = 0;
    if (own.n)
        parts[n++] = own;
    if (memory.n)
        parts[n++] = str_printf(a, "%.*s MB", STR(memory));
    if (architecture.n)
        parts[n++] = architecture;
    return str_join(a, S(", "), parts, n);
}

/* Of sizes that were measured each is taken as it is, and only for itself. */
static bool belongs(const struct coster *c, size_t i, double memory_mb)
{
    bool measured_at = false;
    for (size_t k = 0; k < c->n; k++)
        measured_at = measured_at || (str_eq(c->measured[k]->from, c->measured[i]->from) &&
                                      c->measured[k]->memory_mb == memory_mb);
    return !memory_mb || !measured_at || c->measured[i]->memory_mb == memory_mb;
}

static int add_row(struct coster *c, size_t i, struct str memory, struct str architecture)
{
    int64_t mb = 0;
    if (memory.n)
        str_to_int64(memory, &mb);
    if (!belongs(c, i, (double)mb))
        return 0;
    const struct cost_measured *m = c->measured[i];
    struct cost_row row = {.label = label_of(c->run->arena, c->labels[i], memory, architecture),
                           .measured = m};
    row.how = (struct cost_case){.memory_mb = (double)mb == m->memory_mb ? 0 : (double)mb,
                                 .architecture = architecture,
                                 .storage_mb = (double)c->o->storage,
                                 .invocations = (double)c->o->invocations,
                                 .provisioned = (double)c->o->provisioned,
                                 .free_tier = !c->stack && str_is(c->o->free_tier, "on")};
    int r = cost_month(m, &row.how, &row.r);
    if (r == -ENOTSUP)
        return verb_fail(c->run, "prices in %.*s are not in dollars, and not known here",
                         STR(m->region));
    if (r == -ENODATA)
        return nothing(c, m->function, m->from);
    if (r < 0)
        return verb_fail(c->run,
                         "%.*s does not say the memory size, or an architecture that has "
                         "no price: give --memory and --arch",
                         STR(m->from));
    *(struct cost_row *)arena_push(c->run->arena, (void **)&c->rows, &c->n_rows, &c->cap_rows,
                                   sizeof row) = row;
    return 0;
}

static int make_rows(struct coster *c)
{
    struct str memory[16], architecture[16];
    size_t n_memory, n_architecture;
    int e = words(c, c->o->memory, "memory", true, memory, &n_memory);
    if (!e)
        e = words(c, c->o->architecture, "arch", false, architecture, &n_architecture);
    if (!e && c->stack && (n_memory > 1 || n_architecture > 1))
        e = verb_usage(c->run, "a stack's functions are added up: one --memory and one --arch");
    for (size_t i = 0; !e && i < c->n; i++)
        for (size_t k = 0; !e && k < n_memory; k++)
            for (size_t m = 0; !e && m < n_architecture; m++)
                e = add_row(c, i, memory[k], architecture[m]);
    return e;
}

static void print(struct coster *c, struct str name)
{
    struct arena *a = c->run->arena;
    struct cost_report report = {.name = name,
                                 .rows = c->rows,
                                 .n = c->n_rows,
                                 .sum = c->stack,
                                 .free_tier = str_is(c->o->free_tier, "on")};
    if (target_of(c->run)->json) {
        target_print_json(a, cost_json(a, &report));
        return;
    }
    struct buf b;
    buf_init(&b, 1 << 24);
    if (c->o->markdown)
        cost_write_markdown(a, &b, &report);
    else
        cost_write_text(a, &b, &report);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
}

static int run_cost(struct verb_run *run)
{
    struct coster c = {.run = run, .o = run->values[0]};
    struct str name = run->parsed.n_operands ? run->parsed.operands[0] : (struct str){0};
    if (c.o->from_bench.n && c.o->from_logs_ms)
        return verb_usage(run, "--from-bench or --from-logs, not both");
    if (!name.n && !c.o->from_bench.n)
        return verb_usage(run, "of what? name a function or a stack, or give --from-bench");
    int e = read_bench(&c);
    if (!e && name.n)
        e = target_open(run, &c.aws);
    if (!e && name.n)
        e = read_cloud(&c, name);
    if (!e)
        e = make_rows(&c);
    if (!e)
        print(&c, name.n ? name : c.measured[0]->function);
    aws_client_close(c.aws);
    return e;
}

const struct verb cost_verb = {
    .name = "cost",
    .run = run_cost,
    .sets = {{rows, sizeof(struct cost_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[FUNCTION|STACK]",
    .max_operands = 1,
    .summary = "what a function or a stack costs in a month, from measured durations",
    .details =
        "Shows the formula with the numbers put in, an interval (95 %) of what is not known\n"
        "exactly, and the date of the prices.\n\n"
        "    lamina cost hello --from-logs 24h --invocations-per-month 3000000\n"
        "    lamina cost --from-bench before.json --from-bench after.json\n"
        "    lamina cost hello --arch x86_64,arm64 --free-tier on",
};
