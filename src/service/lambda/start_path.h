/* start_path - may a function start from an interpreter that runs already, and from which? */
#pragma once
#include "sandbox/sandbox.h"
#include "service/lambda/runtimes.h"
#include "service/lambda/target.h"

/* NULL: it must be executed. envp: all that the function gets. */
const struct sandbox_spare *start_path_spare(struct lambda_state *lambda, struct arena *a,
                                             struct target *t, const struct runtime_wish *wish,
                                             const struct runtime_command *command,
                                             const char *const *envp);

/* A function of that runtime is there and may be called: its first start shall find a spare, too.
 */
void start_path_expect(struct lambda_state *lambda, struct str runtime, int memory_mb);

/* In every environment; part of what plans of one kind have in common. */
extern const struct sandbox_port start_path_ports[3];
