/* credentials - where keys and the region come from: options, environment, profile files, a
 * process, IAM Identity Center, the container or machine this runs in. Internal to aws/. */
#pragma once
#include "aws/client.h"

/* One section of ~/.aws/config or ~/.aws/credentials; "[sso-session x]" keeps its whole name. */
struct profile {
    struct str name;
    struct str access_key, secret_key, token;
    struct str region, role_arn, source_profile, credential_source, external_id, session_name;
    struct str web_identity_file, credential_process, endpoint_url, duration_seconds, mfa_serial;
    struct str sso_session, sso_start_url, sso_region, sso_account_id, sso_role_name;
    struct str use_fips_endpoint, use_dualstack_endpoint, max_attempts;
    struct profile *next;
};

/* ini text into profiles; a section that is there already is completed. "[profile x]" and "[x]" are
 * x. */
void profiles_parse(struct arena *a, struct str text, struct profile **list);
/* Both files; missing ones are empty. */
int profiles_load(struct arena *a, struct profile **ret);
struct profile *profile_find(struct profile *list, struct str name);

/* A variable of the environment; empty is as good as absent. */
struct str credentials_variable(const char *name);

/* What must be done to get keys. */
enum credential_kind {
    CREDENTIAL_KEYS,
    CREDENTIAL_PROCESS, /* run already, and again when its keys end */
    CREDENTIAL_ROLE,
    CREDENTIAL_WEB_IDENTITY,
    CREDENTIAL_SSO,
    CREDENTIAL_CONTAINER, /* AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI */
    CREDENTIAL_MACHINE,   /* EC2's metadata service */
};
struct credential_plan {
    enum credential_kind kind;
    struct sigv4_credentials keys; /* KEYS, PROCESS */
    int64_t expires_ms;            /* of keys; 0: never */
    struct str process;
    struct credential_plan *source; /* ROLE: what assumes it */
    struct str role_arn, external_id, session_name, web_token;
    int64_t duration_s;                          /* ROLE; 0: STS's own */
    struct str sso_name, sso_region;             /* SSO: what its token's file is named after */
    struct str sso_account, sso_role, sso_login; /* sso_login: the command that renews it */
};
/* -ENOENT with *err: nothing found, and where was looked. Asks no server. */
int credentials_plan(const struct aws_options *options, struct profile *profiles,
                     struct str profile, struct arena *a, struct credential_plan *ret,
                     struct aws_error *err);
/* Runs plan->process; its keys and their end into *plan. */
int credentials_run(struct credential_plan *plan, struct arena *a, struct aws_error *err);
