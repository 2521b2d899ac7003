/* zip - deployment packages: a zip file to a folder, and a folder to a zip file. May use base.
 *
 * Both work on whole files, block, and know nothing of loops: call them on a worker thread. */
#pragma once
#include <stdio.h>
#include "base/str.h"

enum zip_fault {
    ZIP_FAULT_NONE,
    ZIP_FAULT_BAD,    /* not a zip file, damaged, encrypted, or compressed in an unknown way */
    ZIP_FAULT_UNSAFE, /* a name or link leads out of the folder */
    ZIP_FAULT_SIZE,   /* unpacks to more than allowed */
    ZIP_FAULT_SYSTEM, /* the disk, not the zip: error has -errno */
};

struct zip_report {
    enum zip_fault fault;
    int error;              /* -errno of ZIP_FAULT_SYSTEM */
    char why[256];          /* one line naming the entry; "" without fault */
    int64_t unpacked_bytes; /* of all files together */
    int64_t n_entries;
};

#define ZIP_MAX_ENTRIES 200000

/* Looks at everything that can be known without unpacking: names, links, announced sizes.
 * 0, or -EINVAL with *ret filled. */
int zip_tree_check(const char *zip_path, int64_t max_bytes, struct zip_report *ret);

/* Unpacks into dir, which must exist and be empty. Nothing is ever written outside of it, whatever
 * the zip says; announced sizes are not believed. Files keep their modes, but everybody may read
 * them (and 0644 when the zip has no modes); folders are 0755. 0, or -EINVAL with *ret filled: what
 * had been written by then is left to the caller to remove. */
int zip_tree_unpack(const char *zip_path, const char *dir, int64_t max_bytes,
                    struct zip_report *ret);

/* Packs all files and links below dir, names prefixed with `prefix` ("" or "python/"). The same
 * content gives the same bytes: names are sorted, times are 1980-01-01, modes are 0755 for what the
 * owner may execute and 0644 otherwise. Replaces zip_path by rename. */
int zip_tree_pack(const char *dir, const char *prefix, const char *zip_path,
                  struct zip_report *ret);
