/* timeline_own - what timeline.c keeps and timeline_show.c shows. Nobody else includes it. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "service/lambda/instance.h"
#include "service/lambda/timeline.h"

#define VERSIONS_MAX 64 /* with figures of their own, a function */

enum entry_kind { ENTRY_INIT, ENTRY_INVOKE, ENTRY_FROZEN };

struct entry {
    enum entry_kind kind;
    enum report_status status;
    bool open, failed; /* failed: the function's answer was an error */
    bool again;        /* again: an init that was repeated in an invocation */
    int64_t start_ms, start_ns, duration_ns, billed_ms, init_ns;
    char error_type[40], request_id[40];
};

struct known;
struct track {
    struct list link;       /* of known->tracks */
    struct list ended_link; /* of timeline->ended */
    struct known *function;
    struct instance *in; /* NULL: it has ended */
    char *id, *version;
    char why[64];
    bool provisioned, met; /* met: its environment has been looked at */
    bool spare;            /* it was made of one; otherwise executed */
    int64_t started_ms, ended_ms, memory_mb, peak_bytes, cpu_us, invocations;
    struct entry *entries; /* the last ones, oldest first */
    size_t n, cap;
};

/* A function. */
struct known {
    struct str key; /* account/region/name */
    struct list tracks;
    struct figures *figures[VERSIONS_MAX];
    size_t n_figures;
};

struct timeline {
    struct map functions;
    struct list ended; /* the first is the oldest */
    size_t n_ended;
};

/* What its environment uses now, while there is one. */
void track_read_meters(struct track *k);
