/* image_files - the files an image consists of, whether they stand in a folder or in a tar. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "build/image.h"
#include "build/tar.h"

#define MEMBERS_MAX 20000
#define LINKS_MAX 8

struct member {
    int64_t offset, size;
    struct str target; /* of a link, as a member's name; absent for files */
};

struct image_files {
    int fd;
    bool is_tar;
    struct map members; /* of the tar */
    struct arena *arena;
};

int image_fail(struct image_report *report, enum image_fault fault, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report->fault = fault;
    vsnprintf(report->why, sizeof(report->why), fmt, ap);
    va_end(ap);
    /* Names may hold anything; the line goes to people's terminals. */
    for (char *p = report->why; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return -EINVAL;
}

int image_fail_system(struct image_report *report, int error, struct str what)
{
    report->error = error;
    return image_fail(report, IMAGE_FAULT_SYSTEM, "%.*s: %s", STR(what), strerror(-error));
}

/* "./a//b/../c" of a link in folder `dir` as a member's name; absent when it leaves the archive. */
static struct str resolve(struct arena *a, struct str dir, struct str name)
{
    struct str all = dir.n ? str_printf(a, "%.*s/%.*s", STR(dir), STR(name)) : name;
    char *out = arena_alloc(a, all.n + 1);
    size_t n = 0;
    struct str rest = all, part;
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &part, &rest);
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            if (n == 0)
                return (struct str){0};
            ssize_t slash = str_find_last_byte(str_of(out, n), '/');
            n = slash < 0 ? 0 : (size_t)slash;
            continue;
        }
        if (n)
            out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    return str_of(out, n);
}

static struct str folder_of(struct str name)
{
    ssize_t slash = str_find_last_byte(name, '/');
    return slash < 0 ? S("") : str_slice(name, 0, (size_t)slash);
}

/* ---- a tar: its members' places ---- */

struct reader {
    int fd;
};

static int read_some(void *user, void *p, size_t n, size_t *ret_n)
{
    struct reader *from = user;
    ssize_t got = read(from->fd, p, n);
    if (got < 0)
        return -errno;
    *ret_n = (size_t)got;
    return 0;
}

/* Contents are jumped over: a tar of gigabytes has a few members. */
static int jump(struct tar *t, int fd)
{
    int64_t rest = t->left + t->padding;
    if (rest > 0 && lseek(fd, rest, SEEK_CUR) < 0)
        return -errno;
    t->pos += rest;
    t->left = t->padding = 0;
    return 0;
}

static int add_member(struct image_files *f, const struct tar *t, const struct tar_entry *e)
{
    struct arena *a = f->arena;
    struct str name = resolve(a, S(""), e->name);
    if (e->type == TAR_FOLDER || e->type == TAR_OTHER || !name.n)
        return 0;
    struct member *m = ARENA_NEW(a, struct member);
    m->offset = t->pos;
    m->size = e->size;
    if (e->type == TAR_SYMLINK)
        m->target = resolve(a, folder_of(name), e->target);
    else if (e->type == TAR_HARDLINK)
        m->target = resolve(a, S(""), e->target);
    if (e->type != TAR_FILE && !m->target.n)
        return 0; /* it leads out: it is as good as not there */
    map_put(&f->members, name, m);
    return f->members.n > MEMBERS_MAX ? -EMSGSIZE : 0;
}

static int index_tar(struct image_files *f, const char *path, int64_t size,
                     struct image_report *report)
{
    auto_free struct tar *t = MEM_NEW(struct tar);
    struct reader from = {f->fd};
    struct tar_entry e;
    unsigned char magic[4] = {0};
    if (pread(f->fd, magic, 4, 0) == 4) {
        if (magic[0] == 0x1f && magic[1] == 0x8b)
            return image_fail(report, IMAGE_FAULT_UNSUPPORTED,
                              "%s is compressed as a whole: gunzip it first", path);
        if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
            return image_fail(report, IMAGE_FAULT_UNSUPPORTED,
                              "%s is compressed with zstd, which is not supported", path);
    }
    tar_init(t, read_some, &from);
    int r;
    while ((r = tar_next(t, &e)) > 0) {
        r = add_member(f, t, &e);
        if (r < 0)
            return image_fail(report, IMAGE_FAULT_SIZE, "%s has too many members", path);
        if (t->left > size - t->pos) /* pax sizes go to the end of numbers: no sum of them */
            return image_fail(report, IMAGE_FAULT_BAD, "%s is cut off", path);
        r = jump(t, f->fd);
        if (r < 0)
            return image_fail_system(report, r, str_from(path));
    }
    if (r == -EBADMSG)
        return image_fail(report, IMAGE_FAULT_BAD, "%s is not a tar of an image: %s", path, t->why);
    if (r < 0)
        return image_fail_system(report, r, str_from(path));
    return 0;
}

/* ---- both ---- */

int image_files_open(struct arena *a, const char *path, struct image_files **ret,
                     struct image_report *report)
{
    /* Non-blocking: a pipe of that name must not stop the thread. */
    auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return image_fail(report, IMAGE_FAULT_MISSING, "%s does not exist", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return image_fail(report, IMAGE_FAULT_MISSING, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return image_fail(report, IMAGE_FAULT_BAD, "%s is neither a folder nor a file", path);
    struct image_files *f = ARENA_NEW(a, struct image_files);
    *f = (struct image_files){.fd = TAKE_FD(fd), .is_tar = S_ISREG(st.st_mode), .arena = a};
    map_init(&f->members);
    int r = f->is_tar ? index_tar(f, path, st.st_size, report) : 0;
    if (r < 0) {
        image_files_close(f);
        return r;
    }
    *ret = f;
    return 0;
}

void image_files_close(struct image_files *f)
{
    if (!f)
        return;
    close(f->fd);
    map_done(&f->members);
}

static int get_from_folder(struct image_files *f, struct str member, struct image_part *ret)
{
    char name[TAR_NAME_MAX + 1];
    if (member.n == 0 || member.n > TAR_NAME_MAX || memchr(member.p, 0, member.n))
        return -ENOENT;
    memcpy(name, member.p, member.n);
    name[member.n] = 0;
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    auto_close int fd = (int)syscall(SYS_openat2, f->fd, name, &how, sizeof(how));
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == EXDEV || errno == ENOTDIR || errno == ELOOP ? -ENOENT : -errno;
    if (!S_ISREG(st.st_mode))
        return -ENOENT;
    *ret = (struct image_part){TAKE_FD(fd), 0, st.st_size};
    return 0;
}

int image_files_get(struct image_files *f, struct str member, struct image_part *ret)
{
    if (!f->is_tar)
        return get_from_folder(f, member, ret);
    const struct member *m = map_find(&f->members, member);
    for (int i = 0; m && str_has(m->target) && i < LINKS_MAX; i++)
        m = map_find(&f->members, m->target);
    if (!m || str_has(m->target))
        return -ENOENT;
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    *ret = (struct image_part){fd, m->offset, m->size};
    return 0;
}
