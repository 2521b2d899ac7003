/* journal - what a run is about to change of a function, on the disk before it is changed.
 *
 * A journal is one file of JSON lines in a folder, one a run, appended and fsynced before each
 * change. Its writer holds a lock (flock) on it as long as it lives, so that whoever finds a
 * journal without one knows that its writer has gone without putting things back. A journal whose
 * changes are undone is removed. No credentials are in it. May use base/ only. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

struct journal;

/* The first line. */
struct journal_head {
    struct str run;      /* eight hex digits: in the descriptions that the run writes */
    struct str target;   /* "local", "aws" */
    struct str endpoint; /* absent on AWS */
    struct str region, profile;
    struct str function; /* ARN, without qualifier */
    struct str cloud;    /* lamina_cloud(): two data folders may be served at one endpoint, one
                            after the other; absent: AWS, or not known */
    int64_t created_ms;
};

/* $XDG_STATE_HOME/lamina/journal, or ~/.local/state/lamina/journal. */
struct str journal_folder(struct arena *a);
struct str journal_new_run(struct arena *a); /* a new head.run */

/* Makes the file, locks it, writes the head. The arena must outlive the journal. -errno: nothing
 * has been written that anybody would take for a journal. */
int journal_begin(struct arena *a, struct str folder, const struct journal_head *head,
                  struct journal **ret);
/* Appends the record (copied) and waits until the disk has it. -errno: what it announces must not
 * be done. */
int journal_note(struct journal *j, const struct json *record);
/* Everything is undone: the file is removed. Accepts NULL. */
void journal_end(struct journal *j);
/* The file stays, for a later run; the lock goes. Accepts NULL. */
void journal_leave(struct journal *j);

/* Takes over what a run has left behind. -EBUSY: its writer lives. -ENOENT: it is gone (somebody
 * else has undone it). -EBADMSG: it is damaged, not only at its end, where a write may have been
 * cut off. */
int journal_take(struct arena *a, struct str path, struct journal **ret);
/* Paths of all journals, oldest first by name. A folder that is not there has none. */
int journal_list(struct arena *a, struct str folder, struct str **ret, size_t *ret_n);

const struct journal_head *journal_head(const struct journal *j);
const struct json *journal_records(const struct journal *j); /* an array, without the head */
struct str journal_path(const struct journal *j);
