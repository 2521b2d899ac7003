/* verb - actions of verbs that are several, and the help of both. */
#include "cli/verb.h"
#include <stdio.h>
#include "base/buf.h"
#include "base/table.h"

#define ALL_SETS ((1u << VERB_SETS) - 1)
#define ACTIONS_MAX 32

const struct verb_action *verb_action_find(const struct verb *verb, struct str name)
{
    for (const struct verb_action *action = verb->actions; action && action->name; action++)
        if (str_is(name, action->name))
            return action;
    return NULL;
}

const struct verb_action *verb_action_among(const struct verb *verb, int argc, char **argv)
{
    const struct verb_action *found = NULL;
    for (int i = 0; i < argc && !found; i++)
        found = verb_action_find(verb, str_from(argv[i]));
    return found;
}

/* ---- what an action takes ---- */

static int unknown_action(const struct verb_run *run, struct str name)
{
    struct str names[ACTIONS_MAX], all = {0};
    size_t n = 0;
    for (const struct verb_action *a = run->verb->actions; a->name && n < ACTIONS_MAX; a++) {
        names[n++] = str_from(a->name);
        all = str_printf(run->arena, "%.*s%s%s", STR(all), all.n ? ", " : "", a->name);
    }
    struct str near = options_nearest(name, names, n);
    if (str_has(near))
        return verb_usage(run, "unknown action \"%.*s\" (did you mean %.*s?); there are: %.*s",
                          STR(name), STR(near), STR(all));
    return verb_usage(run, "unknown action \"%.*s\"; there are: %.*s", STR(name), STR(all));
}

/* An option of the set i was given, which only other actions take. */
static int check_set(const struct verb_run *run, size_t i)
{
    for (const struct option_row *row = run->sets[i].rows; row->name; row++) {
        if (!options_given(&run->parsed, run->sets, run->n_sets, row->name))
            continue;
        struct str takers = {0};
        for (const struct verb_action *a = run->verb->actions; a->name; a++)
            if (a->sets & 1u << i)
                takers =
                    str_printf(run->arena, "%.*s%s%s", STR(takers), takers.n ? ", " : "", a->name);
        return verb_usage(run, "%s takes no --%s; who does: %.*s", run->action->name, row->name,
                          STR(takers));
    }
    return 0;
}

int verb_action_check(struct verb_run *run)
{
    const struct option_result *parsed = &run->parsed;
    run->action = verb_action_find(run->verb, parsed->operands[0]);
    const struct verb_action *action = run->action;
    if (!action)
        return unknown_action(run, parsed->operands[0]);
    size_t n = parsed->n_operands - 1;
    if (n < action->min_operands)
        return verb_usage(run, "%s: %s is missing", action->name, action->operands);
    if (n > action->max_operands)
        return verb_usage(run, "unexpected word \"%.*s\" behind %s",
                          STR(parsed->operands[1 + action->max_operands]), action->name);
    for (size_t i = 0; i < run->n_sets; i++) {
        int e = action->sets & 1u << i ? 0 : check_set(run, i);
        if (e)
            return e;
    }
    return 0;
}

/* ---- help ---- */

static const char *with_actions(struct arena *a, const struct verb *verb)
{
    int widest = 0;
    for (const struct verb_action *action = verb->actions; action->name; action++)
        if ((int)strlen(action->name) > widest)
            widest = (int)strlen(action->name);
    struct str text = S("actions:\n");
    for (const struct verb_action *action = verb->actions; action->name; action++)
        text = str_printf(a, "%.*s  %-*s  %s\n", STR(text), widest, action->name, action->summary);
    text = str_printf(a, "%.*s\n`lamina help %s ACTION` has the options and examples of one.\n",
                      STR(text), verb->name);
    if (verb->details)
        text = str_printf(a, "%.*s\n%s", STR(text), verb->details);
    else
        text.n--;
    return str_c(a, text);
}

void verb_show(struct arena *a, const struct verb *verb, const struct verb_action *action)
{
    const struct option_row *tables[VERB_SETS + 1] = {0};
    unsigned sets = action ? action->sets : ALL_SETS;
    for (size_t i = 0, n = 0; i < VERB_SETS && verb->sets[i].rows; i++)
        if (sets & 1u << i)
            tables[n++] = verb->sets[i].rows;
    struct str program =
        str_printf(a, "lamina %s%s%s", verb->name, action ? " " : "", action ? action->name : "");
    struct option_page page = {
        .program = str_c(a, program),
        .operands = action ? action->operands : verb->operands,
        .summary = action ? action->summary : verb->summary,
        .details = action          ? action->details
                   : verb->actions ? with_actions(a, verb)
                                   : verb->details,
        .tables = tables,
    };
    struct buf b;
    buf_init(&b, 1024 * 1024);
    size_t width = term_width(stdout);
    options_help(&b, &page, width ? width : 100);
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
}
