/* runtime_cache - the python runtime with its byte code, in the data folder.
 *
 * The folder it is installed in may be read-only, or hold byte code of another interpreter; without
 * any, each start compiles again (4 ms of 14). The first use of an interpreter has it make a copy
 * in the background; uses before that is ready get the original. */
#pragma once
#include "service/lambda/lambda.h"

struct runtime_cache;

struct runtime_cache *runtime_cache_new(struct lambda_state *lambda);
void runtime_cache_free(struct runtime_cache *c); /* accepts NULL */
/* The folder to mount at /var/runtime: `library`, or the copy. Valid until the cache is freed. */
const char *runtime_cache_get(struct runtime_cache *c, const char *interpreter,
                              const char *library);
/* Whether runtime_cache_get() will go on answering the same. */
bool runtime_cache_settled(struct runtime_cache *c, const char *interpreter);
/* False: it is settled. Otherwise start_path_expect() is called when it is. */
struct start_expected;
bool runtime_cache_remind(struct runtime_cache *c, const char *interpreter,
                          const struct start_expected *e);
