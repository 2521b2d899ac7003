/* tar - reads tar archives as a stream: ustar, GNU's long names, pax headers. May use base.
 *
 * Bytes from strangers: names come out as they stand in the archive (they may be absolute, climb,
 * or hold anything but NUL); who makes files of them checks. Sparse files, multi-volume archives
 * and unknown formats are refused by name. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define TAR_NAME_MAX 4096

enum tar_type { TAR_FILE, TAR_FOLDER, TAR_SYMLINK, TAR_HARDLINK, TAR_OTHER };
struct tar_entry {
    enum tar_type type; /* TAR_OTHER: devices, pipes */
    struct str name, target;
    int64_t size; /* of the content; 0 unless TAR_FILE */
    unsigned mode;
};

/* Gives up to n bytes: *ret_n 0 at the end; -errno ends the reading. */
typedef int tar_source_fn(void *user, void *p, size_t n, size_t *ret_n);

struct tar {
    tar_source_fn *source;
    void *user;
    int64_t pos;           /* bytes taken from the source */
    int64_t left, padding; /* of the current entry */
    char why[160];         /* after -EBADMSG: what is wrong */
    char name[TAR_NAME_MAX + 1], target[TAR_NAME_MAX + 1];
};

void tar_init(struct tar *t, tar_source_fn *source, void *user);
/* 1: an entry, whose texts live until the next call. 0: the end. -EBADMSG with t->why; or what the
 * source has answered. */
int tar_next(struct tar *t, struct tar_entry *ret);
/* The current entry's content; *ret_n 0 at its end. */
int tar_read(struct tar *t, void *p, size_t n, size_t *ret_n);
