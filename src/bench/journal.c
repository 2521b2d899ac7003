/* journal - see journal.h. */
#include "bench/journal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"

#define VERSION 1
#define VERSION_KEY "laminaBenchJournal"
#define SUFFIX ".jsonl"
#define FILE_MAX (16 << 20)

struct journal {
    struct arena *arena;
    int fd;
    struct str path;
    struct journal_head head;
    struct json *records;
    int64_t bytes; /* whole lines */
};

struct str journal_folder(struct arena *a)
{
    struct str state = str_from(getenv("XDG_STATE_HOME"));
    if (state.n && state.p[0] == '/')
        return fs_join(a, state, S("lamina/journal"));
    struct str home = str_from(getenv("HOME"));
    return fs_join(a, home.n ? home : S("/"), S(".local/state/lamina/journal"));
}

struct str journal_new_run(struct arena *a)
{
    uint32_t number;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        number = (uint32_t)clock_mono_ns();
    return str_printf(a, "%08x", number);
}

/* Names are as lasting as what is in the file only when the folder has been written, too. */
static int sync_folder(struct arena *a, struct str path)
{
    auto_close int fd = open(str_c(a, fs_dirname(a, path)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

static int append(struct journal *j, const struct json *v)
{
    struct str text = str_printf(j->arena, "%.*s\n", STR(json_text(j->arena, v, -1)));
    int r = fs_write_all(j->fd, text.p, text.n);
    if (r == 0 && fsync(j->fd) < 0)
        r = -errno;
    if (r == 0)
        j->bytes += (int64_t)text.n;
    else if (ftruncate(j->fd, j->bytes) < 0) /* half a line would spoil the next one */
        return -errno;
    return r;
}

static void set_text(struct arena *a, struct json *o, const char *name, struct str value)
{
    if (str_has(value))
        json_set(a, o, str_from(name), json_new_str(a, str_copy(a, value)));
}

static struct json *head_json(struct arena *a, const struct journal_head *h)
{
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S(VERSION_KEY), json_new_int(a, VERSION));
    set_text(a, o, "run", h->run);
    set_text(a, o, "target", h->target);
    set_text(a, o, "endpoint", h->endpoint);
    set_text(a, o, "region", h->region);
    set_text(a, o, "profile", h->profile);
    set_text(a, o, "function", h->function);
    set_text(a, o, "cloud", h->cloud);
    json_set(a, o, S("createdMs"), json_new_int(a, h->created_ms));
    return o;
}

static int head_read(const struct json *o, struct journal_head *ret)
{
    int64_t version;
    if (json_int(json_get(o, VERSION_KEY), &version) < 0 || version != VERSION ||
        json_int(json_get(o, "createdMs"), &ret->created_ms) < 0)
        return -EBADMSG;
    ret->run = json_get_str(o, "run");
    ret->target = json_get_str(o, "target");
    ret->endpoint = json_get_str(o, "endpoint");
    ret->region = json_get_str(o, "region");
    ret->profile = json_get_str(o, "profile");
    ret->function = json_get_str(o, "function");
    ret->cloud = json_get_str(o, "cloud");
    return ret->run.n && ret->target.n && ret->region.n && ret->function.n ? 0 : -EBADMSG;
}

static struct journal *journal_new(struct arena *a, int fd, struct str path)
{
    struct journal *j = ARENA_NEW(a, struct journal);
    j->arena = a;
    j->fd = fd;
    j->path = path;
    j->records = json_new(a, JSON_ARRAY);
    return j;
}

int journal_begin(struct arena *a, struct str folder, const struct journal_head *head,
                  struct journal **ret)
{
    struct str name = str_printf(a, "%lld-%.*s", (long long)head->created_ms, STR(head->run));
    struct str path = fs_join(a, folder, str_printf(a, "%.*s" SUFFIX, STR(name)));
    /* Under another name until it is whole and locked: nobody may take it over before. */
    const char *before = str_c(a, fs_join(a, folder, str_printf(a, ".%.*s.new", STR(name))));
    int r = fs_mkdirs(str_c(a, folder), 0700);
    if (r < 0)
        return r;
    auto_close int fd = open(before, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    struct journal *j = journal_new(a, fd, path);
    r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : append(j, head_json(a, head));
    if (r == 0 && rename(before, str_c(a, path)) < 0)
        r = -errno;
    if (r < 0) {
        unlink(before);
        return r;
    }
    r = sync_folder(a, path);
    if (r < 0) {
        unlink(str_c(a, path));
        return r;
    }
    j->head = *head;
    TAKE_FD(fd);
    *ret = j;
    return 0;
}

int journal_note(struct journal *j, const struct json *record)
{
    int r = append(j, record);
    if (r < 0)
        return r;
    json_add(j->records, json_copy(j->arena, record));
    return 0;
}

void journal_end(struct journal *j)
{
    if (!j)
        return;
    unlink(str_c(j->arena, j->path)); /* while the lock is held: see journal_take() */
    sync_folder(j->arena, j->path);
    journal_leave(j);
}

void journal_leave(struct journal *j)
{
    if (!j || j->fd < 0)
        return;
    close(TAKE_FD(j->fd));
}

static int read_lines(struct journal *j, struct str text)
{
    struct arena *a = j->arena;
    struct str line, rest = text;
    bool first = true;
    while (rest.n) {
        struct json *v;
        bool whole = str_cut(rest, '\n', &line, &rest);
        if (!whole) /* the write was cut off: what it announces has not been done */
            break;
        if (json_parse(a, line, &v, NULL) < 0)
            return -EBADMSG;
        if (first && head_read(v, &j->head) < 0)
            return -EBADMSG;
        if (!first)
            json_add(j->records, v);
        first = false;
        j->bytes += (int64_t)line.n + 1;
    }
    if (first)
        return -EBADMSG;
    return ftruncate(j->fd, j->bytes) < 0 ? -errno : 0;
}

int journal_take(struct arena *a, struct str path, struct journal **ret)
{
    struct stat st;
    struct str text;
    auto_close int fd =
        open(str_c(a, path), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid()) /* a pipe would be waited for */
        return -EBADMSG;
    if (st.st_nlink == 0) /* removed between open and lock: it has been undone */
        return -ENOENT;
    int r = fs_read(str_c(a, str_printf(a, "/proc/self/fd/%d", fd)), FILE_MAX, a, &text);
    if (r < 0)
        return r;
    struct journal *j = journal_new(a, fd, str_copy(a, path));
    r = read_lines(j, text);
    if (r < 0)
        return r;
    TAKE_FD(fd);
    *ret = j;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

int journal_list(struct arena *a, struct str folder, struct str **ret, size_t *ret_n)
{
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    DIR *dir = opendir(str_c(a, folder));
    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *e; (e = readdir(dir));) {
        struct str name = str_from(e->d_name);
        if (name.p[0] == '.' || !str_ends(name, S(SUFFIX)))
            continue;
        *(struct str *)arena_push(a, (void **)ret, ret_n, &cap, sizeof(**ret)) =
            fs_join(a, folder, str_copy(a, name));
    }
    closedir(dir);
    if (*ret_n)
        qsort(*ret, *ret_n, sizeof(**ret), by_name);
    return 0;
}

const struct journal_head *journal_head(const struct journal *j)
{
    return &j->head;
}

const struct json *journal_records(const struct journal *j)
{
    return j->records;
}

struct str journal_path(const struct journal *j)
{
    return j->path;
}
