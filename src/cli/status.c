/* status - is a cloud running here? And down: no more. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/daemon.h"
#include "cli/verb.h"

#define DEFAULT_ENDPOINT S("http://127.0.0.1:4566")
#define DOWN_MS 10000

struct status_options {
    struct str endpoint, data;
    bool json;
};

static const struct option_row rows[] = {
    {OPTION(struct status_options, endpoint), .name = "endpoint", .type = OPTION_TEXT,
     .metavar = "URL", .environment = "AWS_ENDPOINT_URL", .help = "where it answers"},
    {OPTION(struct status_options, data), .name = "data", .type = OPTION_TEXT, .metavar = "DIR",
     .environment = "LAMINA_DATA", .help = "the data directory it was started with"},
    {OPTION(struct status_options, json), .name = "json", .type = OPTION_FLAG,
     .help = "print JSON"},
    {0},
};

/* By --endpoint, by the note in the data directory, at the usual port. */
static struct str where(struct verb_run *run)
{
    const struct status_options *o = run->values[0];
    struct daemon_note note;
    struct str dir = o->data.n ? o->data : daemon_data_dir(run->arena);
    if (o->endpoint.n)
        return o->endpoint;
    if (daemon_note_read(run->arena, dir, &note) == 0)
        return note.endpoint;
    return DEFAULT_ENDPOINT;
}

static int ask(struct verb_run *run, struct str url, struct str *ret_text, struct json **ret)
{
    int r = daemon_health(run->arena, url, ret_text);
    if (r == 0 && json_parse(run->arena, *ret_text, ret, NULL) < 0)
        r = -EPROTO;
    if (r == -EPROTO)
        return verb_fail(run, "what answers at %.*s is no lamina", STR(url));
    if (r < 0)
        return verb_fail(run, "no cloud answers at %.*s: %s", STR(url), strerror(-r));
    return 0;
}

static void row(const char *name, struct str value)
{
    printf("%-9s %.*s\n", name, STR(value));
}

static int status_run(struct verb_run *run)
{
    const struct status_options *o = run->values[0];
    struct str url = where(run), text;
    struct json *health;
    int64_t pid = 0, uptime = 0, requests = 0;
    int code = ask(run, url, &text, &health);
    if (code)
        return code;
    if (o->json) {
        printf("%.*s\n", STR(json_text(run->arena, health, 2)));
        return 0;
    }
    json_int(json_get(health, "pid"), &pid);
    json_int(json_get(health, "uptime_ms"), &uptime);
    json_int(json_get(health, "requests"), &requests);
    struct str data = json_get_str(health, "data");
    row("endpoint", json_get_str(health, "endpoint"));
    row("version", json_get_str(health, "version"));
    row("data", str_has(data) ? data : S("none is kept (ephemeral)"));
    row("access", json_get_str(health, "iam"));
    row("process", str_printf(run->arena, "%d, up for %d s, %d requests", (int)pid,
                              (int)(uptime / 1000), (int)requests));
    return 0;
}

const struct verb status_verb = {
    .name = "status",
    .run = status_run,
    .sets = {{rows, sizeof(struct status_options)}},
    .summary = "tell whether a cloud is running here",
};

/* Waits for the end of the process itself: its pidfd becomes readable then. */
static int end_process(struct verb_run *run, pid_t pid)
{
    auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno == ESRCH)
        return 0;
    if (fd < 0)
        return verb_fail(run, "process %d: %s", (int)pid, strerror(errno));
    if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) < 0)
        return verb_fail(run, "process %d cannot be ended: %s", (int)pid, strerror(errno));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, DOWN_MS) <= 0)
        return verb_fail(run, "process %d has not ended within %d s", (int)pid, DOWN_MS / 1000);
    return 0;
}

static int down_run(struct verb_run *run)
{
    const struct status_options *o = run->values[0];
    struct str url = where(run), text;
    struct json *health;
    int64_t pid = 0;
    int code = ask(run, url, &text, &health);
    if (code)
        return code;
    if (json_int(json_get(health, "pid"), &pid) < 0 || pid <= 1)
        return verb_fail(run, "what answers at %.*s is no lamina", STR(url));
    code = end_process(run, (pid_t)pid);
    if (code == 0 && o->json)
        printf("{\"ended\": %d}\n", (int)pid);
    return code;
}

const struct verb down_verb = {
    .name = "down",
    .run = down_run,
    .sets = {{rows, sizeof(struct status_options)}},
    .summary = "end the cloud that runs here, and wait until it has left",
};
