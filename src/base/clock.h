/* clock - time of day and of the monotonic clock; the text forms AWS uses. All times UTC. */
#pragma once
#include "base/str.h"

int64_t clock_now_ms(void); /* since 1970 */
int64_t clock_now_us(void);
int64_t clock_mono_ns(void);   /* only differences mean something */
int64_t clock_thread_ns(void); /* processor time of this thread */

struct str clock_iso8601(struct arena *a, int64_t ms);     /* 2025-11-24T23:11:20.123Z */
struct str clock_iso8601_s(struct arena *a, int64_t ms);   /* 2025-11-24T23:11:20Z */
struct str clock_lambda_time(struct arena *a, int64_t ms); /* 2025-11-24T23:11:20.123+0000 */
struct str clock_http_date(struct arena *a, int64_t ms);   /* Mon, 24 Nov 2025 23:11:20 GMT */
struct str clock_amz_date(struct arena *a, int64_t ms);    /* 20251124T231120Z */

int clock_parse_iso8601(struct str s,
                        int64_t *ret_ms); /* with or without fraction; Z or an offset */
int clock_parse_http_date(struct str s, int64_t *ret_ms);
int clock_parse_amz_date(struct str s, int64_t *ret_ms);
