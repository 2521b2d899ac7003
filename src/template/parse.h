/* template/parse - the text of a CloudFormation template, JSON or YAML, to a tree. Uses base,
 * libyaml.
 *
 * Pure: no files, no clock. The tree is base/json's, with line and column of every value and key,
 * in the arena. YAML is read as CloudFormation does: YAML 1.1 booleans (yes, on, ...), numbers keep
 * their spelling, unquoted dates stay strings, short tags (!Ref, !GetAtt A.B, !Sub, ...) become
 * their long form, "<<" merges, anchors and aliases are accepted. Refused: repeated keys, unknown
 * tags, several documents, more than TEMPLATE_MAX_BYTES, TEMPLATE_MAX_DEPTH levels or
 * TEMPLATE_MAX_NODES values (counted after aliases are copied). */
#pragma once
#include "base/json.h"

#define TEMPLATE_MAX_BYTES (1024 * 1024)
#define TEMPLATE_MAX_DEPTH JSON_DEPTH
#define TEMPLATE_MAX_NODES 200000

/* A small template can ask for large copies (aliases, Globals, maps): no step may take more. */
#define TEMPLATE_MAX_WORK_BYTES ((size_t)256 * 1024 * 1024)

/* What is wrong with a template: one per failing call. Everywhere in this room a function that
 * takes one returns -EBADMSG with it filled, and 0 otherwise. */
struct template_error {
    int line, column;   /* 1-based; 0 when it has no place */
    struct str message; /* as AWS words it where AWS has words; in the caller's arena */
};

int template_parse(struct arena *a, struct str text, struct json **ret, struct template_error *err);

/* Fills err and returns -EBADMSG: the place is where v stands (v may be NULL). */
int template_fail(struct arena *a, struct template_error *err, const struct json *v,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A tree as JSON text: compact (indent < 0) or pretty. */
struct str template_to_json(struct arena *a, const struct json *tree, int indent);

/* Text that is the same for trees that say the same: members sorted by key, compact. For "No
 * updates are to be performed." compare these, or their hashes. */
struct str template_canonical(struct arena *a, const struct json *tree);
struct str template_hash(struct arena *a, const struct json *tree); /* hex of its SHA-256 */
