/* policy_document - a parsed policy, as policy_parse.c makes it and policy_eval.c reads it. */
#pragma once
#include "service/policy.h"

struct policy_words {
    struct str *items;
    size_t n, cap;
    bool has;
};

/* A word with how much of it stands before the first wildcard or variable: most words that do not
 * match are told from that part alone. */
struct policy_pattern {
    struct str text; /* of actions: in small letters */
    size_t literal;  /* bytes; text.n: it has neither, and is compared as it stands */
};

enum principal_kind {
    PRINCIPAL_KIND_ANY,
    PRINCIPAL_KIND_AWS,
    PRINCIPAL_KIND_SERVICE,
    PRINCIPAL_KIND_OTHER
};
struct policy_named {
    enum principal_kind kind;
    struct str name;
};

enum condition_type {
    CONDITION_STRING,
    CONDITION_STRING_NOCASE,
    CONDITION_LIKE,
    CONDITION_NUMBER,
    CONDITION_DATE,
    CONDITION_BOOL,
    CONDITION_BINARY,
    CONDITION_IP,
    CONDITION_ARN,
    CONDITION_NULL,
};
enum condition_relation {
    RELATION_EQUAL,
    RELATION_LESS,
    RELATION_LESS_EQUAL,
    RELATION_MORE,
    RELATION_MORE_EQUAL
};
enum condition_set { SET_NONE, SET_ANY, SET_ALL };

struct condition_operator {
    enum condition_type type;
    enum condition_relation relation;
    bool negated;
    bool if_exists;
    enum condition_set set;
};

struct policy_condition {
    struct condition_operator operator;
    struct str name; /* the operator as written */
    struct str key;
    struct policy_words values;
};

struct policy_statement {
    struct str sid;
    bool allow;
    bool has_principal, not_principal;
    struct policy_named *principals;
    size_t n_principals, cap_principals;
    struct policy_words actions, resources;
    struct policy_pattern *action_patterns, *resource_patterns; /* of each word */
    bool not_action, not_resource;
    struct policy_condition *conditions;
    size_t n_conditions, cap_conditions;
};

struct policy {
    struct str text;
    bool variables; /* Version 2012-10-17: ${...} means something */
    struct policy_statement *statements;
    size_t n, cap;
};

/* policy_place.c: of a member's value in a statement (counted from 1), or in the document (0); of
 * the statement itself when it has no such member. */
void policy_place_member(struct str text, size_t statement, struct str member, int *ret_line,
                         int *ret_column);

/* policy_condition.c */
/* "ForAnyValue:StringLikeIfExists"; -EINVAL when there is no such operator. */
int condition_operator_parse(struct str name, struct condition_operator *ret);
bool condition_date_valid(struct str value);
/* policy_eval.c: are action, principal and resource those of the statement? */
bool statement_concerns(const struct policy *p, const struct policy_statement *s,
                        const struct policy_request *r);
bool condition_holds(const struct policy *p, const struct policy_condition *c,
                     const struct policy_request *r);
/* It wants something not to be what a variable without a value says: no reason to allow anything.
 */
bool condition_unknown(const struct policy *p, const struct policy_condition *c,
                       const struct policy_request *r);

/* policy_glob.c */
/* The pattern with its ${variables} filled in; their values stand for themselves, whatever they
 * contain. Absent when a variable has no value: then nothing matches. */
struct str policy_expand(const struct policy *p, struct str pattern,
                         const struct policy_request *r);
bool policy_glob_expanded(struct str pattern, struct str text, bool ignore_case);
/* ARNs are compared part by part: a wildcard does not reach over a colon of the first five. */
bool policy_glob_arn(struct str pattern, struct str text);
