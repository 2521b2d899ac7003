/* worker - one operation on one stack, carried on by the loop until the stack rests.
 *
 *                      all made
 *   CREATE ----------------------------------------------> CREATE_COMPLETE
 *     | one failed                     removed
 *     +----> ROLLBACK --------------------------------> ROLLBACK_COMPLETE | ROLLBACK_FAILED
 *     +----> (DO_NOTHING / DisableRollback) CREATE_FAILED
 *                      all changed            removed what is gone
 *   UPDATE ----------------------> CLEANUP ------------> UPDATE_COMPLETE
 *     | one failed          reverted           removed what was new
 *     +----> UPDATE_ROLLBACK ------> ROLLBACK_CLEANUP --> UPDATE_ROLLBACK_COMPLETE | ..._FAILED
 *     |     (also when CancelUpdateStack came; RollbackStack and ContinueUpdateRollback begin here)
 *     | DeleteStack came (also from ROLLBACK)
 *     +----> DELETE
 *   DELETE ------------------------------------------> DELETE_COMPLETE | DELETE_FAILED
 *
 * Arrows are taken by worker_phase_end() in phases.c. A worker that the daemon's end interrupts is
 * started again by worker_resume_all(): every step's effect and its record are in one transaction.
 * When a turn's commit fails, what workers have in memory may not be true any more:
 * worker_abandon_all() lets them go. What they have sent is awaited (a function made by then is
 * noted in its record), then the store's truth is resumed. */
#pragma once
#include "service/cloudformation/provider.h"
#include "service/cloudformation/stack_policy.h"
#include "template/process.h"

enum phase {
    PHASE_CREATE,
    PHASE_ROLLBACK,
    PHASE_UPDATE,
    PHASE_CLEANUP,
    PHASE_UPDATE_ROLLBACK,
    PHASE_ROLLBACK_CLEANUP,
    PHASE_DELETE,
};

struct worker {
    struct call *call; /* the root of all it does */
    struct principal who;
    struct cloudformation_stack_record stack;
    enum phase phase;
    struct template_processed processed; /* wanted; of CREATE and UPDATE */
    struct stack_policy *policy;         /* of UPDATE; NULL: everything may be changed */
    struct stack_resources resources;    /* all records; tasks point into it */
    struct task *tasks;
    size_t n_tasks;
    size_t running;
    bool advancing; /* guards against itself: tasks may end at once */
    bool failed;
    struct str failed_ids;  /* "A, B" */
    struct str failed_verb; /* "create", "update" */
    bool deleting;          /* DeleteStack came while it was being made */
    bool cancelled;         /* CancelUpdateStack came: its update goes back */
    struct worker *next;    /* of all that are at work */
    size_t pending;         /* calls that have not been answered */
    bool lost;              /* a write has failed: the turn will be taken back */
    bool abandoned;         /* it has been: only its pending calls keep it */
    uv_timer_t *timer;      /* for steps that ask again */
    size_t retrying;
};

/* Starts on a stack whose record has been saved with its new ..._IN_PROGRESS status and whose
 * Source is what is wanted. Returns at once. */
int worker_start(struct cloud *cloud, struct str account, struct str region, struct str stack_uuid,
                 enum phase phase);
/* DeleteStack while the stack is being made or rolled back: what is running ends, then all goes.
 */
int worker_delete(struct call *call, struct str stack_uuid, struct str role_arn, struct str token);
/* CancelUpdateStack: what is running ends, then all goes back. */
int worker_cancel(struct call *call, struct str stack_uuid, struct str token);
/* All stacks that the store says are busy, and nobody works on. */
int worker_resume_all(struct cloud *cloud, struct store *store);
/* The store has taken a turn back. */
void worker_abandon_all(void);
bool worker_abandoned_left(void); /* some still wait for answers */
/* A call of an abandoned worker has been answered. */
void worker_let_go(struct worker *worker);
/* What a write of the worker has returned. */
void worker_wrote(struct worker *worker, int r);
/* The stack gets the status, with its event. */
void worker_status(struct worker *worker, struct str status, struct str reason);
/* The operation is over with that status; frees the worker, unless a write was lost. */
void worker_finish(struct worker *worker, struct str status, struct str reason);

/* phases.c */
void worker_begin(struct worker *worker, enum phase phase);
void worker_phase_end(struct worker *worker); /* the next phase, or the operation's end */

/* task.c */
void task_start(struct task *task); /* calls worker_task_ended(), later */
void task_retry(struct task *task);

void worker_advance(struct worker *worker); /* starts what is ready; ends the phase */
void worker_wait(struct worker *worker);    /* arms the timer */

/* resource.c */
void worker_task_start(struct worker *worker, struct task *task);
void worker_task_ended(struct task *task);
void worker_resource_event(struct worker *worker,
                           const struct cloudformation_resource_record *resource, struct str status,
                           struct str reason, bool save);

/* plan.c: the tasks of the phase that begins. */
void worker_plan(struct worker *worker);
/* The records of what the template has get its policies and dependencies. */
void worker_describe(struct worker *worker);
/* Names the operation, to tell what it has done already from what earlier ones did. */
struct str worker_operation(struct worker *worker);

/* values.c */
struct cloudformation_resource_record *worker_record(struct worker *worker, struct str logical_id);
struct template_source worker_source(struct worker *worker);
int worker_resolve(struct worker *worker, struct task *task); /* fills props and shown */

/* outputs.c: outputs and exports of what has been made; a clash or an export in use fails with why.
 */
int worker_publish(struct worker *worker, struct str *why);
void worker_settle_imports(struct worker *worker);

/* tags.c */
bool worker_tags_changed(struct worker *worker);

/* prepare.c - the processed template of a source, with the stack's pseudo parameters. */
int prepare_source(struct call *call, const struct cloudformation_record_source *source,
                   const struct cloudformation_record_source *previous, struct str stack_name,
                   struct str stack_id, const struct cloudformation_stack_record *stack,
                   struct template_processed *ret, struct template_error *err);
