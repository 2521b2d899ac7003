/* cgroup - finding hierarchies; making, limiting and removing the groups of environments. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

static const struct {
    const char *name;
    enum cgroup_controller bit;
} controller_names[] = {
    {"memory", CGROUP_MEMORY},   {"cpu", CGROUP_CPU},         {"pids", CGROUP_PIDS},
    {"freezer", CGROUP_FREEZER}, {"cpuacct", CGROUP_CPUACCT},
};

static const int shares_v1[] = {
    [CGROUP_SHARE_WAITING] = 2, [CGROUP_SHARE_LONG] = 64, [CGROUP_SHARE_USUAL] = 1024};
static const int shares_v2[] = {
    [CGROUP_SHARE_WAITING] = 1, [CGROUP_SHARE_LONG] = 6, [CGROUP_SHARE_USUAL] = 100};

static int file_write(const char *dir, const char *name, const char *text)
{
    char path[2 * PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return -errno;
    return 0;
}

static bool file_read(const char *dir, const char *name, char *ret, size_t max)
{
    char path[PATH_MAX + 300];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, max - 1);
    if (n < 0)
        return false;
    ret[n] = '\0';
    return true;
}

/* ---- names of spawners ---- */

/* Field 22 of /proc/<pid>/stat; the command name before it may hold anything but ends at the last
 * ')'. */
static unsigned long long start_time(pid_t pid)
{
    char dir[32], stat[1024];
    snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
    if (!file_read(dir, "stat", stat, sizeof(stat)))
        return 0;
    const char *p = strrchr(stat, ')');
    if (p && (p[2] == 'Z' || p[2] == 'X'))
        return 0; /* dead, only nobody has asked for its status yet */
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    return p ? strtoull(p + 1, NULL, 10) : 0;
}

static unsigned long long pid_namespace(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) < 0 ? 0 : (unsigned long long)st.st_ino;
}

static bool spawner_is_dead(const char *name)
{
    int pid;
    unsigned long long started, ns;
    if (sscanf(name, "%d-%llu-%llu", &pid, &started, &ns) != 3 || ns != pid_namespace())
        return false; /* not ours, or of another container: hands off */
    return start_time(pid) != started;
}

/* ---- removal ---- */

static void kill_members(const char *dir)
{
    char path[PATH_MAX + 300];
    if (file_write(dir, "cgroup.kill", "1") == 0)
        return;
    file_write(dir, "freezer.state", "THAWED");
    snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    auto_fclose FILE *f = fopen(path, "re");
    int pid;
    while (f && fscanf(f, "%d", &pid) == 1)
        if (pid > 1)
            kill(pid, SIGKILL);
}

/* Members die asynchronously: kills and tries again for a short while. */
static void remove_group(const char *dir)
{
    for (int i = 0; i < 200; i++) {
        if (rmdir(dir) == 0 || errno != EBUSY)
            return;
        kill_members(dir);
        usleep(1000);
    }
}

static void remove_spawner_dir(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[PATH_MAX + 300];
        if (e->d_name[0] != 'e' || e->d_type != DT_DIR)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        remove_group(path);
    }
    closedir(d);
    rmdir(dir);
}

static void remove_leftovers(const char *root)
{
    DIR *d = opendir(root);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char path[PATH_MAX + 300];
        if (e->d_type != DT_DIR || !spawner_is_dead(e->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s", root, e->d_name);
        remove_spawner_dir(path);
    }
    closedir(d);
}

/* ---- finding ---- */

/* On v2 a controller can be used below `dir` once it is in dir's subtree_control. */
static unsigned enable_v2(const char *dir, unsigned wanted)
{
    unsigned got = 0;
    for (size_t i = 0; i < ARRAY_LEN(controller_names); i++) {
        char word[32];
        if (!(wanted & controller_names[i].bit))
            continue;
        snprintf(word, sizeof(word), "+%s", controller_names[i].name);
        if (file_write(dir, "cgroup.subtree_control", word) == 0)
            got |= controller_names[i].bit;
    }
    return got;
}

static unsigned available_v2(const char *mount)
{
    char text[512];
    unsigned got = 0;
    if (!file_read(mount, "cgroup.controllers", text, sizeof(text)))
        return 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
        for (size_t i = 0; i < 3; i++) /* memory, cpu, pids; the others are v1's */
            if (strcmp(w, controller_names[i].name) == 0)
                got |= controller_names[i].bit;
    return got;
}

static bool hierarchy_open(const char *mount, bool v2, unsigned controllers, const char *name,
                           struct cgroup_hierarchy *ret)
{
    char root[PATH_MAX], dir[PATH_MAX + 100];
    snprintf(root, sizeof(root), "%s/lamina", mount);
    snprintf(dir, sizeof(dir), "%s/%s", root, name);
    for (int i = 0;; i++) { /* again when a spawner that ends has removed the root in between */
        if (mkdir(root, 0755) < 0 && errno != EEXIST)
            return false;
        if (mkdir(dir, 0755) == 0 || errno == EEXIST)
            break;
        if (errno != ENOENT || i == 10) {
            rmdir(root);
            return false;
        }
    }
    remove_leftovers(root);
    if (v2) {
        controllers = enable_v2(mount, controllers);
        controllers = enable_v2(root, controllers);
        controllers = enable_v2(dir, controllers);
    } else if (controllers & CGROUP_MEMORY) {
        file_write(root, "memory.use_hierarchy", "1");
        file_write(dir, "memory.use_hierarchy", "1");
    }
    *ret = (struct cgroup_hierarchy){mem_dup_text(dir), mem_dup_text(root), v2, controllers};
    return true;
}

static unsigned controllers_of_mount(const struct mntent *m)
{
    unsigned got = 0;
    for (size_t i = 0; i < ARRAY_LEN(controller_names); i++)
        if (hasmntopt(m, controller_names[i].name))
            got |= controller_names[i].bit;
    return got;
}

static void hierarchy_close(struct cgroup_hierarchy *h)
{
    remove_spawner_dir(h->dir);
    rmdir(h->root); /* stays when another spawner lives */
    free(h->dir);
    free(h->root);
}

/* Where v2 freezes and meters, groups that could do nothing else would only cost time. */
static void forget_superfluous(struct cgroups *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct cgroup_hierarchy *h = &g->items[i];
        if (!h->v2 && !(h->controllers & ~(unsigned)(CGROUP_FREEZER | CGROUP_CPUACCT)))
            hierarchy_close(h);
        else
            g->items[kept++] = *h;
    }
    g->n = kept;
}

void cgroups_open(struct cgroups *ret)
{
    char name[96], buffer[4096];
    struct mntent entry;

    *ret = (struct cgroups){0};
    snprintf(name, sizeof(name), "%d-%llu-%llu", (int)getpid(), start_time(getpid()),
             pid_namespace());
    FILE *f = setmntent("/proc/self/mounts", "re");
    if (!f)
        return;
    unsigned seen = 0;
    bool seen_v2 = false;
    while (ret->n < CGROUP_HIERARCHIES && getmntent_r(f, &entry, buffer, sizeof(buffer))) {
        bool v2 = strcmp(entry.mnt_type, "cgroup2") == 0;
        if (!v2 && strcmp(entry.mnt_type, "cgroup") != 0)
            continue;
        unsigned c = v2 ? available_v2(entry.mnt_dir) : controllers_of_mount(&entry);
        if (v2 ? seen_v2 : (!c || (c & seen)))
            continue; /* mounted twice */
        if (!hierarchy_open(entry.mnt_dir, v2, c, name, &ret->items[ret->n]))
            continue;
        seen |= c;
        seen_v2 |= v2;
        ret->n++;
    }
    endmntent(f);
    if (seen_v2)
        forget_superfluous(ret);
}

void cgroups_close(struct cgroups *g)
{
    for (size_t i = 0; i < g->n; i++)
        hierarchy_close(&g->items[i]);
    g->n = 0;
}

static const struct cgroup_hierarchy *find(const struct cgroups *g, unsigned controller)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->items[i].controllers & controller)
            return &g->items[i];
    return NULL;
}

static const struct cgroup_hierarchy *find_v2(const struct cgroups *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->items[i].v2)
            return &g->items[i];
    return NULL;
}

enum sandbox_cgroup cgroups_kind(const struct cgroups *g, enum cgroup_controller controller)
{
    if (controller == CGROUP_FREEZER && find_v2(g))
        return SANDBOX_CGROUP_V2;
    const struct cgroup_hierarchy *h = find(g, controller);
    return !h ? SANDBOX_CGROUP_NONE : h->v2 ? SANDBOX_CGROUP_V2 : SANDBOX_CGROUP_V1;
}

enum sandbox_cgroup cgroups_kill_kind(const struct cgroups *g)
{
    return find_v2(g) ? SANDBOX_CGROUP_V2 : SANDBOX_CGROUP_NONE;
}

enum sandbox_cgroup cgroups_cpu_stat_kind(const struct cgroups *g)
{
    return find_v2(g) ? SANDBOX_CGROUP_V2 : cgroups_kind(g, CGROUP_CPUACCT);
}

/* ---- one environment's ---- */

static void group_dir(const struct cgroup_hierarchy *h, unsigned seq, char ret[PATH_MAX])
{
    snprintf(ret, PATH_MAX, "%s/e%u", h->dir, seq);
}

static void open_file(const struct cgroup_hierarchy *h, struct cgroup *c, enum cgroup_file which,
                      const char *name, int flags)
{
    char path[PATH_MAX + 300];
    if (!h || c->files[which] >= 0)
        return;
    snprintf(path, sizeof(path), "%s/e%u/%s", h->dir, c->seq, name);
    c->files[which] = open(path, flags | O_CLOEXEC);
}

static int limit_write(int fd, int64_t value)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%lld", (long long)value);
    return fd < 0 || pwrite(fd, text, (size_t)n, 0) >= 0 ? 0 : -errno;
}

static void open_limit(const struct cgroup_hierarchy *h, struct cgroup *c,
                       enum cgroup_limit_file which, const char *name)
{
    char path[PATH_MAX + 300];
    snprintf(path, sizeof(path), "%s/e%u/%s", h->dir, c->seq, name);
    c->limits[which] = open(path, O_WRONLY | O_CLOEXEC);
}

/* What depends on no plan is written at once. Swap accounting is missing from kernels without swap,
 * where there is nothing to forbid. */
static void open_limits(const struct cgroups *g, struct cgroup *c)
{
    const struct cgroup_hierarchy *memory = find(g, CGROUP_MEMORY), *pids = find(g, CGROUP_PIDS);
    char dir[PATH_MAX];
    if (memory)
        open_limit(memory, c, CGROUP_LIMIT_MEMORY,
                   memory->v2 ? "memory.max" : "memory.limit_in_bytes");
    if (memory && memory->v2) {
        group_dir(memory, c->seq, dir);
        file_write(dir, "memory.swap.max", "0");
        file_write(dir, "memory.oom.group", "0");
    } else if (memory) {
        open_limit(memory, c, CGROUP_LIMIT_SWAP, "memory.memsw.limit_in_bytes");
    }
    if (pids) {
        open_limit(pids, c, CGROUP_LIMIT_PIDS, "pids.max");
        limit_write(c->limits[CGROUP_LIMIT_PIDS], CGROUP_PIDS_USUAL + 1);
    }
}

static void open_files(const struct cgroups *g, struct cgroup *c)
{
    const struct cgroup_hierarchy *v2 = find_v2(g), *memory = find(g, CGROUP_MEMORY);
    const struct cgroup_hierarchy *cpu = find(g, CGROUP_CPU);

    open_file(v2, c, CGROUP_FILE_FREEZE, "cgroup.freeze", O_WRONLY);
    open_file(v2, c, CGROUP_FILE_KILL, "cgroup.kill", O_WRONLY);
    open_file(v2, c, CGROUP_FILE_CPU_STAT, "cpu.stat", O_RDONLY);
    open_file(find(g, CGROUP_FREEZER), c, CGROUP_FILE_FREEZE, "freezer.state", O_WRONLY);
    open_file(find(g, CGROUP_CPUACCT), c, CGROUP_FILE_CPU_STAT, "cpuacct.usage", O_RDONLY);
    if (cpu) {
        open_file(cpu, c, CGROUP_FILE_CPU, cpu->v2 ? "cpu.max" : "cpu.cfs_quota_us", O_WRONLY);
        open_file(cpu, c, CGROUP_FILE_SHARE, cpu->v2 ? "cpu.weight" : "cpu.shares", O_WRONLY);
    }
    open_limits(g, c);
    if (memory) {
        bool is_v2 = memory->v2;
        open_file(memory, c, CGROUP_FILE_PEAK, is_v2 ? "memory.peak" : "memory.max_usage_in_bytes",
                  O_RDONLY);
        open_file(memory, c, CGROUP_FILE_MEMORY, "memory.stat", O_RDONLY);
        open_file(memory, c, CGROUP_FILE_USAGE, is_v2 ? "memory.current" : "memory.usage_in_bytes",
                  O_RDONLY);
        open_file(memory, c, CGROUP_FILE_WARN, is_v2 ? "memory.high" : "cgroup.event_control",
                  O_WRONLY);
        open_file(memory, c, CGROUP_FILE_OOM, is_v2 ? "memory.events" : "memory.oom_control",
                  O_RDONLY);
    }
}

int cgroup_set_share(int share_fd, enum sandbox_cgroup kind, enum cgroup_share share)
{
    const int *shares = kind == SANDBOX_CGROUP_V2 ? shares_v2 : shares_v1;
    return share_fd < 0 ? -EOPNOTSUPP : limit_write(share_fd, shares[share]);
}

void cgroup_wake(const struct cgroups *g, const struct cgroup *c)
{
    if (c->waits)
        cgroup_set_share(c->files[CGROUP_FILE_SHARE], cgroups_kind(g, CGROUP_CPU),
                         CGROUP_SHARE_USUAL);
}

int cgroup_make(struct cgroups *g, bool waits, struct cgroup *ret)
{
    struct cgroup c = {.seq = ++g->seq, .dir_v2 = -1};
    for (size_t i = 0; i < CGROUP_HIERARCHIES; i++)
        c.procs[i] = -1;
    for (size_t i = 0; i < CGROUP_FILES; i++)
        c.files[i] = -1;
    for (size_t i = 0; i < CGROUP_LIMITS; i++)
        c.limits[i] = -1;

    for (size_t i = 0; i < g->n; i++) {
        const struct cgroup_hierarchy *h = &g->items[i];
        char dir[PATH_MAX], procs[PATH_MAX + 16];
        group_dir(h, c.seq, dir);
        int r = mkdir(dir, 0755) < 0 ? -errno : 0;
        if (r == 0 && h->v2) {
            c.dir_v2 = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        } else if (r == 0) {
            snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
            c.procs[i] = open(procs, O_WRONLY | O_CLOEXEC);
            r = c.procs[i] < 0 ? -errno : 0;
        }
        if (r < 0) {
            cgroup_close_fds(&c);
            cgroup_remove(g, &c);
            return r;
        }
        if (!h->v2 && (h->controllers & CGROUP_CPU))
            file_write(dir, "cpu.cfs_period_us", "20000");
    }
    open_files(g, &c);
    c.waits = waits && cgroup_set_share(c.files[CGROUP_FILE_SHARE], cgroups_kind(g, CGROUP_CPU),
                                        CGROUP_SHARE_WAITING) == 0;
    *ret = c;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void cgroup_close_fds(struct cgroup *c)
{
    for (size_t i = 0; i < CGROUP_HIERARCHIES; i++)
        close_fd(&c->procs[i]);
    for (size_t i = 0; i < CGROUP_FILES; i++)
        close_fd(&c->files[i]);
    for (size_t i = 0; i < CGROUP_LIMITS; i++)
        close_fd(&c->limits[i]);
    close_fd(&c->dir_v2);
}

int cgroup_join(const struct cgroup *c)
{
    for (size_t i = 0; i < CGROUP_HIERARCHIES; i++)
        if (c->procs[i] >= 0 && write(c->procs[i], "0", 1) < 0)
            return -errno;
    return 0;
}

int cgroup_limit(const struct cgroup *c, int memory_mb, int extra_mb, int64_t shared, int processes)
{
    int64_t bytes = ((int64_t)(memory_mb + extra_mb) << 20) - shared;
    if (processes != CGROUP_PIDS_USUAL) {
        int r = limit_write(c->limits[CGROUP_LIMIT_PIDS], processes + 1); /* init is one of them */
        if (r < 0)
            return r;
    }
    if (!memory_mb)
        return 0;
    int r = limit_write(c->limits[CGROUP_LIMIT_MEMORY], bytes);
    if (r == 0)
        limit_write(c->limits[CGROUP_LIMIT_SWAP], bytes); /* no swap */
    return r;
}

void cgroup_kill(const struct cgroups *g, const struct cgroup *c)
{
    for (size_t i = 0; i < g->n; i++) {
        char dir[PATH_MAX];
        group_dir(&g->items[i], c->seq, dir);
        kill_members(dir);
    }
}

int cgroup_remove(const struct cgroups *g, const struct cgroup *c)
{
    int result = 0;
    for (size_t i = 0; i < g->n; i++) {
        char dir[PATH_MAX];
        group_dir(&g->items[i], c->seq, dir);
        if (rmdir(dir) < 0 && errno != ENOENT)
            result = -errno;
    }
    return result;
}
