/* layer - a layer's zip from a Python package or a requirements.txt. May use base. Blocks.
 *
 * The same inputs give the same bytes: names sorted, fixed times and modes. Results are kept in a
 * cache folder under the digest of the inputs, so that nothing is installed again when nothing
 * changed. */
#pragma once
#include "base/str.h"
#include "build/python.h"

#define LAYER_ZIPPED_MAX (50LL * 1024 * 1024)    /* what a direct upload may have */
#define LAYER_UNZIPPED_MAX (250LL * 1024 * 1024) /* of a function with all of its layers */

struct layer_request {
    struct str source;       /* requirements.txt, or a package's folder */
    struct str runtime;      /* python3.11 */
    struct str architecture; /* absent: x86_64 */
    struct str output;       /* layer.zip */
    struct str cache_dir;    /* absent: no cache */
    bool check_imports;
};

struct layer_report {
    struct str error;
    bool cached;
    struct str inputs; /* digest of what went in */
    struct str sha256; /* of the zip, hex */
    int64_t zipped_bytes, unzipped_bytes, files;
    struct python_report python;
};

/* -EINVAL with ret->error. Nothing stands at output then that was not there before. */
int layer_build(struct arena *a, const struct layer_request *request, struct layer_report *ret);

/* Digest of all that a python installation depends on: the file or folder, local packages it names,
 * the runtime and the architecture. */
int layer_inputs(struct arena *a, struct str source, struct str runtime, struct str architecture,
                 struct str *ret);

/* Builds nothing, only packs a folder: 0 or -EINVAL with *why. */
int layer_pack(struct arena *a, const char *dir, const char *zip, struct str *why);
