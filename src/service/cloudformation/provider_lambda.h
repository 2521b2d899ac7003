/* provider_lambda - what the files of AWS::Lambda share. */
#pragma once
#include "service/cloudformation/provider.h"

/* provider_lambda_concurrency.c: what the API takes by operations of its own. */
/* ReservedConcurrentExecutions and RecursiveLoop of a function that is there. */
void lambda_plan_limits(struct task *task, struct str name);
/* ProvisionedConcurrencyConfig of an alias, or of a version whose number is not known before
 * lambda_qualify(). */
int lambda_plan_provisioned(struct task *task, struct str function, struct str qualifier);
void lambda_qualify(struct task *task, struct str version);

int event_config_create(struct task *task);
int event_config_update(struct task *task);
int event_config_remove(struct task *task);

/* AWS::Lambda::Url: provider_lambda_url.c */
int url_create(struct task *t);
int url_update(struct task *t);
int url_remove(struct task *t);
