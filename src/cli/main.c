/* main - lamina VERB ...: the verb table, and how a verb's words become its options. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/table.h"
#include "cli/verb.h"
#include "sandbox/sandbox.h"

#define VERB(name) extern const struct verb name##_verb;
#include "cli/verbs.h"
#undef VERB

static const struct verb version_verb, help_verb;

const struct verb *const verbs[] = {
#define VERB(name) &name##_verb,
#include "cli/verbs.h"
#undef VERB
    &version_verb,
    &help_verb,
    NULL,
};

const struct verb *verb_find(struct str name)
{
    for (const struct verb *const *v = verbs; *v; v++)
        if (str_is(name, (*v)->name))
            return *v;
    return NULL;
}

static void __attribute__((format(printf, 2, 0)))
say(const struct verb_run *run, const char *fmt, va_list ap)
{
    struct str text = str_vprintf(run->arena, fmt, ap);
    fflush(stdout);
    fprintf(stderr, "lamina: %s: %.*s\n", run->verb->name, STR(text));
}

int verb_fail(const struct verb_run *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(run, fmt, ap);
    va_end(ap);
    return 1;
}

int verb_usage(const struct verb_run *run, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(run, fmt, ap);
    va_end(ap);
    fprintf(stderr, run->action ? "Try `lamina help %s %s`.\n" : "Try `lamina help %s`.\n",
            run->verb->name, run->action ? run->action->name : "");
    return 2;
}

/* Help. */

static int show_all(FILE *f)
{
    fprintf(f,
            "lamina - a workbench for AWS Lambda: an embedded cloud, and verbs to build, deploy, "
            "invoke and test\n\nUsage: lamina VERB [OPTIONS] ...\n\n");
    for (const struct verb *const *v = verbs; *v; v++)
        if (!(*v)->hidden)
            fprintf(f, "  %-11s %s\n", (*v)->name, (*v)->summary);
    fprintf(f, "\n`lamina help VERB` tells more about each.\n");
    return 0;
}

static int unknown_verb(struct arena *a, struct str name)
{
    struct str names[ARRAY_LEN(verbs)];
    size_t n = 0;
    for (const struct verb *const *v = verbs; *v; v++)
        if (!(*v)->hidden)
            names[n++] = str_from((*v)->name);
    struct str near = options_nearest(name, names, n);
    fprintf(stderr, "lamina: unknown verb \"%.*s\"", STR(name));
    if (str_has(near))
        fprintf(stderr, " (did you mean %.*s?)", STR(near));
    fprintf(stderr, "\nTry `lamina help`.\n");
    return 2;
}

static int help_run(struct verb_run *run)
{
    if (run->parsed.n_operands == 0)
        return show_all(stdout);
    const struct verb *verb = verb_find(run->parsed.operands[0]);
    if (!verb)
        return unknown_verb(run->arena, run->parsed.operands[0]);
    const struct verb_action *action = NULL;
    if (run->parsed.n_operands > 1) {
        struct str word = run->parsed.operands[1];
        action = verb_action_find(verb, word);
        /* `logs query` is on the page of logs. */
        bool told = verb->operands && strstr(verb->operands, str_c(run->arena, word));
        if (!action && (verb->actions || !told))
            return verb_usage(run, "lamina %s has no action \"%.*s\"", verb->name, STR(word));
    }
    verb_show(run->arena, verb, action);
    return 0;
}

static const struct verb help_verb = {
    .name = "help",
    .run = help_run,
    .operands = "[VERB [ACTION]]",
    .max_operands = 2,
    .summary = "explain the verbs",
};

static int version_run(struct verb_run *run)
{
    printf("lamina %s\n", LAMINA_VERSION);
    return 0;
}

static const struct verb version_verb = {
    .name = "version",
    .run = version_run,
    .summary = "print the version",
};

/* Words to values. */

static int parse(struct verb_run *run)
{
    const struct verb *verb = run->verb;
    struct option_error err = {0};
    for (; run->n_sets < VERB_SETS && verb->sets[run->n_sets].rows; run->n_sets++) {
        const struct verb_set *set = &verb->sets[run->n_sets];
        run->values[run->n_sets] = arena_alloc(run->arena, set->size);
        run->sets[run->n_sets] =
            (struct option_set){.rows = set->rows, .values = run->values[run->n_sets]};
    }
    if (options_defaults(run->arena, run->sets, run->n_sets, &err) < 0)
        return verb_usage(run, "%.*s", STR(err.message));
    if (verb->preset) {
        int code = verb->preset(run);
        if (code)
            return code;
    }
    if (options_parse(run->arena, run->sets, run->n_sets, run->argc, run->argv,
                      verb->stop_at_operand, &run->parsed, &err) < 0)
        return verb_usage(run, "%.*s", STR(err.message));
    if (run->parsed.help)
        return 0;
    if (run->parsed.rest && !verb->takes_command)
        return verb_usage(run, "nothing is taken behind --");
    size_t n = run->parsed.n_operands;
    if (n < verb->min_operands)
        return verb_usage(run, "%s is missing", verb->operands ? verb->operands : "an operand");
    if (n > verb->max_operands)
        return verb_usage(run, "unexpected word \"%.*s\"",
                          STR(run->parsed.operands[verb->max_operands]));
    return verb->actions ? verb_action_check(run) : 0;
}

bool verb_reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

static int verb_main(struct arena *a, const struct verb *verb, int argc, char **argv)
{
    struct verb_run run = {.arena = a, .verb = verb, .argc = argc, .argv = argv};
    int code = parse(&run);
    if (code)
        return code;
    if (run.parsed.help) {
        verb_show(a, verb, verb_action_among(verb, argc, argv));
        return 0;
    }
    code = run.action ? run.action->run(&run) : verb->run(&run);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (verb_reader_left()) /* `| head` has seen enough */
            return code ? code : VERB_READER_LEFT;
        fprintf(stderr, "lamina: %s: cannot write: %s\n", verb->name, strerror(errno));
        return code ? code : 1;
    }
    return code;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], SPAWNER_WORD) == 0)
        spawner_again(argc, argv);
    log_setup();
    signal(SIGPIPE, SIG_IGN);
    auto_arena struct arena a;
    arena_init(&a);
    if (argc < 2) {
        show_all(stderr);
        return 2;
    }
    struct str word = str_from(argv[1]);
    if (str_is(word, "--version") || str_is(word, "-V"))
        return version_run(NULL);
    if (str_is(word, "--help") || str_is(word, "-h"))
        return show_all(stdout);
    const struct verb *verb = verb_find(word);
    if (!verb)
        return unknown_verb(&a, word);
    return verb_main(&a, verb, argc - 2, argv + 2);
}
