/* ship - collects what is new, and sends the environment's object.
 *
 * The object is cumulative: what could not be sent is in the next one. A copy of it stays in the
 * shared directory, `.object` when it is in S3 and `.object-unsent` before, so that a shipper that
 * is started again in the same environment goes on with it. */
#pragma once
#include "arenas.h"
#include "blobs.h"
#include "identity.h"
#include "s3.h"

struct ship {
    const struct settings *settings;
    struct arenas *arenas;
    struct blobs *blobs;
    struct ledger *ledger; /* NULL before anything was collected */
    struct s3 s3;
    struct arena arena; /* of identity and request */
    struct identity identity;
    bool identified;
    struct str key;
    char request[128]; /* the invocation that goes on or was the last; "": none yet */
    int64_t request_ms;
    bool init_copied;    /* exactly what the initialisation has run is kept apart */
    bool init_entered;   /* what was there before the first invocation */
    bool unsent;         /* the object has more than S3 has */
    bool hopeless;       /* S3 will not take it: nothing is tried any more */
    bool timed_out;      /* the last wait for the end of an invocation */
    bool never_returned; /* the last invocation, as far as is known */
    bool waits_in_vain;  /* there was an invocation after that: nobody tells, so nobody is asked */
    size_t unsent_lines; /* new since the last upload */
    unsigned failures;   /* in a row */
    int64_t rest_until_ms;
};

/* -errno: there is no directory to share. */
int ship_open(struct ship *s, const struct settings *settings);
void ship_close(struct ship *s);

/* Where each invocation is told apart, the initialisation is, too: waits for its end, a moment
 * where no arena appears, and keeps a copy of its hits. The first invocation comes only after the
 * caller has asked for it. */
void ship_wait_init(struct ship *s);

/* An invocation has begun: it gives its name to what is hit from now on. */
void ship_begin(struct ship *s, struct str request_id);

/* The same where the runtime's process asks by itself (held.h): its initialisation is over; the
 * deadline of the invocation that goes on or was the last, whose name is what is hit since then. */
void ship_initialised(struct ship *s);
int64_t ship_request(struct ship *s);
bool ship_has_others(const struct ship *s); /* May there be news of which that process knows not? */

/* Until when to work: a tenth of the time that is left stays the function's, from 20 ms to 300 ms.
 * An upload that runs into the function's timeout would make one of a good invocation. */
int64_t ship_until(int64_t deadline_ms);

/* Looks for new arenas and files: cheap. */
void ship_look(struct ship *s);

/* Is there anything that S3 does not have, by what arenas_look(), _wait() and _news() have seen? */
bool ship_news(struct ship *s);

/* Collects what is new; sends it when there is time, and no failure is so young that it would only
 * be repeated; `last`: tried in any case, as there will be no other chance. */
void ship_send(struct ship *s, int64_t deadline_ms, bool last);
