/* lambda - AWS Lambda: functions, versions, aliases, layers, and their execution.
 *
 * May use wire/, sandbox/, build/, store/, http/, base/, libuv and service/call.h. Control plane:
 * one file a resource, all through record.c. Data plane: invoke -> pool -> instance -> sandbox, and
 * back through runtime_api. Everything runs on the loop's thread except what call_offload()
 * carries. */
#pragma once
#include <uv.h>
#include "base/list.h"
#include "base/map.h"
#include "service/call.h"
#include "wire/lambda.h"

#define LAMBDA_UNZIPPED_MAX 262144000
#define LAMBDA_ZIPPED_MAX 52428800

struct concurrency;
struct http_server;
struct pool;
struct targets;
struct times;
extern const struct service lambda_service;

/* call->state */
struct lambda_state {
    struct cloud *cloud;
    struct store *store;
    uv_loop_t *loop;
    struct targets *targets; /* target.c */
    struct concurrency *concurrency;
    struct pool *pool;         /* pool.c */
    struct list retiring;      /* instances on their way out: shutdown.c */
    void (*ended)(void *user); /* the daemon waits for the last of them */
    void *ended_user;
    struct event_queue *queue; /* event.c */
    struct http_server *http;  /* of the Runtime API's listeners */
    struct code_keeper *codes; /* code.c */
    struct runtime_cache *runtimes;
    struct mounts *mounts;     /* NULL: none */
    struct timeline *timeline; /* what environments have done; NULL before the first */
    struct times *times;       /* times.c; mostly NULL */
};

static inline struct lambda_state *lambda_state(const struct call *call)
{
    return call->state;
}

/* fail.c: call_fail() with the members that AWS always adds (Type). */
int lambda_fail(struct call *call, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int lambda_fail_throttled(struct call *call, struct str reason);

/* name.c: my-function, 000000000000:function:f, arn:aws:lambda:r:a:function:f, each with
 * :qualifier. */
struct function_name {
    struct str region, account, name, qualifier; /* absent when not given */
};
bool function_name_parse(struct str text, struct function_name *ret);
struct layer_name {
    struct str region, account, name;
    int64_t version; /* 0: none given */
};
bool layer_name_parse(struct str text, struct layer_name *ret);
bool qualifier_is_version(struct str q); /* digits */
bool qualifier_is_latest(struct str q);  /* absent or $LATEST */

/* What a request names, checked against the caller's region and account. */
struct function_ref {
    struct str name, qualifier; /* qualifier absent when none was given */
};
int function_ref_get(struct call *call, struct str text, struct str qualifier,
                     struct function_ref *ret);
struct str function_arn(struct call *call, struct str name, struct str qualifier);
int function_not_found(struct call *call, struct str name, struct str qualifier);

/* record.c: what is stored. The put and delete functions also end what is cached about a function.
 */
int function_load(struct call *call, struct str name, struct lambda_function_record *ret);
int function_save(struct call *call, const struct lambda_function_record *f);
int function_remove(struct call *call, struct str name);
int version_load(struct call *call, struct str name, int64_t number,
                 struct lambda_version_record *ret);
int version_save(struct call *call, struct str name, int64_t number,
                 const struct lambda_version_record *v);
int version_remove(struct call *call, struct str name, int64_t number);
int alias_load(struct call *call, struct str name, struct str alias,
               struct lambda_alias_configuration *ret);
int alias_save(struct call *call, struct str name, const struct lambda_alias_configuration *a);
int policy_load(struct call *call, struct str name, struct str qualifier,
                struct lambda_policy_record *ret);
struct str key_functions(struct call *call); /* prefixes for page_scan() */
struct str key_all_versions(struct call *call);
struct str key_versions(struct call *call, struct str name);
struct str key_aliases(struct call *call, struct str name);
struct str key_policies(struct call *call, struct str name);
struct str key_alias(struct call *call, struct str name, struct str alias);
struct str key_policy(struct call *call, struct str name, struct str qualifier);
struct str key_layers(struct call *call);
struct str key_layer_versions(struct call *call, struct str name);
struct str key_layer(struct call *call, struct str name);
struct str key_layer_version(struct call *call, struct str account, struct str region,
                             struct str name, int64_t number);

/* One page of keys below prefix. marker: what the client sent; *ret_next: what it sends to go on.
 */
int page_scan(struct call *call, struct str prefix, struct str marker, struct opt_int max_items,
              struct store_row **ret, size_t *ret_n, struct str *ret_next);

/* The version or alias that a qualifier names. -> the record; ret_alias is absent for versions.
 * Answers "Function not found" itself. */
int version_resolve(struct call *call, const struct function_ref *ref,
                    struct lambda_version_record *ret, struct str *ret_alias);

/* configuration.c: from requests to the stored configuration. */
int configuration_create(struct call *call, const struct lambda_create_function_input *in,
                         struct str name, struct lambda_version_record *ret);
int configuration_update(struct call *call,
                         const struct lambda_update_function_configuration_input *in,
                         struct lambda_version_record *v);
int configuration_check_layers(struct call *call, struct lambda_version_record *v,
                               const struct lambda_layer_list *layers, struct str runtime);
int configuration_check_layer_runtimes(struct call *call,
                                       const struct lambda_compatible_runtimes *list);
int configuration_check_size(struct call *call, const struct lambda_version_record *v);
void configuration_touch(struct call *call, struct lambda_version_record *v);
/* What goes out: qualified: the ARN carries this qualifier (absent: none). */
void configuration_out(struct call *call, const struct lambda_version_record *v,
                       struct str qualifier, struct lambda_function_configuration *ret);
enum configuration_state { SHOW_ACTIVE, SHOW_PENDING, SHOW_UPDATING, SHOW_NONE };
void configuration_show(struct lambda_function_configuration *c, enum configuration_state state);

/* version.c */
int version_publish(struct call *call, struct lambda_function_record *f,
                    struct lambda_version_record *latest, struct str description,
                    struct lambda_version_record *ret, bool *ret_new);

/* code.c: deployment packages. */
struct code {
    struct str digest; /* sha256 of the zip, hex */
    struct str sha256_base64;
    int64_t zipped_bytes, unpacked_bytes;
    char *tmp_zip; /* still to be adopted by code_hold(); NULL when the store has it */
    const struct lambda_image_record *image; /* of a container image; NULL for zips */
};
struct code_source {
    struct str zip_file;
    struct str s3_bucket, s3_key, s3_object_version;
};
/* Fetches, checks and unpacks. `done` is called in a later turn with result 0 or CALL_FAILED (the
 * call has been told why). The call must answer CALL_LATER. */
typedef void code_done_fn(struct call *call, int result, const struct code *code, void *user);
void code_fetch(struct call *call, const struct code_source *from, code_done_fn *done, void *user);
int code_check_source(struct call *call, struct str zip, struct str bucket, struct str key);
int code_hold(struct call *call, const struct code *code); /* one reference more, in the store */
int code_hold_again(struct call *call, struct str digest);
int code_release(struct call *call, struct str digest);
struct str code_dir(struct cloud *cloud, struct arena *a, struct str digest);
struct str code_location(struct call *call, struct str digest); /* an URL to download from */
int code_keeper_open(struct lambda_state *state);
void code_keeper_close(struct lambda_state *state);
/* Environments say what they have mounted, so that it stays until they are gone. */
void code_use(struct lambda_state *state, struct str digest);
void code_unuse(struct lambda_state *state, struct str digest);

int tag_count_check(struct call *call, size_t n); /* tag.c: so many on one function? */

/* permission.c: statements of policies, shared with layers. */
struct statement_request {
    struct str sid, action, principal, resource;
    struct str source_arn, source_account, organization, url_auth_type, event_source_token;
    bool via_url_has, via_url;
};
int statement_make(struct call *call, const struct statement_request *q, struct json **ret);
int policy_add(struct call *call, struct str policy, struct json *statement, struct str *ret);
int policy_take_out(struct call *call, struct str policy, struct str sid, struct str *ret,
                    bool *ret_empty); /* -ENOENT */
int lambda_resource_policy(struct call *call, struct str action, struct str resource);

extern const struct handler lambda_function_handlers[], lambda_update_handlers[],
    lambda_version_handlers[], lambda_alias_handlers[], lambda_layer_handlers[],
    lambda_layer_permission_handlers[], lambda_permission_handlers[], lambda_tag_handlers[],
    lambda_invoke_handlers[], lambda_invoke_stream_handlers[], lambda_url_handlers[],
    lambda_concurrency_handlers[], lambda_provisioned_handlers[], lambda_event_config_handlers[],
    lambda_recursion_handlers[];

/* code.c: downloads of packages, by the links that code_location() makes. */
#define LAMBDA_CODE_PATH "/_lamina/lambda/code/"
void code_serve(void *user, struct http_request *req);

/* role.c: may Lambda assume the role, and may the caller hand it over? `done` is called in a later
 * turn with 0 or CALL_FAILED. */
typedef void role_done_fn(struct call *call, int result, void *user);
void role_check(struct call *call, struct str role_arn, role_done_fn *done, void *user);

/* layer.c */
int layer_ref_get(struct call *call, struct str text, struct str *ret_name);
struct str layer_arn(struct call *call, struct str name, int64_t version); /* 0: the layer's own */
int layer_load(struct call *call, struct str name, int64_t version,
               struct lambda_layer_version_record *ret);
int layer_save(struct call *call, struct str name, int64_t version,
               const struct lambda_layer_version_record *layer);
