/* events - the Extensions API, 2020-01-01: registering, and asking for what happens. */
#pragma once
#include "conn.h"

enum event_type { EVENT_INVOKE, EVENT_SHUTDOWN, EVENT_OTHER };

struct event {
    enum event_type type;
    int64_t deadline_ms; /* of conn_now_ms() */
    struct str request_id, reason;
};

struct events {
    struct conn conn;
    struct arena arena;   /* of the registration */
    struct str api, next; /* next: the whole request */
};

/* api: AWS_LAMBDA_RUNTIME_API. -EINVAL: it is none. */
int events_open(struct events *e, struct str api);
void events_close(struct events *e);

/* Under the name that the file in /opt/extensions has. 0 or -errno, with e->conn.why. */
int events_register(struct events *e, struct str name, bool invoke);

/* Waits for the next event; its texts are in the arena. */
int events_next(struct events *e, struct arena *a, struct event *ret);

/* An event's JSON: -EBADMSG. Pure but for the clocks: deadlines come as times of day. */
int event_parse(struct arena *a, struct str json, struct event *ret);
