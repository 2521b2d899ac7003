/* doctor - `lamina doctor`: what this machine offers, and what follows from it. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/table.h"
#include "build/process.h"
#include "build/python.h"
#include "cli/daemon.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "sandbox/sandbox.h"
#include "service/lambda/runtimes.h"

enum verdict { GOOD, FAIR, BAD };

struct finding {
    enum verdict verdict;
    struct str name, what, follows;
};

struct doctor {
    struct arena *a;
    struct finding *items;
    size_t n, cap;
};

static void find(struct doctor *d, enum verdict verdict, const char *name, struct str what,
                 const char *follows)
{
    *(struct finding *)arena_push(d->a, (void **)&d->items, &d->n, &d->cap, sizeof *d->items) =
        (struct finding){verdict, str_from(name), what, str_from(follows)};
}

static const char *cgroup_name(enum sandbox_cgroup g)
{
    return g == SANDBOX_CGROUP_V2   ? "cgroup v2"
           : g == SANDBOX_CGROUP_V1 ? "cgroup v1"
                                    : "no cgroup";
}

static void limits(struct doctor *d, const struct sandbox_abilities *can)
{
    static const char *const names[] = {"memory limit", "cpu share", "process limit", "freezing"};
    static const char *const without[] = {
        "memory is limited by RLIMIT_DATA only; Max Memory Used is the processes' own peak",
        "functions get whole CPUs whatever their memory: durations are shorter than on AWS",
        "processes are limited per user by RLIMIT_NPROC only",
        "idle environments are stopped by signals instead of being frozen",
    };
    enum sandbox_cgroup groups[] = {can->memory, can->cpu, can->pids, can->freeze};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        find(d, groups[i] ? GOOD : FAIR, names[i], str_from(cgroup_name(groups[i])),
             groups[i] ? "" : without[i]);
}

/* What `up --merge-memory` needs. The file is the machine's, in containers often read-only. */
static void merging(struct doctor *d)
{
    bool is_on;
    int r = daemon_can_merge(&is_on);
    if (r < 0)
        find(d, FAIR, "equal memory", str_printf(d->a, "cannot be merged: %s", strerror(-r)),
             "up --merge-memory fails: it needs Linux 6.4 or later with KSM");
    else if (is_on)
        find(d, GOOD, "equal memory", S("KSM is switched on, for up --merge-memory"), "");
    else
        find(d, FAIR, "equal memory", S("KSM is switched off"),
             access(KSM_RUN, W_OK) == 0
                 ? "up --merge-memory saves nothing until you run: echo 1 > " KSM_RUN
                 : "up --merge-memory saves nothing until the machine's root writes 1 to " KSM_RUN);
}

static void machine(struct doctor *d)
{
    struct sandbox_abilities can;
    int r = sandbox_probe(&can);
    if (r < 0 || !can.can_run) {
        find(d, BAD, "environments",
             str_copy(d->a, str_from(can.note[0] ? can.note : strerror(r < 0 ? -r : -can.error))),
             "functions cannot run here; everything else works");
        return;
    }
    find(d, GOOD, "environments",
         can.user_namespace ? S("namespaces, in a user namespace") : S("namespaces, as root"), "");
    if (!can.user_namespace)
        find(d, can.own_users ? GOOD : FAIR, "users",
             can.own_users ? S("one of its own for each environment") : S("shared"),
             can.own_users ? ""
                           : "no user namespaces: one function can use up what the kernel grants a "
                             "user (inotify instances, message queues, timers)");
    find(d, can.net_namespace ? GOOD : BAD, "network",
         can.net_namespace ? S("its own for each environment") : S("shared"),
         can.net_namespace ? "" : "no network namespace can be made");
    find(d, can.seccomp ? GOOD : FAIR, "seccomp",
         can.seccomp ? S("filters system calls") : S("not available"),
         can.seccomp ? "" : "functions may try any system call that their namespaces allow");
    find(d, can.overlay ? GOOD : FAIR, "layers", can.overlay ? S("overlayfs") : S("merged folders"),
         can.overlay ? "" : "several layers are merged into a folder once, which takes disk space");
    limits(d, &can);
    merging(d);
}

static void nodes(struct doctor *d)
{
    for (int major = 18; major <= 24; major += 2) {
        auto_buf struct buf searched;
        buf_init(&searched, 8192);
        struct str at = node_find(d->a, major, &searched);
        find(d, str_has(at) ? GOOD : FAIR, str_printf(d->a, "nodejs%d.x", major).p,
             str_has(at) ? at : S("not found"),
             str_has(at) ? ""
                         : "its functions fail at invoke; lamina up --runtime NAME=PATH names one "
                           "elsewhere");
    }
}

static void runtimes(struct doctor *d)
{
    for (int minor = 8; minor <= 14; minor++) {
        struct str name = str_printf(d->a, "python3.%d", minor);
        struct str at = python_find(d->a, name);
        find(d, str_has(at) ? GOOD : FAIR, name.p, str_has(at) ? at : S("not found"),
             str_has(at) ? ""
                         : "its functions fail at invoke; lamina up --runtime NAME=PATH names one "
                           "elsewhere");
    }
    nodes(d);
    find(d, GOOD, "provided.al2023", S("runs the package's own bootstrap"), "");
    struct str library = runtime_library(d->a, "python");
    if (!str_has(library))
        find(d, BAD, "bootstraps", S("not found"),
             "Python functions cannot start: install lamina, or run it from its build folder");
}

static void tools(struct doctor *d)
{
    struct str pip = S("/usr/bin/python3");
    const char *argv[] = {pip.p, "-m", "pip", "--version", NULL};
    struct process_result out;
    bool ok = process_run(d->a, argv, NULL, NULL, &out) == 0 && out.exit_code == 0;
    find(d, ok ? GOOD : FAIR, "pip", ok ? str_trim(out.output) : S("not found"),
         ok ? ""
            : "Python dependencies cannot be installed by build and layer: apt-get install "
              "python3-pip");
}

static void port(struct doctor *d)
{
    struct str health, dir = daemon_data_dir(d->a);
    if (daemon_health(d->a, S("http://127.0.0.1:4566"), &health) == 0) {
        find(d, GOOD, "port 4566", S("a lamina cloud answers there"), "");
    } else {
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int one = 1;
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons(4566),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        bool is_free = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
        find(d, is_free ? GOOD : BAD, "port 4566",
             is_free ? S("free") : S("used by another program"),
             is_free ? "" : "lamina up needs --port with another number");
    }
    find(d, GOOD, "data", dir, "");
}

static int report(struct verb_run *run, struct doctor *d)
{
    static const char *const words[] = {"ok", "note", "bad"};
    static const enum style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED};
    static const struct table_column columns[] = {
        {.title = ""}, {.title = ""}, {.title = ""}, {.title = "", .shrink = true}, {0}};
    struct json *list = json_new(d->a, JSON_ARRAY);
    struct table *t = table_new(d->a, columns);
    int worst = 0;
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->items[i];
        struct json *o = json_add(list, json_new(d->a, JSON_OBJECT));
        json_set(d->a, o, S("name"), json_new_str(d->a, f->name));
        json_set(d->a, o, S("verdict"), json_new_str(d->a, str_from(words[f->verdict])));
        json_set(d->a, o, S("found"), json_new_str(d->a, f->what));
        json_set(d->a, o, S("follows"), json_new_str(d->a, f->follows));
        table_row(t);
        table_cell_style(t, styles[f->verdict], str_from(words[f->verdict]));
        table_cell(t, f->name);
        table_cell(t, f->what);
        table_cell(t, f->follows);
        worst = f->verdict == BAD ? 1 : worst;
    }
    if (target_of(run)->json)
        target_print_json(d->a, list);
    else
        table_print(stdout, t);
    return worst;
}

static int run_doctor(struct verb_run *run)
{
    struct doctor d = {.a = run->arena};
    machine(&d);
    runtimes(&d);
    tools(&d);
    port(&d);
    return report(run, &d);
}

const struct verb doctor_verb = {
    .name = "doctor",
    .run = run_doctor,
    .sets = {TARGET_SET},
    .summary = "look at this machine: namespaces, limits, runtimes, ports, and what follows",
    .details = "Exit code 1 when something that is needed is missing.\n\n    lamina doctor",
};
