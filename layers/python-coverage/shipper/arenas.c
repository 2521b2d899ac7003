/* arenas - see arenas.h. */
#include "arenas.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "../arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conn.h"
#include "snapshot.h"
#include "stamp.h"

struct arena_file {
    char name[80];
    int fd;
    int process;                   /* pidfd, -1: it has ended, or cannot be watched */
    struct covarena_header header; /* as it was read last */
    uint64_t news, done;           /* entered; waited for */
    struct snapshot copy;
    const char *unreadable; /* why; NULL: fine */
    bool said;              /* that it is not */
};

struct arenas {
    int directory, fifo;
    bool take;
    int64_t stamp_ns; /* the directory's when it was looked at, 0: look again */
    struct arena_file *files[ARENAS_MAX];
    size_t n;
    bool told; /* by a process that has no arena: it writes into the FIFO, and says that it does */
    uint32_t pid; /* of it; 0: not known */
    int process;  /* pidfd of it; -1 */
    size_t ignored;
};

/* ---- opening ---- */

static int open_fifo(int directory)
{
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (mkfifoat(directory, "done", 0600) < 0 && errno != EEXIST)
            return -errno;
        int fd = openat(directory, "done", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
            return fd;
        if (fd >= 0)
            close(fd);
        if (unlinkat(directory, "done", 0) < 0) /* somebody else's */
            break;
    }
    return -EEXIST;
}

int arenas_open(const char *directory, bool take, struct arenas **ret)
{
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int fifo = open_fifo(fd);
    if (fifo < 0) {
        close(fd);
        return fifo;
    }
    struct arenas *a = MEM_NEW(struct arenas);
    *a = (struct arenas){.directory = fd, .fifo = fifo, .take = take, .process = -1};
    *ret = a;
    return 0;
}

static void free_arena(struct arena_file *f)
{
    snapshot_done(&f->copy);
    if (f->process >= 0)
        close(f->process);
    close(f->fd);
    free(f);
}

void arenas_close(struct arenas *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++)
        free_arena(a->files[i]);
    if (a->process >= 0)
        close(a->process);
    close(a->fifo);
    close(a->directory);
    free(a);
}

int arenas_directory(const struct arenas *a)
{
    return a->directory;
}

/* ---- which there are ---- */

static void read_header(struct arena_file *f)
{
    struct covarena_header h;
    if (pread(f->fd, &h, sizeof(h), 0) != sizeof(h) || !covarena_open(&h, SIZE_MAX))
        f->unreadable = f->unreadable ? f->unreadable : "it is no arena";
    else
        f->header = h;
}

static bool known(const struct arenas *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (!strcmp(a->files[i]->name, name))
            return true;
    return false;
}

/* Makes room by the oldest one whose process has ended and that has nothing new. */
static bool forget_one(struct arenas *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct arena_file *f = a->files[i];
        if (f->process >= 0 || f->header.news != f->news)
            continue;
        unlinkat(a->directory, f->name, 0);
        free_arena(f);
        memmove(&a->files[i], &a->files[i + 1], (--a->n - i) * sizeof(a->files[0]));
        return true;
    }
    return false;
}

static void add(struct arenas *a, const char *name)
{
    size_t length = strlen(name);
    if (length >= sizeof(a->files[0]->name) || known(a, name))
        return;
    if (a->n == ARENAS_MAX && !forget_one(a)) {
        a->ignored++;
        return;
    }
    int fd = openat(a->directory, name,
                    (a->take ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct arena_file *f = MEM_NEW(struct arena_file);
    *f = (struct arena_file){.fd = fd, .process = -1};
    memcpy(f->name, name, length + 1);
    read_header(f);
    if (!f->unreadable)
        f->process = (int)syscall(SYS_pidfd_open, (pid_t)f->header.pid, 0);
    if (f->process < 0) /* what it has told was for a shipper before this one */
        f->done = f->header.done;
    a->files[a->n++] = f;
}

/* The file `tells-done` holds the id of the process that tells. */
static void look_at_teller(struct arenas *a)
{
    char text[24] = "";
    auto_close int fd =
        openat(a->directory, "tells-done", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    int64_t pid = 0;
    if (n < 0)
        return;
    if (str_to_int64(str_trim(str_of(text, (size_t)n)), &pid) < 0 || pid < 0 || pid > INT32_MAX)
        pid = 0;
    if (a->pid && a->pid == (uint32_t)pid)
        return;
    if (a->process >= 0)
        close(a->process);
    a->pid = (uint32_t)pid;
    a->process = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    a->told = !pid || a->process >= 0;
}

bool arenas_look(struct arenas *a)
{
    struct stat st;
    if (fstat(a->directory, &st) < 0)
        return false;
    int64_t stamp = stamp_ns(st.st_mtim);
    if (stamp == a->stamp_ns)
        return false;
    a->stamp_ns = stamp_is_settled(stamp) ? stamp : 0;
    int fd = openat(a->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!strncmp(e->d_name, "arena-", 6))
            add(a, e->d_name);
        else if (!strcmp(e->d_name, "tells-done"))
            look_at_teller(a);
    }
    closedir(d);
    return true;
}

/* ---- the end of an invocation ---- */

static bool tells(const struct arena_file *f)
{
    return !f->unreadable && f->process >= 0 &&
           (f->header.flags & (COVARENA_DONE | COVARENA_STOPPED)) == COVARENA_DONE;
}

static bool counts(const struct arenas *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (tells(a->files[i]))
            return true;
    return false;
}

bool arenas_tell(const struct arenas *a)
{
    return counts(a) || a->told;
}

int arenas_ready(struct arenas *a)
{
    int r = -ENOENT;
    for (size_t i = 0; i < a->n; i++) {
        struct arena_file *f = a->files[i];
        struct pollfd process = {.fd = f->process, .events = POLLIN};
        read_header(f);
        if (f->unreadable || f->process < 0)
            continue;
        if (f->header.flags & COVARENA_READY)
            return 1;
        if (poll(&process, 1, 0) == 0)
            r = -EAGAIN;
        else if (r == -ENOENT)
            r = -ESRCH;
    }
    return r;
}

static bool drain(struct arenas *a)
{
    char bytes[256];
    ssize_t n = read(a->fifo, bytes, sizeof(bytes));
    bool any = n > 0;
    while (n == sizeof(bytes))
        n = read(a->fifo, bytes, sizeof(bytes));
    return any;
}

/* Has any of them counted a return? Reads all headers, so that arenas_known_news() knows. */
static bool returned(struct arenas *a)
{
    bool any = false;
    for (size_t i = 0; i < a->n; i++) {
        struct arena_file *f = a->files[i];
        read_header(f);
        any = any || (f->process >= 0 && f->header.done != f->done);
        f->done = f->header.done;
    }
    return any;
}

/* Looks at processes that have become readable: they have ended. */
static void bury(struct arenas *a, const struct pollfd *polls, const size_t *whose, nfds_t n)
{
    for (nfds_t i = 0; i < n; i++) {
        struct arena_file *f = a->files[whose[i]];
        if (!polls[i].revents)
            continue;
        close(f->process);
        f->process = -1;
    }
}

/* Until a byte comes or a process ends. */
static void sleep_until(struct arenas *a, int64_t left_ms)
{
    struct pollfd polls[ARENAS_MAX + 2] = {{.fd = a->fifo, .events = POLLIN},
                                           {.fd = a->process, .events = POLLIN}};
    size_t whose[ARENAS_MAX];
    nfds_t n = 2;
    for (size_t i = 0; i < a->n; i++) {
        if (!tells(a->files[i]))
            continue;
        whose[n - 2] = i;
        polls[n++] = (struct pollfd){.fd = a->files[i]->process, .events = POLLIN};
    }
    if (poll(polls, n, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) > 0)
        bury(a, polls + 2, whose, n - 2);
    if (polls[1].revents) {
        close(a->process);
        a->process = -1;
        a->told = false;
    }
}

int arenas_wait(struct arenas *a, int64_t deadline_ms)
{
    /* A byte whose count is not to be seen is of a process without arena, or of yesterday. */
    int64_t byte_deadline_ms = INT64_MAX;
    for (;;) {
        bool yes = returned(a);
        int64_t now = conn_now_ms();
        if (yes || now >= byte_deadline_ms)
            return 0;
        if (!arenas_tell(a))
            return -ESRCH;
        if (now >= deadline_ms)
            return -ETIMEDOUT;
        bool told = a->told; /* a process that ends may have told before */
        sleep_until(a, (deadline_ms < byte_deadline_ms ? deadline_ms : byte_deadline_ms) - now);
        bool byte = drain(a);
        if (byte && told) {
            returned(a); /* an arena that has stopped may have news as well */
            return 0;
        }
        /* Who counts has counted before its byte: alone it is of the invocation before. */
        if (byte && byte_deadline_ms == INT64_MAX && !counts(a))
            byte_deadline_ms = conn_now_ms() + 5;
    }
}

/* ---- who asks by himself ---- */

static bool lives(const struct arena_file *f)
{
    struct pollfd process = {.fd = f->process, .events = POLLIN};
    return f->process >= 0 && poll(&process, 1, 0) == 0;
}

/* A folder has its files in any order, and those of former runtimes are among them: of the living
 * the one that has begun last. */
static const struct arena_file *asker(const struct arenas *a)
{
    const struct arena_file *best = NULL;
    bool best_lives = false;
    for (size_t i = 0; i < a->n; i++) {
        const struct arena_file *f = a->files[i];
        uint32_t both = COVARENA_REQUEST | COVARENA_READY;
        if (f->unreadable || (f->header.flags & both) != both)
            continue;
        bool yes = lives(f);
        if (best && (best_lives > yes ||
                     (best_lives == yes && best->header.started_ms > f->header.started_ms)))
            continue;
        best = f;
        best_lives = yes;
    }
    return best;
}

bool arenas_others(const struct arenas *a)
{
    const struct arena_file *who = asker(a);
    bool any = a->told || a->ignored;
    for (size_t i = 0; i < a->n && !any; i++)
        any = a->files[i] != who && lives(a->files[i]);
    return any;
}

bool arenas_request(const struct arenas *a, struct covarena_request *ret, bool *ret_busy)
{
    const struct arena_file *who = asker(a);
    if (!who || pread(who->fd, ret, sizeof(*ret), sizeof(struct covarena_header)) != sizeof(*ret))
        return false;
    ret->id[sizeof(ret->id) - 1] = 0;
    for (char *p = ret->id; *p; p++)
        if (*p < 0x21 || *p > 0x7e)
            *p = '?';
    *ret_busy = who->header.flags & COVARENA_BUSY;
    return true;
}

/* ---- hits ---- */

bool arenas_known_news(const struct arenas *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->files[i]->unreadable ? !a->files[i]->said
                                    : a->files[i]->header.news != a->files[i]->news)
            return true;
    return false;
}

bool arenas_loss(struct arenas *a)
{
    bool any = false;
    for (size_t i = 0; i < a->n; i++) {
        any = any || (a->files[i]->unreadable && !a->files[i]->said);
        a->files[i]->said = a->files[i]->unreadable != NULL;
    }
    return any;
}

bool arenas_news(struct arenas *a)
{
    for (size_t i = 0; i < a->n; i++)
        read_header(a->files[i]);
    return arenas_known_news(a);
}

static bool takes(const struct arenas *a, const struct arena_file *f)
{
    return a->take && f->header.flags & COVARENA_CONTEXTS;
}

static int read_hits(const struct arenas *a, const struct arena_file *f, struct snapshot *ret)
{
    return takes(a, f) ? snapshot_take(ret, f->fd, ARENA_BYTES_MAX)
                       : snapshot_read(ret, f->fd, ARENA_BYTES_MAX);
}

void arenas_copy(struct arenas *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct arena_file *f = a->files[i];
        read_header(f);
        if (!f->unreadable && f->header.news != f->news)
            read_hits(a, f, &f->copy);
    }
}

void arenas_enter(struct arenas *a, struct ledger *l, bool of_copies, struct ledger_counts *counts)
{
    for (size_t i = 0; i < a->n; i++) {
        struct arena_file *f = a->files[i];
        if (of_copies) {
            if (f->copy.bytes)
                snapshot_enter(&f->copy, l, false, counts);
            snapshot_done(&f->copy);
            continue;
        }
        read_header(f);
        uint64_t news = f->header.news; /* read before the hits: what comes meanwhile is news */
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* arm64: also before what the kernel copies */
        if (f->unreadable || news == f->news)
            continue;
        struct snapshot s = {0};
        int r = read_hits(a, f, &s);
        if (r < 0)
            f->unreadable = r == -EFBIG ? "it is too big" : "it was cut short";
        else
            snapshot_enter(&s, l, takes(a, f), counts);
        snapshot_done(&s);
        f->news = news;
    }
}

/* ---- what to say of them ---- */

static void add_missing(struct buf *missing, const char *name, const char *text)
{
    buf_printf(missing, "%s%s: %s", missing->n ? "; " : "", name, text);
}

/* What a tracer has written; any bytes. */
static void add_told(struct buf *missing, const char *name, const char *from)
{
    char text[256];
    covarena_text(text, from);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    if (text[0])
        add_missing(missing, name, text);
}

void arenas_missing(const struct arenas *a, struct buf *missing)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct arena_file *f = a->files[i];
        struct stat st;
        if (f->unreadable)
            add_missing(missing, f->name, f->unreadable);
        add_told(missing, f->name, f->header.error);
        add_told(missing, f->name, f->header.note);
        if (f->header.lost)
            buf_printf(missing, "%s%s: no room for %llu hits", missing->n ? "; " : "", f->name,
                       (unsigned long long)f->header.lost);
        if (fstat(f->fd, &st) == 0 && !st.st_nlink)
            add_missing(missing, f->name, "it was removed by the function");
    }
    if (a->ignored)
        buf_printf(missing, "%s%zu processes more than can be looked at", missing->n ? "; " : "",
                   a->ignored);
}

uint32_t arenas_teller(const struct arenas *a)
{
    return a->pid;
}

bool arenas_about(const struct arenas *a, struct arenas_about *ret)
{
    for (size_t i = a->n; i > 0; i--) {
        const struct covarena_header *h = &a->files[i - 1]->header;
        if (a->files[i - 1]->unreadable)
            continue;
        *ret = (struct arenas_about){h->flags, h->python, h->pid};
        if (a->files[i - 1]->process >= 0)
            return true;
    }
    return a->n && ret->pid;
}
