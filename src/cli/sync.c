/* sync - `lamina sync`: deploys a project, then keeps its functions and layers as their sources
 * are.
 *
 *     template changed            build and deploy, as those verbs do it (child processes)
 *     a function's source changed only that one, by UpdateFunctionCode
 *     a layer's                   PublishLayerVersion, and the functions that have it */
#include "cli/sync.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/watch.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/verbs_all.h"
#include "wire/lambda.h"

#define SETTLE_MS 4   /* a save of several files comes as one */
#define SETTLE_MAX 50 /* times that long */

static const struct option_row rows[] = {
    {OPTION(struct sync_options, template), .name = "template", .letter = 't', .type = OPTION_TEXT,
     .metavar = "FILE", .help = "the template; template.yaml otherwise"},
    {OPTION(struct sync_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {OPTION(struct sync_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the stack to keep as the project is"},
    {OPTION(struct sync_options, watch), .name = "watch", .type = OPTION_FLAG,
     .help = "go on: follow every change until Ctrl-C"},
    {OPTION(struct sync_options, code), .name = "code", .type = OPTION_FLAG,
     .help = "only code, past CloudFormation; the stack must be there"},
    {OPTION(struct sync_options, resource_ids), .name = "resource-id", .type = OPTION_LIST,
     .metavar = "LOGICAL_ID", .help = "with --code: only this resource"},
    {OPTION(struct sync_options, resources), .name = "resource", .type = OPTION_LIST,
     .metavar = "TYPE",
     .help = "with --code: only resources of this type (AWS::Serverless::Function)"},
    {OPTION(struct sync_options, skip_deploy), .name = "skip-deploy-sync", .type = OPTION_FLAG,
     .help = "with --watch: do not deploy at the beginning"},
    {OPTION(struct sync_options, overrides), .name = "parameter-overrides", .type = OPTION_LIST,
     .many = true, .metavar = "NAME=VALUE...", .help = "values of parameters, as for deploy"},
    {OPTION(struct sync_options, capabilities), .name = "capabilities", .type = OPTION_LIST,
     .many = true, .metavar = "CAPABILITY...",
     .help = "CAPABILITY_NAMED_IAM and CAPABILITY_AUTO_EXPAND otherwise"},
    {OPTION(struct sync_options, tags), .name = "tags", .type = OPTION_LIST, .many = true,
     .metavar = "KEY=VALUE...", .help = "tags of the stack"},
    {OPTION(struct sync_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket for what is deployed; SAM's managed one otherwise"},
    {OPTION(struct sync_options, s3_prefix), .name = "s3-prefix", .type = OPTION_TEXT,
     .metavar = "PREFIX", .help = "in front of the uploaded keys"},
    {OPTION(struct sync_options, role_arn), .name = "role-arn", .type = OPTION_TEXT,
     .metavar = "ARN", .help = "role that CloudFormation acts as"},
    {OPTION(struct sync_options, dependency_layer), .name = "dependency-layer", .type = OPTION_FLAG,
     .hidden = true, .help = "not supported"},
    {OPTION(struct sync_options, use_container), .name = "use-container", .letter = 'u',
     .type = OPTION_FLAG, .hidden = true, .help = "not supported"},
    {0},
};

/* ---- stopping ---- */

volatile sig_atomic_t sync_stopped;
static int stop_pipe[2];
static volatile pid_t child;

static void on_signal(int number)
{
    int saved = errno;
    sync_stopped = 1;
    if (child > 0)
        kill(child, SIGTERM);
    ssize_t n = write(stop_pipe[1], "", 1);
    (void)n;
    errno = saved;
}

static int catch_signals(struct verb_run *run)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction act = {.sa_handler = on_signal};
    if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return verb_fail(run, "pipe: %s", strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sigaction(numbers[i], &act, NULL);
    return 0;
}

/* ---- build and deploy, as those verbs do it ---- */

struct words {
    struct arena *a;
    char **items;
    size_t n, cap;
};

static void add(struct words *w, struct str word)
{
    *(char **)arena_push(w->a, (void **)&w->items, &w->n, &w->cap, sizeof(char *)) =
        str_c(w->a, word);
}

static void add_option(struct words *w, const char *name, struct str value)
{
    if (!value.n)
        return;
    add(w, str_from(name));
    add(w, value);
}

static void add_list(struct words *w, const char *name, const struct option_list *list)
{
    if (list->n)
        add(w, str_from(name));
    for (size_t i = 0; i < list->n; i++)
        add(w, list->items[i]);
}

static int run_child(struct sync *s, struct words *w)
{
    posix_spawn_file_actions_t actions;
    auto_free char *program = realpath("/proc/self/exe", NULL);
    add(w, (struct str){0});
    fflush(stdout);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    pid_t pid;
    int r = posix_spawn(&pid, program ? program : "lamina", &actions, NULL, w->items, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r != 0)
        return verb_fail(s->run, "lamina %s: %s", w->items[1], strerror(r));
    child = pid;
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        if (sync_stopped)
            kill(pid, SIGTERM);
    child = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1; /* it has said why */
}

static int build_all(struct sync *s)
{
    struct words w = {.a = s->arena};
    add(&w, S("lamina"));
    add(&w, S("build"));
    add_option(&w, "--template", s->path);
    add_option(&w, "--build-dir", s->build_dir);
    add(&w, S("--cached"));
    add(&w, S("--parallel"));
    add_option(&w, "--config-file", S("/dev/null"));
    return run_child(s, &w);
}

static int deploy(struct sync *s)
{
    const struct sync_options *o = s->o;
    const struct target_options *t = target_of(s->run);
    struct words w = {.a = s->arena};
    add(&w, S("lamina"));
    add(&w, S("deploy"));
    add_option(&w, "--template", str_printf(s->arena, "%.*s/template.yaml", STR(s->build_dir)));
    add_option(&w, "--stack-name", s->stack_name);
    add(&w, S("--no-fail-on-empty-changeset"));
    add(&w, S("--no-confirm-changeset"));
    add_option(&w, "--recorded-as", S("sync"));
    add_option(&w, "--config-file", S("/dev/null"));
    add_option(&w, "--target", t->target);
    add_option(&w, "--endpoint", t->endpoint);
    add_option(&w, "--region", t->region);
    add_option(&w, "--profile", t->profile);
    add_option(&w, "--s3-bucket", o->s3_bucket);
    add_option(&w, "--s3-prefix", o->s3_prefix);
    add_option(&w, "--role-arn", o->role_arn);
    if (!o->s3_bucket.n)
        add(&w, S("--resolve-s3"));
    add_list(&w, "--parameter-overrides", &o->overrides);
    add_list(&w, "--tags", &o->tags);
    add(&w, S("--capabilities"));
    if (!o->capabilities.n) {
        add(&w, S("CAPABILITY_NAMED_IAM"));
        add(&w, S("CAPABILITY_AUTO_EXPAND"));
    }
    for (size_t i = 0; i < o->capabilities.n; i++)
        add(&w, o->capabilities.items[i]);
    return run_child(s, &w);
}

/* ---- all of it ---- */

/* The whole: 0, or 1 after a message. What is saved meanwhile is a change again. */
static int sync_all(struct sync *s)
{
    int64_t began_us = clock_now_us();
    for (size_t i = 0; i < s->n_items; i++) {
        struct sync_item *item = &s->items[i];
        if (item->image_uri.n)
            continue;
        item->arena = arena_new();
        item->built = artifact_sources(item->arena, item->artifact, &item->sources) == 0;
    }
    int e = build_all(s);
    if (!e)
        e = deploy(s);
    if (!e)
        e = sync_read_stack(s);
    if (e)
        return e;
    printf("%.*s: live %.1f ms after %s\n", STR(s->stack_name),
           (double)(clock_now_us() - (s->saved_us ? s->saved_us : began_us)) / 1e3,
           s->saved_us ? "the template was saved" : "the build began");
    fflush(stdout);
    return 0;
}

static int sync_code(struct sync *s)
{
    int e = sync_read_stack(s);
    for (size_t i = 0; i < s->n_items && !sync_stopped; i++) {
        if (e && !s->items[i].physical_id.n)
            continue;
        int failed = sync_item_send(s, &s->items[i]);
        e = e ? e : failed;
    }
    return e;
}

/* ---- watching ---- */

struct watching {
    struct sync *s;
    struct watch *watch;
    int template_tree;
    bool all; /* the template has changed, or the last time failed */
};

static void on_change(int tree, struct str path, void *user)
{
    struct watching *w = user;
    struct stat st;
    char name[4096];
    snprintf(name, sizeof(name), "%.*s", STR(path));
    int64_t saved_us = lstat(name, &st) == 0
                           ? st.st_ctim.tv_sec * 1000000LL + st.st_ctim.tv_nsec / 1000
                           : clock_now_us();
    if (saved_us > w->s->saved_us)
        w->s->saved_us = saved_us;
    if (tree == w->template_tree)
        w->all = true;
    for (size_t i = 0; i < w->s->n_items; i++)
        if (w->s->items[i].tree == tree)
            w->s->items[i].pending = true;
}

static int watch_project(struct watching *w)
{
    struct sync *s = w->s;
    watch_close(TAKE(w->watch));
    int r = watch_open(&w->watch);
    if (r == 0)
        r = watch_add(w->watch, str_c(s->arena, s->path), &w->template_tree);
    if (r < 0)
        return verb_fail(s->run, "%.*s cannot be watched: %s", STR(s->path), strerror(-r));
    for (size_t i = 0; i < s->n_items; i++) {
        struct sync_item *item = &s->items[i];
        const char *source = str_c(s->arena, item->artifact->source);
        r = watch_add(w->watch, source, &item->tree);
        if (r < 0)
            return verb_fail(s->run, "%s cannot be watched: %s", source, strerror(-r));
        if (watch_is_blind(w->watch, item->tree))
            fprintf(stderr,
                    "lamina: sync: %s has more folders than the system lets us watch: changes in "
                    "some are not noticed; /proc/sys/fs/inotify/max_user_watches raises the "
                    "limit\n",
                    source);
    }
    return 0;
}

/* Waits for changes, and until they have settled. */
static void wait_changes(struct watching *w)
{
    struct pollfd fds[] = {{.fd = watch_fd(w->watch), .events = POLLIN},
                           {.fd = stop_pipe[0], .events = POLLIN}};
    int n = 0;
    w->s->saved_us = 0;
    while (n == 0 && !sync_stopped) {
        if (poll(fds, ARRAY_LEN(fds), -1) > 0)
            n = watch_take(w->watch, on_change, w);
    }
    for (int i = 0; i < SETTLE_MAX && !sync_stopped; i++)
        if (poll(fds, 1, SETTLE_MS) <= 0 || watch_take(w->watch, on_change, w) == 0)
            return;
}

static void follow(struct watching *w)
{
    struct sync *s = w->s;
    if (w->all && s->o->code) {
        fprintf(stderr, "lamina: sync: the template has changed; with --code it is not deployed\n");
        w->all = false;
    }
    if (w->all) {
        int64_t saved_us = s->saved_us;
        w->all = sync_read_project(s) != 0 || watch_project(w) != 0;
        s->saved_us = saved_us;
        if (!w->all)
            w->all = sync_all(s) != 0;
        return;
    }
    for (size_t i = 0; i < s->n_items && !sync_stopped; i++) {
        struct sync_item *item = &s->items[i];
        if (!item->pending)
            continue;
        item->pending = false;
        sync_item_send(s, item);
    }
}

static int watch_on(struct watching *w)
{
    int e = 0;
    fprintf(stderr, "lamina: sync: watching %zu functions and layers; Ctrl-C ends it\n",
            w->s->n_items);
    while (!e && !sync_stopped) {
        wait_changes(w);
        if (!sync_stopped)
            follow(w);
        if (!w->watch) /* the template names folders that are not there */
            e = watch_project(w);
    }
    return e;
}

/* ---- the verb ---- */

static int check_options(struct verb_run *run, const struct sync_options *o)
{
    if (o->use_container)
        return verb_usage(run, "--use-container is not supported: nothing here needs docker");
    if (o->dependency_layer)
        fprintf(stderr,
                "lamina: sync: there is no dependency layer: dependencies stay part of each "
                "function's package\n");
    if ((o->resource_ids.n || o->resources.n) && !o->code)
        return verb_usage(run, "--resource-id and --resource go with --code");
    if (o->skip_deploy && !o->watch)
        return verb_usage(run, "--skip-deploy-sync goes with --watch");
    return 0;
}

static int sync_now(struct sync *s)
{
    const struct sync_options *o = s->o;
    struct watching w = {.s = s};
    int e = sync_read_project(s);
    if (!e && o->watch) /* before anything is built: what is saved meanwhile is not missed */
        e = watch_project(&w);
    if (e) {
        watch_close(w.watch);
        return e;
    }
    e = o->code ? sync_code(s) : o->skip_deploy ? sync_read_stack(s) : sync_all(s);
    w.all = e != 0 && !o->code;
    if (o->watch && !sync_stopped)
        e = watch_on(&w);
    watch_close(w.watch);
    return sync_stopped ? 0 : e;
}

static int run_sync(struct verb_run *run)
{
    struct sync s = {.run = run, .o = run->values[0], .build_dir = S(".aws-sam/build")};
    int e = check_options(run, s.o);
    if (!e)
        e = stacks_name(run, s.o->stack_name, &s.stack_name);
    if (!e)
        e = source_find(run, s.o->template, false, &s.path);
    if (!e)
        e = target_open(run, &s.aws);
    if (!e)
        e = target_announce(run, s.aws);
    if (!e)
        e = catch_signals(run);
    if (!e) {
        aws_client_cancel_on(s.aws, &sync_stopped);
        e = sync_now(&s);
    }
    sync_project_done(&s);
    arena_free(s.arena);
    aws_client_close(s.aws);
    return e;
}

const struct verb sync_verb = {
    .name = "sync",
    .run = run_sync,
    .sets = {{rows, sizeof(struct sync_options)}, TARGET_SET},
    .preset = target_preset,
    .summary = "keep a stack as its sources are, from save to live in milliseconds",
    .details =
        "Builds and deploys the project; with --watch it goes on: a change of a function's or "
        "layer's\n"
        "sources is sent straight to Lambda, a change of the template is deployed. A build "
        "that fails is\n"
        "told, and watching goes on. For development: what is sent so, CloudFormation does "
        "not know.\n\n"
        "    lamina sync --stack-name app --watch",
};
