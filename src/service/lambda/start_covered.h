/* start_covered - a function whose exec wrapper is the coverage layer's: what that wrapper does is
 * known, so an interpreter that runs already can do it, too. */
#pragma once
#include "service/lambda/runtimes.h"
#include "service/lambda/target.h"

/* Does AWS_LAMBDA_EXEC_WRAPPER name the coverage layer's? Whether it is there is another matter. */
bool start_is_covered(const struct lambda_function_configuration *c);

/* And is /opt/lamina-coverage with its tracer what this installation has, and nothing among the
 * layers and variables that would make it do something else? Reads files when it is asked about a
 * target for the first time. */
bool start_is_covered_by_us(struct arena *a, struct target *t, const struct runtime_wish *wish);
