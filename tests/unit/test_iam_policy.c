/* test_iam_policy - what policies say to requests, and what is refused as a policy. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/json.h"
#include "service/policy.h"

#define ROLE "arn:aws:iam::000000000000:role/R"
#define SESSION "arn:aws:sts::000000000000:assumed-role/R/S"
#define ROOT "arn:aws:iam::000000000000:root"

/* Condition keys of a request: "name=value", several of one name make a list. */
struct asked {
    const char *const *keys;
};

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    const struct asked *asked = user;
    size_t cap = 0;
    for (const char *const *k = asked->keys; k && *k; k++) {
        struct str name, value;
        str_cut(str_from(*k), '=', &name, &value);
        if (!str_eq_nocase(name, key))
            continue;
        struct str *slot = arena_push(a, (void **)&ret->items, &ret->n, &cap, sizeof(*slot));
        *slot = value;
    }
    return ret->n > 0;
}

static const char *says(struct str statement, enum policy_kind kind, struct policy_principal who,
                        const char *action, const char *resource, const char *const *keys)
{
    static const char *const verdicts[] = {"silent", "delegates", "allows", "itself", "denies"};
    auto_arena struct arena a;
    arena_init(&a);
    struct str text =
        str_printf(&a, "{\"Version\":\"2012-10-17\",\"Statement\":[%.*s]}", STR(statement));
    struct policy *p;
    struct str message;
    if (policy_parse(&a, kind, text, &p, &message) < 0) {
        print_error("%.*s\n", STR(message));
        return "malformed";
    }
    struct asked asked = {keys};
    struct policy_request r = {.arena = &a,
                               .action = str_from(action),
                               .resource = str_from(resource),
                               .who = who,
                               .lookup = lookup,
                               .user = &asked};
    return verdicts[policy_evaluate(p, &r)];
}

static const struct policy_principal session = {
    .account = S_INIT("000000000000"), .arn = S_INIT(SESSION), .role_arn = S_INIT(ROLE)};
static const struct policy_principal root = {.account = S_INIT("000000000000"),
                                             .arn = S_INIT(ROOT)};
static const struct policy_principal lambda = {.service = S_INIT("lambda.amazonaws.com")};
static const struct policy_principal nobody = {0};

#define ALLOW(rest) "{\"Effect\":\"Allow\"," rest "}"
#define DENY(rest) "{\"Effect\":\"Deny\"," rest "}"
#define ANY_IF(condition) ALLOW("\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{" condition "}")
#define KEYS(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void identity_policies(void **state)
{
    (void)state;
    static const struct {
        const char *statements, *action, *resource, *expected;
    } rows[] = {
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"*\""), "s3:GetObject",
         "arn:aws:s3:::b/k", "allows"},
        {ALLOW("\"Action\":\"S3:get*\",\"Resource\":\"arn:aws:s3:::b/*\""), "s3:GetObject",
         "arn:aws:s3:::b/k/l:m", "allows"},
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/k?\""), "s3:GetObject",
         "arn:aws:s3:::b/k", "silent"},
        {ALLOW("\"Action\":[\"s3:PutObject\",\"s3:Get?bject\"],\"Resource\":\"*\""), "s3:GetObject",
         "arn:aws:s3:::b/k", "allows"},
        {ALLOW("\"NotAction\":\"s3:*\",\"Resource\":\"*\""), "s3:GetObject", "arn:aws:s3:::b/k",
         "silent"},
        {ALLOW("\"NotAction\":\"iam:*\",\"Resource\":\"*\""), "s3:GetObject", "arn:aws:s3:::b/k",
         "allows"},
        {ALLOW("\"Action\":\"*\",\"NotResource\":\"arn:aws:s3:::secret/*\""), "s3:GetObject",
         "arn:aws:s3:::secret/k", "silent"},
        {ALLOW("\"Action\":\"*\",\"Resource\":\"*\"") "," DENY(
             "\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/*\""),
         "s3:GetObject", "arn:aws:s3:::b/k", "denies"},
        {DENY("\"Action\":\"s3:*\",\"Resource\":\"*\"") "," ALLOW(
             "\"Action\":\"*\",\"Resource\":\"*\""),
         "s3:GetObject", "arn:aws:s3:::b/k", "denies"},
        /* a wildcard in the region does not reach over the account */
        {ALLOW("\"Action\":\"lambda:*\",\"Resource\":\"arn:aws:lambda:*:function:f\""),
         "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:f", "silent"},
        {ALLOW("\"Action\":\"lambda:*\",\"Resource\":\"arn:aws:lambda:*:*:function:f*\""),
         "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:000000000000:function:f:1", "allows"},
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/${aws:username}/*\""),
         "s3:GetObject", "arn:aws:s3:::b/joe/k", "allows"},
        /* what a variable brings is no wildcard */
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/${evil}/k\""),
         "s3:GetObject", "arn:aws:s3:::b/joe/k", "silent"},
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/${*}/k\""),
         "s3:GetObject", "arn:aws:s3:::b/*/k", "allows"},
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/${missing}/k\""),
         "s3:GetObject", "arn:aws:s3:::b//k", "silent"},
        {ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/${missing, 'x'}/k\""),
         "s3:GetObject", "arn:aws:s3:::b/x/k", "allows"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(says(str_from(rows[i].statements), POLICY_IDENTITY, session,
                                 rows[i].action, rows[i].resource,
                                 KEYS("aws:username=joe", "evil=*")),
                            rows[i].expected);
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *statement, *expected;
    } rows[] = {
        {ANY_IF("\"StringEquals\":{\"aws:PrincipalAccount\":\"000000000000\"}"), "allows"},
        {ANY_IF("\"StringEquals\":{\"AWS:principalACCOUNT\":[\"1\",\"000000000000\"]}"), "allows"},
        {ANY_IF("\"StringEquals\":{\"no:such\":\"x\"}"), "silent"},
        {ANY_IF("\"StringEqualsIfExists\":{\"no:such\":\"x\"}"), "allows"},
        {ANY_IF("\"StringNotEquals\":{\"no:such\":\"x\"}"), "allows"},
        {ANY_IF("\"StringNotEquals\":{\"name\":[\"joe\",\"x\"]}"), "silent"},
        {ANY_IF("\"StringEqualsIgnoreCase\":{\"name\":\"JOE\"}"), "allows"},
        {ANY_IF("\"StringLike\":{\"name\":\"j*e\"}"), "allows"},
        {ANY_IF("\"StringNotLike\":{\"name\":\"j*e\"}"), "silent"},
        {ANY_IF("\"NumericLessThan\":{\"number\":\"10.5\"}"), "allows"},
        {ANY_IF("\"NumericGreaterThanEquals\":{\"number\":11}"), "silent"},
        {ANY_IF("\"NumericNotEquals\":{\"number\":10}"), "silent"},
        {ANY_IF("\"DateGreaterThan\":{\"now\":\"2024-01-01T00:00:00Z\"}"), "allows"},
        {ANY_IF("\"DateLessThan\":{\"now\":\"2024-01-01\"}"), "silent"},
        {ANY_IF("\"DateEquals\":{\"now\":\"1735689600\"}"), "allows"},
        {ANY_IF("\"Bool\":{\"secure\":false}"), "allows"},
        {ANY_IF("\"Bool\":{\"secure\":\"TRUE\"}"), "silent"},
        {ANY_IF("\"IpAddress\":{\"ip\":\"10.0.0.0/8\"}"), "allows"},
        {ANY_IF("\"IpAddress\":{\"ip\":\"10.1.2.4/31\"}"), "silent"},
        {ANY_IF("\"NotIpAddress\":{\"ip\":\"192.168.0.0/16\"}"), "allows"},
        {ANY_IF("\"IpAddress\":{\"ip6\":\"2001:db8::/33\"}"), "allows"},
        {ANY_IF("\"ArnLike\":{\"arn\":\"arn:aws:s3:::*\"}"), "allows"},
        {ANY_IF("\"ArnNotEquals\":{\"arn\":\"arn:aws:s3:::bucket\"}"), "silent"},
        {ANY_IF("\"ArnEquals\":{\"arn\":\"arn:*:bucket\"}"), "silent"},
        {ANY_IF("\"Null\":{\"no:such\":\"true\"}"), "allows"},
        {ANY_IF("\"Null\":{\"name\":true}"), "silent"},
        {ANY_IF("\"ForAnyValue:StringEquals\":{\"tags\":[\"b\",\"z\"]}"), "allows"},
        {ANY_IF("\"ForAllValues:StringEquals\":{\"tags\":[\"a\",\"z\"]}"), "silent"},
        {ANY_IF("\"ForAllValues:StringLike\":{\"tags\":[\"a\",\"?\"]}"), "allows"},
        {ANY_IF("\"ForAllValues:StringEquals\":{\"no:such\":\"a\"}"), "allows"},
        {ANY_IF("\"ForAnyValue:StringEquals\":{\"no:such\":\"a\"}"), "silent"},
        {ANY_IF("\"StringEquals\":{\"name\":\"${name}\"}"), "allows"},
        {ANY_IF("\"StringEquals\":{\"name\":\"joe\"},\"Bool\":{\"secure\":\"true\"}"), "silent"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got =
            says(str_from(rows[i].statement), POLICY_IDENTITY, session, "a:b", "*",
                 KEYS("aws:PrincipalAccount=000000000000", "name=joe", "number=10",
                      "now=2025-01-01T00:00:00Z", "secure=false", "ip=10.1.2.3", "ip6=2001:db8::1",
                      "arn=arn:aws:s3:::bucket", "tags=a", "tags=b"));
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s: %s, expected %s", rows[i].statement, got, rows[i].expected);
    }
}

static void principals(void **state)
{
    (void)state;
#define TRUSTS(who) ALLOW("\"Action\":\"sts:AssumeRole\",\"Principal\":" who)
    static const struct {
        const char *statement;
        const struct policy_principal *who;
        const char *expected;
    } rows[] = {
        {TRUSTS("{\"Service\":\"lambda.amazonaws.com\"}"), &lambda, "allows"},
        {TRUSTS("{\"Service\":\"lambda.amazonaws.com\"}"), &root, "silent"},
        {TRUSTS("{\"Service\":[\"ec2.amazonaws.com\"]}"), &lambda, "silent"},
        {TRUSTS("{\"AWS\":\"000000000000\"}"), &root, "allows"},
        {TRUSTS("{\"AWS\":\"" ROOT "\"}"), &root, "itself"},
        {TRUSTS("{\"AWS\":\"" ROOT "\"}"), &session, "delegates"},
        {TRUSTS("{\"AWS\":\"" ROLE "\"}"), &session, "allows"},
        {TRUSTS("{\"AWS\":\"" SESSION "\"}"), &session, "itself"},
        {TRUSTS("{\"AWS\":\"" ROLE "x\"}"), &session, "silent"},
        {TRUSTS("{\"AWS\":\"111111111111\"}"), &root, "silent"},
        {TRUSTS("{\"AWS\":\"*\"}"), &nobody, "allows"},
        {TRUSTS("\"*\""), &session, "allows"},
        {TRUSTS("{\"AWS\":\"000000000000\"}"), &nobody, "silent"},
        {DENY("\"Action\":\"sts:AssumeRole\",\"NotPrincipal\":{\"AWS\":\"" ROLE "\"}"), &session,
         "silent"},
        {DENY("\"Action\":\"sts:AssumeRole\",\"NotPrincipal\":{\"AWS\":\"" ROLE "\"}"), &nobody,
         "denies"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = says(str_from(rows[i].statement), POLICY_TRUST, *rows[i].who,
                               "sts:AssumeRole", ROLE, NULL);
        if (strcmp(got, rows[i].expected) != 0)
            fail_msg("%s: %s, expected %s", rows[i].statement, got, rows[i].expected);
    }
}

static void malformed_documents(void **state)
{
    (void)state;
#define DOC(statement) "{\"Version\":\"2012-10-17\",\"Statement\":" statement "}"
    static const struct {
        enum policy_kind kind;
        const char *text, *expected;
    } rows[] = {
        {POLICY_IDENTITY, "no json", "Syntax errors in policy."},
        {POLICY_IDENTITY, "[]", "Syntax errors in policy."},
        {POLICY_IDENTITY, DOC("[]"), "Syntax errors in policy."},
        {POLICY_IDENTITY, DOC("{\"Effect\":\"Allow\",\"Acton\":\"*\",\"Resource\":\"*\"}"),
         "Syntax errors in policy."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Resource\":\"*\"")),
         "Policy statement must contain actions."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"*\"")),
         "Policy statement must contain resources."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"get\",\"Resource\":\"*\"")),
         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"a:b:c\",\"Resource\":\"*\"")),
         "Actions/Condition can contain only one colon."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"a_b:c\",\"Resource\":\"*\"")),
         "Vendor a_b is not valid"},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"*\",\"Resource\":\"bucket\"")),
         "Resource bucket must be in ARN format or \"*\"."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Action\":\"*\",\"Resource\":\"a:b:c\"")),
         "Partition \"b\" is not valid for resource \"arn:b:c:*:*:*\"."},
        {POLICY_IDENTITY, DOC(ALLOW("\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"")),
         "Policy document should not specify a principal."},
        {POLICY_IDENTITY, DOC(ANY_IF("\"DateLessThan\":{\"aws:CurrentTime\":\"soon\"}")),
         "The policy failed legacy parsing"},
        {POLICY_IDENTITY, DOC(ANY_IF("\"StringSounds\":{\"a\":\"b\"}")),
         "Syntax errors in policy."},
        {POLICY_IDENTITY,
         DOC("[{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},"
             "{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]"),
         "Statement IDs (SID) in a single policy must be unique."},
        {POLICY_TRUST, "no json", "This policy contains invalid Json"},
        {POLICY_TRUST, DOC(ALLOW("\"Action\":\"sts:AssumeRole\"")),
         "Missing required field Principal"},
        {POLICY_TRUST,
         DOC(ALLOW("\"Action\":\"sts:AssumeRole\",\"Principal\":\"*\",\"Resource\":\"*\"")),
         "Has prohibited field Resource"},
        {POLICY_TRUST, DOC(ALLOW("\"Action\":\"s3:GetObject\",\"Principal\":\"*\"")),
         "AssumeRole policy may only specify STS AssumeRole actions."},
        {POLICY_TRUST, DOC(ALLOW("\"Action\":\"sts:AssumeRole\",\"Principal\":{\"AWS\":\"joe\"}")),
         "Invalid principal in policy: \"AWS\":\"joe\""},
        {POLICY_BUCKET, "x", "Policies must be valid JSON and the first byte must be '{'"},
        {POLICY_BUCKET, DOC(ALLOW("\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/*\"")),
         "Missing required field Principal"},
        {POLICY_BUCKET,
         DOC(ALLOW("\"Principal\":\"*\",\"Action\":\"iam:x\",\"Resource\":\"arn:aws:s3:::b/*\"")),
         "Policy has invalid action"},
        {POLICY_BUCKET,
         DOC(ALLOW("\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"b\"")),
         "Policy has invalid resource"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct str message = S("accepted");
        policy_check(&a, rows[i].kind, str_from(rows[i].text), &message);
        if (!str_is(message, rows[i].expected))
            fail_msg("%s: %.*s, expected %s", rows[i].text, STR(message), rows[i].expected);
    }
}

static void globs(void **state)
{
    (void)state;
    assert_true(policy_glob(S("a*b*c"), S("axxbyyc"), false));
    assert_true(policy_glob(S("***"), S(""), false));
    assert_false(policy_glob(S("a?c"), S("ac"), false));
    assert_true(policy_glob(S("GET*"), S("get"), true));
    /* many stars against much text stay quadratic, not exponential */
    char text[20001];
    memset(text, 'a', 20000);
    struct str stars = S("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b");
    assert_false(policy_glob(stars, str_of(text, 20000), false));
}

/* IAM says one sentence for all that is malformed; people are told what, and where. */
static void what_is_wrong_is_told_with_its_place(void **state)
{
    static const char *const rows[][2] = {
        {"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"},\n"
         " {\"Effect\":\n  \"Permit\"}]}",
         "p:3:3: statement 2: Invalid effect: Permit (IAM only says: Syntax errors in policy.)"},
        {"{\"Statement\":{\"Effect\":\"allow\"}}",
         "p:1:24: statement 1: Effect is written Allow or Deny, with one capital letter, not allow "
         "(IAM only says: The policy failed legacy parsing)"},
        {"{\"Statement\":[{\"Effect\":\"Allow\",\n\"Actions\":\"a:b\"}]}",
         "p:2:11: statement 1: Unknown field Actions (IAM only says: Syntax errors in policy.)"},
        {"{\"Statement\":[{\"Action\":\"a:b\"}]}",
         "p:1:15: statement 1: Missing required field Effect (IAM only says: Syntax errors in "
         "policy.)"},
        {"{\"Version\":\"2012\",\"Statement\":[]}",
         "p:1:12: The policy must contain a valid version string (IAM only says: Syntax errors in "
         "policy.)"},
        {"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\",\n"
         "\"Condition\":{\"StringEquls\":{\"a:b\":\"c\"}}}]}",
         "p:2:13: statement 1: Invalid Condition type : StringEquls (IAM only says: Syntax errors "
         "in policy.)"},
        {"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ab\",\"Resource\":\"*\"}]}",
         "p:1:42: statement 1: Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, "
         "ec2, etc."},
        {"{\"Statement\":[{\"Sid\":\"x\",\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*"
         "\"},"
         "\n{\"Sid\":\"x\",\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"}]}",
         "p:2:8: statement 2: Statement IDs (SID) in a single policy must be unique."},
        {"{\"Statement\":\n[}", "p:2:2: "},
        {"", "p:1:1: "},
        {"[]", "p:1:1: "},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p;
        struct policy_fault fault;
        assert_int_equal(
            policy_parse_explained(&a, POLICY_IDENTITY, str_from(rows[i][0]), &p, &fault),
            -EBADMSG);
        struct str text = policy_fault_text(&a, S("p"), &fault);
        if (!str_starts(text, str_from(rows[i][1])))
            fail_msg("%zu: %.*s", i, STR(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(identity_policies),
        cmocka_unit_test(conditions),
        cmocka_unit_test(principals),
        cmocka_unit_test(malformed_documents),
        cmocka_unit_test(globs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
