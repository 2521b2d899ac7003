/* lamina-coverage-shipper - the external extension that sends coverage to S3.
 *
 *   start -> register -> event/next -> INVOKE:   wait until the handler has returned (arenas.h);
 *                            ^   |                nothing new: at once to event/next,
 *                            |   |                else collect and upload (ship.h), then event/next
 *                            +---+  -> SHUTDOWN:  the same with the time that is left, then exit
 *
 * Where the runtime's process asks by itself (held.h) there is no INVOKE: it is served while
 * event/next waits for SHUTDOWN.
 *
 * It never costs a function its life: without a bucket or a directory it says so and only waits for
 * SHUTDOWN, because an extension that exits is a fault; it gives up before a deadline that would
 * make the invocation a timeout; and what cannot be sent is said, not raised. */
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#include "events.h"
#include "held.h"
#include "say.h"
#include "ship.h"

#define SHUTDOWN_MARGIN_MS 100 /* to exit before we are killed */

/* Pages of the program that nothing writes, and nothing needs between two events: they come back
 * from the page cache. */
static int drop_segments(struct dl_phdr_info *info, size_t size, void *user)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + h->p_vaddr, to = (from + h->p_filesz) & ~(page - 1);
        from = (from + page - 1) & ~(page - 1);
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W) && from < to)
            madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 1; /* the program alone, not libraries that it may have */
}

static void drop_text(void)
{
    dl_iterate_phdr(drop_segments, NULL);
}

/* Waits for the end of the invocation where somebody will tell it. False: it has not ended well,
 * and a timeout or a crash is followed by SHUTDOWN, which has time of its own. */
static bool wait_end(struct ship *s, int64_t deadline_ms)
{
    s->never_returned = false;
    if (s->waits_in_vain || !arenas_tell(s->arenas)) {
        arenas_news(s->arenas);
        return true;
    }
    int r = arenas_wait(s->arenas, deadline_ms);
    s->timed_out = r == -ETIMEDOUT;
    s->never_returned = r < 0;
    return r == 0;
}

static void on_invoke(struct ship *s, const struct event *event)
{
    int64_t deadline_ms = ship_until(event->deadline_ms);
    if (s->hopeless)
        return;
    if (s->timed_out && !s->waits_in_vain) { /* it was no timeout: the runtime lives */
        s->waits_in_vain = true;
        say(SAY_WARNING, S(""),
            "the end of an invocation was not told: hits are sent one invocation later from now "
            "on");
    }
    ship_begin(s, event->request_id);
    if (!wait_end(s, deadline_ms))
        return;
    ship_look(s);
    if (!ship_news(s))
        return;
    ship_send(s, ship_until(event->deadline_ms), false);
    drop_text();
}

static void on_asked(void *held)
{
    if (held_serve(held))
        drop_text();
}

static void on_shutdown(struct ship *s, const struct event *event, bool held)
{
    ship_look(s);
    if (held)
        ship_request(s);
    if (s->never_returned && blobs_any(s->blobs))
        s->unsent = true; /* to say so */
    if (arenas_news(s->arenas) || ship_news(s))
        ship_send(s, event->deadline_ms - SHUTDOWN_MARGIN_MS, true);
}

/* The next event; three tries, as a Runtime API that does not answer is a cloud that has ended. */
static int next(struct events *events, struct arena *a, struct event *ret)
{
    int r = -EIO;
    for (int i = 0; i < 3; i++) {
        r = events_next(events, a, ret);
        if (r == 0 || r == -EACCES)
            return r;
        poll(NULL, 0, 50 << i);
    }
    return r;
}

/* ship NULL: nothing is collected. Returns at SHUTDOWN. */
static int serve(struct events *events, struct ship *ship)
{
    auto_arena struct arena a;
    arena_init(&a);
    for (;;) {
        struct event event;
        arena_reset(&a);
        int r = next(events, &a, &event);
        if (r < 0) {
            say(SAY_DEBUG, S(""), "no more events: %s", events->conn.why);
            return 1;
        }
        if (event.type == EVENT_INVOKE && ship)
            on_invoke(ship, &event);
        if (event.type != EVENT_SHUTDOWN)
            continue;
        if (ship)
            on_shutdown(ship, &event, events->conn.on_other);
        return 0;
    }
}

static const char *why_not(const struct settings *settings)
{
    if (!settings->enabled)
        return "";
    if (!settings->bucket.n)
        return "COVERAGE_S3_BUCKET is not set: no coverage is uploaded. Set it to a bucket that "
               "the "
               "function's role may write to";
    return NULL;
}

int main(int argc, char **argv)
{
    auto_arena struct arena a;
    struct settings settings;
    struct events events;
    struct ship ship;
    arena_init(&a);
    settings_read(&settings, &a);
    say_setup(settings.level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN); /* SHUTDOWN comes as an event, and SIGKILL after it */

    const char *not = why_not(&settings);
    int r = not ? 0 : ship_open(&ship, &settings);
    if (not &&*not )
        say(SAY_ERROR, S(""), "%s", not );
    if (r < 0)
        say(SAY_ERROR, S(""), "no coverage is uploaded: %.*s: %s", STR(settings.directory),
            strerror(-r));
    if (settings.complaint.n)
        say(SAY_WARNING, S(""), "%.*s", STR(settings.complaint));
    bool active = !not &&r == 0;
    struct held held = {.fd = -1};
    bool asked = active && held_is_possible(&settings) && held_open(&held, &ship) == 0;

    const char *slash = strrchr(argv[0], '/');
    r = events_open(&events, settings.runtime_api);
    if (!r)
        r = events_register(&events, str_from(slash ? slash + 1 : argv[0]), active && !asked);
    if (r < 0) {
        say(SAY_ERROR, S(""), "the extension cannot be registered: %s",
            settings.runtime_api.n ? events.conn.why : "AWS_LAMBDA_RUNTIME_API is not set");
        return 1;
    }
    drop_text();
    if (asked) {
        events.conn.other_fd = held.fd;
        events.conn.on_other = on_asked;
        events.conn.other_user = &held;
    } else if (active && settings.every_invocation) {
        ship_wait_init(&ship);
    }
    r = serve(&events, active ? &ship : NULL);
    held_close(&held);
    if (active)
        ship_close(&ship);
    events_close(&events);
    return r;
}
