/* name - the ways to name a function or a layer. */
#include <ctype.h>
#include "service/lambda/lambda.h"

static bool is_account(struct str s)
{
    if (s.n != 12)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!isdigit((unsigned char)s.p[i]))
            return false;
    return true;
}

/* us-east-1, us-gov-west-1 */
static bool is_region(struct str s)
{
    size_t dashes = 0;
    if (s.n < 8 || !isdigit((unsigned char)s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-')
            dashes++;
        else if (!islower((unsigned char)s.p[i]) && i != s.n - 1)
            return false;
    }
    return dashes >= 2 && s.p[2] == '-' && s.p[s.n - 2] == '-';
}

static bool is_name(struct str s, bool dollar)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!isalnum((unsigned char)c) && c != '-' && c != '_' &&
            !(dollar && (c == '$' || c == '.')))
            return false;
    }
    return true;
}

/* Takes the next part off when it is one and something follows it. */
static bool take_part(struct str *rest, bool (*is)(struct str), struct str *ret)
{
    struct str part, after;
    if (!str_cut(*rest, ':', &part, &after) || !is(part))
        return false;
    *ret = part;
    *rest = after;
    return true;
}

static bool take_arn(struct str *rest)
{
    struct str part, after = *rest;
    return str_cut(after, ':', &part, &after) && str_is(part, "arn") &&
           str_cut(after, ':', &part, &after) && str_starts(part, S("aws")) &&
           str_cut(after, ':', &part, &after) && str_is(part, "lambda") && (*rest = after, true);
}

bool function_name_parse(struct str text, struct function_name *ret)
{
    struct function_name n = {0};
    struct str rest = text;
    if (str_starts(text, S("arn:")) && !take_arn(&rest))
        return false;
    take_part(&rest, is_region, &n.region);
    take_part(&rest, is_account, &n.account);
    if (str_starts(rest, S("function:")))
        rest = str_slice(rest, 9, rest.n);
    struct str qualifier;
    if (str_cut(rest, ':', &n.name, &qualifier)) {
        if (!is_name(qualifier, true))
            return false;
        n.qualifier = qualifier;
    }
    if (!is_name(n.name, false))
        return false;
    *ret = n;
    return true;
}

bool layer_name_parse(struct str text, struct layer_name *ret)
{
    struct layer_name n = {0};
    struct str rest = text;
    if (str_starts(text, S("arn:"))) {
        if (!take_arn(&rest) || !take_part(&rest, is_region, &n.region) ||
            !take_part(&rest, is_account, &n.account) || !str_starts(rest, S("layer:")))
            return false;
        rest = str_slice(rest, 6, rest.n);
    }
    struct str number;
    if (str_cut(rest, ':', &n.name, &number) &&
        (!qualifier_is_version(number) || str_to_int64(number, &n.version) < 0))
        return false;
    if (!is_name(n.name, false))
        return false;
    *ret = n;
    return true;
}

bool qualifier_is_version(struct str q)
{
    if (q.n == 0)
        return false;
    for (size_t i = 0; i < q.n; i++)
        if (!isdigit((unsigned char)q.p[i]))
            return false;
    return true;
}

bool qualifier_is_latest(struct str q)
{
    return q.n == 0 || str_is(q, "$LATEST");
}

/* Of the operation, as policies name it. */
static const char *action_name(const struct call *call)
{
    return str_starts(str_from(operation_name(call->op)), S("Invoke")) ? "InvokeFunction"
                                                                       : operation_name(call->op);
}

int function_ref_get(struct call *call, struct str text, struct str qualifier,
                     struct function_ref *ret)
{
    struct function_name n;
    if (!function_name_parse(text, &n))
        return call_fail(call, LAMBDA_VALIDATION,
                         "1 validation error detected: Value '%.*s' at 'functionName' failed to "
                         "satisfy constraint: Member must satisfy regular expression pattern: "
                         "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
                         "\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|"
                         "[a-zA-Z0-9-_]+))?",
                         STR(text));
    if (n.account.n && !str_eq(n.account, call->account))
        return call_fail(call, LAMBDA_ACCESS_DENIED,
                         "User: %.*s is not authorized to perform: lambda:%s on resource: %.*s "
                         "because no resource-based policy allows the lambda:%s action",
                         STR(call->who->arn), action_name(call), STR(text), action_name(call));
    if (n.region.n && !str_eq(n.region, call->region))
        return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND,
                           "Functions from '%.*s' are not reachable in this region ('%.*s')",
                           STR(n.region), STR(call->region));
    if (qualifier.n && n.qualifier.n && !str_eq(qualifier, n.qualifier))
        return lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE,
                           "The derived qualifier from the function name does not match the "
                           "specified qualifier.");
    *ret = (struct function_ref){n.name, qualifier.n ? qualifier : n.qualifier};
    return 0;
}

struct str function_arn(struct call *call, struct str name, struct str qualifier)
{
    return call_arn(call, "lambda", "function:%.*s%s%.*s", STR(name), qualifier.n ? ":" : "",
                    STR(qualifier));
}

int function_not_found(struct call *call, struct str name, struct str qualifier)
{
    return lambda_fail(call, LAMBDA_RESOURCE_NOT_FOUND, "Function not found: %.*s",
                       STR(function_arn(call, name, qualifier)));
}
