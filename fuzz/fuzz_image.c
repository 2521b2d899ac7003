/* fuzz_image - images from strangers: whatever the bytes, nothing may appear outside of the folder,
 * and nothing in it that could do harm. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/image.h"

#define MAX_BYTES (1 << 20)

/* No set-id bits, no devices or pipes. */
static void check(int parent, const char *name)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        abort();
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        abort();
    if (!S_ISLNK(st.st_mode) && (st.st_mode & (S_ISUID | S_ISGID)))
        abort();
    if (!S_ISDIR(st.st_mode))
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        abort();
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            check(fd, e->d_name);
    closedir(d);
}

/* The bytes as the second layer of an image, over one that has things to stumble over. */
static void as_layer(struct arena *a, const char *dir, const char *root, const uint8_t *data,
                     size_t n)
{
    struct image_report report = {0};
    struct image image = {0};
    struct str bytes = str_of((const char *)data, n);
    const char *layout = str_printf(a, "%s/layout", dir).p;
    if (fs_mkdirs(layout, 0755) < 0 ||
        fs_write(str_printf(a, "%s/layer", layout).p, bytes, 0644) < 0 ||
        image_files_open(a, layout, &image.files, &report) < 0)
        abort();
    image.layers = ARENA_NEW(a, struct image_layer);
    image.layers[0] = (struct image_layer){.member = S("layer"), .diff_id = sha256_hex(a, bytes)};
    image.n_layers = 1;
    fs_mkdirs(str_printf(a, "%s/usr/lib", root).p, 0755);
    if (symlink("usr/lib", str_printf(a, "%s/lib", root).p) < 0 ||
        symlink(dir, str_printf(a, "%s/out", root).p) < 0 ||
        symlink("../../..", str_printf(a, "%s/up", root).p) < 0)
        abort();
    image_unpack(&image, root, MAX_BYTES, &report);
    if (report.unpacked_bytes > MAX_BYTES + 200000)
        abort();
    image_close(&image);
    fs_remove_tree(layout);
}

static void as_image(struct arena *a, const char *dir, const char *root, const uint8_t *data,
                     size_t n)
{
    struct image_report report;
    struct image image;
    const char *tar = str_printf(a, "%s/image.tar", dir).p;
    if (fs_write(tar, str_of((const char *)data, n), 0644) < 0)
        abort();
    if (image_open(a, tar, (struct str){0}, S("amd64"), &image, &report) == 0) {
        image_unpack(&image, root, MAX_BYTES, &report);
        image_close(&image);
    }
    unlink(tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char dir[] = "/tmp/fuzz_image.XXXXXX";
    if (n == 0 || !mkdtemp(dir))
        return 0;
    auto_arena struct arena a;
    arena_init(&a);
    const char *root = str_printf(&a, "%s/root", dir).p;
    if (mkdir(root, 0755) < 0)
        abort();
    if (data[0] & 1)
        as_image(&a, dir, root, data + 1, n - 1);
    else
        as_layer(&a, dir, root, data + 1, n - 1);
    check(AT_FDCWD, root);
    fs_remove_tree(root);
    if (rmdir(dir) < 0) /* something stands beside it */
        abort();
    return 0;
}
