/* times - see times.h. The answer is a JSON array, oldest first; clocks are monotonic nanoseconds,
 * the machine's, so a client can put its own beside them. */
#include "service/lambda/times.h"
#include <stdlib.h>
#include "base/buf.h"
#include "base/mem.h"
#include "http/server.h"
#include "service/lambda/instance.h"

#define KEPT 512
#define PATH S("/_lamina/lambda/times")

struct times {
    struct {
        char id[40];
        struct invocation_times times;
    } last[KEPT];
    size_t n; /* ever */
};

struct times *times_new(void)
{
    const char *wanted = getenv("LAMINA_TIMES");
    return wanted && *wanted ? MEM_NEW(struct times) : NULL;
}

void times_free(struct times *t)
{
    free(t);
}

void times_keep(struct times *t, struct str request_id, const struct invocation_times *times)
{
    if (!t)
        return;
    size_t i = t->n++ % KEPT;
    snprintf(t->last[i].id, sizeof(t->last[i].id), "%.*s", STR(request_id));
    t->last[i].times = *times;
}

static void write_one(struct buf *b, const char *id, const struct invocation_times *t)
{
    const struct {
        const char *name;
        int64_t ns;
    } clocks[] = {
        {"received", t->received},
        {"queued", t->queued},
        {"sandbox_asked", t->sandbox_asked},
        {"sandbox_ready", t->sandbox_ready},
        {"init_done", t->init_done},
        {"delivered", t->delivered},
        {"answered", t->answered},
        {"runtime_done", t->runtime_done},
        {"done", t->done},
    };
    buf_printf(b, "{\"id\":\"%s\"", id);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
        if (clocks[i].ns)
            buf_printf(b, ",\"%s\":%lld", clocks[i].name, (long long)clocks[i].ns);
    buf_byte(b, '}');
}

bool times_serve(const struct times *t, struct http_request *req)
{
    static const struct http_header json[] = {{S_INIT("Content-Type"), S_INIT("application/json")}};
    if (!t || !str_eq(req->path, PATH))
        return false;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_byte(&b, '[');
    for (size_t i = t->n > KEPT ? t->n - KEPT : 0; i < t->n; i++) {
        if (b.n > 1)
            buf_byte(&b, ',');
        write_one(&b, t->last[i % KEPT].id, &t->last[i % KEPT].times);
    }
    buf_text(&b, "]\n");
    http_reply(req, 200, json, 1, body_mem(buf_copy(&b, req->arena)));
    buf_done(&b);
    return true;
}

static void add_phase(struct buf *b, const char *name, int64_t from_ns, int64_t to_ns)
{
    if (from_ns && to_ns)
        buf_printf(b, ";%s=%lld", name, (long long)(to_ns > from_ns ? to_ns - from_ns : 0) / 1000);
}

struct str times_phases(const struct instance *in, struct arena *a)
{
    const struct work *w = &in->work;
    const struct invocation_times *t = &w->times;
    auto_buf struct buf b;
    buf_init(&b, 1024);
    buf_printf(&b, "environment=%.*s;cold=%d", STR(in->stream), t->sandbox_asked != 0);
    if (w->status == REPORT_TIMEOUT)
        buf_text(&b, ";status=timeout");
    add_phase(&b, "queue", t->received, t->sandbox_asked ? t->sandbox_asked : t->delivered);
    add_phase(&b, "sandbox", t->sandbox_asked, t->sandbox_ready);
    add_phase(&b, "init", t->sandbox_ready, t->init_done);
    add_phase(&b, "handler", t->delivered, t->answered);
    add_phase(&b, "after", t->answered, t->done);
    return buf_copy(&b, a);
}
