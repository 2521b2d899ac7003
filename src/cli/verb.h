/* verb - one word of the command line: `lamina NAME ...`.
 *
 * A verb is a file of its own with one `const struct verb NAME_verb`, and a line VERB(NAME) in
 * verbs.h. Its options are rows of base/options.h; main() parses them, so that run() begins with
 * values in a struct. Exit codes: 0 done, 1 failed (verb_fail), 2 wrong usage (verb_usage),
 * 141 nobody reads the output any more.
 *
 *     static const struct option_row rows[] = {
 *         {OPTION(struct status_options, json), .name = "json", .type = OPTION_FLAG, .help =
 * "..."}, {0},
 *     };
 *     static int run(struct verb_run *run)
 *     {
 *         const struct status_options *o = run->values[0];
 *         ...
 *         return verb_fail(run, "no cloud answers at %.*s", STR(url));
 *     }
 *     const struct verb status_verb = {
 *         .name = "status", .run = run, .sets = {{rows, sizeof(struct status_options)}},
 *         .summary = "tell whether a cloud is running here",
 *     };
 *
 * A verb may use every room below. */
#pragma once
#include "base/arena.h"
#include "base/options.h"
#include "base/str.h"

#define VERB_SETS 9

struct verb;

struct verb_run {
    struct arena *arena; /* lives as long as the verb */
    const struct verb *verb;
    const struct verb_action *action; /* what the first operand names; NULL */
    int argc;                         /* the words behind the verb, as they came */
    char **argv;
    void *values[VERB_SETS]; /* the struct of each option set, filled */
    struct option_set sets[VERB_SETS];
    size_t n_sets;
    struct option_result parsed; /* operands, words behind "--" */
};

struct verb_set {
    const struct option_row *rows;
    size_t size; /* of the struct the rows write into */
};

/* A verb that is several: its first operand, the one that says what is done. */
struct verb_action {
    const char *name; /* NULL ends the table */
    int (*run)(struct verb_run *run);
    const char *operands; /* behind the name, or NULL */
    const char *summary;  /* one line, without a full stop */
    const char *details;  /* paragraphs for `lamina help VERB ACTION`, or NULL */
    unsigned sets;        /* bit i: takes the options of the verb's sets[i]; others are refused */
    size_t min_operands, max_operands; /* behind the name */
};

struct verb {
    const char *name;
    int (*run)(struct verb_run *run);  /* the exit code; NULL when there are actions */
    const struct verb_action *actions; /* NULL: it is not several */
    struct verb_set
        sets[VERB_SETS]; /* the verb's own options, then tables it shares; rows NULL ends */
    /* Values of lower rank than the command line (configuration files): between options_defaults()
     * and options_parse(), with options_preset(). NULL: none. 0, or an exit code after a message.
     */
    int (*preset)(struct verb_run *run);
    const char *operands; /* "FUNCTION [PAYLOAD]", for the help; NULL: none are taken */
    const char *summary;  /* one line, without a full stop */
    const char *details;  /* paragraphs for `lamina help VERB`, or NULL */
    size_t min_operands, max_operands;
    bool stop_at_operand; /* what follows the first operand is not looked at */
    bool takes_command;   /* "-- CMD..." in run->parsed.rest */
    bool hidden;
};

/* Exit code when who reads stdout has gone (`| head`): a shell's for SIGPIPE. Nothing is said. */
#define VERB_READER_LEFT 141
bool verb_reader_left(void);

/* "lamina: VERB: message" on stderr. Return 1 and 2. */
int verb_fail(const struct verb_run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int verb_usage(const struct verb_run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The action of that name, or NULL. */
const struct verb_action *verb_action_find(const struct verb *verb, struct str name);
/* The one that the words name, before they have been looked at; or NULL. */
const struct verb_action *verb_action_among(const struct verb *verb, int argc, char **argv);
/* After parsing: sets run->action, and refuses operands and options that are not its own.
 * 0 or an exit code after a message. */
int verb_action_check(struct verb_run *run);
/* Its help on stdout; without an action the verb's, with a list of all. */
void verb_show(struct arena *a, const struct verb *verb, const struct verb_action *action);

/* All verbs, NULL-terminated, in the order of the help. */
extern const struct verb *const verbs[];
const struct verb *verb_find(struct str name);
