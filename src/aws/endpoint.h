/* endpoint - the address of a service of AWS, and what requests to it are signed for.
 *
 * As AWS's endpoint rule sets have it, for the commercial partition, China, GovCloud, the European
 * Sovereign Cloud and two isolated ones. May use wire/ and base/. */
#pragma once
#include "base/arena.h"
#include "wire/shape.h"

struct endpoint_wish {
    struct str region;
    bool fips, dual_stack;
};

struct endpoint {
    struct str url;            /* https://HOST, in the arena or constant */
    struct str signing_region; /* IAM has one for each partition */
};

/* False: such a name can be no region's (it would become part of a host name). */
bool endpoint_region_valid(struct str region);
/* Says nothing about whether it exists: China has no S3 with FIPS. */
struct endpoint endpoint_find(const struct service_model *service, const struct endpoint_wish *wish,
                              struct arena *a);
