/* pack - joins the small blocks of streams, and the events that stand singly, into bigger blocks.
 *
 * In the background, in small steps: a stream that is being written to is left alone until it has
 * very many. Which streams have small blocks is kept in memory only; after a start all streams are
 * looked at once, which is also how stores from before blocks come to have them. */
#pragma once
#include "base/arena.h"
#include "store/store.h"

struct logs_state;
struct logs_pack;

struct logs_pack *logs_pack_new(void);
void logs_pack_free(struct logs_pack *p); /* accepts NULL */
/* The stream has got one more. */
void logs_pack_note(struct logs_state *state, int64_t stream_id, int64_t now_ms);
/* The state's packer, a timer that is initialised, works from now on; it sleeps while nothing is to
 * be joined. */
void logs_pack_start(struct logs_state *state);

/* One step in one stream, which packs what stands behind *at and moves it on; *ret_more: it has not
 * come to the end. */
struct log_place;
int logs_pack_stream(struct store *store, int64_t stream_id, struct log_place *at, bool *ret_more);
