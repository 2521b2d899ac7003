/* coverage_layer - the layer that covers functions: its parts found in the build folder or
 * the installation, packed, and checked. May use base. Blocks.
 *
 * The same parts give the same zip. In it, lamina/coverage/manifest.json says what it is:
 * {"name", "version", "architecture", "pythons": ["3.8", ...], "runtimes": ["python3.8", ...],
 * "content": digest of all files, "files": {PATH: {"sha256", "bytes", "executable"}}}. */
#pragma once
#include "base/json.h"
#include "base/str.h"

#define COVERAGE_LAYER_SOURCE "python-coverage" /* operand of `lamina layer build` */
#define COVERAGE_LAYER_MANIFEST "lamina/coverage/manifest.json"
#define COVERAGE_LAYER_WRAPPER "/opt/lamina-coverage" /* AWS_LAMBDA_EXEC_WRAPPER */

struct coverage_layer {
    struct str error;
    struct str content; /* digest of what is inside, without the manifest: 64 hex digits */
    struct str sha256;  /* of the zip, hex */
    int64_t zipped_bytes, unzipped_bytes, files;
};

/* architecture: x86_64 or arm64. output: the zip; absent: only what it would contain is told, which
 * is quick. -ENOENT when a part is missing from the installation (a processor that it was not built
 * for), -EINVAL otherwise; ret->error says why. */
int coverage_layer_build(struct arena *a, struct str architecture, struct str output,
                         struct coverage_layer *ret);

/* What this installation has for that place below /opt, for its own processor: a path, or absent. */
struct str coverage_layer_part(struct arena *a, const char *to);

/* What the layer can run under. NULL-terminated: "python3.8", ... */
extern const char *const coverage_layer_runtimes[];
bool coverage_layer_runs(struct str runtime);

/* A finding about a zip. */
enum layer_verdict { LAYER_GOOD, LAYER_NOTE, LAYER_BAD };
struct layer_finding {
    enum layer_verdict verdict;
    struct str what, detail;
};

struct layer_findings {
    struct layer_finding *items;
    size_t n, cap;
    size_t n_bad;
    const struct json *manifest; /* NULL: not one of the coverage layers */
};

/* Looks at any layer's zip: that it unpacks, its sizes, its modes; of a coverage layer also its
 * manifest, its programs (processor, glibc's version), that nothing of AWS's SDK is inside, and
 * that it can be imported by each interpreter found here. 0 with findings, or -errno when the zip
 * cannot be read at all. */
int layer_validate(struct arena *a, struct str zip, struct layer_findings *ret);
