/* logs - what `lamina logs` and `lamina logs query` share. */
#pragma once
#include "cli/target.h"
#include "cli/verb.h"

struct logs_options {
    struct str filter, stack_name;
    int64_t since_ms, until_ms, limit;
    bool tail;
    struct option_list groups;
    struct str start, end, saved;
    bool list, csv, markdown;
};

/* The log groups of what a name means: a group, a function, a logical id, a stack. 0 or an exit
 * code after a message. */
int logs_groups(struct verb_run *run, struct aws_client *aws, struct str name,
                struct option_list *ret);

/* `lamina logs query ...`; the operands are behind the word. */
int logs_query(struct verb_run *run, const struct str *operands, size_t n);

struct logs_saved {
    const char *name, *summary, *query;
};
extern const struct logs_saved logs_saved[]; /* ends with a NULL name */
