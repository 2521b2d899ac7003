/* extension - the extensions of an environment: who they are, and what each of them is doing.
 *
 * External ones are the files of /opt/extensions, started before the runtime; internal ones are
 * threads of the runtime that register. Both ask for events by the Extensions API (2020-01-01,
 * extension_api.c):
 *
 *   Started --extension_register--> Registered --extension_next--> Ready --extension_invoke--+
 *      |                               |                             ^                       v
 *      | not executable                | init/error                  +--extension_next-- Running
 *      v                               v
 *   LaunchError                    InitError       ExitError: exit/error from the last three
 *
 * What follows of it for the environment is decided by the instance: its init ends when all are
 * Ready, an invocation when those that wanted it are Ready again. A reset forgets all of them. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define EXTENSIONS_MAX 10

struct instance;
struct http_request;

enum extension_state {
    EXTENSION_STARTED,
    EXTENSION_REGISTERED,
    EXTENSION_READY,
    EXTENSION_RUNNING,
    EXTENSION_INIT_ERROR,
    EXTENSION_EXIT_ERROR,
    EXTENSION_LAUNCH_ERROR,
};

struct extension {
    struct str name, id;
    enum extension_state state;
    bool external;
    bool alive;            /* external: its process runs */
    bool invoke, shutdown; /* the events it wants */
    bool owed;             /* SHUTDOWN is due as soon as it asks */
    int process;           /* index of environment_spawn() */
    struct str error_type;
    struct http_request *poll; /* the event/next that waits */
};

struct extensions {
    struct arena arena;
    struct extension items[EXTENSIONS_MAX + 1]; /* one too many is told, not started */
    size_t n;
    bool closed;       /* the runtime has asked for its first event: nobody registers any more */
    bool stopped;      /* one has told an error and is expected to exit */
    struct str *files; /* of /opt/extensions, in order: the same for each start */
    size_t n_files;
};

void extensions_init(struct extensions *x);
void extensions_done(struct extensions *x);
/* Forgets all but the files; polls that wait stay unanswered. */
void extensions_clear(struct extensions *x);
/* What /opt/extensions has: `path` of each of these folders, merged. */
void extensions_look(struct extensions *x, struct arena *a, const char *const *dirs, size_t n,
                     const char *path);

const char *extension_state_name(const struct extension *e);
struct extension *extension_by_name(struct extensions *x, struct str name); /* or NULL */
struct extension *extension_by_id(struct extensions *x, struct str id);
struct extension *extension_by_process(struct extensions *x, int index);

/* NULL when there are too many. */
struct extension *extension_add(struct extensions *x, struct str name, bool external);

bool extensions_registered(const struct extensions *x); /* all external ones */
bool extensions_ready(const struct extensions *x);      /* all, after an init */
bool extensions_idle(const struct extensions *x);       /* those that want invocations */
bool extensions_alive(const struct extensions *x);      /* any process */
size_t extensions_external(const struct extensions *x); /* those that have been started */

/* Transitions; false: not allowed in this state. */
bool extension_register(struct extension *e, bool invoke, bool shutdown);
bool extension_next(struct extension *e);
bool extension_init_error(struct extension *e, struct arena *a, struct str type);
bool extension_exit_error(struct extension *e, struct arena *a, struct str type);

/* extension_process.c: in an instance's environment. */
/* Starts all external ones; what cannot be started is told by instance_extension_exit(). */
int extensions_start(struct instance *in);
void extensions_tell(struct instance *in);   /* an EXTENSION event for each */
void extensions_invoke(struct instance *in); /* INVOKE to those that want it */
void extension_tell_shutdown(struct instance *in, struct extension *e);

/* extension_api.c: a request for a path below /2020-01-01/. */
void extension_api(struct instance *in, struct http_request *req, struct str path);
/* One for telemetry: telemetry.h. */
void extension_api_subscribe(struct instance *in, struct http_request *req);
void extension_api_deliver(struct extension *e, struct str event);
