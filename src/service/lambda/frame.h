/* frame - the records that runtimes send between the lines that a function prints, when
 * _LAMBDA_TELEMETRY_LOG_FD tells them where: with their borders, and the time and level that the
 * function gave them.
 *
 *   0xa55a0003 text or 0xa55a0002 JSON, | level << 2    32 bits, big-endian
 *   length                                              32 bits
 *   microseconds since 1970                             64 bits
 *   the record */
#pragma once
#include "base/str.h"
#include "service/lambda/platform.h"

#define FRAME_HEAD 16

struct frame_head {
    enum platform_level level;
    uint32_t size;
    int64_t time_us;
};
/* Could `bytes` (at most FRAME_HEAD) be the beginning of a head? */
bool frame_begins(struct str bytes);
/* A whole head; false when it is none: its time is not within a day of now. */
bool frame_parse(struct str head, int64_t now_us, struct frame_head *ret);
