/* credentials - where keys and the region come from: options, environment, profile files, a
 * process. Internal to aws/. */
#pragma once
#include "aws/client.h"

/* One section of ~/.aws/config or ~/.aws/credentials. */
struct profile {
    struct str name;
    struct str access_key, secret_key, token;
    struct str region, role_arn, source_profile, credential_source, external_id, session_name;
    struct str web_identity_file, credential_process, endpoint_url;
    struct profile *next;
};

/* ini text into profiles; a section that is there already is completed. "[profile x]" and "[x]" are
 * x. */
void profiles_parse(struct arena *a, struct str text, struct profile **list);
/* Both files; missing ones are empty. */
int profiles_load(struct arena *a, struct profile **ret);
struct profile *profile_find(struct profile *list, struct str name);

/* What a profile says should be done to get keys. */
enum credential_kind { CREDENTIAL_KEYS, CREDENTIAL_ROLE, CREDENTIAL_WEB_IDENTITY };
struct credential_plan {
    enum credential_kind kind;
    struct sigv4_credentials keys; /* CREDENTIAL_KEYS; for a role: those that assume it */
    struct str role_arn, external_id, session_name, web_token;
};
/* -ENOENT with *err: nothing found, and where was looked. */
int credentials_plan(const struct aws_options *options, struct profile *profiles,
                     struct str profile, struct arena *a, struct credential_plan *ret,
                     struct aws_error *err);
