/* tree - folders of sources: what identifies them, and copies without what does not belong into a
 * deployment package. May use base. */
#pragma once
#include "base/str.h"

/* Not part of a function's code: version control, caches, virtual environments, build results. */
bool tree_ignored(struct str relative_path);

/* Feeds names, modes and contents of a file or folder (sorted, without the ignored) to a SHA-256,
 * so that the same content gives the same text. Several paths make one digest. *ret: 64 hex digits.
 */
int tree_digest(struct arena *a, const struct str *paths, size_t n, struct str salt,
                struct str *ret);

/* Copies a folder's content into an existing folder, without the ignored. */
int tree_copy(const char *from, const char *to);

/* Bytes of all regular files. */
int tree_size(const char *dir, int64_t *ret_bytes, int64_t *ret_files);
