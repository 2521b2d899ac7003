/* policy_condition - the operators of Condition blocks. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include "base/clock.h"
#include "base/digest.h"
#include "service/policy_document.h"

static const struct {
    const char *name;
    enum condition_type type;
    enum condition_relation relation;
    bool negated;
} operators[] = {
    {"StringEquals", CONDITION_STRING, RELATION_EQUAL, false},
    {"StringNotEquals", CONDITION_STRING, RELATION_EQUAL, true},
    {"StringEqualsIgnoreCase", CONDITION_STRING_NOCASE, RELATION_EQUAL, false},
    {"StringNotEqualsIgnoreCase", CONDITION_STRING_NOCASE, RELATION_EQUAL, true},
    {"StringLike", CONDITION_LIKE, RELATION_EQUAL, false},
    {"StringNotLike", CONDITION_LIKE, RELATION_EQUAL, true},
    {"NumericEquals", CONDITION_NUMBER, RELATION_EQUAL, false},
    {"NumericNotEquals", CONDITION_NUMBER, RELATION_EQUAL, true},
    {"NumericLessThan", CONDITION_NUMBER, RELATION_LESS, false},
    {"NumericLessThanEquals", CONDITION_NUMBER, RELATION_LESS_EQUAL, false},
    {"NumericGreaterThan", CONDITION_NUMBER, RELATION_MORE, false},
    {"NumericGreaterThanEquals", CONDITION_NUMBER, RELATION_MORE_EQUAL, false},
    {"DateEquals", CONDITION_DATE, RELATION_EQUAL, false},
    {"DateNotEquals", CONDITION_DATE, RELATION_EQUAL, true},
    {"DateLessThan", CONDITION_DATE, RELATION_LESS, false},
    {"DateLessThanEquals", CONDITION_DATE, RELATION_LESS_EQUAL, false},
    {"DateGreaterThan", CONDITION_DATE, RELATION_MORE, false},
    {"DateGreaterThanEquals", CONDITION_DATE, RELATION_MORE_EQUAL, false},
    {"Bool", CONDITION_BOOL, RELATION_EQUAL, false},
    {"BinaryEquals", CONDITION_BINARY, RELATION_EQUAL, false},
    {"IpAddress", CONDITION_IP, RELATION_EQUAL, false},
    {"NotIpAddress", CONDITION_IP, RELATION_EQUAL, true},
    {"ArnEquals", CONDITION_ARN, RELATION_EQUAL, false},
    {"ArnLike", CONDITION_ARN, RELATION_EQUAL, false},
    {"ArnNotEquals", CONDITION_ARN, RELATION_EQUAL, true},
    {"ArnNotLike", CONDITION_ARN, RELATION_EQUAL, true},
    {"Null", CONDITION_NULL, RELATION_EQUAL, false},
};

int condition_operator_parse(struct str name, struct condition_operator *ret)
{
    struct condition_operator op = {0};
    if (str_starts(name, S("ForAnyValue:")))
        op.set = SET_ANY;
    else if (str_starts(name, S("ForAllValues:")))
        op.set = SET_ALL;
    if (op.set != SET_NONE)
        name = str_slice(name, (size_t)str_find_byte(name, ':') + 1, name.n);
    if (str_ends(name, S("IfExists"))) {
        op.if_exists = true;
        name.n -= sizeof("IfExists") - 1;
    }
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (!str_is(name, operators[i].name))
            continue;
        op.type = operators[i].type;
        op.relation = operators[i].relation;
        op.negated = operators[i].negated;
        if (op.type == CONDITION_NULL && (op.if_exists || op.set != SET_NONE))
            return -EINVAL;
        *ret = op;
        return 0;
    }
    return -EINVAL;
}

static bool related(enum condition_relation relation, double a, double b)
{
    switch (relation) {
    case RELATION_EQUAL:
        return a == b;
    case RELATION_LESS:
        return a < b;
    case RELATION_LESS_EQUAL:
        return a <= b;
    case RELATION_MORE:
        return a > b;
    case RELATION_MORE_EQUAL:
        return a >= b;
    }
    return false;
}

static bool number_parse(struct str s, double *ret)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!memchr("0123456789+-.eE", s.p[i], 15)) /* strtod() would take 0x10 and nan */
            return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = strtod(text, &end);
    if (*end || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

/* W3C dates ("2024-01-01", "2024-01-01T10:00:00Z") or seconds since 1970. */
static bool date_parse(struct str s, double *ret_ms)
{
    int64_t ms;
    double seconds;
    if (clock_parse_iso8601(s, &ms) == 0) {
        *ret_ms = (double)ms;
        return true;
    }
    if (s.n == 10 && s.p[4] == '-' && s.p[7] == '-') {
        char text[21];
        memcpy(text, s.p, 10);
        memcpy(text + 10, "T00:00:00Z", 10);
        if (clock_parse_iso8601(str_of(text, 20), &ms) == 0) {
            *ret_ms = (double)ms;
            return true;
        }
    }
    if (!number_parse(s, &seconds))
        return false;
    *ret_ms = seconds * 1000;
    return true;
}

bool condition_date_valid(struct str value)
{
    double ms;
    return date_parse(value, &ms);
}

static bool ip_within(struct str address, struct str network)
{
    struct str base, width;
    bool has_width = str_cut(network, '/', &base, &width);
    char a_text[INET6_ADDRSTRLEN], n_text[INET6_ADDRSTRLEN];
    if (address.n >= sizeof(a_text) || base.n >= sizeof(n_text))
        return false;
    memcpy(a_text, address.p, address.n);
    a_text[address.n] = 0;
    memcpy(n_text, base.p, base.n);
    n_text[base.n] = 0;
    uint8_t a[16], n[16];
    int family = memchr(n_text, ':', base.n) ? AF_INET6 : AF_INET;
    int64_t bits = family == AF_INET6 ? 128 : 32, max = bits;
    if (inet_pton(family, a_text, a) != 1 || inet_pton(family, n_text, n) != 1)
        return false;
    if (has_width && (str_to_int64(width, &bits) < 0 || bits < 0 || bits > max))
        return false;
    size_t whole = (size_t)bits / 8;
    if (memcmp(a, n, whole) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));
    return (a[whole] & mask) == (n[whole] & mask);
}

/* Expanded patterns carry marks at what came out of variables; comparing text needs them off. */
static struct str unmarked(struct str s, const struct policy_request *r)
{
    if (!memchr(s.p, '\x01', s.n))
        return s;
    char *out = arena_alloc(r->arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\x01' && i + 1 < s.n)
            i++;
        out[n++] = s.p[i];
    }
    return str_of(out, n);
}

/* Both are base64 of the bytes; the same bytes may be spelt in several ways. */
static bool binary_equal(struct str a, struct str b, const struct policy_request *r)
{
    struct str bytes_a, bytes_b;
    if (str_eq(a, b))
        return true;
    return base64_decode(r->arena, a, &bytes_a) == 0 && base64_decode(r->arena, b, &bytes_b) == 0 &&
           str_eq(bytes_a, bytes_b);
}

static bool value_matches(const struct policy *p, const struct condition_operator *op,
                          struct str wanted, struct str value, const struct policy_request *r)
{
    double a, b;
    struct str pattern = wanted;
    if (op->type <= CONDITION_LIKE || op->type == CONDITION_ARN) {
        pattern = policy_expand(p, wanted, r);
        if (!str_has(pattern))
            return false;
    }
    switch (op->type) {
    case CONDITION_STRING:
        return str_eq(unmarked(pattern, r), value);
    case CONDITION_STRING_NOCASE:
        return str_eq_nocase(unmarked(pattern, r), value);
    case CONDITION_LIKE:
        return policy_glob_expanded(pattern, value, false);
    case CONDITION_ARN:
        return policy_glob_arn(pattern, value);
    case CONDITION_NUMBER:
        return number_parse(value, &a) && number_parse(wanted, &b) && related(op->relation, a, b);
    case CONDITION_DATE:
        return date_parse(value, &a) && date_parse(wanted, &b) && related(op->relation, a, b);
    case CONDITION_BOOL:
        return str_eq_nocase(wanted, value);
    case CONDITION_BINARY:
        return binary_equal(wanted, value, r);
    case CONDITION_IP:
        return ip_within(value, wanted);
    case CONDITION_NULL:
        return false;
    }
    return false;
}

static bool value_holds(const struct policy *p, const struct policy_condition *c, struct str value,
                        const struct policy_request *r)
{
    bool any = false;
    for (size_t i = 0; i < c->values.n && !any; i++)
        any = value_matches(p, &c->operator, c->values.items[i], value, r);
    return any != c->operator.negated;
}

bool condition_holds(const struct policy *p, const struct policy_condition *c,
                     const struct policy_request *r)
{
    const struct condition_operator *op = &c->operator;
    struct policy_values have = {0};
    bool exists = r->lookup && r->lookup(r->user, r->arena, c->key, &have) && have.n > 0;
    if (op->type == CONDITION_NULL) {
        for (size_t i = 0; i < c->values.n; i++)
            if (str_eq_nocase(c->values.items[i], exists ? S("false") : S("true")))
                return true;
        return false;
    }
    /* What is empty counts as nothing where sets are compared. */
    for (size_t i = 0; op->set != SET_NONE && exists && i < have.n; i++)
        if (have.items[i].n)
            break;
        else if (i + 1 == have.n)
            exists = false;
    if (!exists) {
        if (op->set != SET_NONE)
            return op->set == SET_ALL || op->if_exists;
        return op->if_exists || op->negated;
    }
    for (size_t i = 0; i < have.n; i++) {
        bool holds = value_holds(p, c, have.items[i], r);
        if (op->set == SET_ANY && holds)
            return true;
        if (op->set != SET_ANY && !holds)
            return false;
    }
    return op->set != SET_ANY;
}

bool condition_unknown(const struct policy *p, const struct policy_condition *c,
                       const struct policy_request *r)
{
    if (!c->operator.negated ||(c->operator.type> CONDITION_LIKE && c->operator.type !=
                                CONDITION_ARN))
        return false;
    for (size_t i = 0; i < c->values.n; i++)
        if (!str_has(policy_expand(p, c->values.items[i], r)))
            return true;
    return false;
}

bool policy_value_valid(struct str type, struct str value)
{
    double number;
    struct str bytes;
    auto_arena struct arena a;
    arena_init(&a);
    if (str_starts(type, S("numeric")))
        return number_parse(value, &number);
    if (str_starts(type, S("date")))
        return condition_date_valid(value);
    if (str_starts(type, S("boolean")))
        return str_eq_nocase(value, S("true")) || str_eq_nocase(value, S("false"));
    if (str_starts(type, S("ip")))
        return ip_within(value, value) || ip_within(value, S("0.0.0.0/0")) ||
               ip_within(value, S("::/0"));
    if (!str_starts(type, S("binary")))
        return true;
    return base64_decode(&a, value, &bytes) == 0;
}
