/* provider - how the resources of a type are made, changed and removed: each as a list of
 * operations of other services, planned as data first and then carried out one after the other by
 * task.c.
 *
 * A provider's functions only plan: they look at the properties, add steps with task_step() and
 * return 0, or refuse with task_fail(). What an operation answers is read by the step's result
 * function. */
#pragma once
#include "service/call.h"
#include "service/cloudformation/props.h"
#include "service/cloudformation/stack.h"
#include "template/resource_types.h"

struct task;
struct worker;

/* Reads the answer of a step. 0: on with the next; -EAGAIN: ask again in a moment; or task_fail().
 */
typedef int step_result(struct task *task, struct call *answer);

struct step {
    const struct operation *op;
    const void *in;
    const char *ignore;  /* an error code that counts as done ("NoSuchEntity"), or NULL */
    step_result *result; /* may be NULL */
};

enum task_action {
    ACTION_CREATE,
    ACTION_UPDATE, /* modify, replace or nothing: decided when its properties are known */
    ACTION_REVERT, /* back to the old properties after a failed update */
    ACTION_DELETE,
    ACTION_DELETE_OLD, /* the replaced one */
    ACTION_DELETE_NEW, /* the replacement, after a failed update */
};

enum task_state { TASK_WAITING, TASK_RUNNING, TASK_RETRYING, TASK_DONE, TASK_FAILED };

/* One resource in one phase of a stack's operation. */
struct task {
    struct worker *worker;
    struct arena *arena;
    struct call *call; /* the worker's */
    enum task_action action;
    enum task_state state;
    const struct provider *provider;
    struct cloudformation_resource_record *record;
    const struct template_resource *resource; /* NULL when being removed */
    struct task **after;                      /* tasks that must be done before */
    size_t n_after;

    /* For the provider. */
    struct str physical_id;         /* create sets it; update and remove find it set */
    const struct json *props;       /* wanted; NULL when being removed */
    const struct json *old_props;   /* as they are; NULL when being created */
    const struct json *tried_props; /* what an update that failed or was cut off wanted */
    bool half_replaced;             /* its replacement has been begun, not settled */
    struct str shown;               /* props without secrets; absent: as they are */
    enum resource_change change;
    struct json *attributes; /* what GetAtt gives; create and update fill it */

    bool replacing;
    struct step *steps;
    size_t n_steps, cap_steps, at;
    struct str reason; /* of a failure */
    int polls;
    bool skipped; /* nothing had to be done */
};

struct provider {
    const char *type;
    int (*create)(struct task *task);
    int (*update)(struct task *task); /* NULL: every change is a replacement */
    int (*remove)(struct task *task);
};

const struct provider *provider_find(struct str type);
extern const struct provider lambda_providers[], iam_providers[], s3_providers[],
    logs_providers[]; /* end: type NULL */

/* ---- for providers ---- */

/* Adds a step; fill in ignore and result through the pointer, which is good until the next call. */
struct step *task_step(struct task *task, const struct operation *op, const void *in);
#define TASK_IN(task, type) ARENA_NEW((task)->arena, struct type)

/* Records why and returns -EINVAL. */
int task_fail(struct task *task, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts properties into an operation's input by name. */
int task_fill(struct task *task, const struct shape *shape, const struct json *object, void *in);

/* A physical id as CloudFormation makes them: STACK-LOGICALID-RANDOM, cut to max. */
struct str task_name(struct task *task, size_t max, bool lower);
/* The property, or a made-up name. */
struct str task_name_or(struct task *task, const char *property, size_t max, bool lower);

void task_attribute(struct task *task, const char *name, struct str value);
struct str task_prop(const struct task *task, const char *name); /* as text; absent: not given */
struct str task_old_prop(const struct task *task, const char *name);
bool task_changed(const struct task *task, const char *name); /* property differs */
/* Tags of the stack and of the template and, with own, AWS's three (aws:cloudformation:...), as an
 * array of {Key, Value}. */
struct json *task_tags(struct task *task, const char *property, bool own);
/* What an update changes of them: keys to take off (an array of strings), tags to set. */
void task_tag_changes(struct task *task, const char *property, struct json **ret_gone,
                      struct json **ret_set);
/* The property, or the stack's tags. */
bool task_tags_changed(struct task *task, const char *property);
struct str task_policy_text(struct task *task, const struct json *document);
