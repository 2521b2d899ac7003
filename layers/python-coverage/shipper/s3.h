/* s3 - one PutObject, as often as time and sense allow. */
#pragma once
#include "conn.h"
#include "retry.h"
#include "settings.h"

struct s3 {
    const struct settings *settings;
    struct arena arena; /* region and endpoint, as they have been learnt */
    struct str region;
    struct endpoint endpoint;
    struct conn conn;
    bool path_style;
    int64_t skew_ms; /* the server's clock less ours */
};

struct s3_result {
    enum retry_verdict verdict; /* DONE, LATER (time is over) or NEVER */
    unsigned attempts;
    char why[600]; /* of the last failure, for people */
};

void s3_init(struct s3 *s, const struct settings *settings);
void s3_done(struct s3 *s);

/* Puts the bytes under the key. attempts_max 0: as many as there is time for. */
void s3_put(struct s3 *s, struct str key, struct str bytes, int64_t deadline_ms,
            unsigned attempts_max, struct s3_result *ret);

/* {prefix}{YYYY}/{MM}/{DD}/{function}/{HHMMSS}-{environment}.coverage */
struct str s3_key(struct arena *a, struct str prefix, int64_t started_ms, struct str function,
                  struct str environment);
