/* tool - a compiler's program, run to its end. May use base. Blocks: call it from a tool. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct tool_result {
    int exit_code; /* 128 + signal when it was killed; 127: there is no such program */
    struct str out, err;
};

/* argv[0] is looked for in PATH; dir: working folder, in which files for the output are made and
 * removed. -errno when it cannot be run. */
int tool_run(struct arena *a, const char *const *argv, const char *dir, struct tool_result *ret);

/* Is there a program of that name in PATH? */
bool tool_exists(struct arena *a, struct str program);

/* The first line, for people. */
struct str tool_said(struct arena *a, const struct tool_result *r);
