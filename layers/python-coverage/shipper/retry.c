/* retry - see retry.h. */
#include "retry.h"
#include <errno.h>

/* S3's codes that stay true however often one asks. Everything else of 4xx is treated the same. */
static const struct {
    const char *code, *advice;
} hopeless[] = {
    {"AccessDenied", "give the function's role s3:PutObject on the bucket's coverage prefix (and "
                     "the key's kms:GenerateDataKey, where the bucket demands one)"},
    {"AllAccessDisabled", "the bucket is disabled: choose another COVERAGE_S3_BUCKET"},
    {"NoSuchBucket", "create the bucket, or correct COVERAGE_S3_BUCKET"},
    {"InvalidBucketName", "correct COVERAGE_S3_BUCKET"},
    {"InvalidAccessKeyId", "the credentials of the environment are not known there"},
    {"SignatureDoesNotMatch", "the credentials of the environment are not accepted"},
    {"ExpiredToken", "the credentials of the environment have expired"},
    {"PermanentRedirect", "correct AWS_REGION or the endpoint: the bucket is elsewhere"},
    {"MethodNotAllowed", "the endpoint is not S3's"},
};

enum retry_verdict retry_judge(int error, int status, struct str code)
{
    if (error) /* a wrong certificate and an answer that is not HTTP do not mend themselves */
        return error == -EKEYREJECTED || error == -EBADMSG || error == -EINVAL ? RETRY_NEVER
                                                                               : RETRY_LATER;
    if (status >= 200 && status < 300)
        return RETRY_DONE;
    if (status == 301 || status == 307 || status == 308 ||
        str_is(code, "AuthorizationHeaderMalformed") || str_is(code, "RequestTimeTooSkewed"))
        return RETRY_NOW;
    if (status >= 500 || status == 408 || status == 429 || str_is(code, "RequestTimeout") ||
        str_is(code, "SlowDown") || str_is(code, "OperationAborted"))
        return RETRY_LATER;
    return RETRY_NEVER;
}

const char *retry_advice(int error, int status, struct str code)
{
    if (error == -EKEYREJECTED)
        return "the endpoint's certificate is not of an authority of this system: AWS_CA_BUNDLE "
               "names a file with others";
    if (error)
        return "the endpoint does not answer as S3: look at AWS_ENDPOINT_URL_S3";
    for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++)
        if (str_is(code, hopeless[i].code))
            return hopeless[i].advice;
    if (status == 403)
        return hopeless[0].advice;
    if (status == 404)
        return "create the bucket, or correct COVERAGE_S3_BUCKET";
    return "S3 refuses the object";
}

int64_t retry_pause_ms(unsigned n, uint32_t random)
{
    int64_t whole = n < 8 ? 50ll << (n ? n - 1 : 0) : 5000;
    if (whole > 5000)
        whole = 5000;
    return whole / 2 + (int64_t)((uint64_t)random * (uint64_t)(whole / 2 + 1) >> 32);
}

int64_t retry_rest_ms(unsigned n)
{
    return n > 9 ? 300000 : 1000ll << (n ? n - 1 : 0);
}
