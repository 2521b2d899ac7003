/* unzip - the reading half of zip.h: bytes from strangers become files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "build/libzip.h"
#include "build/zip.h"

#define DEPTH_MAX 256 /* whoever walks the tree holds a descriptor a level */

struct unzip {
    zip_t *zip;
    int root; /* the folder everything goes to; -1 when only checking */
    int64_t max_bytes;
    struct arena arena;
    struct zip_report *report;

    /* The folder of the entry before: entries come sorted mostly, so it is the next one's too. */
    int last_dir;
    struct str last_dir_name;
    int64_t n_folders;

    /* Links are made at the end, when no file can be written through them any more. */
    struct link {
        struct str name, target;
    } * links;
    size_t n_links, cap_links;
};

static int refuse(struct unzip *u, enum zip_fault fault, const char *what, struct str name)
{
    u->report->fault = fault;
    /* A name may hold anything; the line goes to people's terminals. */
    char shown[128];
    size_t n = name.n < sizeof(shown) - 1 ? name.n : sizeof(shown) - 1;
    for (size_t i = 0; i < n; i++)
        shown[i] = (unsigned char)name.p[i] < 0x20 ? '?' : name.p[i];
    shown[n] = 0;
    snprintf(u->report->why, sizeof(u->report->why), "%s%s%s", what, n ? ": " : "", shown);
    return -EINVAL;
}

static int system_failed(struct unzip *u, int error, struct str name)
{
    int r = refuse(u, ZIP_FAULT_SYSTEM, strerror(-error), name);
    u->report->error = error;
    return r;
}

/* True when the path, taken from a folder `depth` levels below the root, stays below the root. */
static bool stays_inside(struct str path, int depth)
{
    if (path.n == 0 || path.p[0] == '/')
        return false;
    struct str rest = path, part;
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &part, &rest);
        if (str_is(part, ".."))
            depth--;
        else if (part.n && !str_is(part, "."))
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}

static bool name_is_safe(struct str name)
{
    if (name.n == 0 || name.n > 4000 || name.p[0] == '/' || memchr(name.p, 0, name.n))
        return false;
    struct str rest = name, part;
    int depth = 0;
    for (bool more = true; more; depth++) {
        more = str_cut(rest, '/', &part, &rest);
        if (str_is(part, "..") || part.n > 255)
            return false;
    }
    return depth <= DEPTH_MAX;
}

/* Without "./", "//" and a final '/', so that one file has one spelling. */
static struct str tidy_name(struct arena *a, struct str name)
{
    char *p = arena_alloc(a, name.n + 1);
    size_t n = 0;
    struct str rest = name, part;
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &part, &rest);
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (n)
            p[n++] = '/';
        memcpy(p + n, part.p, part.n);
        n += part.n;
    }
    p[n] = 0;
    return str_of(p, n);
}

static int open_beneath(int root, const char *path, uint64_t flags, mode_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

/* The folder `name` of `parent`, made when it is missing. */
static int enter(struct unzip *u, int parent, const char *name)
{
    const uint64_t flags = O_DIRECTORY | O_PATH | O_NOFOLLOW;
    int fd = open_beneath(parent, name, flags, 0);
    if (fd != -ENOENT)
        return fd;
    /* A name of some kilobytes makes a thousand folders: they are counted like files. */
    if (++u->n_folders > ZIP_MAX_ENTRIES)
        return -EMLINK;
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    return open_beneath(parent, name, flags, 0);
}

/* A descriptor of the folder, made with its parents when missing. Borrowed until the next call. */
static int folder(struct unzip *u, struct str name)
{
    if (name.n == 0)
        return u->root;
    if (u->last_dir >= 0 && str_eq(name, u->last_dir_name))
        return u->last_dir;
    auto_close int at = -1;
    struct str rest = name, part;
    for (bool more = true; more;) {
        char text[NAME_MAX + 1];
        more = str_cut(rest, '/', &part, &rest);
        if (part.n >= sizeof(text))
            return -ENAMETOOLONG;
        memcpy(text, part.p, part.n);
        text[part.n] = 0;
        int fd = enter(u, at < 0 ? u->root : at, text);
        if (fd < 0)
            return fd;
        if (at >= 0)
            close(at);
        at = fd;
    }
    if (u->last_dir >= 0)
        close(u->last_dir);
    u->last_dir = TAKE_FD(at);
    u->last_dir_name = name;
    return u->last_dir;
}

static int folder_failed(struct unzip *u, int error, struct str name)
{
    if (error == -ENOTDIR || error == -ELOOP || error == -EEXIST)
        return refuse(u, ZIP_FAULT_BAD, "a file stands where a folder is needed", name);
    if (error == -EMLINK)
        return refuse(u, ZIP_FAULT_SIZE, "too many folders", name);
    return system_failed(u, error, name);
}

static int parent_of(struct unzip *u, struct str name, char **ret_base)
{
    ssize_t slash = str_find_last_byte(name, '/');
    *ret_base = str_c(&u->arena, str_slice(name, (size_t)(slash + 1), name.n));
    return folder(u, slash < 0 ? S("") : str_slice(name, 0, (size_t)slash));
}

static int write_file(struct unzip *u, zip_uint64_t index, struct str name, mode_t mode)
{
    char *base;
    int parent = parent_of(u, name, &base);
    if (parent < 0)
        return folder_failed(u, parent, name);
    auto_close int fd = open_beneath(parent, base, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd == -EEXIST) { /* twice in the zip: the last one counts */
        if (unlinkat(parent, base, 0) < 0)
            return refuse(u, ZIP_FAULT_BAD, "a folder stands where a file is needed", name);
        fd = open_beneath(parent, base, O_WRONLY | O_CREAT | O_EXCL, 0600);
    }
    if (fd < 0)
        return system_failed(u, fd, name);

    zip_file_t *file = libzip.fopen_index(u->zip, index, 0);
    if (!file)
        return refuse(u, ZIP_FAULT_BAD, libzip.strerror(u->zip), name);
    char chunk[65536];
    int r = 0;
    for (;;) {
        zip_int64_t n = libzip.fread(file, chunk, sizeof(chunk));
        if (n < 0) {
            r = refuse(u, ZIP_FAULT_BAD, "damaged", name);
            break;
        }
        if (n == 0)
            break;
        u->report->unpacked_bytes += n;
        if (u->report->unpacked_bytes > u->max_bytes) {
            r = refuse(u, ZIP_FAULT_SIZE, "unpacks to more than allowed", name);
            break;
        }
        ssize_t done = 0;
        while (done < n) {
            ssize_t w = write(fd, chunk + done, (size_t)(n - done));
            if (w < 0 && errno == EINTR)
                continue;
            if (w < 0) {
                r = system_failed(u, -errno, name);
                break;
            }
            done += w;
        }
        if (r < 0)
            break;
    }
    if (libzip.fclose(file) != 0 && r == 0)
        r = refuse(u, ZIP_FAULT_BAD, "damaged", name);
    if (r == 0 && fchmod(fd, mode) < 0)
        r = system_failed(u, -errno, name);
    return r;
}

static int read_link(struct unzip *u, zip_uint64_t index, const zip_stat_t *st, struct str name)
{
    if (!(st->valid & ZIP_STAT_SIZE) || st->size == 0 || st->size > 4000)
        return refuse(u, ZIP_FAULT_BAD, "a link without a sensible target", name);
    char *target = arena_alloc(&u->arena, (size_t)st->size + 1);
    zip_file_t *file = libzip.fopen_index(u->zip, index, 0);
    if (!file)
        return refuse(u, ZIP_FAULT_BAD, libzip.strerror(u->zip), name);
    zip_int64_t n = libzip.fread(file, target, st->size);
    libzip.fclose(file);
    if (n != (zip_int64_t)st->size)
        return refuse(u, ZIP_FAULT_BAD, "damaged", name);
    struct link link = {name, str_of(target, (size_t)n)};
    int depth = 0;
    for (size_t i = 0; i < name.n; i++)
        depth += name.p[i] == '/';
    if (memchr(target, 0, (size_t)n) || !stays_inside(link.target, depth))
        return refuse(u, ZIP_FAULT_UNSAFE, "a link leads out of the package", name);
    struct link *slot =
        arena_push(&u->arena, (void **)&u->links, &u->n_links, &u->cap_links, sizeof(link));
    *slot = link;
    return 0;
}

/* Targets stay below the root as text; a link through another link could still climb out, so after
 * all are made each has to be opened from the root without leaving it (a dangling one may stay). */
static int make_links(struct unzip *u)
{
    for (size_t i = 0; i < u->n_links; i++) {
        struct link *l = &u->links[i];
        char *base;
        int parent = parent_of(u, l->name, &base);
        if (parent < 0)
            return folder_failed(u, parent, l->name);
        if (symlinkat(str_c(&u->arena, l->target), parent, base) < 0) {
            if (errno != EEXIST)
                return system_failed(u, -errno, l->name);
            return refuse(u, ZIP_FAULT_BAD, "a link stands where a file is", l->name);
        }
    }
    for (size_t i = 0; i < u->n_links; i++) {
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
        auto_close int fd = (int)syscall(SYS_openat2, u->root, str_c(&u->arena, u->links[i].name),
                                         &how, sizeof(how));
        if (fd < 0 && errno == EXDEV)
            return refuse(u, ZIP_FAULT_UNSAFE, "a link leads out of the package", u->links[i].name);
    }
    return 0;
}

static int one_entry(struct unzip *u, zip_uint64_t index, int64_t *announced)
{
    zip_stat_t st;
    const char *raw = libzip.get_name(u->zip, index, ZIP_FL_ENC_GUESS);
    if (!raw || libzip.stat_index(u->zip, index, 0, &st) < 0)
        return refuse(u, ZIP_FAULT_BAD, "damaged entry", S(""));
    struct str name = str_copy(&u->arena, str_from(raw));
    if (!name_is_safe(name))
        return refuse(u, ZIP_FAULT_UNSAFE, "a name leads out of the package, or too deep", name);
    if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
        return refuse(u, ZIP_FAULT_BAD, "encrypted", name);
    if ((st.valid & ZIP_STAT_COMP_METHOD) &&
        !libzip.compression_method_supported(st.comp_method, 0))
        return refuse(u, ZIP_FAULT_BAD, "unknown compression", name);
    if (st.valid & ZIP_STAT_SIZE) {
        if (st.size > (zip_uint64_t)u->max_bytes || (*announced += (int64_t)st.size) > u->max_bytes)
            return refuse(u, ZIP_FAULT_SIZE, "unpacks to more than allowed", name);
    }

    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    libzip.file_get_external_attributes(u->zip, index, 0, &system, &attributes);
    mode_t mode = system == ZIP_OPSYS_UNIX || system == ZIP_OPSYS_OS_X ? attributes >> 16 : 0;
    u->report->n_entries++;

    struct str tidy = tidy_name(&u->arena, name);
    if (S_ISLNK(mode))
        return read_link(u, index, &st, tidy);
    if (u->root < 0)
        return 0;
    if (name.p[name.n - 1] == '/' || tidy.n == 0) {
        int fd = folder(u, tidy);
        return fd < 0 ? folder_failed(u, fd, name) : 0;
    }
    if (S_ISDIR(mode) || (mode & S_IFMT && !S_ISREG(mode)))
        return refuse(u, ZIP_FAULT_BAD, "neither a file nor a folder", name);
    /* AWS leaves files as they are packed, and a function cannot read what Python's writestr()
     * makes (0600). Nobody has wanted that: here they are readable. */
    mode = mode & 0777 ? (mode & 0755) | 0444 : 0644;
    return write_file(u, index, tidy, mode);
}

static int all_entries(struct unzip *u)
{
    zip_int64_t n = libzip.get_num_entries(u->zip, 0);
    if (n > ZIP_MAX_ENTRIES)
        return refuse(u, ZIP_FAULT_SIZE, "too many files", S(""));
    int64_t announced = 0;
    for (zip_int64_t i = 0; i < n; i++) {
        int r = one_entry(u, (zip_uint64_t)i, &announced);
        if (r < 0)
            return r;
    }
    if (u->root >= 0)
        return make_links(u);
    u->report->unpacked_bytes = announced;
    return 0;
}

static int run(const char *zip_path, int root, int64_t max_bytes, struct zip_report *ret)
{
    struct unzip u = {.root = root, .last_dir = -1, .max_bytes = max_bytes, .report = ret};
    *ret = (struct zip_report){0};
    arena_init(&u.arena);
    int error = 0, r = libzip_load();
    if (r < 0)
        return system_failed(&u, r, S("libzip"));
    u.zip = libzip.open(zip_path, ZIP_RDONLY, &error);
    if (!u.zip) {
        if (error == ZIP_ER_OPEN || error == ZIP_ER_NOENT)
            r = system_failed(&u, -ENOENT, S(""));
        else
            r = refuse(&u, ZIP_FAULT_BAD, "not a zip file", S(""));
    } else {
        r = all_entries(&u);
        libzip.discard(u.zip);
    }
    if (u.last_dir >= 0)
        close(u.last_dir);
    arena_done(&u.arena);
    return r;
}

int zip_tree_check(const char *zip_path, int64_t max_bytes, struct zip_report *ret)
{
    return run(zip_path, -1, max_bytes, ret);
}

int zip_tree_unpack(const char *zip_path, const char *dir, int64_t max_bytes,
                    struct zip_report *ret)
{
    auto_close int root = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (root < 0) {
        *ret = (struct zip_report){.fault = ZIP_FAULT_SYSTEM, .error = -errno};
        snprintf(ret->why, sizeof(ret->why), "%s: %s", dir, strerror(errno));
        return -EINVAL;
    }
    return run(zip_path, root, max_bytes, ret);
}
