/* runtimes - how a runtime's name becomes a command: interpreters are looked for on this machine.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct cloud;

struct runtime_command {
    const char *const *argv;
    const char *runtime_dir; /* -> /var/runtime; NULL: none */
    /* An interpreter outside of the system's folders: its prefix stands at the same path inside. */
    const char *prefix;                  /* NULL: not needed */
    const char *link_target, *link_path; /* /var/lang/bin/python3.11 -> the interpreter; or NULL */
    struct str version;                  /* python:3.11 */
};

/* layer_dirs and task_dir are looked through for a bootstrap (provided.*). -ENOENT with a sentence
 * in *ret_why; *ret_no_bootstrap tells that the package is at fault, not this machine. */
int runtime_find(struct cloud *cloud, struct arena *a, struct str runtime, const char *task_dir,
                 const char *const *layer_dirs, size_t n_layers, struct runtime_command *ret,
                 struct str *ret_why, bool *ret_no_bootstrap);

/* Where the bootstraps are: beside the program, or where it was installed. Absent: nowhere. */
struct str runtime_library(struct arena *a, const char *name);
