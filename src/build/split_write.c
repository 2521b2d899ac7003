/* split_write - the folders and zips of a split: see split.h. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/body.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "build/split.h"
#include "build/tree.h"
#include "build/zip.h"

#include <fcntl.h>

static int failed(struct arena *a, struct split_parts *ret, int r, const char *what)
{
    ret->error = str_printf(a, "%s: %s", what, strerror(-r));
    return -EINVAL;
}

static int copy_one(struct arena *a, const char *from, const char *to)
{
    struct stat st;
    char target[4096];
    int r = fs_mkdirs(str_c(a, fs_dirname(a, str_from(to))), 0755);
    if (r < 0)
        return r;
    if (lstat(from, &st) < 0)
        return -errno;
    if (!S_ISLNK(st.st_mode))
        return fs_copy_file(from, to);
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    return symlink(target, to) < 0 ? -errno : 0;
}

static int pack(struct arena *a, const char *dir, const char *zip, struct split_part *part,
                struct split_parts *ret)
{
    struct zip_report report;
    struct stat st;
    uint8_t sum[32];
    if (zip_tree_pack(dir, "", zip, &report) < 0) {
        ret->error = str_copy(a, str_from(report.why));
        return -EINVAL;
    }
    auto_close int fd = open(zip, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return failed(a, ret, -errno, zip);
    struct body body = body_file(fd, 0, st.st_size);
    int n = digest_body(DIGEST_SHA256, &body, sum);
    if (n < 0)
        return failed(a, ret, n, zip);
    part->dir = str_copy(a, str_from(dir));
    part->zip = str_copy(a, str_from(zip));
    part->zipped_bytes = st.st_size;
    part->sha256 = hex_encode(a, sum, (size_t)n);
    int r = tree_size(dir, &part->unzipped_bytes, &part->files);
    return r < 0 ? failed(a, ret, r, dir) : 0;
}

static const char *part_path(struct arena *a, const char *out, int layer, const char *suffix)
{
    return layer < 0 ? str_printf(a, "%s/code%s", out, suffix).p
                     : str_printf(a, "%s/layer-%d%s", out, layer + 1, suffix).p;
}

static int copy_all(struct arena *a, const struct split_request *q, const struct split_plan *p,
                    const char *out, struct split_parts *ret)
{
    for (int i = -1; i < SPLIT_LAYERS_MAX; i++) {
        const char *dir = part_path(a, out, i, "");
        int r = fs_remove_tree(dir);
        unlink(part_path(a, out, i, ".zip"));
        if (r == 0 && i < p->n_layers)
            r = fs_mkdirs(dir, 0755);
        if (r < 0)
            return failed(a, ret, r, dir);
    }
    for (size_t i = 0; i < p->n_files; i++) {
        const struct split_file *f = &p->files[i];
        int layer = f->to.n ? p->items[f->item].layer : -1;
        struct str to = layer < 0 ? f->path : f->to;
        const char *name = str_printf(a, "%s/%.*s", part_path(a, out, layer, ""), STR(to)).p;
        int r = copy_one(a, str_c(a, fs_join(a, str_from(q->dir), f->path)), name);
        if (r < 0)
            return failed(a, ret, r, name);
    }
    return 0;
}

static int write_parts(struct arena *a, const struct split_request *q, const struct split_plan *p,
                       const char *out, struct split_parts *ret)
{
    int r = copy_all(a, q, p, out, ret);
    for (int i = -1; i < p->n_layers && r == 0; i++) {
        struct split_part *part = i < 0 ? &ret->code : &ret->layers[i];
        part->name = i < 0 ? S("code") : str_printf(a, "layer-%d", i + 1);
        r = pack(a, part_path(a, out, i, ""), part_path(a, out, i, ".zip"), part, ret);
    }
    ret->n_layers = p->n_layers;
    return r;
}

static bool too_big(const struct split_parts *p)
{
    for (int i = 0; i < p->n_layers; i++)
        if (p->layers[i].zipped_bytes > LAYER_ZIPPED_MAX)
            return true;
    return false;
}

int split_write(struct arena *a, const struct split_request *request, struct split_plan *plan,
                const char *out, struct split_parts *ret)
{
    struct split_request q = *request;
    *ret = (struct split_parts){0};
    int r = fs_mkdirs(out, 0755);
    if (r < 0)
        return failed(a, ret, r, out);
    const char *whole = str_printf(a, "%s/original.zip", out).p;
    r = pack(a, q.dir, whole, &ret->original, ret);
    if (r == 0)
        r = write_parts(a, &q, plan, out, ret);
    while (r == 0 && too_big(ret) && q.layers < q.max_layers) {
        q.layers++;
        r = split_plan(a, &q, plan);
        if (r == 0)
            r = write_parts(a, &q, plan, out, ret);
    }
    if (r < 0)
        return r;
    int64_t all = ret->code.unzipped_bytes;
    for (int i = 0; i < ret->n_layers; i++)
        all += ret->layers[i].unzipped_bytes;
    if (too_big(ret))
        ret->error =
            S("a layer's zip has more than 50 MB; allow more layers with --layers, or keep "
              "some packages in the code");
    else if (all > LAYER_UNZIPPED_MAX)
        ret->error = S("code and layers have more than 250 MB unzipped");
    return ret->error.n ? -EMSGSIZE : 0;
}
