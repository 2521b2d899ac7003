/* blobs - coverage files of other languages, sent as they are.
 *
 * The hook for helpers in Node.js, C, C++ or Rust: a file of the shared directory whose name ends
 * in
 *
 *   .v8                V8's precise coverage as JSON      -> a record of kind 1
 *   .gcda, .profraw    counters of gcc, of llvm           -> a record of kind 2
 *
 * and does not begin with a dot becomes a record of the object, with the file's name as its path
 * and its bytes as the payload. A helper writes below another name and renames when the file is
 * complete; counters that are mapped (.profraw in continuous mode) are sent as they are at the end
 * of an invocation. A file is looked at again when its size or time has changed; all of them are in
 * each object, so they stay in the directory. A helper without an arena that writes into `done`
 * says so by an empty file `tells-done`. */
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

/* All of them, in the arena. */
void blobs_read(struct blobs *b, struct arena *a, struct object_file **ret, size_t *ret_n,
                struct buf *missing);
