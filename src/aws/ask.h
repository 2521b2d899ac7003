/* ask - one request of an embedded cloud, below /_lamina/: what AWS has no operation for.
 *
 * Plain HTTP on a connection of its own, without a body and without libcurl, whose loading takes
 * longer than the answer. May use base/. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* endpoint: http://HOST[:PORT][/...], else -EINVAL. The body is in the arena. -EHOSTUNREACH,
 * -ECONNREFUSED ..., -ETIMEDOUT after 10 s without a byte, -EPROTO: what came is not HTTP. */
int ask(struct arena *a, struct str endpoint, const char *method, struct str path, int *ret_status,
        struct str *ret_body);
