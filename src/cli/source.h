/* source - the template a verb works on: found, read, parsed; and parameters as they are given. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"
#include "template/process.h"

/* --template, or .aws-sam/build/template.yaml when built is true and it is there, or template.yaml,
 * template.yml, template.json in this folder. 0, or an exit code after a message. */
int source_find(struct verb_run *run, struct str given, bool built, struct str *ret_path);
/* Reads and parses; messages name file:line:column. */
int source_read(struct verb_run *run, struct str path, struct str *ret_text,
                struct json **ret_root);

/* --parameter-overrides: "K=V K2='V 2'", one or several words, or ParameterKey=K,ParameterValue=V.
 * A value env:NAME is taken from the environment, file://PATH from a file (its last line end cut),
 * so that secrets need not stand on a command line. */
int source_parameters(struct verb_run *run, const struct option_list *overrides,
                      struct template_param **ret, size_t *ret_n);

/* Words of a list option, each split at blanks and commas: --capabilities "A B". */
void source_words(struct arena *a, const struct option_list *list, struct str **ret, size_t *ret_n);
