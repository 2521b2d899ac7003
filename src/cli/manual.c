/* manual - `lamina manual`: the option tables as other programs want them. The build makes man
 * pages and completions of it. */
#include "base/cleanup.h"
#include "cli/verbs_all.h"

struct manual_options {
    struct str head;
    bool verbs, words, actions;
};

static const struct option_row rows[] = {
    {OPTION(struct manual_options, verbs), .name = "verbs", .type = OPTION_FLAG,
     .help = "all verbs: name, tab, summary"},
    {OPTION(struct manual_options, words), .name = "words", .type = OPTION_FLAG,
     .help = "the verb's options: name, tab, meaning of the value, tab, help"},
    {OPTION(struct manual_options, actions), .name = "actions", .type = OPTION_FLAG,
     .help = "the verb's actions: name, tab, summary"},
    {OPTION(struct manual_options, head), .name = "page", .type = OPTION_TEXT, .metavar = "FILE",
     .help = "a whole scdoc page; FILE has its DESCRIPTION and EXAMPLES"},
    {0},
};

static void print_verbs(void)
{
    for (const struct verb *const *v = verbs; *v; v++)
        if (!(*v)->hidden)
            printf("%s\t%s\n", (*v)->name, (*v)->summary);
}

static void print_actions(const struct verb *verb)
{
    for (const struct verb_action *a = verb->actions; a && a->name; a++)
        printf("%s\t%s\n", a->name, a->summary);
}

static void page_of(const struct verb *verb, const struct verb_action *action,
                    const struct option_row *tables[VERB_SETS + 1], struct option_page *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < VERB_SETS && verb->sets[i].rows; i++)
        if (!action || action->sets & 1u << i)
            tables[n++] = verb->sets[i].rows;
    tables[n] = NULL;
    *ret = (struct option_page){.tables = tables};
}

/* What may stand behind the option: "" for flags, "a|b" for choices, FILE, DIR, or any other word.
 */
static const char *value_of(const struct option_row *row)
{
    if (row->type == OPTION_FLAG)
        return "";
    return row->choices ? row->choices : row->metavar ? row->metavar : "VALUE";
}

static void print_words(const struct option_page *page)
{
    for (const struct option_row *const *t = page->tables; *t; t++)
        for (const struct option_row *row = *t; row->name; row++)
            if (!row->hidden)
                printf("--%s\t%s\t%s\n", row->name, value_of(row), row->help);
    printf("--help\t\tshow a short help\n");
}

/* scdoc's marks lose their meaning behind a backslash. */
static void print_escaped(const char *s)
{
    for (; *s; s++) {
        if (*s == '_' || *s == '*' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
}

static int print_page(struct verb_run *run, const struct verb *verb, const struct option_page *page,
                      struct str path)
{
    auto_fclose FILE *prose = fopen(str_c(run->arena, path), "re");
    if (!prose)
        return verb_fail(run, "%.*s cannot be read", STR(path));
    printf("lamina-%s(1)\n\n# NAME\n\nlamina-%s - ", verb->name, verb->name);
    print_escaped(verb->summary);
    printf("\n\n# SYNOPSIS\n\n*lamina %s* [_options_]", verb->name);
    if (verb->operands) {
        putchar(' ');
        print_escaped(verb->operands);
    }
    printf("\n\n");
    /* The prose up to EXAMPLES, the options, the rest. */
    char line[4096];
    bool done = false;
    auto_buf struct buf options;
    buf_init(&options, 1024 * 1024);
    options_man(&options, page);
    while (fgets(line, sizeof line, prose)) {
        if (!done && str_is(str_from(line), "# EXAMPLES\n")) {
            printf("# OPTIONS\n\n%.*s", (int)options.n, (const char *)options.p);
            done = true;
        }
        fputs(line, stdout);
    }
    if (!done)
        return verb_fail(run, "%.*s has no line \"# EXAMPLES\"", STR(path));
    printf("\n# SEE ALSO\n\n*lamina*(1), *lamina-samconfig*(5), *lamina-tests*(5)\n");
    return 0;
}

static int run_manual(struct verb_run *run)
{
    const struct manual_options *o = run->values[0];
    if (o->verbs) {
        print_verbs();
        return 0;
    }
    const struct verb *verb = run->parsed.n_operands ? verb_find(run->parsed.operands[0]) : NULL;
    if (!verb)
        return verb_usage(run, "a verb is missing");
    const struct option_row *tables[VERB_SETS + 1];
    struct option_page page;
    const struct verb_action *action =
        run->parsed.n_operands > 1 ? verb_action_find(verb, run->parsed.operands[1]) : NULL;
    page_of(verb, action, tables, &page);
    if (o->actions)
        print_actions(verb);
    else if (o->words)
        print_words(&page);
    else if (str_has(o->head))
        return print_page(run, verb, &page, o->head);
    else
        return verb_usage(run, "--words, --actions or --page is missing");
    return 0;
}

const struct verb manual_verb = {
    .name = "manual",
    .run = run_manual,
    .sets = {{rows, sizeof(struct manual_options)}},
    .operands = "[VERB [ACTION]]",
    .max_operands = 2,
    .hidden = true,
    .summary = "give the option tables to other programs",
};
