/* image_unpack_tree - names inside the folder that layers become. Internal to image_unpack.
 *
 * Every name is resolved by the kernel with the folder as its root (RESOLVE_IN_ROOT): later layers
 * may go through links of earlier ones (/lib -> usr/lib), and none leads out. Descriptors or 0, or
 * -errno. */
#pragma once
#include "base/map.h"
#include "build/image.h"

struct unpack {
    int root;
    int depth_of_root; /* slashes in its true path */
    int64_t max_bytes;
    struct image_report *report;
    struct arena arena; /* of the current layer */
    char *chunk;        /* in it: room for content on its way */
    struct map made;    /* names that the current layer has, with their folders */
    int last_dir;       /* the folder of the entry before */
    struct str last_dir_name;
};

/* Notes what a system call's error means for the image; returns the fault's error. */
int unpack_failed(struct unpack *u, int error, struct str name);
/* Without "./", "//" and a final '/'; absent when it is no name inside. Absolute names are meant
 * from the image's root. */
struct str unpack_tidy_name(struct arena *a, struct str name);
struct str unpack_folder_of(struct str name);
struct str unpack_base_of(struct str name);

int unpack_open(struct unpack *u, const char *path, uint64_t flags);
/* Slashes in its true path; -ENAMETOOLONG: through links a tree could be made deeper than any name
 * is long. */
int unpack_check_depth(struct unpack *u, int fd);
/* A descriptor of the folder, made with its parents when missing. Borrowed until the next call. */
int unpack_folder(struct unpack *u, struct str name);
int unpack_parent_of(struct unpack *u, struct str name, const char **ret_base);
void unpack_forget_folder(struct unpack *u);

/* What stands there goes, except what the current layer has put there. `made` may be NULL: all
 * goes. */
int unpack_remove(struct unpack *u, const struct map *made, int parent, const char *name,
                  struct str path);
/* Everything of lower layers in the folder goes. */
int unpack_empty_folder(struct unpack *u, struct str name);
