/* concurrency - who may run now: the account's limit, the shares set aside of it, and how fast
 * requests and environments may grow.
 *
 *     limit of the account in a region (`up --concurrency`)
 *     +-- reserved for a function: its guarantee and its cap, provisioned ones included
 *     +-- provisioned of functions without a reservation, idle or not
 *     +-- the rest: for everybody without a reservation
 *
 * An invocation that gets a provisioned environment takes nothing of the rest. What is configured
 * stands in the store; it is read when somebody wants to run after concurrency_forget(). */
#pragma once
#include "service/lambda/lambda.h"

#define UNRESERVED_MIN 100
#define RATE_PER_CONCURRENCY 10 /* requests a second */
#define GROWTH_BURST 1000       /* environments of one function ... */
#define GROWTH_PER_S 100        /* ... in ten seconds, filled up steadily */

enum throttle {
    THROTTLE_NONE,
    THROTTLE_ACCOUNT,
    THROTTLE_RESERVED,
    THROTTLE_RATE,
    THROTTLE_RESERVED_RATE,
    THROTTLE_GROWTH,
    THROTTLE_LEAVING, /* no throttling: the cloud is being stopped */
};
struct str throttle_reason(enum throttle t); /* as TooManyRequestsException names it */

struct concurrency;
struct function_use;

struct concurrency *concurrency_new(struct lambda_state *lambda);
void concurrency_free(struct concurrency *c); /* accepts NULL; nothing is in use any more */
void concurrency_forget(struct concurrency *c);

/* Counts of one function in one account and region; kept as long as somebody holds them. */
struct function_use *function_use_hold(struct concurrency *c, struct str account, struct str region,
                                       struct str name);
void function_use_drop(struct function_use *use);
int64_t function_use_reserved(struct function_use *use); /* -1: none */
int64_t function_use_cap(struct function_use *use);      /* the reservation, else the account's */

/* An invocation takes a place until concurrency_end(). counted: the rate of requests matters, too.
 */
enum throttle concurrency_begin(struct function_use *use, bool provisioned, bool counted);
void concurrency_end(struct function_use *use, bool provisioned);
/* The invocation goes on in an environment of the other kind. */
void concurrency_move(struct function_use *use, bool to_provisioned);
/* May the function have one more environment now? Counts it. */
enum throttle concurrency_grow(struct function_use *use);

/* Sums of what is configured in the call's account and region, except for one function (absent:
 * none). */
struct concurrency_sums {
    int64_t reserved;    /* of all functions */
    int64_t provisioned; /* of functions without a reservation */
};
int concurrency_sum(struct call *call, struct str except, struct concurrency_sums *ret);
/* What must stay for functions without a reservation: accounts with a small limit keep it all. */
int64_t concurrency_unreserved_min(struct call *call);
int reserved_load(struct call *call, struct str name, int64_t *ret); /* -1: none */
/* All configurations of one function; `except` is a qualifier to leave out, or absent. */
int provisioned_sum(struct call *call, struct str name, struct str except, int64_t *ret);
/* A version or alias goes, and with it what is configured for it. */
int qualifier_forget(struct call *call, struct str name, struct str qualifier);
struct str key_reserved(struct call *call, struct str name);
struct str key_provisioned(struct call *call, struct str name, struct str qualifier);
struct str key_provisioned_of(struct call *call, struct str name); /* prefix */

/* A bucket of `cap` tokens, filled by `per_s`; new ones are full. */
struct bucket {
    double level;
    int64_t at_ns; /* 0: new */
};
bool bucket_take(struct bucket *b, double per_s, double cap, int64_t now_ns);
