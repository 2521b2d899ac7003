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
    bool byte_code; /* runtime_dir has modules that this interpreter compiles (runtime_cache) */
};

/* What a command depends on. */
struct runtime_wish {
    struct str runtime; /* python3.11 */
    int memory_mb;
    const char *task_dir; /* looked through for a bootstrap (provided.*), as are the layers */
    const char *const *layer_dirs;
    size_t n_layers;
};

/* -ENOENT with a sentence in *ret_why; *ret_no_bootstrap tells that the package is at fault, not
 * this machine. */
int runtime_find(struct cloud *cloud, struct arena *a, const struct runtime_wish *wish,
                 struct runtime_command *ret, struct str *ret_why, bool *ret_no_bootstrap);

/* runtime_node.c: a node of that major version, absent when there is none; `searched` gets the
 * places. Blocks for some milliseconds when it meets a program for the first time. */
struct buf;
struct str node_find(struct arena *a, int major, struct buf *searched);

/* Where the bootstraps are: beside the program, or where it was installed. Absent: nowhere. */
struct str runtime_library(struct arena *a, const char *name);
