/* retry - what may be tried again, and when: see retry.h. */
#include "aws/retry.h"
#include <errno.h>
#include <poll.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"

#define PAUSE_MAX_MS 20000
#define QUICK_MS 50
#define THROTTLED_MS 1000
#define SKEW_MIN_MS 240000 /* AWS allows five minutes, some of it pass on the way */
#define CONNECT_TRIES 2    /* each may take its whole patience */
#define SLICE_MS 50

static bool transient(int r)
{
    return r == -ECONNRESET || r == -ETIMEDOUT || r == -EHOSTUNREACH;
}

/* Full jitter: between nothing and base * 2^tries. */
static int64_t jitter(int64_t base_ms, int tries)
{
    uint32_t roll;
    int64_t most = base_ms << (tries < 9 ? tries : 9);
    random_bytes(&roll, sizeof(roll));
    return (int64_t)(roll % (uint64_t)(most < PAUSE_MAX_MS ? most : PAUSE_MAX_MS));
}

/* x-amz-retry-after is in milliseconds, Retry-After in seconds (its dates are not used by AWS). */
static int64_t asked_ms(const struct wire_response *answer)
{
    int64_t v;
    if (!answer)
        return 0;
    struct str ms = wire_find_header(answer->headers, answer->n_headers, "x-amz-retry-after");
    struct str s = wire_find_header(answer->headers, answer->n_headers, "Retry-After");
    if (str_to_int64(ms, &v) == 0 && v >= 0)
        return v < PAUSE_MAX_MS ? v : PAUSE_MAX_MS;
    if (str_to_int64(s, &v) == 0 && v >= 0)
        return v < PAUSE_MAX_MS / 1000 ? v * 1000 : PAUSE_MAX_MS;
    return 0;
}

bool retry_after(struct retry *retry, int r, const struct wire_error *wire,
                 const struct wire_response *answer, int64_t *ret_ms)
{
    bool answered = r == -EREMOTEIO, throttled = answered && wire->throttled;
    int most =
        r == -EHOSTUNREACH && retry->attempts > CONNECT_TRIES ? CONNECT_TRIES : retry->attempts;
    int tries = retry->done++;
    if (retry->done >= most || (answered ? !wire->retryable : !transient(r)))
        return false;
    int64_t base = throttled && retry->patient ? THROTTLED_MS : QUICK_MS;
    int64_t wished = answered ? asked_ms(answer) : 0, own = jitter(base, tries);
    *ret_ms = own > wished ? own : wished;
    return true;
}

bool retry_corrects_clock(struct retry *retry, struct str code, const struct wire_response *answer,
                          int64_t *skew_ms)
{
    static const char *const codes[] = {"RequestTimeTooSkewed",  "RequestExpired",
                                        "RequestInTheFuture",    "InvalidSignatureException",
                                        "SignatureDoesNotMatch", "AuthFailure"};
    int64_t theirs, skew;
    bool about_time = false;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        about_time = about_time || str_is(code, codes[i]);
    struct str date = wire_find_header(answer->headers, answer->n_headers, "Date");
    if (!about_time || retry->clock_corrected || clock_parse_http_date(date, &theirs) < 0)
        return false;
    skew = theirs - clock_now_ms();
    if (skew - *skew_ms < SKEW_MIN_MS && *skew_ms - skew < SKEW_MIN_MS)
        return false; /* signed for the right time: something else is wrong */
    *skew_ms = skew;
    retry->clock_corrected = true;
    return true;
}

bool retry_pause(int64_t ms, const volatile sig_atomic_t *cancel)
{
    int64_t end = clock_mono_ns() + ms * 1000000;
    while (!(cancel && *cancel)) {
        int64_t left = (end - clock_mono_ns() + 999999) / 1000000;
        if (left <= 0)
            return true;
        poll(NULL, 0, (int)(left < SLICE_MS ? left : SLICE_MS));
    }
    return false;
}
