/* image - container images on disk: OCI layouts and what `docker save` writes, as folders or tars.
 * May use base.
 *
 * Blocks; call it on a worker thread. Nothing of an image is believed: documents and layers are
 * held against their digests, names are resolved beneath the folder they are unpacked to, and all
 * sizes have limits. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define IMAGE_MAX_BYTES (10LL << 30)
#define IMAGE_MAX_ENTRIES 1000000
#define IMAGE_MAX_LAYERS 127

enum image_fault {
    IMAGE_FAULT_NONE,
    IMAGE_FAULT_MISSING,      /* no such file, tag or digest */
    IMAGE_FAULT_BAD,          /* damaged, or not an image */
    IMAGE_FAULT_UNSUPPORTED,  /* a media type, compression or hash that is not read here */
    IMAGE_FAULT_ARCHITECTURE, /* made for another processor, or another system than Linux */
    IMAGE_FAULT_UNSAFE,       /* a name leads out of the image */
    IMAGE_FAULT_SIZE,         /* unpacks to more than allowed */
    IMAGE_FAULT_SYSTEM,       /* the disk, not the image: error has -errno */
};

struct image_report {
    enum image_fault fault;
    int error;     /* -errno of IMAGE_FAULT_SYSTEM */
    char why[320]; /* one line; "" without fault */
    int64_t unpacked_bytes, n_entries;
    int64_t n_skipped; /* devices and pipes, which are not made */
};

struct image_layer {
    struct str member;  /* its file in the image */
    struct str digest;  /* SHA-256 of the file, hex; absent where none is written down */
    struct str diff_id; /* SHA-256 of the tar in it */
};

struct image {
    struct str digest;       /* SHA-256, hex: of the manifest, or of the configuration for older
                              * `docker save` tars, which have no manifest */
    struct str architecture; /* amd64, arm64 */
    struct str *env, *entrypoint, *command;
    size_t n_env, n_entrypoint, n_command;
    struct str working_dir, user; /* "" when the image has none */
    struct image_layer *layers;
    size_t n_layers;

    struct image_files *files;
};

/* wanted: a tag, or "sha256:HEX"; absent: the only image there, or the one tagged latest.
 * architecture: amd64 or arm64. 0, or -EINVAL with *report; the image's texts live in the arena,
 * its files are open until image_close(). */
int image_open(struct arena *a, const char *path, struct str wanted, struct str architecture,
               struct image *ret, struct image_report *report);
void image_close(struct image *image);

/* Unpacks all layers into dir, which must exist and be empty, and sees to it that the places an
 * environment mounts something at (/dev, /etc/hosts, /etc/resolv.conf, /proc, /tmp) are there and
 * no links. Links inside may lead anywhere: whoever looks into the folder from outside has to
 * resolve names with RESOLVE_IN_ROOT. Set-id bits, owners, devices and extended attributes are
 * dropped. 0, or -EINVAL with *report: what had been written is left to the caller to remove. */
int image_unpack(struct image *image, const char *dir, int64_t max_bytes,
                 struct image_report *report);

/* file:///path/to/image[:tag][@sha256:hex] to its parts. False when it is something else. A ':' is
 * part of the path when a file of that name exists. */
bool image_uri_parse(struct arena *a, struct str uri, struct str *ret_path, struct str *ret_wanted);

/* image_files.c: members of a folder or a tar. */
struct image_part {
    int fd;
    int64_t offset, size;
};
int image_files_open(struct arena *a, const char *path, struct image_files **ret,
                     struct image_report *report);
void image_files_close(struct image_files *f); /* accepts NULL */
/* -ENOENT; the descriptor is the caller's. */
int image_files_get(struct image_files *f, struct str member, struct image_part *ret);
int image_fail(struct image_report *report, enum image_fault fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int image_fail_system(struct image_report *report, int error, struct str what);
