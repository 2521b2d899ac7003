/* fs - files and folders. Paths are C strings; everything opened is close-on-exec. */
#pragma once
#include "base/str.h"

/* -EMSGSIZE when there are more than max bytes. */
int fs_read(const char *path, size_t max, struct arena *a, struct str *ret);
/* Replaces atomically by rename; a device or a pipe is written to. */
int fs_write(const char *path, struct str data, int mode);
bool fs_is_special(const char *path);      /* a device, a pipe, ...: not to be replaced by a file */
int fs_mkdirs(const char *path, int mode); /* with parents; existing is fine */
int fs_remove_tree(const char *path);      /* never follows links; missing is fine */
bool fs_exists(const char *path);
struct str fs_join(struct arena *a, struct str dir, struct str name); /* absolute name wins */
/* "/a/b" of "a//x/../b/": each part behind a '/', "." and ".." carried out, links not looked at; ""
 * of the root, beyond which ".." does not lead. */
struct str fs_clean(struct arena *a, struct str path);
struct str fs_dirname(struct arena *a, struct str path);
struct str fs_basename(struct str path);
/* All regular files and links below dir, relative, sorted bytewise; folders end with '/'. */
int fs_walk(struct arena *a, const char *dir, struct str **ret, size_t *ret_n);
int fs_copy_file(const char *from, const char *to); /* keeps the mode */
int fs_copy_tree(const char *from, const char *to); /* keeps modes and links */
int fs_write_all(int fd, const void *p, size_t n);
