/* blobs - coverage files of other languages, sent as they are.
 *
 * The hook for helpers in Node.js, C, C++ or Rust: a file of the shared directory whose name ends
 * in
 *
 *   .v8                what V8 counted, by ../node/node.cjs: one line a source file, its path, a
 *                      tab, its functions as JSON       -> a record of kind 1 for each line, with
 *                                                          the source's hash
 *   .gcda, .profraw    counters of gcc, of llvm         -> a record of kind 2
 *
 * and does not begin with a dot. Names of kind 2 are relative to the directory; below its folder
 * gcov/ (GCOV_PREFIX) files of all depths count: gcov/home/me/app.gcda. A helper writes below
 * another name and renames when the file is complete; counters that are mapped (.profraw in
 * continuous mode, whose times say nothing) are compared, and sent as they are at the end of an
 * invocation. All of them are in each object, so they stay in the directory. A helper without an
 * arena that writes into `done` says so by a file `tells-done`, which holds its process' id. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "coverage/object.h"

#define BLOBS_MAX 512
#define BLOBS_BYTES_MAX (6u << 20) /* of all together; what is beyond is said to be missing */

struct blobs;
struct blobs *blobs_new(int directory); /* the descriptor stays the caller's */
void blobs_free(struct blobs *b);

void blobs_look(struct blobs *b); /* for new ones: when the directory has changed */
bool blobs_news(struct blobs *b); /* has any changed since they were read? */

bool blobs_nested(const struct blobs *b); /* gcov/ is there: to be looked into each time */
bool blobs_any(const struct blobs *b);

/* All of them, in the arena. */
void blobs_read(struct blobs *b, struct arena *a, struct object_file **ret, size_t *ret_n,
                struct buf *missing);
