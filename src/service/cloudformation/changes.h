/* changes - what deploying a template on a stack would do, without doing it. */
#pragma once
#include "service/cloudformation/stack.h"
#include "template/process.h"

/* -EBADMSG with err: a value cannot be worked out (an export that does not exist). */
int changes_compute(struct call *call, const struct cloudformation_stack_record *stack,
                    const struct template_processed *processed,
                    struct cloudformation_record_changes *ret, struct template_error *err);
void changes_show(struct arena *a, const struct cloudformation_record_changes *changes,
                  struct cloudformation_changes *ret);
