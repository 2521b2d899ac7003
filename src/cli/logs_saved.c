/* logs_saved - queries that are asked of functions again and again: `lamina logs query --list`.
 *
 * The lines of functions with the JSON log format have the same facts elsewhere: hence coalesce().
 */
#include "cli/logs.h"

#define DURATION "coalesce(@duration, record.metrics.durationMs)"
#define INIT "coalesce(@initDuration, record.metrics.initDurationMs)"
#define BILLED "coalesce(@billedDuration, record.metrics.billedDurationMs)"
#define USED "coalesce(@maxMemoryUsed / 1000000, record.metrics.maxMemoryUsedMB)"
#define SIZE "coalesce(@memorySize / 1000000, record.metrics.memorySizeMB)"
#define ID "coalesce(@requestId, record.requestId)"
#define REPORTS "filter @type = \"REPORT\" or type = \"platform.report\" | "

const struct logs_saved logs_saved[] = {
    {"durations", "invocations, mean, percentiles and maximum of their durations",
     REPORTS "stats count(*) as invocations, avg(" DURATION ") as mean_ms, pct(" DURATION
             ", 50) as p50_ms, pct(" DURATION ", 95) as p95_ms, pct(" DURATION
             ", 99) as p99_ms, max(" DURATION ") as max_ms by bin(5m) as time"},
    {"cold-starts", "how many invocations began with an initialisation, and how long it took",
     REPORTS "stats count(*) as invocations, count(" INIT ") as cold, count(" INIT
             ") / count(*) * 100 as percent, avg(" INIT ") as init_mean_ms, pct(" INIT
             ", 95) as init_p95_ms, max(" INIT ") as init_max_ms by @log"},
    {"slowest", "the 20 slowest invocations",
     REPORTS "fields @timestamp, " ID " as request, " DURATION " as ms, " INIT " as init_ms, " USED
             " as used_mb | display @timestamp, request, ms, init_ms, used_mb | sort ms desc"
             " | limit 20"},
    {"memory", "memory used of memory given",
     REPORTS "stats max(" SIZE ") as given_mb, min(" USED ") as least_mb, avg(" USED
             ") as mean_mb, max(" USED ") as most_mb, max(" SIZE ") - max(" USED
             ") as unused_mb by @log"},
    {"billed", "billed seconds and gigabyte-seconds",
     REPORTS "stats count(*) as invocations, sum(" BILLED ") / 1000 as billed_s, sum(" BILLED
             " / 1000 * " SIZE " / 1024) as gb_s by @log"},
    {"errors", "lines that tell of errors, the newest first",
     "fields @timestamp, @logStream, @message | filter @message like"
     " /ERROR|Error|Exception|Traceback|Task timed out/ or level = \"ERROR\" or level = \"FATAL\""
     " | sort @timestamp desc | limit 50"},
    {"timeouts", "invocations that ran into their timeout, by hour",
     "filter @message like \"Task timed out\" or record.status = \"timeout\""
     " | stats count(*) as timeouts by bin(1h) as time"},
    {0},
};
