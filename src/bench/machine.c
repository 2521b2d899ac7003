/* machine - load and processor time while something is measured: see machine.h. */
#include "bench/machine.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#define NOISY_OTHERS .05
#define NOISY_STEAL .02
#define NOISY_LATE_US 1000

static double one_minute_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load : -1;
}

static struct str cpu_name(char *line, size_t size)
{
    auto_fclose FILE *f = fopen("/proc/cpuinfo", "re");
    struct str name, value;
    while (f && fgets(line, (int)size, f))
        if (str_starts(str_from(line), S("model name")) &&
            str_cut(str_from(line), ':', &name, &value))
            return str_trim(value);
    return (struct str){0};
}

/* cpu user nice system idle iowait irq softirq steal ... */
static void read_ticks(struct machine_watch *w)
{
    long long v[8] = {0};
    auto_fclose FILE *f = fopen("/proc/stat", "re");
    w->total = 0;
    if (!f || fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &v[0], &v[1], &v[2], &v[3],
                     &v[4], &v[5], &v[6], &v[7]) < 7)
        return;
    for (int i = 0; i < 8; i++)
        w->total += v[i];
    w->steal = v[7];
    w->busy = w->total - v[3] - v[4] - v[7];
}

bool machine_parse_stat(const char *text, pid_t *pid, pid_t *parent, int64_t *own, int64_t *ended)
{
    long long utime, stime, cutime, cstime;
    const char *name_end = strrchr(text, ')'); /* a name may hold anything */
    if (!name_end || sscanf(text, "%d", pid) != 1 ||
        sscanf(name_end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld",
               parent, &utime, &stime, &cutime, &cstime) != 5)
        return false;
    *own = utime + stime;
    *ended = cutime + cstime;
    return true;
}

struct task {
    pid_t pid, parent;
    int64_t ticks;
    bool counts;
};

static size_t read_tasks(struct task **ret)
{
    struct task *tasks = NULL;
    size_t n = 0, cap = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char path[300], text[1024];
        int64_t own, ended;
        struct task t = {0};
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
        auto_fclose FILE *f = fopen(path, "re");
        size_t got = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
        text[got] = 0;
        if (!got || !machine_parse_stat(text, &t.pid, &t.parent, &own, &ended))
            continue;
        t.ticks = own + ended;
        if (n == cap)
            tasks = mem_realloc(tasks, (cap = cap ? cap * 2 : 256) * sizeof(*tasks));
        tasks[n++] = t;
    }
    if (proc)
        closedir(proc);
    *ret = tasks;
    return n;
}

/* Ticks of the process and of all below it. Who has ended is in its parent's, once waited for. */
static int64_t family_ticks(pid_t root)
{
    struct task *tasks;
    size_t n = read_tasks(&tasks);
    int64_t sum = 0;
    bool found = false, again = true;
    for (size_t i = 0; i < n; i++)
        found |= tasks[i].counts = tasks[i].pid == root;
    while (again) {
        again = false;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n && !tasks[i].counts; j++)
                if (tasks[j].counts && tasks[j].pid == tasks[i].parent)
                    again = tasks[i].counts = true;
    }
    for (size_t i = 0; i < n; i++)
        sum += tasks[i].counts ? tasks[i].ticks : 0;
    free(tasks);
    return found ? sum : -1;
}

static int64_t own_ticks(pid_t pid)
{
    char path[64], text[1024];
    pid_t p, parent;
    int64_t own, ended;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    auto_fclose FILE *f = fopen(path, "re");
    size_t got = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[got] = 0;
    return got && machine_parse_stat(text, &p, &parent, &own, &ended) ? own : -1;
}

static void read_all(struct machine_watch *w)
{
    w->mono_ns = clock_mono_ns();
    read_ticks(w);
    w->self = own_ticks(getpid());
    w->server = w->server_pid ? family_ticks(w->server_pid) : -1;
    int64_t own = w->server_pid ? own_ticks(w->server_pid) : -1;
    w->server_own_ns = own < 0 ? -1 : own * (1000000000 / sysconf(_SC_CLK_TCK));
}

void machine_begin(struct machine_watch *w, pid_t pid, struct bench_machine *ret)
{
    *w = (struct machine_watch){.server_pid = pid};
    *ret = (struct bench_machine){.load_before = one_minute_load(),
                                  .load_after = -1,
                                  .steal = -1,
                                  .others = -1,
                                  .client = -1,
                                  .loop_late_p99_us = -1};
    ret->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    read_all(w);
}

static void blame(struct arena *a, struct bench_machine *m, struct str why)
{
    m->noisy = true;
    m->why = str_has(m->why) ? str_printf(a, "%.*s; %.*s", STR(m->why), STR(why)) : why;
}

static void judge(struct arena *a, struct bench_machine *m)
{
    if (m->others > NOISY_OTHERS)
        blame(a, m,
              str_printf(a, "other processes took %.0f %% of the processors", m->others * 100));
    if (m->steal > NOISY_STEAL)
        blame(a, m, str_printf(a, "the hypervisor took %.1f %% of the time", m->steal * 100));
    if (m->load_before > m->cores)
        blame(a, m,
              str_printf(a, "the load was %.1f on %d processors before it began", m->load_before,
                         m->cores));
    if (m->loop_late_p99_us > NOISY_LATE_US)
        blame(a, m,
              str_printf(a, "the client was woken %.1f ms late (p99)", m->loop_late_p99_us / 1000));
    if (m->client > .9)
        blame(a, m,
              str_printf(a, "the client itself used %.0f %% of a processor", m->client * 100));
}

int64_t machine_end(struct machine_watch *w, struct arena *a, bool others_known,
                    struct bench_machine *ret)
{
    struct machine_watch now = {.server_pid = w->server_pid};
    char line[512];
    read_all(&now);
    ret->cpu = str_copy(a, cpu_name(line, sizeof(line)));
    ret->load_after = one_minute_load();
    int64_t total = now.total - w->total;
    if (w->total && total > 0) {
        int64_t others = now.busy - w->busy - (now.self - w->self);
        if (now.server >= 0 && w->server >= 0)
            others -= now.server - w->server;
        if (now.server < w->server) /* environments that ended took their ticks with them */
            others_known = false;
        ret->steal = (double)(now.steal - w->steal) / (double)total;
        if (others_known)
            ret->others = others <= 0      ? 0
                          : others > total ? 1 /* ticks are counted at different moments */
                                           : (double)others / (double)total;
    }
    judge(a, ret);
    return now.server_own_ns >= 0 && w->server_own_ns >= 0 ? now.server_own_ns - w->server_own_ns
                                                           : -1;
}
