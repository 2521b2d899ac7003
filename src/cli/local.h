/* local - `lamina local ...`: the functions of one template in a cloud of their own, for as long as
 * the command runs. Shared by its actions, each in a file of its own.
 *
 *     local_run: reads the template -> starts the cloud in this process -> `lamina deploy` as a
 *     child puts the template there -> l->functions -> ready(l): listens, invokes ... -> loop ->
 *     local_leave(l, code) or Ctrl-C -> everything is gone -> code
 *
 * An action is a row of the table in local.c: its name and its function, which calls local_run()
 * with what is to be done once the functions are there. Everything runs on the loop of l->daemon.
 * The template is deployed without what calls its functions (Events, APIs) and without its outputs.
 * The user's own cloud, `lamina up` or AWS, is not touched. */
#pragma once
#include "cli/daemon.h"
#include "cli/verb.h"
#include "service/call.h"
#include "template/template.h"
#include "wire/lambda.h"

#define LOCAL_STACK "local"

struct local_options {
    struct str template, host;
    int64_t port; /* 0: the action's own */
    struct option_list overrides, runtime;
};
extern const struct option_row local_rows[];

/* Options of some actions only. */
struct local_more {
    struct str event, env_vars;
    bool no_event;
};
extern const struct option_row local_more_rows[];
const struct local_more *local_more_of(const struct verb_run *run);

/* A function of the template, by both its names. */
struct local_function {
    struct str logical_id; /* in the template, before the transform */
    struct str name;       /* what the cloud calls it */
};

struct local {
    struct verb_run *run;
    const struct local_options *o;
    const struct local_more *more;
    struct daemon daemon;
    struct arena *arena; /* lives as long as the command */
    struct str region, endpoint;
    struct str template_path;
    struct json *root; /* the template as written: events of functions stand there */
    struct local_function *functions;
    size_t n_functions;
    int code; /* the exit code */

    /* internal */
    void (*ready)(struct local *l);
    struct call *call; /* whose children ask the cloud */
    uv_process_t deployer;
    bool deploying;
    struct str scratch; /* a folder of our own: the template as it is deployed */
    int said;           /* what deploy has said, for when it fails */
    /* for the action */
    void *user;
};

/* Everything from the template to the end of the command: the exit code. */
int local_run(struct verb_run *run, void (*ready)(struct local *l), void *user);
void local_leave(struct local *l, int code);

/* By logical id or name; an id that the transform derives from others is not known. NULL: there is
 * none. */
const struct local_function *local_function_find(const struct local *l, struct str name);

/* Invokes inside of the process, as the account's root would over HTTP. The call that is handed to
 * done has `out` (struct lambda_invoke_output), or its error; its memory is that of *arena*'s own
 * call and goes after done has returned. Input is copied. */
void local_invoke_function(struct local *l, const struct lambda_invoke_input *in,
                           call_done_fn *done, void *user);

/* local_template.c: takes out of the template, a copy, what there is not here, puts values of
 * --env-vars in, and names functions by their logical ids. 0, or an exit code after a message. */
int local_rewrite(struct local *l, struct json *root);
/* Functions run from the folders of their code. */
void local_mounts(struct local *l, struct cloud_options *options);

/* The actions. */
int local_invoke(struct verb_run *run);       /* local_invoke.c */
int local_start_lambda(struct verb_run *run); /* local_lambda.c */
int local_start_api(struct verb_run *run);    /* local_api.c */
