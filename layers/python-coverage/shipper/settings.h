/* settings - what the environment's variables say: read once, nothing is copied.
 *
 * A value that cannot be understood is told in `complaint` (one line) and its default holds: a
 * typing error must not cost a function. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARNING, SAY_ERROR, SAY_NOTHING };

/* Where a server is. */
struct endpoint {
    bool tls;
    struct str host; /* a name or an address, IPv6 without brackets */
    uint16_t port;
};

struct settings {
    struct str directory;   /* LAMINA_COVERAGE_DIR, /tmp/.lamina-coverage */
    bool enabled;           /* COVERAGE_ENABLED, true */
    struct str bucket;      /* COVERAGE_S3_BUCKET; absent: nothing is sent */
    struct str prefix;      /* COVERAGE_S3_PREFIX, coverage/ */
    int64_t timeout_ms;     /* COVERAGE_UPLOAD_TIMEOUT in seconds, 30 */
    bool every_invocation;  /* COVERAGE_CONTEXTS=invocation: whatever each one ran, not just news */
    struct str wrapper;     /* AWS_LAMBDA_EXEC_WRAPPER */
    enum say_level level;   /* COVERAGE_LOG_LEVEL, INFO; COVERAGE_DEBUG=true is DEBUG */
    struct str runtime_api; /* AWS_LAMBDA_RUNTIME_API */
    bool fips, dual_stack;  /* AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT: of AWS itself */
    struct str region;      /* AWS_REGION */
    struct str function, version;
    struct str access_key, secret_key, token;
    struct str credentials_uri, credentials_token; /* of SnapStart: AWS_CONTAINER_... */
    bool has_endpoint; /* AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, unless they are ignored */
    struct endpoint endpoint;
    struct str base_path; /* path of that URL, without a slash at its end */
    struct str ca_file;   /* AWS_CA_BUNDLE, SSL_CERT_FILE; absent: where systems have it */
    struct str complaint; /* absent: everything was understood */
};

/* Texts live as long as the environment and the arena. */
void settings_read(struct settings *ret, struct arena *a);

/* http://host:port/path. -EINVAL: it is none. */
int endpoint_parse(struct str url, struct endpoint *ret, struct str *ret_path);
