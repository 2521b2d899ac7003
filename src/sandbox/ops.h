/* ops - lists of operations that file systems are put together by, run by one loop; and the mounts
 * that they are made of. Paths are relative to the current folder where they do not begin with '/'.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum op_kind {
    OP_TMPFS,     /* mount at path; arg: options */
    OP_DIR,       /* make; mode */
    OP_TEXT,      /* file at path with arg as content */
    OP_COPY,      /* small host file arg to path, when there */
    OP_COPYLINKS, /* symlinks in host folder arg to folder path */
    OP_LINK,      /* symlink path -> arg */
    OP_LIKE,      /* symlink as the one at arg, or a read-only bind when it is a folder there */
    OP_BIND,      /* arg read-only at path, when it is there */
    OP_KEEP,      /* arg at path, as it is */
    OP_STAGE,     /* arg, relative to the stage, at path, read-only but for its device nodes */
    OP_DEVICE,    /* host's device arg at path */
    OP_PROC,      /* a fresh proc at path */
    OP_HIDE,      /* nothing to see at path, when it is there; arg: an empty folder */
    OP_READONLY,  /* path stays, but read-only, when it is there */
};
struct op {
    enum op_kind kind;
    const char *path, *arg;
    mode_t mode;
};

/* why (WHY_MAX) says which step failed. */
int ops_run(const struct op *ops, size_t n, char *why);

int op_make_dir(const char *path, mode_t mode); /* may be there; whatever the umask is */
int op_write_text(const char *path, const char *text, size_t n, mode_t mode);
int op_mount(const char *type, const char *path, unsigned long flags, const char *data);
/* A mount that is nowhere goes to a place. */
int op_attach(int fd, const char *to);
#define BIND_SAFE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
int op_bind(const char *from, const char *to, uint64_t attributes);
/* A detached read-only copy of a folder or file. */
int mount_open(const char *from, int *ret);

int why_printf(char *why, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
