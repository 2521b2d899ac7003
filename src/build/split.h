/* split - a function's bundle as its own code and layers: what of it is somebody else's, what of
 * that may move, and the folders and zips that come of it. May use base. Blocks.
 *
 * Python: distributions are known by their .dist-info (RECORD, or top_level.txt), at the top or in
 * a folder that is put on sys.path (vendor/, package/ ...). A folder with __init__.py moves whole
 * or not at all, because Python takes such a package from one place of sys.path only; folders
 * without may be in several (PEP 420). /var/task comes before /opt/python, which comes before the
 * standard library. Node.js: packages of node_modules, which moves whole or not at all: modules of
 * ES find nothing by NODE_PATH. What would not be found as before is kept, with the reason. */
#pragma once
#include "base/str.h"

#define SPLIT_LAYERS_MAX 5

struct split_request {
    const char *dir;          /* the bundle, unpacked */
    struct str runtime;       /* python3.12, nodejs22.x */
    struct str handler;       /* app.handler, src/app.handler */
    int layers;               /* as many are wished; more when a zip would be too big; at least 1 */
    int max_layers;           /* as many may be */
    const struct str *forced; /* names at the top without .dist-info that shall move as well */
    size_t n_forced;
};

struct split_item {
    struct str name, version;
    struct str root; /* "" or "vendor/": where it was */
    int64_t bytes, files;
    bool native;       /* has shared objects */
    int layer;         /* from 0; -1: kept */
    struct str reason; /* of what is kept */
};

struct split_file {
    struct str path, to; /* to: its name in the layer; absent: it stays */
    int item;            /* -1: own code */
    int64_t bytes;
};

struct split_plan {
    struct split_item *items;
    size_t n_items;
    struct split_file *files;
    size_t n_files;
    int n_layers;
    struct str error;
};

/* -EINVAL with ret->error: no folder, another language. Nothing that may move is no error:
 * n_layers is 0 then. */
int split_plan(struct arena *a, const struct split_request *request, struct split_plan *ret);

struct split_part {
    struct str name, dir, zip;
    int64_t zipped_bytes, unzipped_bytes, files;
    struct str sha256; /* hex, of the zip */
};
struct split_parts {
    struct split_part code, layers[SPLIT_LAYERS_MAX];
    struct split_part original; /* without a folder */
    int n_layers;
    struct str error;
};
/* out/code, out/code.zip, out/layer-1, out/layer-1.zip ...: the same bundle gives the same bytes.
 * Zips above Lambda's limits are -EMSGSIZE with ret->error, as long as more layers do not help. */
int split_write(struct arena *a, const struct split_request *request, struct split_plan *plan,
                const char *out, struct split_parts *ret);

/* Names that a module of ES imports and that are packages ("x" of "x/y", "@a/b"): for tests.
 * dynamic: only import(...). Pure. */
size_t split_es_imports(struct arena *a, struct str text, bool dynamic, struct str **ret);
/* For split.c. */
void split_node(struct arena *a, const struct split_request *request, struct split_plan *plan);
