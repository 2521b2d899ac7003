/* telemetry - extensions that subscribe to what happens in their environment: the Telemetry API
 * (2022-07-01) and the Logs API (2020-08-15).
 *
 * Events are collected a subscriber and delivered in batches, by size, number or time, and at the
 * end of an invocation. A delivery goes to a port inside the environment (telemetry_send.c), never
 * waits, and never holds anything up: a subscriber that is slow or gone loses events, and is told
 * how many. What happens while an environment is frozen is delivered when it is thawed. */
#pragma once
#include "base/list.h"
#include "http/server.h"
#include "service/lambda/telemetry_request.h"

struct environment;
struct instance;

/* Of an instance. */
struct telemetry {
    struct list subscribers;
    bool closed; /* init is over: nobody subscribes any more */
    bool frozen;
    int held;   /* how often freezing was put off since the last start */
    bool began; /* there was an INIT_START, at: */
    struct platform_event init_start;
};

void telemetry_init(struct telemetry *t);
void telemetry_done(struct telemetry *t); /* what is not delivered is lost */

/* PUT /2022-07-01/telemetry and PUT /2020-08-15/logs, from the extension of that name. */
bool telemetry_wants(struct str path);
void telemetry_subscribe(struct instance *in, struct http_request *req, struct str extension);

/* Called for every event and for everything that is printed. */
void telemetry_event(struct instance *in, const struct report_facts *facts,
                     const struct platform_event *e);
void telemetry_output(struct instance *in, enum platform_source source, int64_t time_ms,
                      struct str text, bool is_object);
/* A delivery is under way: freezing should wait a little. False after a while all the same. */
bool telemetry_holds(struct telemetry *t);
/* platform.c: what is known of an environment now. */
void platform_facts(const struct instance *in, struct report_facts *ret);
/* environment_events.on_socket */
void telemetry_socket(struct environment *env, int fd, void *user);
