/* streams - which environment answered each request, where only CloudWatch Logs tells: the REPORT
 * line of a request is in the log stream of its environment. Internal to bench/. */
#pragma once
#include "bench/session.h"
#include "wire/lambda.h"

/* Answers of this function are in the run, too: its log group will be read. */
void streams_watch(struct bench_session *s, const struct lambda_function_configuration *c);
/* The id of a request as it is kept in a sample; zeros for what is no UUID. */
void streams_request(struct str id, uint8_t ret[16]);
/* After the run, on AWS: reads the REPORT lines of its time, for as long as they keep coming
 * (STREAMS_WAIT_MS without a new one, STREAMS_MOST_MS in all), and fills the samples' environments,
 * run->environments, and what an answer's tail did not tell (URLs). Elsewhere, and with no_log,
 * nothing. What cannot be known is told in run->streams_why, and is no error. */
void streams_read(struct bench_session *s);
