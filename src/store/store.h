/* store - ordered keys and values that survive, and files for big ones. Uses base/ only.
 *
 * One process has a data folder at a time. All writes of one turn of the event loop are one
 * transaction: store_commit() ends it before the responses of the turn leave, so nothing is
 * acknowledged that a kill could lose. One thread uses a store. Keys are compared bytewise and must
 * not begin with 0xff; make them with store_key(). Functions give 0 or -errno:
 * -ENOSPC disk full, -EIO damaged or unreadable. After a failed write the turn is lost: everything
 * it wrote is gone, further writes give the same error until store_commit() has reported it. */
#pragma once
#include "base/arena.h"
#include "base/body.h"
#include "base/str.h"

struct store;

struct store_options {
    const char *dir;   /* made when missing; NULL: ephemeral, gone at store_close() */
    bool durable;      /* commits survive power loss, not only the death of the process */
    int64_t max_pages; /* tests: the database may not grow beyond (pages of 4 KiB); 0 no limit */
};

struct store_error {
    char message[256]; /* what to tell the user, without the program's name */
    int pid;           /* -EBUSY: who has the folder */
};

/* -EBUSY: another process has the folder; -EPROTONOSUPPORT: made by a newer version. err may be
 * NULL. */
int store_open(const struct store_options *options, struct store **ret, struct store_error *err);
/* Looks for ephemeral folders that killed processes have left behind at least a minute ago, among
 * all names of /tmp, and removes them. Any thread may until store_close(). True: there were some. */
bool store_sweep_ephemeral(const struct store *s, bool remove);
/* Throws away what was not committed. Accepts NULL. */
void store_close(struct store *s);

const char *store_dir(const struct store *s); /* absolute */
const char *
store_tmp(const struct store *s); /* DIR/tmp: files here may become blobs; emptied at open */

/* Values. */
struct store_row {
    struct str key, value;
};

int store_get(struct store *s, struct str key, struct arena *a, struct str *ret); /* -ENOENT */
bool store_has(struct store *s, struct str key);
int store_put(struct store *s, struct str key, struct str value); /* adds or replaces */
int store_delete(struct store *s, struct str key);                /* missing is fine */
int store_delete_prefix(struct store *s, struct str prefix);

/* At most limit rows whose keys begin with prefix, in order, beginning behind `after` (absent: at
 * the first; it need not exist). To go on, give the last key received. */
int store_scan(struct store *s, struct str prefix, struct str after, size_t limit, struct arena *a,
               struct store_row **ret, size_t *ret_n);
/* The same from the end, beginning before `before`. */
int store_scan_back(struct store *s, struct str prefix, struct str before, size_t limit,
                    struct arena *a, struct store_row **ret, size_t *ret_n);
int store_count(struct store *s, struct str prefix, int64_t *ret);

/* Keys: parts joined by 0x00, the bytes 0x00 and 0x01 inside of parts escaped so that order holds:
 * store_key(a, 2, S("function"), name). */
struct str store_key(struct arena *a, size_t n, ...); /* n struct str */
struct str store_prefix(struct arena *a, size_t n,
                        ...); /* of all keys that go on behind these parts */
/* Part i of a key, unescaped; absent when there are fewer. */
struct str store_key_part(struct arena *a, struct str key, size_t i);
/* 16 characters that sort as the number does. */
struct str store_ordered(struct arena *a, int64_t v);
int store_ordered_parse(struct str s, int64_t *ret);

/* The turn. */

/* A point to come back to when an operation fails half way; marks nest. Cheap: nothing happens in
 * the database unless something is written after it. Every mark is ended by undo_to or release, the
 * newest first, and within its turn; ending an older one ends the newer ones with it. */
struct store_mark {
    unsigned depth;
};
struct store_mark store_mark(struct store *s);
int store_undo_to(struct store *s,
                  struct store_mark mark); /* takes back what was written since, ends it */
int store_release(struct store *s, struct store_mark mark); /* keeps it, ends the mark */

/* Ends the turn; a no-op when nothing was written. An error means that everything the turn wrote is
 * gone: its calls must answer an error, and caches of what is stored must be dropped. */
int store_commit(struct store *s);

/* Blobs: big values as files. An id is the store's choice, 32 hexadecimal digits. A blob belongs to
 * the turn as a value does: it is there for good when the commit succeeded that made it, and its
 * file goes only after the commit that deleted it. What is being read stays readable. */
struct blob;
struct blob *blob_create(struct store *s); /* never fails; errors come later */
int blob_write(struct blob *b, const void *p, size_t n);
int blob_finish(struct blob *b, struct arena *a,
                struct str *ret_id); /* ends b, also when it fails */
void blob_abort(struct blob *b);     /* accepts NULL */
int blob_put(struct store *s, struct str data, struct arena *a, struct str *ret_id);
/* Takes a finished file below store_tmp() over by renaming it. */
int blob_adopt(struct store *s, const char *path, struct arena *a, struct str *ret_id);
int blob_delete(struct store *s, struct str id);                               /* missing is fine */
int blob_open(struct store *s, struct str id, int *ret_fd, int64_t *ret_size); /* -ENOENT */
/* The path of its file: to bind or unpack it. It must not be written. */
struct str blob_path(struct store *s, struct str id, struct arena *a);
