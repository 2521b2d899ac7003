/* policy - IAM policy documents: checked as AWS checks them when they are put, and evaluated.
 *
 * Pure: no store, no clock, no log. May use base/. Handlers ask call_allowed() and
 * call_policy_says(), which know who asks and under which conditions; what stands here is for them,
 * and policy_check() for the operations that put documents. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* What a document is for decides which elements it must and must not have. */
enum policy_kind {
    POLICY_IDENTITY, /* attached to a role, session policy, permissions boundary: no Principal */
    POLICY_TRUST,    /* who may assume a role: Principal, sts: actions, no Resource */
    POLICY_BUCKET,   /* S3: Principal and Resource; S3's own words for what is wrong */
    POLICY_RESOURCE, /* other services: Principal; Resource may be missing */
};

struct policy;

/* -EBADMSG with *ret_message, in AWS's words. The policy lives in the arena and points into text.
 */
int policy_parse(struct arena *a, enum policy_kind kind, struct str text, struct policy **ret,
                 struct str *ret_message);
/* The same, telling people what is wrong and where. */
struct policy_fault {
    struct str message; /* AWS's words */
    struct str detail;  /* what is wrong, where AWS only says that something is; absent otherwise */
    size_t statement;   /* counted from 1; 0: the document */
    int line, column;   /* counted from 1 */
};
int policy_parse_explained(struct arena *a, enum policy_kind kind, struct str text,
                           struct policy **ret, struct policy_fault *fault);
/* "FILE:LINE:COLUMN: statement 2: what is wrong (IAM says: ...)" */
struct str policy_fault_text(struct arena *a, struct str file, const struct policy_fault *fault);
int policy_check(struct arena *a, enum policy_kind kind, struct str text, struct str *ret_message);

struct policy_values {
    struct str *items;
    size_t n;
};

/* Who asks, as far as Principal elements can name it. */
struct policy_principal {
    struct str account;  /* absent: anonymous */
    struct str arn;      /* root, or assumed-role session */
    struct str role_arn; /* of a role session: matches sessions as well */
    struct str service;  /* lambda.amazonaws.com; then the others are absent */
};

struct policy_request {
    struct arena *arena; /* scratch */
    struct str action;   /* s3:GetObject */
    struct str resource; /* ARN, or "*" */
    struct policy_principal who;
    /* Values of a condition key or policy variable (any case: aws:SourceIp); false: it has none. */
    bool (*lookup)(void *user, struct arena *a, struct str key, struct policy_values *ret);
    void *user;
};

enum policy_verdict {
    POLICY_SILENT,
    POLICY_DELEGATES, /* allows the account: its own policies must allow the principal as well */
    POLICY_ALLOWS,
    POLICY_ALLOWS_ITSELF, /* names the session, not only its role: nothing but a denial limits it */
    POLICY_DENIES,
};
enum policy_verdict policy_evaluate(const struct policy *p, const struct policy_request *r);

/* Why a statement says nothing to a request: the first of its elements that does not match. */
enum policy_miss {
    POLICY_MATCHES,
    POLICY_MISSES_ACTION,
    POLICY_MISSES_PRINCIPAL,
    POLICY_MISSES_RESOURCE,
    POLICY_MISSES_CONDITION,
};
struct policy_finding {
    size_t statement; /* of the policy, from 0 */
    struct str sid;   /* or absent */
    bool allow;
    enum policy_miss miss;
    enum policy_verdict says; /* with POLICY_MATCHES */
    /* With POLICY_MISSES_CONDITION: */
    struct str operator, key;
    const struct policy_values *wanted;
    struct policy_values have; /* n 0: the request has no such key */
};
/* One finding a statement, in the arena of the request. */
struct policy_finding *policy_explain(const struct policy *p, const struct policy_request *r,
                                      size_t *ret_n);

/* Where a statement stands in its document, as AWS's simulator tells it: behind the bracket that
 * opens the list, or behind the statement before; behind its own closing brace. 1-based. */
struct policy_place {
    int start_line, start_column, end_line, end_column;
};
struct policy_place policy_place_of(const struct policy *p, size_t statement);

/* Condition keys and variables that the document asks for, each once, in the document's order. */
void policy_context_keys(const struct policy *p, struct arena *a, struct policy_values *ret);
/* Those of statements about this action and resource that the request has no value for. */
void policy_missing_keys(const struct policy *p, const struct policy_request *r,
                         struct policy_values *ret);
/* What "AWS" names in Principal and NotPrincipal: "*", accounts, ARNs. */
void policy_aws_principals(const struct policy *p, struct arena *a, struct policy_values *ret);
/* Is it a value of that type of context keys: string, numeric, boolean, ip, binary, date, each also
 * with List behind it? */
bool policy_value_valid(struct str type, struct str value);

/* ---- all policies that speak about one request ---- */

/* What kinds there are, in the order in which AWS looks for somebody who does not allow. */
enum policy_layer {
    POLICY_LAYER_ORGANIZATION, /* service control policies: together, as if of one level */
    POLICY_LAYER_RESOURCE,
    POLICY_LAYER_IDENTITY,
    POLICY_LAYER_BOUNDARY,
    POLICY_LAYER_SESSION,
    POLICY_LAYERS,
};
struct policy_source {
    struct str id; /* a policy's name, ARN or file */
    const struct policy *policy;
};
struct policy_sources {
    bool applies; /* there is such a layer, even when nothing is in it */
    struct policy_source *items;
    size_t n, cap;
};
struct policy_case {
    struct policy_sources layers[POLICY_LAYERS];
    bool cross_account; /* the resource is of another account: it has to allow as well */
};

enum policy_effect { POLICY_ALLOWED, POLICY_EXPLICIT_DENY, POLICY_IMPLICIT_DENY };
struct policy_hit {
    enum policy_layer layer;
    size_t source, statement;
};
struct policy_decision {
    enum policy_effect effect;
    enum policy_layer layer; /* with a denial: who denies, or does not allow */
    enum policy_verdict says[POLICY_LAYERS];
    /* With POLICY_ALLOWED, the statements that allow; with POLICY_EXPLICIT_DENY, those that deny.
     */
    struct policy_hit *hits;
    size_t n_hits, cap_hits;
};
/* The order is AWS's: any denial; then organization, resource, identity, boundary, session. */
enum policy_effect policy_decide(const struct policy_case *c, const struct policy_request *r,
                                 struct policy_decision *ret);
/* Only whether, without the statements: nothing is allocated. */
enum policy_effect policy_decide_from(const enum policy_verdict says[POLICY_LAYERS],
                                      const bool applies[POLICY_LAYERS], bool cross_account,
                                      enum policy_layer *ret_layer);
const char *policy_layer_name(enum policy_layer layer);    /* "permissions boundary" */
const char *policy_effect_name(enum policy_effect effect); /* "implicitDeny" */

/* ---- parsed policies that are kept ---- */

/* By kind and text; at most POLICY_CACHE_MAX of them, then all are forgotten. What is found lives
 * until the next policy_cache_get(). */
#define POLICY_CACHE_MAX 512
struct policy_cache;
struct policy_cache *policy_cache_new(void);
void policy_cache_free(struct policy_cache *cache); /* accepts NULL */
/* NULL: it is no policy. */
const struct policy *policy_cache_get(struct policy_cache *cache, enum policy_kind kind,
                                      struct str text);

/* Does the pattern with * and ? cover the text? Linear in their product, never worse. */
bool policy_glob(struct str pattern, struct str text, bool ignore_case);
