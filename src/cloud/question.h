/* question - "may this principal do this?", while it is being decided. */
#pragma once
#include "cloud/internal.h"
#include "service/iam/access.h"
#include "service/policy.h"

struct question {
    struct call *call;
    const struct principal *who;
    struct str action, resource;
    const struct service *service; /* of the action */
    struct iam_access access;      /* of a role session */
    bool has_access;
};

/* "s3" of "s3:GetObject". */
struct str action_vendor(struct str action);
/* For struct policy_request: user is a struct question. */
bool condition_value(void *user, struct arena *a, struct str key, struct policy_values *ret);

/* record.c: keeps the decision, while that is asked for. */
void record_decision(struct question *q, bool allowed, struct str why);
