/* generator_io - connections of a generator, its clock, and its waiting. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "bench/generator.h"
#include "bench/proxy.h"
#include "wire/lambda.h"

#define SCRATCH (256 * 1024)
#define OTHER_FILES 12 /* stdin, a log, curl's own connection ... */
#define CONNECT_NS (10 * 1000000000ll)
#define BLOCK 64 /* connections stay where they are: epoll knows their addresses */

/* Each connection is a descriptor; the soft limit is mostly 1,024. How many there may be. */
static size_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return GENERATOR_CONNECTIONS_MAX;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur <= OTHER_FILES)
        return 1;
    rlim_t left = limit.rlim_cur - OTHER_FILES;
    return left < GENERATOR_CONNECTIONS_MAX ? (size_t)left : GENERATOR_CONNECTIONS_MAX;
}

int generator_open(struct generator *g, struct arena *a, struct aws_client *aws,
                   const struct bench_plan *plan, struct aws_error *err)
{
    struct str why;
    *g = (struct generator){.arena = a, .aws = aws, .plan = plan, .place = {.epoll = -1}};
    list_init(&g->idle);
    list_init(&g->busy);
    list_init(&g->paused);
    map_init(&g->environments);
    arena_init(&g->scratch);
    struct str url = str_has(plan->url) ? plan->url : aws_client_endpoint(aws, &lambda_model, a);
    int r = address_parse(a, url, &g->address, &why);
    struct proxy proxy = {0};
    if (r == 0)
        r = proxy_find(a, &g->address, &proxy, &why);
    if (r == 0)
        r = address_resolve(a, proxy.connect.n ? &proxy.address : &g->address, &why);
    if (r < 0)
        return aws_fail(err, r, why);
    if (proxy.connect.n) { /* names are resolved where the proxy is */
        g->address.n = proxy.address.n;
        memcpy(g->address.list, proxy.address.list, sizeof(proxy.address.list));
        g->place.tunnel = proxy.connect;
    }
    g->place.address = &g->address;
    if (g->address.tls && tls_context_open(a, g->address.host, &g->place.tls, &why) < 0)
        return aws_fail(err, -EINVAL, why);
    g->place.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g->place.epoll < 0)
        return aws_fail(err, -errno, str_printf(a, "epoll: %s", strerror(errno)));
    g->place.scratch_size = SCRATCH;
    g->place.scratch = mem_alloc(SCRATCH);
    g->max_connections = raise_descriptors();
    /* Sleeps end when they should: the default lets them be 50 us late. */
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    return 0;
}

void generator_close(struct generator *g)
{
    for (size_t i = 0; i < g->n_connections; i++) {
        connection_done(g->connections[i]);
        free(g->connections[i]);
    }
    free(g->connections);
    free(g->place.scratch);
    tls_context_close(g->place.tls);
    if (g->place.epoll >= 0)
        close(g->place.epoll);
    map_done(&g->environments);
    arena_done(&g->scratch);
}

/* ---- connections ---- */

static struct connection *add_connection(struct generator *g)
{
    if (g->n_connections == g->cap_connections) {
        g->cap_connections = g->cap_connections ? g->cap_connections * 2 : BLOCK;
        g->connections = mem_realloc(g->connections, g->cap_connections * sizeof(*g->connections));
    }
    struct connection *c = MEM_NEW(struct connection);
    g->connections[g->n_connections++] = c;
    connection_init(c, &g->place);
    if (g->address.n)
        c->at = g->n_connections % g->address.n;
    return c;
}

struct connection *generator_take(struct generator *g, size_t most)
{
    if ((size_t)g->in_flight >= most)
        return NULL;
    struct connection *c = list_empty(&g->idle) ? add_connection(g)
                                                : LIST_ENTRY(g->idle.next, struct connection, link);
    list_remove(&c->link);
    list_append(&g->busy, &c->link);
    g->in_flight++;
    c->busy = true;
    return c;
}

/* The last one used comes first again: few connections, warm ones. */
void generator_give(struct generator *g, struct connection *c)
{
    request_head_release(c->request);
    c->request = NULL;
    list_remove(&c->link);
    if (c->state == CONNECTION_IDLE)
        list_prepend(&g->idle, &c->link);
    else
        list_append(&g->idle, &c->link);
    if (c->busy)
        g->in_flight--;
    c->busy = false;
}

static size_t still_connecting(const struct generator *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_connections; i++)
        n += connection_is_opening(g->connections[i]);
    return n;
}

void generator_connect(struct generator *g, size_t n)
{
    struct epoll_event events[64];
    int64_t until = clock_mono_ns() + CONNECT_NS;
    while (g->n_connections < n)
        list_append(&g->idle, &add_connection(g)->link);
    for (size_t i = 0; i < n; i++)
        if (g->connections[i]->state == CONNECTION_CLOSED)
            connection_start(g->connections[i]);
    while (still_connecting(g) && clock_mono_ns() < until && !(g->plan->stop && *g->plan->stop)) {
        int found = generator_wait(g, clock_mono_ns() + 100000000, events, 64);
        for (int i = 0; i < found; i++)
            connection_step(events[i].data.ptr);
    }
    for (size_t i = 0; i < g->n_connections; i++)
        if (connection_is_opening(g->connections[i]))
            connection_abort(g->connections[i], "ETIMEDOUT", "no connection within 10 seconds");
}

/* ---- waiting ---- */

int generator_wait(struct generator *g, int64_t until_ns, void *events, int max)
{
    static bool coarse;
    int64_t left = until_ns - clock_mono_ns();
    int n;
    if (left < 0)
        left = 0;
    if (!coarse) {
        struct timespec t = {left / 1000000000, left % 1000000000};
        n = epoll_pwait2(g->place.epoll, events, max, &t, NULL);
        if (n >= 0 || errno == EINTR)
            return n < 0 ? 0 : n;
        coarse = true; /* a kernel before 5.11: whole milliseconds, and the rest without a pause */
    }
    n = epoll_wait(g->place.epoll, events, max, (int)(left / 1000000));
    return n < 0 ? 0 : n;
}

#define PRECISE_US 500000 /* without once waiting */

/* A generator that never waits would keep a processor from everything else: it becomes a process
 * like others. */
static void on_hogging(int number)
{
    struct sched_param usual = {0};
    sched_setscheduler(getpid(), SCHED_OTHER, &usual); /* the sending thread is the first one */
}

bool generator_precise(bool on)
{
    struct sched_param first = {.sched_priority = 1}, usual = {0};
    struct sigaction hogging = {.sa_handler = on_hogging, .sa_flags = SA_RESTART};
    struct rlimit limit;
    if (!on)
        return sched_setscheduler(0, SCHED_OTHER, &usual) == 0;
    if (gettid() != getpid() || getrlimit(RLIMIT_RTTIME, &limit) < 0)
        return false;
    limit.rlim_cur = PRECISE_US < limit.rlim_max ? PRECISE_US : limit.rlim_max;
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 && sched_getscheduler(0) == SCHED_OTHER &&
           sigaction(SIGXCPU, &hogging, NULL) == 0 && setrlimit(RLIMIT_RTTIME, &limit) == 0 &&
           sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) == 0;
}

int64_t generator_late_p99_us(const struct generator *g)
{
    uint64_t seen = 0;
    size_t n = sizeof(g->late) / sizeof(g->late[0]);
    if (!g->n_late)
        return -1;
    for (size_t i = 0; i < n; i++) {
        seen += g->late[i];
        if ((double)seen >= .99 * (double)g->n_late)
            return (int64_t)(i + 1) * 10;
    }
    return (int64_t)n * 10;
}
