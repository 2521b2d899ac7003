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
    POLICY_DENIES,
};
enum policy_verdict policy_evaluate(const struct policy *p, const struct policy_request *r);

/* Does the pattern with * and ? cover the text? Linear in their product, never worse. */
bool policy_glob(struct str pattern, struct str text, bool ignore_case);
