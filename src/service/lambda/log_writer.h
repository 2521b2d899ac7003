/* log_writer - what functions and the platform say, on its way to CloudWatch Logs: in batches, off
 * the path of the invocation, and under the function's own role (one that may not write logs has
 * none). */
#pragma once
#include "service/lambda/target.h"

struct log_stream;

struct str log_stream_name(struct arena *a, const struct target *t, int64_t now_ms);
struct log_stream *log_stream_new(struct lambda_state *state, const struct target *t,
                                  struct str name);
/* One event. Messages are copied; more than 256 KB are split. */
void log_stream_add(struct log_stream *s, int64_t time_ms, struct str message);
/* The same of what a function or an extension has printed: no more than LOG_OUTPUT_MAX bytes of one
 * environment are kept (AWS has no such limit, but no disk of yours either). What is lost, here or
 * because nobody can write so fast, is told by a line in its place. */
#define LOG_OUTPUT_MAX (128LL * 1024 * 1024)
void log_stream_add_output(struct log_stream *s, int64_t time_ms, struct str message);
/* Much is pending: who prints should be made to wait. When there is room again, `on_room` is
 * called, once; NULL takes that back. */
bool log_stream_full(const struct log_stream *s);
void log_stream_when_room(struct log_stream *s, void (*on_room)(void *user), void *user);
/* What is pending is still written; then it frees itself. Accepts NULL. */
void log_stream_close(struct log_stream *s);
