/* handler - one row of a service's table: an operation, the function that carries it out, and what
 * a caller must be allowed to do. Generated headers use it to check the function's type.
 *
 *     const struct handler lambda_alias_handlers[] = {
 *         {lambda_create_alias_run(create_alias), "CreateAlias", "function:{FunctionName}"},
 *         {0},
 *     };
 */
#pragma once

struct call;
struct operation;

typedef int call_handler(struct call *call, const void *in, void *out);

/* A function of another type does not compile. */
#define HANDLER_CHECKED(type, fn) ((call_handler *)(1 ? (fn) : (type *)0))

struct handler {
    const struct operation *op;
    call_handler *run;
    const char *action;   /* IAM action without the service's prefix (s3:GetObject has "GetObject");
                             NULL: the operation's name */
    const char *resource; /* what follows arn:aws:SERVICE:REGION:ACCOUNT: with {Member} of the
                             input; "*" or NULL: any; starts with "arn:": a whole ARN */
};
