/* pool - the environments of all function versions, and who gets which.
 *
 * A group is one build of one version. Invocations take a provisioned environment, else the one on
 * demand that was used last; when none is free a new one is made. Idle ones go after a while
 * (`up --idle-timeout`), provisioned ones stay; those of builds that are no longer current go at
 * once, or when their invocation is over. */
#pragma once
#include "service/lambda/concurrency.h"
#include "service/lambda/instance.h"

struct pool *pool_new(struct lambda_state *lambda);
/* The cloud is about to leave: what waits for an outcome gets an error, environments are ended in
 * order (lambda->retiring), and no more are begun. */
void pool_end(struct pool *p);
void pool_leave(struct pool *p); /* kills every environment; their logs are sent */
void pool_free(struct pool *p);
/* Takes the invocation over; or refuses it with a value below 0 that pool_refused() knows. */
int pool_invoke(struct pool *p, struct invocation *inv);
/* Fails the call as AWS throttles: r is what pool_invoke() has returned. */
int pool_refused(struct call *call, int r);
/* The files of these functions have changed: idle environments go now, the others after their
 * invocation. */
void pool_outdate(struct pool *p, bool (*match)(const struct target *t, void *user), void *user);
/* Environments that wait for work of a function, or of one version of it ("" for all), are given
 * up: its next invocation starts a new one. Those at work and provisioned ones stay. */
struct pool_drop {
    struct str account, region, function, version;
    int64_t dropped;           /* given up by this call */
    int64_t busy, provisioned; /* left alone */
    int64_t ending;            /* given up now or before, and not gone yet */
};
void pool_drop_idle(struct pool *p, struct pool_drop *d);
/* Functions have changed: environments of builds that nobody can name any more are given up. */
void pool_check(struct pool *p);

/* What instances say. */
void pool_invocation_over(struct instance *in); /* its concurrency is free again */
void pool_instance_free(struct instance *in);   /* it could take the next one */
void pool_pass_on(struct instance *in);         /* its waiting invocation goes to another one */
/* One that has answered is at work for as long as its extensions are: may there be another one? */
bool pool_may_pass_on(const struct instance *in);
void pool_instance_lost(struct instance *in); /* it is of no use any more: freed */
/* The init of instance_prepare() is over: it is IDLE, or (not ok) of no use, and freed. */
void pool_instance_prepared(struct instance *in, bool ok);
