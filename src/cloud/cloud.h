/* cloud - the daemon: one HTTP listener, all services, one store, one loop.
 *
 *     cloud_open() -> uv_run(cloud_loop()) -> cloud_leave() -> cloud_close()
 *
 * May use service/, sandbox/, wire/, http/, store/, base/. Services know it by service/call.h. */
#pragma once
#include <uv.h>
#include "base/str.h"

enum iam_mode { IAM_ENFORCE, IAM_LOG, IAM_OFF };

struct cloud_pair {
    struct str name, value;
};

struct cloud_options {
    const char *host;     /* numeric address; NULL: 127.0.0.1 */
    int port;             /* 0: any free one */
    bool allow_remote;    /* clients and Host headers of other machines are welcome */
    const char *data_dir; /* NULL: ephemeral */
    bool durable;
    enum iam_mode iam;
    const struct cloud_pair *runtimes; /* NAME -> interpreter */
    size_t n_runtimes;
    const struct cloud_pair *rie; /* FUNCTION -> port */
    size_t n_rie;
    /* Of Lambda; 0: the default. */
    int64_t concurrency, idle_timeout_ms;
    double time_scale;
    const struct cloud_mount *mounts; /* service/call.h */
    size_t n_mounts;
    void (*on_log)(void *user, struct str text); /* NULL, or see service/call.h */
    void *log_user;
    struct spawner *spawner; /* borrowed; NULL: nothing can be invoked */
};

struct cloud;
struct cloud_error {
    char message[512]; /* what to tell the user */
};

/* The options' memory must outlive the cloud. -errno with *err. */
int cloud_open(const struct cloud_options *options, uv_loop_t *loop, struct cloud **ret,
               struct cloud_error *err);
struct str cloud_address(struct cloud *cloud); /* http://127.0.0.1:4566 */
/* One more listener, for requests that are not AWS's (`lamina local start-api`): on_request answers
 * them by http_reply(), or hands them to a function URL by cloud_answer_url(). Hosts and origins of
 * elsewhere have been refused. Ends with the cloud. */
struct http_request;
int cloud_listen(struct cloud *cloud, const char *host, int port,
                 void (*on_request)(void *user, struct http_request *req), void *user,
                 int *ret_port, struct cloud_error *err);
void cloud_answer_url(struct cloud *cloud, struct http_request *req, struct str url_id,
                      struct str path);
/* Takes no more requests from outside, lets pending answers leave for at most grace_ms, ends what
 * services run (execution environments are served until then, for seconds at most), calls done. */
void cloud_stop(struct cloud *cloud, int64_t grace_ms, void (*done)(void *user), void *user);
/* After the loop has ended, or instead of running it: all services are closed, what was acknowledged
 * is on disk. The spawner is of no use to the cloud from here on; stopped now, it finds the files
 * of its environments until its end. Accepts NULL. */
void cloud_leave(struct cloud *cloud);
/* The rest, and the folder of an ephemeral cloud. Accepts NULL. */
void cloud_close(struct cloud *cloud);
