/* keys - credentials that a server gives: see keys.h. */
#include "aws/keys.h"
#include <errno.h>
#include "aws/endpoint.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"

#define ANSWER_MAX (1024 * 1024)
#define NEAR_MS 1000 /* a service beside this process, or none */
#define FAR_MS 10000 /* the portal */
#define TOKEN_S "21600"

struct question {
    struct transport *transport;
    struct arena *a;
    struct aws_error *err;
    int64_t patience_ms;
};

/* url: scheme://host[:port]/path[?query]. One header, or none. */
static int get(struct question *q, const char *method, struct str url, const char *header,
               struct str value, int *ret_status, struct str *ret_body)
{
    ssize_t scheme = str_find(url, S("://"));
    struct str rest = scheme < 0 ? (struct str){0} : str_slice(url, (size_t)scheme + 3, url.n);
    ssize_t slash = str_find_byte(rest, '/');
    if (scheme < 0)
        return aws_fail(q->err, -EINVAL, str_printf(q->a, "%.*s is no URL", STR(url)));
    size_t at = slash < 0 ? url.n : (size_t)(scheme + 3 + slash);
    struct wire_request req = {.method = str_from(method)};
    struct wire_headers h = {0};
    str_cut(str_slice(url, at, url.n), '?', &req.path, &req.query);
    if (!req.path.n)
        req.path = S("/");
    if (header)
        wire_headers_add(q->a, &h, str_from(header), value);
    req.headers = h.items;
    req.n_headers = h.n;
    struct transport_limits limits = {.connect_timeout_ms = q->patience_ms,
                                      .timeout_ms = q->patience_ms * 3,
                                      .max_bytes = ANSWER_MAX,
                                      .out_fd = -1};
    struct wire_response answer;
    int64_t written = 0;
    int r = transport_send(q->transport, str_copy(q->a, str_slice(url, 0, at)), &req, &limits, q->a,
                           &answer, &written, q->err);
    if (r < 0)
        return r;
    *ret_status = answer.status;
    *ret_body = answer.body.mem;
    return 0;
}

/* {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}, as agents and machines answer. */
static int take(struct question *q, struct str body, struct sigv4_credentials *ret,
                int64_t *ret_expires_ms)
{
    struct json *v;
    if (json_parse(q->a, body, &v, NULL) < 0 || !json_get_str(v, "AccessKeyId").n ||
        !json_get_str(v, "SecretAccessKey").n)
        return aws_fail(q->err, -EPROTO, S("what answers for credentials gave none"));
    *ret = (struct sigv4_credentials){json_get_str(v, "AccessKeyId"),
                                      json_get_str(v, "SecretAccessKey"), json_get_str(v, "Token")};
    if (clock_parse_iso8601(json_get_str(v, "Expiration"), ret_expires_ms) < 0)
        *ret_expires_ms = 0;
    return 0;
}

/* ---- a container's agent ---- */

/* A token that goes there must not go anywhere else without TLS. */
static bool agent_is_near(struct str url)
{
    static const char *const hosts[] = {"http://169.254.170.2/",  "http://169.254.170.23/",
                                        "http://[fd00:ec2::23]/", "http://127.0.0.1",
                                        "http://localhost",       "http://[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (str_starts(url, str_from(hosts[i])) &&
            (hosts[i][n - 1] == '/' || url.n == n || url.p[n] == ':' || url.p[n] == '/'))
            return str_find_byte(url, '@') < 0;
    }
    return false;
}

static int from_container(struct question *q, struct sigv4_credentials *ret,
                          int64_t *ret_expires_ms)
{
    struct str relative = credentials_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), body;
    struct str url = credentials_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct str token = credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct str file = credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    int status, r = 0;
    if (relative.n)
        url = str_printf(q->a, "http://169.254.170.2%.*s", STR(relative));
    else if (!str_starts(url, S("https://")) && !agent_is_near(url))
        return aws_fail(
            q->err, -EINVAL,
            str_printf(q->a,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI %.*s is neither https nor an "
                       "address of this machine",
                       STR(url)));
    if (file.n)
        r = fs_read(str_c(q->a, file), ANSWER_MAX, q->a, &token);
    if (r < 0)
        return aws_fail(q->err, r, str_printf(q->a, "%.*s: %s", STR(file), strerror(-r)));
    r = get(q, "GET", url, token.n ? "Authorization" : NULL, str_trim(token), &status, &body);
    if (r < 0)
        return r;
    if (status != 200)
        return aws_fail(
            q->err, -ENOENT,
            str_printf(q->a, "%.*s gives no credentials: it answers %d", STR(url), status));
    return take(q, body, ret, ret_expires_ms);
}

/* ---- a machine's metadata ---- */

static int from_machine(struct question *q, struct sigv4_credentials *ret, int64_t *ret_expires_ms)
{
    static const char path[] = "/latest/meta-data/iam/security-credentials/";
    struct str base = credentials_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"), token, role, body,
               rest;
    int status;
    if (!base.n)
        base = S("http://169.254.169.254");
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    int r = get(q, "PUT", str_printf(q->a, "%.*s/latest/api/token", STR(base)),
                "X-aws-ec2-metadata-token-ttl-seconds", S(TOKEN_S), &status, &token);
    if (r < 0 || status != 200)
        return aws_fail(
            q->err, -ENOENT,
            S("no credentials: looked at AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, the "
              "profile in ~/.aws and the machine's metadata service; give --profile NAME, or make "
              "one with \"aws configure\" or \"aws configure sso\""));
    r = get(q, "GET", str_printf(q->a, "%.*s%s", STR(base), path), "X-aws-ec2-metadata-token",
            token, &status, &role);
    if (r < 0)
        return r;
    str_cut(str_trim(role), '\n', &role, &rest);
    if (status != 200 || !role.n)
        return aws_fail(q->err, -ENOENT, S("no credentials: this machine has no instance profile"));
    r = get(q, "GET", str_printf(q->a, "%.*s%s%.*s", STR(base), path, STR(role)),
            "X-aws-ec2-metadata-token", token, &status, &body);
    if (r < 0)
        return r;
    if (status != 200)
        return aws_fail(
            q->err, -ENOENT,
            str_printf(q->a, "the machine's metadata service answers %d for its role", status));
    return take(q, body, ret, ret_expires_ms);
}

/* ---- IAM Identity Center ---- */

/* ~/.aws/sso/cache/SHA1(name).json, as `aws sso login` writes it. */
static int login_token(struct question *q, const struct credential_plan *plan, struct str *ret)
{
    uint8_t sum[20];
    struct str text, home = credentials_variable("HOME");
    struct json *v;
    int64_t ends;
    digest_sha1(plan->sso_name, sum);
    char *path = str_c(q->a, str_printf(q->a, "%.*s/.aws/sso/cache/%.*s.json", STR(home),
                                        STR(hex_encode(q->a, sum, sizeof(sum)))));
    if (fs_read(path, ANSWER_MAX, q->a, &text) < 0 || json_parse(q->a, text, &v, NULL) < 0 ||
        !json_get_str(v, "accessToken").n)
        return aws_fail(q->err, -ENOENT,
                        str_printf(q->a, "nobody is logged in: %.*s", STR(plan->sso_login)));
    if (clock_parse_iso8601(json_get_str(v, "expiresAt"), &ends) < 0 || ends <= clock_now_ms())
        return aws_fail(q->err, -EKEYEXPIRED,
                        str_printf(q->a, "the login has ended: %.*s", STR(plan->sso_login)));
    *ret = json_get_str(v, "accessToken");
    return 0;
}

static int from_sso(struct question *q, const struct credential_plan *plan, bool fips,
                    struct sigv4_credentials *ret, int64_t *ret_expires_ms)
{
    static const struct service_model portal = {.id = "sso", .endpoint_prefix = "portal.sso"};
    struct endpoint_wish wish = {.region = plan->sso_region, .fips = fips};
    struct endpoint endpoint;
    struct str token, body;
    struct json *v;
    int status, r = login_token(q, plan, &token);
    if (r < 0)
        return r;
    if (!endpoint_region_valid(plan->sso_region))
        return aws_fail(q->err, -EINVAL,
                        str_printf(q->a, "sso_region %.*s is no region", STR(plan->sso_region)));
    endpoint = endpoint_find(&portal, &wish, q->a);
    r = get(q, "GET",
            str_printf(q->a, "%.*s/federation/credentials?account_id=%.*s&role_name=%.*s",
                       STR(endpoint.url), STR(wire_percent_encode(q->a, plan->sso_account, false)),
                       STR(wire_percent_encode(q->a, plan->sso_role, false))),
            "x-amz-sso_bearer_token", token, &status, &body);
    if (r < 0)
        return r;
    if (status == 401)
        return aws_fail(q->err, -EKEYEXPIRED,
                        str_printf(q->a, "the login has ended: %.*s", STR(plan->sso_login)));
    if (json_parse(q->a, body, &v, NULL) < 0)
        v = NULL;
    const struct json *keys = json_get(v, "roleCredentials");
    if (status != 200 || !json_get_str(keys, "accessKeyId").n)
        return aws_fail(q->err, -ENOENT,
                        str_printf(q->a, "IAM Identity Center gives no keys of %.*s in %.*s: %.*s",
                                   STR(plan->sso_role), STR(plan->sso_account),
                                   STR(str_has(json_get_str(v, "message"))
                                           ? json_get_str(v, "message")
                                           : str_printf(q->a, "status %d", status))));
    *ret = (struct sigv4_credentials){json_get_str(keys, "accessKeyId"),
                                      json_get_str(keys, "secretAccessKey"),
                                      json_get_str(keys, "sessionToken")};
    if (json_int(json_get(keys, "expiration"), ret_expires_ms) < 0)
        *ret_expires_ms = 0;
    return 0;
}

int keys_fetch(struct transport *t, const struct credential_plan *plan, bool fips, struct arena *a,
               struct sigv4_credentials *ret, int64_t *ret_expires_ms, struct aws_error *err)
{
    struct question q = {.transport = t, .a = a, .err = err, .patience_ms = NEAR_MS};
    *ret_expires_ms = 0;
    if (plan->kind == CREDENTIAL_CONTAINER)
        return from_container(&q, ret, ret_expires_ms);
    if (plan->kind == CREDENTIAL_MACHINE)
        return from_machine(&q, ret, ret_expires_ms);
    q.patience_ms = FAR_MS;
    return from_sso(&q, plan, fips, ret, ret_expires_ms);
}
