/* times - the clocks of the last invocations, for bench/breakdown. Kept and served only when the
 * daemon was started with LAMINA_TIMES in its environment: GET /_lamina/lambda/times. */
#pragma once
#include "base/str.h"

struct http_request;
struct invocation_times;
struct lambda_state;
struct times;

struct times *times_new(void); /* NULL: nobody wants them */
void times_free(struct times *t);
void times_keep(struct times *t, struct str request_id, const struct invocation_times *times);
/* False: that is not what is asked for. */
bool times_serve(const struct times *t, struct http_request *req);
