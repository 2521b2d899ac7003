/* times - the clocks of the last invocations, for bench/breakdown. Kept and served only when the
 * daemon was started with LAMINA_TIMES in its environment: GET /_lamina/lambda/times. */
#pragma once
#include "base/str.h"

struct arena;
struct http_request;
struct instance;
struct invocation_times;
struct lambda_state;
struct times;

struct times *times_new(void); /* NULL: nobody wants them */
void times_free(struct times *t);
void times_keep(struct times *t, struct str request_id, const struct invocation_times *times);
/* False: that is not what is asked for. */
bool times_serve(const struct times *t, struct http_request *req);

/* What X-Lamina-Phases answers to who asked for it, for `lamina bench`: where the time of the work
 * under way went, in microseconds, and in which environment:
 *     environment=2026/11/21/[$LATEST]0f...;cold=1;queue=80;sandbox=900;init=21000;handler=350
 * queue: from when the request was read until a new environment was asked for, or until a warm one
 * got the event; sandbox: until the runtime's first instruction; init: until it asks for an event;
 * handler: until its answer is whole; after: until the environment is free, when the answer waited
 * for that (LogType Tail). What has not been reached is left out. */
struct str times_phases(const struct instance *in, struct arena *a);
