/* recursion - see recursion.h; and the operations on its configuration. */
#include "service/lambda/recursion.h"
#include <errno.h>
#include "base/digest.h"

#define ENTRIES_MAX 32 /* of a header that a client has made up */
#define TIMES_MAX 999999

/* [1:]HASH:N -> N, when it is this function's. */
static bool parse_entry(struct str entry, struct str hash, int64_t *ret)
{
    struct str name, rest, second, third;
    if (!str_cut(entry, ':', &name, &rest))
        return false;
    if (str_cut(rest, ':', &second, &third)) { /* a version came before */
        name = second;
        rest = third;
    }
    return str_eq(name, hash) && str_to_int64(rest, ret) == 0 && *ret >= 0 && *ret <= TIMES_MAX;
}

void lineage_step(struct arena *a, struct str header, struct str function_arn, struct str *ret,
                  int64_t *ret_times)
{
    struct str hash = str_slice(sha256_hex(a, function_arn), 0, 8);
    struct str part, rest = header, lineage = {0};
    struct buf b;
    buf_init(&b, 65536);
    int64_t times = 0;
    for (bool more = header.n > 0; more;) {
        more = str_cut(rest, ';', &part, &rest);
        if (str_starts(part, S("Lineage=")))
            lineage = str_slice(part, 8, part.n);
        else if (part.n)
            buf_printf(&b, "%s%.*s", b.n ? ";" : "", STR(part));
        if (!more)
            break;
    }
    /* Others first, this one last: the oldest go when there are too many. */
    struct str others[ENTRIES_MAX];
    size_t n = 0;
    rest = lineage;
    for (bool more = lineage.n > 0; more;) {
        more = str_cut(rest, '|', &part, &rest);
        int64_t before;
        if (parse_entry(part, hash, &before))
            times = before < TIMES_MAX ? before + 1 : before;
        else if (part.n && n < ENTRIES_MAX)
            others[n++] = part;
    }
    buf_printf(&b, "%sLineage=", b.n ? ";" : "");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%.*s|", STR(others[i]));
    buf_printf(&b, "1:%.*s:%lld", STR(hash), (long long)times);
    *ret = b.failed ? header : buf_copy(&b, a);
    *ret_times = times;
    buf_done(&b);
}

int recursion_check(struct call *call, struct str name, struct str *trace)
{
    int64_t times;
    lineage_step(call->arena, *trace, function_arn(call, name, S("")), trace, &times);
    if (times < LINEAGE_MAX)
        return 0;
    struct lambda_function_record f = {0};
    int r = function_load(call, name, &f);
    if (r < 0)
        return r == -ENOENT ? function_not_found(call, name, S("")) : r;
    if (str_is(f.recursive_loop, "Allow"))
        return 0;
    return lambda_fail(call, LAMBDA_RECURSIVE_INVOCATION,
                       "Lambda has detected your function being invoked in a recursive loop with "
                       "other AWS resources and stopped your function's invocation.");
}

/* ---- operations ---- */

static int find(struct call *call, struct str text, struct lambda_function_record *ret)
{
    struct function_ref ref;
    int r = function_ref_get(call, text, S(""), &ref);
    if (r == 0)
        r = function_load(call, ref.name, ret);
    return r == -ENOENT ? function_not_found(call, ref.name, S("")) : r;
}

static int put_recursion(struct call *call,
                         const struct lambda_put_function_recursion_config_input *in,
                         struct lambda_put_function_recursion_config_output *out)
{
    struct lambda_function_record f = {0};
    int r = find(call, in->function_name, &f);
    if (r < 0)
        return r;
    out->recursive_loop = f.recursive_loop = in->recursive_loop;
    return function_save(call, &f);
}

static int get_recursion(struct call *call,
                         const struct lambda_get_function_recursion_config_input *in,
                         struct lambda_get_function_recursion_config_output *out)
{
    struct lambda_function_record f = {0};
    int r = find(call, in->function_name, &f);
    if (r == 0)
        out->recursive_loop = f.recursive_loop.n ? f.recursive_loop : S("Terminate");
    return r;
}

const struct handler lambda_recursion_handlers[] = {
    {lambda_put_function_recursion_config_run(put_recursion), NULL, "function:{FunctionName}"},
    {lambda_get_function_recursion_config_run(get_recursion), NULL, "function:{FunctionName}"},
    {0},
};
