/* report_line - the REPORT line, or platform.report record, of an invocation's log.
 *
 * Sources: the text log format ("REPORT RequestId: ...\tDuration: 3.01 ms\t...") and the JSON log
 * format ({"type":"platform.report","record":{...}}), as in the 4 KB tail that Invoke answers with
 * LogType=Tail, or as events of CloudWatch Logs. Pure; what a line lacks is -1 or absent. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct report_line {
    bool found;
    struct str request_id;
    double duration_ms;       /* -1: not said */
    double init_ms;           /* Init Duration; -1: a warm environment (or a failed init) */
    double restore_ms;        /* SnapStart's; -1 */
    double billed_restore_ms; /* -1 */
    int64_t billed_ms, memory_mb, max_memory_mb; /* -1: not said */
    struct str status;     /* "timeout", "error", "failure"; absent on success */
    struct str error_type; /* "Runtime.ExitError"; absent */
    struct str trace_id;   /* X-Ray; absent */
};

/* The last report in the text. Texts point into log or the arena. ret is set always. */
void report_line_find(struct arena *a, struct str log, struct report_line *ret);
/* One line or record; false when it is none. */
bool report_line_parse(struct arena *a, struct str line, struct report_line *ret);
