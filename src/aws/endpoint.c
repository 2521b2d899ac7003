/* endpoint - the address of a service of AWS: see endpoint.h. */
#include "aws/endpoint.h"

struct partition {
    const char *prefix; /* of its regions */
    const char *suffix, *dual_suffix;
    /* IAM is one for a partition: its hosts without and with FIPS, then with dual stack. */
    const char *iam[2][2];
    const char *iam_region[2]; /* that it is signed for, without and with FIPS */
};

static const struct partition partitions[] = {
    {"cn-",
     "amazonaws.com.cn",
     "api.amazonwebservices.com.cn",
     {{"iam.cn-north-1.amazonaws.com.cn", "iam-fips.amazonaws.com.cn"},
      {"iam.global.api.amazonwebservices.com.cn", "iam-fips.api.amazonwebservices.com.cn"}},
     {"cn-north-1", "cn-northwest-1"}},
    {"us-gov-",
     "amazonaws.com",
     "api.aws",
     {{"iam.us-gov.amazonaws.com", "iam.us-gov.amazonaws.com"},
      {"iam.us-gov.api.aws", "iam.us-gov.api.aws"}},
     {"us-gov-west-1", "us-gov-west-1"}},
    {"eusc-",
     "amazonaws.eu",
     "api.amazonwebservices.eu",
     {{"iam.eusc-de-east-1.amazonaws.eu", "iam-fips.amazonaws.eu"},
      {"iam.api.amazonwebservices.eu", "iam-fips.api.amazonwebservices.eu"}},
     {"eusc-de-east-1", "eusc-de-east-1"}},
    {"us-iso-",
     "c2s.ic.gov",
     "api.aws.ic.gov",
     {{"iam.us-iso-east-1.c2s.ic.gov", "iam-fips.us-iso-east-1.c2s.ic.gov"},
      {"iam.api.aws.ic.gov", "iam-fips.api.aws.ic.gov"}},
     {"us-iso-east-1", "us-iso-east-1"}},
    {"us-isob-",
     "sc2s.sgov.gov",
     "api.aws.scloud",
     {{"iam.us-isob-east-1.sc2s.sgov.gov", "iam-fips.us-isob-east-1.sc2s.sgov.gov"},
      {"iam.api.aws.scloud", "iam-fips.api.aws.scloud"}},
     {"us-isob-east-1", "us-isob-east-1"}},
    {"",
     "amazonaws.com",
     "api.aws",
     {{"iam.amazonaws.com", "iam-fips.amazonaws.com"},
      {"iam.global.api.aws", "iam-fips.global.api.aws"}},
     {"us-east-1", "us-east-1"}},
};

bool endpoint_region_valid(struct str region)
{
    if (!region.n || region.n > 63 || region.p[0] == '-' || region.p[region.n - 1] == '-')
        return false;
    for (size_t i = 0; i < region.n; i++)
        if (!((region.p[i] >= 'a' && region.p[i] <= 'z') ||
              (region.p[i] >= '0' && region.p[i] <= '9') || region.p[i] == '-'))
            return false;
    return true;
}

static const struct partition *partition_of(struct str region)
{
    const struct partition *p = partitions;
    while (!str_starts(region, str_from(p->prefix)))
        p++;
    return p; /* the last one has every region */
}

struct endpoint endpoint_find(const struct service_model *service, const struct endpoint_wish *wish,
                              struct arena *a)
{
    const struct partition *p = partition_of(wish->region);
    const char *suffix = wish->dual_stack ? p->dual_suffix : p->suffix;
    bool fips = wish->fips;
    if (strcmp(service->id, "iam") == 0)
        return (struct endpoint){
            .signing_region = str_from(p->iam_region[wish->fips]),
            .url = str_printf(a, "https://%s", p->iam[wish->dual_stack][wish->fips])};
    struct endpoint e = {.signing_region = wish->region};
    /* GovCloud's ordinary addresses are FIPS's; Lambda and S3 have others beside them. */
    if (strcmp(p->prefix, "us-gov-") == 0 && !wish->dual_stack &&
        strcmp(service->id, "lambda") != 0 && strcmp(service->id, "s3") != 0)
        fips = false;
    if (strcmp(service->id, "s3") == 0)
        e.url = str_printf(a, "https://s3%s.%s%.*s.%s", fips ? "-fips" : "",
                           wish->dual_stack ? "dualstack." : "", STR(wish->region), p->suffix);
    else
        e.url = str_printf(a, "https://%s%s.%.*s.%s", service->endpoint_prefix, fips ? "-fips" : "",
                           STR(wish->region), suffix);
    return e;
}
