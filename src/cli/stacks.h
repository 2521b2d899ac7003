/* stacks - stacks as verbs need them: described, watched until they rest, their resources. */
#pragma once
#include "aws/client.h"
#include "base/progress.h"
#include "cli/verb.h"
#include "wire/cloudformation.h"

/* 0; -ENOENT when there is no such stack; another negative value with *err. */
int stacks_describe(struct verb_run *run, struct aws_client *aws, struct str name,
                    struct cloudformation_stack **ret, struct aws_error *err);

/* Waits until the status is no ..._IN_PROGRESS; prints its new events as they come when progress is
 * given. 0 with the stack, or an exit code after a message. A stack asked for by id is found after
 * its deletion too. */
struct stacks_watch {
    struct progress *progress;
    struct str last_event; /* id: only later ones are shown */
    struct str failure;    /* set: "B (AWS::Logs::LogGroup): why", the first that failed */
    bool quiet;
};
int stacks_wait(struct verb_run *run, struct aws_client *aws, struct str name,
                struct stacks_watch *watch, struct cloudformation_stack **ret);
/* Remembers the newest event, so that only later ones are shown. */
void stacks_mark(struct verb_run *run, struct aws_client *aws, struct str name,
                 struct stacks_watch *watch);

int stacks_resources(struct verb_run *run, struct aws_client *aws, struct str name,
                     struct cloudformation_stack_resource_summary **ret, size_t *ret_n,
                     struct aws_error *err);

/* --stack-name, or the one of samconfig; an exit code after a message when neither is there. */
int stacks_name(struct verb_run *run, struct str given, struct str *ret);

/* The physical name of a function given by name, ARN, or logical id of a stack (stack may be
 * absent); a qualifier stays with it: Main:live is app-Main-1A2B:live. */
struct str stacks_function(struct verb_run *run, struct aws_client *aws, struct str stack,
                           struct str name);
/* target_fail() of a function that was looked for; one that does not exist with the name that may be
 * meant: a logical id of the stack, or a function whose name holds what was given. */
int stacks_function_fail(struct verb_run *run, struct aws_client *aws, struct str stack,
                         struct str given, const struct aws_error *err, const char *what);
/* The log group of a function: its own choice, or /aws/lambda/NAME. */
struct str stacks_log_group(struct verb_run *run, struct aws_client *aws, struct str function);
