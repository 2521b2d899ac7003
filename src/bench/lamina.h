/* lamina - what only an embedded cloud answers: requests below /_lamina/, which are not AWS's.
 * Nothing here is asked of AWS. May use base/ and aws/. */
#pragma once
#include "aws/client.h"

/* The endpoint when a Lamina answers there, within seconds; absent otherwise. */
struct str lamina_endpoint(struct arena *a, struct aws_client *aws);

/* One request without a body, on a connection of its own. -errno; -EPROTO: not answered with 200.
 */
int lamina_ask(struct arena *a, struct str endpoint, const char *method, struct str path,
               struct str *ret_body);

/* Which cloud that is: "data FOLDER", or "process PID" of one that keeps nothing; absent: it does
 * not say. */
struct str lamina_cloud(struct arena *a, struct str endpoint);
/* Does it keep nothing, and runs no more? What was in it is gone. */
bool lamina_cloud_gone(struct str cloud);

/* Environments that wait for work are given up, so that the next invocation starts a new one; waits
 * until they have gone. version: "" for all. */
struct lamina_dropped {
    int64_t dropped;     /* given up */
    int64_t busy;        /* left alone: at work */
    int64_t provisioned; /* left alone: the next invocation is not cold */
};
int lamina_drop(struct arena *a, struct str endpoint, struct str region, struct str function,
                struct str version, struct lamina_dropped *ret);
