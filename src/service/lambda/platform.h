/* platform - what happens to an execution environment, told once.
 *
 * platform_emit() is the only source of the platform's log lines, of telemetry (Telemetry API, Logs
 * API), of the timeline that `lamina inspect` shows, and of the figures of a function version. An
 * event is told when it happens, in this order:
 *
 *   INIT_START  (EXTENSION, TELEMETRY_SUBSCRIPTION ...)  INIT_RUNTIME_DONE  INIT_REPORT
 *   START  RUNTIME_DONE  REPORT       for each invocation; an init inside of it stands before START
 *   ENV_FROZEN / ENV_THAWED ... ENV_ENDED
 *
 * Every event is told, whether or not it makes a line: which does, with which level, is decided
 * here. The event and what it points to is the caller's and read during the call only. */
#pragma once
#include "base/str.h"

struct instance;

enum report_status { REPORT_SUCCESS, REPORT_ERROR, REPORT_TIMEOUT, REPORT_FAILURE };

enum platform_event_type {
    PLATFORM_INIT_START,
    PLATFORM_INIT_RUNTIME_DONE, /* the runtime's first `next`, or its end: status, error_type */
    PLATFORM_INIT_REPORT,       /* duration_ns, status, error_type */
    PLATFORM_START,             /* request_id, arn, trace_id */
    PLATFORM_RUNTIME_DONE,      /* request_id, trace_id, status, error_type, duration_ns, spans,
                                   produced_bytes */
    PLATFORM_REPORT,            /* request_id, trace_id, status, error_type, duration_ns, init_ns,
                                   spans */
    PLATFORM_EXTENSION,         /* name, state ("Registered", "Ready", ...), items (its events),
                                   error_type */
    PLATFORM_TELEMETRY_SUBSCRIPTION, /* name, state, items (its types) */
    PLATFORM_LOGS_SUBSCRIPTION,
    PLATFORM_LOGS_DROPPED, /* dropped_records, dropped_bytes, text: the reason */
    PLATFORM_FAULT,        /* Logs API only; telemetry.c makes it of a RUNTIME_DONE that failed */
    /* For the timeline only. */
    PLATFORM_ENV_FROZEN,
    PLATFORM_ENV_THAWED,
    PLATFORM_ENV_ENDED, /* text: why, as people read it: "idle", "timeout", "out of memory" */
    PLATFORM_EVENT_TYPES,
};

enum platform_phase { PLATFORM_PHASE_INIT, PLATFORM_PHASE_INVOKE };

/* responseLatency, responseDuration, runtimeOverhead (RUNTIME_DONE); extensionOverhead (REPORT) */
struct platform_span {
    const char *name;
    int64_t start_mono_ns, duration_ns;
};

struct platform_event {
    enum platform_event_type type;
    int64_t time_ms, mono_ns;  /* 0: now */
    enum platform_phase phase; /* of INIT_ events: an init repeated in an invocation is INVOKE */
    struct str request_id, arn, trace_id; /* arn as invoked, with its qualifier */
    enum report_status status;
    struct str error_type;
    int64_t duration_ns;
    int64_t init_ns; /* REPORT: 0 unless this invocation was cold */
    bool failed;     /* REPORT: the function's answer was an error */
    int64_t produced_bytes;
    const struct platform_span *spans;
    size_t n_spans;
    struct str name, state, text;
    const struct str *items;
    size_t n_items;
    int64_t dropped_records, dropped_bytes;
};

void platform_emit(struct instance *in, const struct platform_event *e);

/* What the function's processes and its extensions' print: one event a line or a frame. */
enum platform_source { PLATFORM_FUNCTION, PLATFORM_EXTENSION_OUTPUT };
enum platform_level {
    PLATFORM_LEVEL_NONE, /* a line of stdout: always told */
    PLATFORM_TRACE,
    PLATFORM_DEBUG,
    PLATFORM_INFO,
    PLATFORM_WARN,
    PLATFORM_ERROR,
    PLATFORM_FATAL,
};
struct platform_frame {
    int64_t time_ms; /* 0: now */
    enum platform_level level;
    struct str text; /* more than 256 KB is split */
};
void platform_output(struct instance *in, enum platform_source source,
                     const struct platform_frame *frame);
