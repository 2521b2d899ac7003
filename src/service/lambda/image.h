/* image - functions of PackageType Image: container images from disk. */
#pragma once
#include "service/lambda/lambda.h"

struct target;

/* As code_fetch(), for an image: code->image tells about it. */
void image_fetch(struct call *call, struct str uri, struct str architecture, code_done_fn *done,
                 void *user);
/* The members of CreateFunction and UpdateFunctionCode that name the code, for this package type.
 */
int image_check_source(struct call *call, struct str uri, struct str zip, struct str bucket,
                       struct str key);
bool image_is(const struct lambda_function_configuration *c);

/* What is run, and where: ImageConfig over the image's own. NULL-terminated; the first may be
 * missing. */
const char *const *image_command(struct arena *a, const struct target *t);
struct runtime_command;
/* As runtime_find(). */
int image_find(struct arena *a, const struct target *t, struct runtime_command *ret,
               struct str *ret_why, bool *ret_no_bootstrap);
const char *image_working_dir(struct arena *a, const struct target *t);
/* An environment that could not be started: the error of AWS, its text in *ret. */
struct str image_start_fault(struct arena *a, const struct target *t, int error, const char *why,
                             struct str *ret);

/* For code_keeper: unpacks what stands at `uri` into dir again. -errno after a log line. */
int image_restore(struct str uri, struct str digest, const char *dir);
