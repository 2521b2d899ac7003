/* frame - see frame.h. */
#include "service/lambda/frame.h"

#define DAY_US (24LL * 3600 * 1000000)

bool frame_begins(struct str bytes)
{
    static const unsigned char mark[3] = {0xa5, 0x5a, 0x00};
    for (size_t i = 0; i < bytes.n && i < 3; i++)
        if ((unsigned char)bytes.p[i] != mark[i])
            return false;
    if (bytes.n < 4)
        return true;
    unsigned kind = (unsigned char)bytes.p[3];
    return (kind & 3) >= 2 && kind >> 2 <= PLATFORM_FATAL;
}

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

bool frame_parse(struct str head, int64_t now_us, struct frame_head *ret)
{
    if (head.n != FRAME_HEAD || !frame_begins(head))
        return false;
    uint64_t time = big_endian(head.p + 8, 8);
    if (time > INT64_MAX || (int64_t)time < now_us - DAY_US || (int64_t)time > now_us + DAY_US)
        return false;
    ret->level = (enum platform_level)((unsigned char)head.p[3] >> 2);
    ret->size = (uint32_t)big_endian(head.p + 4, 4);
    ret->time_us = (int64_t)time;
    return true;
}
