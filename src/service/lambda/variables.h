/* variables - the environment that a function's process begins with. Pure. */
#pragma once
#include "service/call.h"
#include "service/lambda/target.h"

/* NULL-terminated "KEY=value" in the order of precedence applied; each key once. */
const char *const *variables_make(struct arena *a, const struct target *t,
                                  const struct session_credentials *credentials,
                                  struct str log_stream, struct str endpoint, bool provisioned);
