/* invocation - one invocation of a function and what its REPORT line says. Used by `invoke` and
 * `test`. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"

/* What a REPORT line says; has_... false: the line lacks it. Sources: the text and the JSON log
 * format. */
struct invocation_report {
    bool found, has_init;
    double duration_ms, init_ms;
    int64_t billed_ms, memory_mb, max_memory_mb;
    struct str status, error_type; /* absent on success */
};

/* The last REPORT line, or platform.report record, in a log text. Pure. */
void invocation_parse_report(struct arena *a, struct str log, struct invocation_report *ret);

struct invocation {
    struct str function, qualifier;
    struct str payload;
    bool event; /* asynchronous: only accepted */
    /* Not NULL: the answer is streamed; each piece comes here as it arrives, and into `answer` when
     * it returns true. */
    bool (*on_piece)(void *user, struct str piece);
    void *user;
    /* Results. */
    int64_t status;
    struct str answer, function_error, version, log, request_id;
    struct invocation_report report;
    double client_ms; /* as seen from here */
};

/* 0 or err->r. A function's error is no failure of the call. */
int invocation_run(struct aws_client *aws, struct arena *a, struct invocation *inv,
                   struct aws_error *err);
