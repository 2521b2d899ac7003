/* sign_in - what requests are signed with: keys that are given, or asked for, or of a role. */
#include <errno.h>
#include "aws/client_own.h"
#include "aws/keys.h"
#include "base/clock.h"
#include "wire/sts.h"

#define RENEW_MS 60000 /* before credentials end */

static int take_credentials(struct aws_client *c, const struct credential_plan *plan, int r,
                            const struct sts_credentials *given, struct aws_error *err)
{
    if (r < 0) {
        err->message =
            str_printf(c->arena, "assuming %.*s: %.*s", STR(plan->role_arn), STR(err->message));
        return r;
    }
    if (!given)
        return aws_fail(err, -EPROTO, S("STS answered no credentials"));
    c->credentials = (struct sigv4_credentials){given->access_key_id, given->secret_access_key,
                                                given->session_token};
    c->expires_ms = given->expiration.ms;
    return 0;
}

static struct str session_name(const struct aws_client *c, const struct credential_plan *plan)
{
    if (plan->session_name.n)
        return plan->session_name;
    return str_printf(c->arena, "lamina-%lld", (long long)(clock_now_ms() / 1000));
}

/* c->credentials are those that assume it. */
static int assume(struct aws_client *c, const struct credential_plan *plan, struct aws_error *err)
{
    struct sts_assume_role_input in = {.role_arn = plan->role_arn,
                                       .external_id = plan->external_id,
                                       .role_session_name = session_name(c, plan)};
    struct sts_assume_role_output *out = NULL;
    if (plan->duration_s)
        in.duration_seconds = opt_int(plan->duration_s);
    int r = client_send(c, c->arena, &sts_assume_role_op, &in, -1, (void **)&out, err);
    return take_credentials(c, plan, r, out ? out->credentials : NULL, err);
}

/* The token itself is the proof: this request is not signed. */
static int assume_by_token(struct aws_client *c, const struct credential_plan *plan,
                           struct aws_error *err)
{
    struct sts_assume_role_with_web_identity_input in = {.role_arn = plan->role_arn,
                                                         .role_session_name = session_name(c, plan),
                                                         .web_identity_token = plan->web_token};
    struct sts_assume_role_with_web_identity_output *out = NULL;
    c->credentials = (struct sigv4_credentials){0};
    int r = client_send(c, c->arena, &sts_assume_role_with_web_identity_op, &in, -1, (void **)&out,
                        err);
    return take_credentials(c, plan, r, out ? out->credentials : NULL, err);
}

static int carry_out(struct aws_client *c, struct credential_plan *plan, struct aws_error *err)
{
    int r = 0;
    switch (plan->kind) {
    case CREDENTIAL_PROCESS:
        if (plan->expires_ms && clock_now_ms() >= plan->expires_ms - RENEW_MS)
            r = credentials_run(plan, c->arena, err);
        /* fall through */
    case CREDENTIAL_KEYS:
        c->credentials = plan->keys;
        c->expires_ms = plan->expires_ms;
        return r;
    case CREDENTIAL_ROLE:
        r = carry_out(c, plan->source, err);
        return r < 0 ? r : assume(c, plan, err);
    case CREDENTIAL_WEB_IDENTITY:
        return assume_by_token(c, plan, err);
    case CREDENTIAL_SSO:
    case CREDENTIAL_CONTAINER:
    case CREDENTIAL_MACHINE:
        return keys_fetch(c->transport, plan, c->fips, c->arena, &c->credentials, &c->expires_ms,
                          err);
    }
    return -EINVAL;
}

int client_sign_in(struct aws_client *c, struct aws_error *err)
{
    if (c->resolved && (!c->expires_ms || clock_now_ms() < c->expires_ms - RENEW_MS))
        return 0;
    int r = carry_out(c, &c->plan, err);
    c->resolved = r == 0;
    return r;
}

int aws_client_credentials(struct aws_client *client, struct sigv4_credentials *ret,
                           struct aws_error *err)
{
    int r = client_sign_in(client, err);
    if (r == 0)
        *ret = client->credentials;
    return r;
}
