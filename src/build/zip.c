/* zip - deployment packages: what packing and unpacking share, and packing. */
#include "build/zip.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/libzip.h"

static int pack_failed(struct zip_report *report, int error, const char *what, const char *name)
{
    report->fault = ZIP_FAULT_SYSTEM;
    report->error = error;
    snprintf(report->why, sizeof(report->why), "%s %s: %s", what, name, strerror(-error));
    return -EINVAL;
}

/* The 2-second clock of zip cannot say less than 1980; libzip asks for time_t in local time, and
 * takes DOS words as they are. */
#define DOS_DATE_1980 ((0 << 9) | (1 << 5) | 1)

static int add_entry(zip_t *z, struct arena *a, const char *dir, const char *prefix,
                     struct str name, struct zip_report *report)
{
    char *path = str_c(a, fs_join(a, str_from(dir), name));
    char *inside = str_c(a, str_printf(a, "%s%.*s", prefix, STR(name)));
    struct stat st;
    if (lstat(path, &st) < 0)
        return pack_failed(report, -errno, "cannot read", path);

    zip_source_t *source;
    zip_uint32_t mode;
    if (S_ISLNK(st.st_mode)) {
        char *target = arena_alloc(a, 4096);
        ssize_t n = readlink(path, target, 4096);
        if (n < 0)
            return pack_failed(report, -errno, "cannot read link", path);
        source = libzip.source_buffer(z, target, (zip_uint64_t)n, 0);
        mode = S_IFLNK | 0777;
    } else {
        source = libzip.source_file(z, path, 0, -1);
        mode = S_IFREG | (st.st_mode & 0100 ? 0755 : 0644);
        report->unpacked_bytes += st.st_size;
    }
    if (!source)
        return pack_failed(report, -ENOMEM, "cannot read", path);
    zip_int64_t i = libzip.file_add(z, inside, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        libzip.source_free(source);
        return pack_failed(report, -EINVAL, "cannot add", inside);
    }
    report->n_entries++;
    if (libzip.file_set_dostime(z, (zip_uint64_t)i, 0, DOS_DATE_1980, 0) < 0 ||
        libzip.file_set_external_attributes(z, (zip_uint64_t)i, 0, ZIP_OPSYS_UNIX, mode << 16) <
            0 ||
        libzip.set_file_compression(z, (zip_uint64_t)i,
                                    S_ISLNK(st.st_mode) ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 6) < 0)
        return pack_failed(report, -EINVAL, "cannot add", inside);
    return 0;
}

int zip_tree_pack(const char *dir, const char *prefix, const char *zip_path, struct zip_report *ret)
{
    auto_arena struct arena a;
    arena_init(&a);
    *ret = (struct zip_report){0};

    struct str *names;
    size_t n;
    int r = fs_walk(&a, dir, &names, &n);
    if (r < 0)
        return pack_failed(ret, r, "cannot read", dir);
    if (fs_is_special(zip_path)) /* a zip is not written from its beginning to its end */
        return pack_failed(ret, -ENODEV, "only files can be zips, not", zip_path);
    r = libzip_load();
    if (r < 0)
        return pack_failed(ret, r, "cannot use", "libzip");

    char *tmp = str_c(&a, str_printf(&a, "%s.%d.tmp", zip_path, (int)getpid()));
    int error = 0;
    zip_t *z = libzip.open(tmp, ZIP_CREATE | ZIP_TRUNCATE, &error);
    if (!z)
        return pack_failed(ret, -EIO, "cannot write", tmp);
    for (size_t i = 0; i < n; i++) {
        if (str_ends(names[i], S("/")))
            continue; /* folders come into being with their files */
        r = add_entry(z, &a, dir, prefix, names[i], ret);
        if (r < 0) {
            libzip.discard(z);
            return r;
        }
    }
    if (ret->n_entries == 0) {
        /* libzip writes no file at all for an empty archive: the 22 bytes that say so. */
        libzip.discard(z);
        r = fs_write(zip_path, str_of("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22), 0644);
        return r < 0 ? pack_failed(ret, r, "cannot write", zip_path) : 0;
    }
    if (libzip.close(z) < 0) {
        int system_error = libzip.error_code_system(libzip.get_error(z));
        libzip.discard(z);
        unlink(tmp);
        return pack_failed(ret, system_error ? -system_error : -EIO, "cannot write", zip_path);
    }
    chmod(tmp, 0644);
    if (rename(tmp, zip_path) < 0) {
        r = -errno;
        unlink(tmp);
        return pack_failed(ret, r, "cannot write", zip_path);
    }
    return 0;
}
