/* last_used - when, for which service and in which region each access key was used last.
 *
 * Every signed request tells it, so it is kept in memory, and written down once a minute a key, and
 * at the end. Who kills the daemon loses no more than what changed in the last minute. Key:
 *     iam-access-key-used/ID          MILLISECONDS/REGION/SERVICE */
#pragma once
#include "store/store.h"

struct last_used;
struct last_used *last_used_new(struct store *store);
/* Writes what is not written; the store must still be open. Accepts NULL. */
void last_used_free(struct last_used *u);

/* A request whose signature is good. Failures to write wait for better times. */
void last_used_note(struct last_used *u, struct str access_key, struct str service,
                    struct str region, int64_t now_ms);
/* -ENOENT: never. */
int last_used_find(struct last_used *u, struct arena *a, struct str access_key, int64_t *ret_ms,
                   struct str *ret_service, struct str *ret_region);
int last_used_forget(struct last_used *u, struct str access_key);
/* A commit has failed: what it held is written again, but not soon. */
void last_used_reset(struct last_used *u);
