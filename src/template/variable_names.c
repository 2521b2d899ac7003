/* variable_names - see the header. */
#include "template/variable_names.h"

static const char *const reserved_keys[] = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    NULL,
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool variable_name_fits(struct str name)
{
    if (name.n < 2 || !is_letter(name.p[0]))
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (!is_letter(name.p[i]) && (name.p[i] < '0' || name.p[i] > '9') && name.p[i] != '_')
            return false;
    return true;
}

bool variable_name_is_reserved(struct str name)
{
    for (const char *const *k = reserved_keys; *k; k++)
        if (str_is(name, *k))
            return true;
    return false;
}
