/* report - the platform's lines in a function's log, byte for byte. Pure: figures in, text out.
 *
 * Text lines end with "\n", and with "\t\n" where AWS writes a tab there. In JSON each line is one
 * object. INIT_START ... START ... END (text only) ... REPORT; INIT_REPORT only when an init
 * failed. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

enum report_status { REPORT_SUCCESS, REPORT_ERROR, REPORT_TIMEOUT, REPORT_FAILURE };

struct report {
    struct str request_id, version;
    int64_t duration_ns, init_ns; /* init_ns: 0 unless this invocation was cold */
    int64_t memory_mb;
    int64_t peak_bytes;
    enum report_status status;
    struct str error_type; /* with REPORT_ERROR */
};

/* ceil of duration and init together, in whole milliseconds; at least 1 when anything was done. */
int64_t report_billed_ms(const struct report *r);
int64_t report_used_mb(const struct report *r); /* never more than the size */

struct report_format {
    bool json;
    struct str time; /* 2025-11-24T23:11:20.123Z, for JSON */
};

void report_init_start(struct buf *b, const struct report_format *f, struct str runtime,
                       struct str runtime_arn, struct str function, struct str version,
                       struct str stream, int64_t memory_mb);
/* phase: "init" or "invoke" */
void report_init_report(struct buf *b, const struct report_format *f, int64_t init_ns,
                        const char *phase, enum report_status status, struct str error_type);
void report_start(struct buf *b, const struct report_format *f, struct str request_id,
                  struct str version);
void report_end(struct buf *b, const struct report_format *f, const struct report *r);
