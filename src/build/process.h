/* process - runs a build tool to its end and keeps what it said. May use base. Blocks: call it from
 * a tool's own thread, not from a loop. */
#pragma once
#include "base/str.h"

struct process_result {
    int exit_code;     /* 128 + signal when it was killed */
    struct str output; /* stdout and stderr together, the last PROCESS_OUTPUT_MAX bytes */
};
#define PROCESS_OUTPUT_MAX (256 * 1024)

/* env: "NAME=value" entries added to (or replacing those of) our own environment; NULL-terminated,
 * may be NULL. dir: working folder, NULL keeps ours. -ENOENT when argv[0] is not found in PATH. */
int process_run(struct arena *a, const char *const *argv, const char *dir, const char *const *env,
                struct process_result *ret);

/* Absolute path of a program in PATH; absent when there is none. */
struct str process_find(struct arena *a, const char *program);

/* For who runs tools: says in *why what went wrong, and returns -EINVAL. */
int process_fail(struct arena *a, struct str *why, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
