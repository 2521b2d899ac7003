/* template/partitions - the partition of a region, and the host names' ending there. */
#include "template/template.h"

struct str template_partition(struct str region)
{
    static const struct {
        struct str prefix, partition;
    } rows[] = {
        {S_INIT("cn-"), S_INIT("aws-cn")},         {S_INIT("us-gov-"), S_INIT("aws-us-gov")},
        {S_INIT("us-isob-"), S_INIT("aws-iso-b")}, {S_INIT("us-iso-"), S_INIT("aws-iso")},
        {S_INIT("us-isof-"), S_INIT("aws-iso-f")}, {S_INIT("eu-isoe-"), S_INIT("aws-iso-e")},
        {S_INIT("eusc-"), S_INIT("aws-eusc")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_starts(region, rows[i].prefix))
            return rows[i].partition;
    return S("aws");
}

struct str template_url_suffix(struct str region)
{
    struct str partition = template_partition(region);
    if (str_eq(partition, S("aws-cn")))
        return S("amazonaws.com.cn");
    if (str_eq(partition, S("aws-iso")))
        return S("c2s.ic.gov");
    if (str_eq(partition, S("aws-iso-b")))
        return S("sc2s.sgov.gov");
    if (str_eq(partition, S("aws-iso-e")))
        return S("cloud.adc-e.uk");
    if (str_eq(partition, S("aws-iso-f")))
        return S("csp.hci.ic.gov");
    if (str_eq(partition, S("aws-eusc")))
        return S("amazonaws.eu");
    return S("amazonaws.com");
}
