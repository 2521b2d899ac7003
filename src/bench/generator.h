/* generator - sends requests when they are due and records what came of each. Internal to bench/;
 * bench.h has the public face. */
#pragma once
#include "bench/bench.h"
#include "bench/connection.h"
#include "bench/request.h"
#include "bench/schedule.h"
#include "base/map.h"

#define GENERATOR_CONNECTIONS_MAX 20000

struct generator {
    struct arena *arena; /* of the run */
    struct aws_client *aws;
    const struct bench_plan *plan;
    struct address address;
    struct connection_place place;
    struct connection **connections;
    size_t n_connections, cap_connections;
    size_t max_connections; /* that this process may open */
    struct list idle;       /* connected, or closed and free */
    struct list busy;       /* with a request, oldest first */
    struct list paused;     /* closed loop: was refused a moment ago */
    int in_flight;
    bool phases;             /* the endpoint is a Lamina */
    struct map environments; /* id -> index + 1 of the run */
    struct arena scratch;    /* of one answer */
    /* Timers: how late they ran, in buckets of 10 us. */
    uint32_t late[1024];
    uint64_t n_late;
};

/* Resolves the address, makes epoll and the TLS context. -errno with *err. */
int generator_open(struct generator *g, struct arena *a, struct aws_client *aws,
                   const struct bench_plan *plan, struct aws_error *err);
void generator_close(struct generator *g);

/* One pass: requests of one segment, into one run. */
struct pass {
    struct generator *g;
    struct bench_run *run; /* where samples go */
    const struct bench_segment *segment;
    struct request_set requests;
    struct schedule schedule;
    double *weights, *credit;
    bool open;          /* loop */
    size_t connections; /* at most */
    int64_t n;          /* requests wanted; INT64_MAX: by time */
    int64_t end_ns;     /* absolute; INT64_MAX: by n */
    int64_t timeout_ns;
    int64_t start_ns; /* absolute: due times count from here */
    int64_t issued;   /* requests that were given to a connection */
    int64_t due_ns;   /* of the next one, absolute; open loop */
    int64_t answered;
    int64_t lost; /* failed, or later than the segment's lost_ms */
    size_t first_sample;
    bool stopped, over;
    int failed; /* -errno that ends it; then *err is set */
    struct aws_error *err;
    struct bench_progress *progress;
    struct bench_progress_now now;
    int64_t shown_ns;
    /* Latencies since the window began: eight buckets an octave. */
    uint32_t window[320];
    int64_t window_ns, window_n;
};
/* Sends all and waits for the answers. 0, -ECANCELED, -errno with *p->err. */
int pass_run(struct pass *p);

/* generator_io.c */
/* Before all other tasks, where that is allowed and there is a processor left for them: requests of
 * an open loop leave when they are due on a busy machine too. False: it is not. */
bool generator_precise(bool on);
int64_t generator_late_p99_us(const struct generator *g);
/* Waits for events until then at most, as precisely as the kernel can. */
int generator_wait(struct generator *g, int64_t until_ns, void *events, int max);
struct connection *generator_take(struct generator *g, size_t most); /* NULL: all are busy */
void generator_give(struct generator *g, struct connection *c);
/* Connects so many before the clock runs; who does not get through is tried again later. */
void generator_connect(struct generator *g, size_t n);

/* record.c: an answer, or a failure, becomes a sample. */
void record_answer(struct pass *p, struct connection *c);
void record_failure(struct pass *p, struct connection *c);

/* watch.c: what is shown while it runs. */
void pass_watch(struct pass *p, int64_t now_ns);
void pass_count(struct pass *p, const struct bench_sample *s);
