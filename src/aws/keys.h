/* keys - credentials that a server gives for something else than a signature: IAM Identity Center's
 * portal for a login's token, the agent of a container, the metadata service of a machine.
 * Internal to aws/.
 *
 * Formats: AWS SDKs and Tools Reference Guide, "Standardized credential providers". */
#pragma once
#include "aws/credentials.h"
#include "aws/transport.h"

/* SSO, CONTAINER or MACHINE. -ENOENT with *err when there are none: the machine's service is asked
 * once, and for a second. Keys live in the arena. */
int keys_fetch(struct transport *t, const struct credential_plan *plan, bool fips, struct arena *a,
               struct sigv4_credentials *ret, int64_t *ret_expires_ms, struct aws_error *err);
