/* watch - tells when something changes below folders (inotify, with all sub-folders).
 *
 * Not looked into: what tree_ignored-like folders hold (.git, __pycache__, .aws-sam ...): the list
 * is in watch.c. One descriptor for all trees, for a loop or poll(). */
#pragma once
#include "base/str.h"

struct watch;
int watch_open(struct watch **ret);
void watch_close(struct watch *w); /* accepts NULL */
int watch_fd(const struct watch *w);

/* A folder with everything below it, or one file. *ret_tree: 0, 1, 2 ... -errno when it is not
 * there. A tree that has more folders than the system allows watches for is "blind":
 * watch_is_blind(). */
int watch_add(struct watch *w, const char *path, int *ret_tree);
bool watch_is_blind(const struct watch *w, int tree);

/* Takes what has happened, without waiting. changed() is called once for each change, path is
 * absolute and may be a folder. When events were lost, path is the tree itself. Folders that have
 * come are watched when this returns. Returns the number of changes. */
typedef void watch_changed_fn(int tree, struct str path, void *user);
int watch_take(struct watch *w, watch_changed_fn *changed, void *user);
