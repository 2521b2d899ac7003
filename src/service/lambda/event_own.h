/* event_own - what the two halves of event.h share: event.c (queues and turns), event_attempt.c
 * (one event, from its beginning to what becomes of it). Nobody else includes it. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "service/lambda/event.h"

#define BACK_OFF_MIN_MS 1000
#define BACK_OFF_MAX_MS 300000

/* The events of one function. */
struct line {
    struct list link;
    struct arena arena;
    struct str account, region, name, id;
    struct map running; /* request ids */
    /* Those that are over, until it is sure that the store has forgotten them: they are not begun
     * again when a turn is taken back. Values are ticks. */
    struct map finished;
    int64_t count;   /* stored; -1: not counted yet */
    int64_t next_ms; /* when it is worth looking; NEVER: nothing waits */
    int64_t back_off_ms;
    /* Everything up to here has been begun: what comes later is due later. */
    struct buf cursor;
    int64_t cursor_ms;
};

struct event_queue {
    struct lambda_state *lambda;
    uv_timer_t timer;
    struct map lines; /* account/region/name */
    struct list order;
    double scale; /* of the waiting times */
    bool resting;
    uintptr_t tick;
};

/* It is worth looking at the queue then. */
void line_wake(struct event_queue *q, struct line *l, int64_t when_ms);
/* Stores it at its due time, or later: behind the cursor nobody would find it. */
int line_put(struct call *call, struct line *l, struct lambda_event_record *e);

/* RESTS: the function is throttled, its queue says in next_ms until when. */
enum begun { BEGUN, RESTS };
enum begun attempt_begin(struct event_queue *q, struct line *l, struct str key);
