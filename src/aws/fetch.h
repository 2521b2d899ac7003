/* fetch - the bytes behind an address that a service has given (a presigned URL): no signature, no
 * retry. May use wire/ and base/. */
#pragma once
#include "aws/client.h"

/* GET url to the file fd. 0, or -errno with *err; an answer other than 200 is -EREMOTEIO. */
int aws_fetch(struct arena *a, struct str url, int fd, struct aws_error *err);
