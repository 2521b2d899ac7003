/* function_wait - until a function is what it was asked to be. */
#pragma once
#include "aws/client.h"
#include "wire/lambda.h"

/* Waits while the function is being made or updated, some minutes at most: -ETIMEDOUT then. `ret`
 * is its configuration afterwards, in `a`. Fails as aws_call() does. */
int function_wait(struct aws_client *aws, struct arena *a, struct str function,
                  struct lambda_function_configuration **ret, struct aws_error *err);
