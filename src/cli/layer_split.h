/* layer_split - `lamina layer split`: a bundle as code and layers, with the proof that it answers
 * as before. Shared by layer_split.c (what is split, and the files), layer_split_prove.c (both
 * tried) and layer_split_apply.c (a deployed function changed). */
#pragma once
#include "build/split.h"
#include "cli/deployment_artifact.h"
#include "wire/lambda.h"

struct layer_split_options {
    struct str output, runtime, handler, role, s3_bucket, stack_name;
    struct option_list payloads, ignore, packages;
    int64_t layers, cold;
    bool apply, unproven;
};

struct layer_split {
    struct verb_run *run;
    const struct layer_split_options *o;
    struct arena *a;
    struct aws_client *aws;
    struct lambda_function_configuration *config; /* of a deployed function; NULL */
    struct str name;                              /* of the function, or of folder or zip */
    struct split_request request;
    struct split_plan plan;
    struct split_parts parts;
    struct json *proof; /* NULL: nothing was tried */
    bool proven;
    struct json *applied;
};

int layer_split_run(struct verb_run *run, const struct layer_split_options *o);

/* Runs the original and the split, in a temporary function, on every payload. 0, or an exit code
 * after a message: then nothing is known. s->proven: every answer is the same. */
int layer_split_prove(struct layer_split *s);
/* Layers published, the function changed, both recorded. An exit code after a message. */
int layer_split_apply(struct layer_split *s);

/* Equal JSON, but for what the paths in `ignore` name ("$.time", "$.body.id"). Pure. */
bool layer_split_same(struct arena *a, struct str one, struct str other,
                      const struct option_list *ignore, bool errors);

/* ---- layer_split_journal.c: what a proof makes, and is removed whatever happens ---- */

struct journal;
/* What killed proofs have left behind at this endpoint. */
void layer_split_leftovers(struct layer_split *s);
/* Before anything is made: 0, or an exit code. */
int layer_split_begin(struct layer_split *s, struct str function, struct journal **ret);
/* Removes the function, its layers and its role; what cannot be is left to the next proof. */
void layer_split_end(struct layer_split *s, struct str function, struct journal *j);
