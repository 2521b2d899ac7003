/* identity - whose signature it is: keys known by their form, and sessions of roles.
 *
 *     test / test               root of account 000000000000
 *     123456789012 / test       root of that account
 *     ASIA... / secret / token  what AssumeRole and the cloud itself have given out
 *     AKIA... / secret          access keys of users */
#include <ctype.h>
#include <errno.h>
#include "cloud/internal.h"
#include "service/iam/access.h"
#include "service/iam/last_used.h"
#include "service/sts/session.h"

#define DEFAULT_ACCOUNT S("000000000000")

void principal_root(struct arena *a, struct str account, struct principal *ret)
{
    *ret = (struct principal){
        .type = PRINCIPAL_ROOT,
        .account = account,
        .arn = str_printf(a, "arn:aws:iam::%.*s:root", STR(account)),
        .user_id = account,
    };
}

static bool is_account(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit((unsigned char)s.p[i]))
            return false;
    return s.n == 12;
}

/* A key that is not active is as good as none. */
static int lookup_user(struct frame *f, struct str access_key, struct sigv4_secret *ret)
{
    struct iam_role_record user;
    struct str account, secret;
    int r = iam_access_key_find(f->call.store, f->call.arena, access_key, &account, &user, &secret);
    if (r < 0)
        return r == -EACCES ? -ENOENT : r;
    f->who = (struct principal){.type = PRINCIPAL_USER,
                                .account = account,
                                .arn = user.arn,
                                .user_id = user.role_id,
                                .role_name = user.role_name};
    *ret = (struct sigv4_secret){.secret_key = secret, .user = &f->who};
    return 0;
}

/* Who has been deleted has no sessions left, nor does a namesake inherit them; and IAM takes none,
 * as they know of no second factor. */
static bool user_session_holds(struct frame *f, const struct sts_session_record *session)
{
    struct iam_role_record user;
    return iam_entity_find(f->call.store, f->call.arena, session->account, "user",
                           session->role_name, &user) == 0 &&
           str_eq(user.role_id, session->user_id) && strcmp(f->mounted->model->id, "iam") != 0;
}

static int lookup(void *user, struct str access_key, struct str token, struct sigv4_secret *ret)
{
    struct frame *f = user;
    struct arena *a = f->call.arena;
    if (str_is(access_key, "test") || is_account(access_key)) {
        struct str account = str_is(access_key, "test") ? DEFAULT_ACCOUNT : access_key;
        principal_root(a, str_copy(a, account), &f->who);
        *ret = (struct sigv4_secret){.secret_key = S("test"), .user = &f->who};
        return 0;
    }
    if (str_starts(access_key, S("AKIA")))
        return lookup_user(f, access_key, ret);
    struct sts_session_record session;
    int r = session_find(f->call.store, a, access_key, &session);
    if (r < 0)
        return r;
    if (session.expires.ms <= f->call.now_ms)
        return -ESTALE;
    bool of_user = str_find(session.arn, S(":user/")) > 0;
    if (of_user && !user_session_holds(f, &session))
        return -ENOENT;
    f->who = (struct principal){
        .type = of_user               ? PRINCIPAL_USER
                : session.role_name.n ? PRINCIPAL_ROLE_SESSION
                                      : PRINCIPAL_ROOT,
        .account = session.account,
        .arn = session.arn,
        .user_id = session.user_id,
        .role_name = session.role_name,
        .session_policy = session.policy,
    };
    *ret = (struct sigv4_secret){
        .secret_key = session.secret_key, .token = session.token, .user = &f->who};
    return 0;
}

/* What each protocol calls a missing or wrong scope. */
static void bad_region(struct frame *f, struct wire_error *err)
{
    const struct service_model *m = f->mounted->model;
    struct arena *a = f->call.arena;
    if (m->protocol == PROTOCOL_REST_XML)
        wire_error_set(err, m, S("AuthorizationHeaderMalformed"),
                       str_printf(a,
                                  "The authorization header is malformed; the region '%.*s' is "
                                  "wrong; expecting 'us-east-1'",
                                  STR(f->auth.region)));
    else
        wire_error_set(err, m,
                       m->protocol == PROTOCOL_QUERY ? S("SignatureDoesNotMatch")
                                                     : S("InvalidSignatureException"),
                       str_printf(a,
                                  "Credential should be scoped to a valid region. ('%.*s' is "
                                  "none)",
                                  STR(f->auth.region)));
    err->status = m->protocol == PROTOCOL_REST_XML ? 400 : 403;
}

static int verify_anonymous(struct frame *f, struct wire_error *err)
{
    f->who = (struct principal){.type = PRINCIPAL_ANONYMOUS,
                                .account = DEFAULT_ACCOUNT,
                                .arn = S("anonymous"),
                                .user_id = S("anonymous")};
    f->call.account = DEFAULT_ACCOUNT;
    f->call.region = S("us-east-1");
    if (f->mounted->model->protocol == PROTOCOL_REST_XML)
        return 0; /* S3: the bucket's policy decides */
    bool json = f->mounted->model->protocol != PROTOCOL_QUERY;
    wire_error_set(
        err, f->mounted->model,
        json ? S("MissingAuthenticationTokenException") : S("MissingAuthenticationToken"),
        json ? S("Missing Authentication Token") : S("Request is missing Authentication Token"));
    err->status = 403;
    return -EACCES;
}

int identity_verify(struct frame *f, struct wire_error *err)
{
    struct call *call = &f->call;
    struct sigv4_verifier v = {
        .lookup = lookup,
        .user = f,
        .now_ms = call->now_ms,
        .body_unchecked = f->wire.body.has && f->wire.body.in_file,
    };
    if (f->trusted) {
        principal_root(call->arena, DEFAULT_ACCOUNT, &f->who);
        f->auth = (struct sigv4_result){.anonymous = true, .region = S("us-east-1")};
    } else if (f->mounted->model->protocol == PROTOCOL_REST_XML &&
               presigned_v2(call->arena, &f->wire)) {
        int r = presigned_v2_verify(f, lookup, err);
        if (r < 0)
            return r;
        f->who.access_key = f->auth.access_key;
    } else {
        int r = sigv4_verify(&v, f->mounted->model, &f->wire, call->arena, &f->auth, err);
        if (r < 0)
            return r;
        if (f->auth.anonymous)
            return verify_anonymous(f, err);
        f->who.access_key = f->auth.access_key;
    }
    call->account = f->who.account;
    call->region = f->auth.region;
    if (!guard_region_known(call->region)) {
        bad_region(f, err);
        return -EACCES;
    }
    if (f->who.type == PRINCIPAL_USER && str_starts(f->who.access_key, S("AKIA")))
        last_used_note(mounted_find(call->cloud, "iam")->state, f->who.access_key,
                       str_from(f->mounted->model->signing_name), call->region, call->now_ms);
    return 0;
}
