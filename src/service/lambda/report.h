/* report - the platform's records, byte for byte: lines of a function's log, and what subscribers
 * of telemetry get. Pure: an event and what is known of its environment in, text out.
 *
 * A text line ends with "\n", and with "\t\n" where AWS writes a tab there. In JSON each line is
 * one object. INIT_START ... START ... END (text only) ... REPORT; INIT_REPORT only when an init
 * failed or nobody waited for it. */
#pragma once
#include "base/buf.h"
#include "service/lambda/platform.h"

/* What does not change while an environment lives, and its memory. */
struct report_facts {
    bool provisioned;
    struct str runtime, runtime_arn, function, function_arn, version, stream;
    int64_t memory_mb;
    int64_t peak_bytes;
};

enum report_schema {
    SCHEMA_LOG,             /* JSON lines of the log */
    SCHEMA_LOGS_2020_08_15, /* Logs API */
    SCHEMA_LOGS_2021_03_18,
    SCHEMA_TELEMETRY_2022_07_01, /* Telemetry API */
    SCHEMA_TELEMETRY_2022_12_13,
    SCHEMA_TELEMETRY_2025_01_29,
};

/* ceil of duration and init together, in whole milliseconds; at least 1 when anything was done. */
int64_t report_billed_ms(int64_t duration_ns, int64_t init_ns);
/* Never more than the size. */
int64_t report_used_mb(const struct report_facts *f);
/* As it will be read: the bill is the sum of what is printed, not of what was cut off. */
int64_t report_rounded(int64_t ns, bool json);
const char *report_status_name(enum report_status s);

/* The event's lines in a text log; nothing when it has none. */
void report_text(struct buf *b, const struct report_facts *f, const struct platform_event *e);
/* The event as one object without a newline; false and nothing written when the schema does not
 * have it. */
bool report_json(struct buf *b, const struct report_facts *f, const struct platform_event *e,
                 enum report_schema schema);
/* Logs API: platform.end, which no other has. */
void report_json_end(struct buf *b, const struct platform_event *e);
/* An event of type "function" or "extension". as_object: `text` is a JSON object. */
void report_json_output(struct buf *b, enum platform_source source, int64_t time_ms,
                        struct str text, bool as_object);
/* The level of an event among the system's log levels. */
enum platform_level report_level(const struct report_facts *f, const struct platform_event *e);
