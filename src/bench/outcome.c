/* outcome - judges answers: see outcome.h. */
#include "bench/outcome.h"
#include "base/json.h"

#define MESSAGE_MAX 500

static struct json *parse_body(struct arena *a, const struct answer *answer)
{
    struct json *v;
    return json_parse(a, buf_view(&answer->body), &v, NULL) == 0 && v->type == JSON_OBJECT ? v
                                                                                           : NULL;
}

static struct str first(struct str x, struct str y)
{
    return x.n ? x : y;
}

static struct str clipped(struct str s)
{
    return str_slice(s, 0, MESSAGE_MAX);
}

/* "2025-11-24T23:11:20.123Z 8f50... Task timed out after 3.00 seconds", with or without a type. */
static bool is_timeout(struct str type, struct str message, struct str report_status)
{
    if (str_has(report_status))
        return str_is(report_status, "timeout");
    if (type.n)
        return str_is(type, "Sandbox.Timedout");
    return str_find(message, S("Task timed out after ")) >= 0;
}

static void function_failed(struct arena *a, const struct answer *answer, struct str report_status,
                            struct verdict *ret)
{
    struct json *v = parse_body(a, answer);
    struct str type = json_get_str(v, "errorType"), message = json_get_str(v, "errorMessage");
    ret->outcome =
        is_timeout(type, message, report_status) ? BENCH_TIMED_OUT : BENCH_FUNCTION_ERROR;
    if (ret->outcome == BENCH_TIMED_OUT)
        type = first(type, S("Sandbox.Timedout"));
    ret->type = first(first(type, answer->function_error), S("Unhandled"));
    ret->message = clipped(message);
}

/* The service's own name of the error: "ResourceNotFoundException:http://..." */
static struct str code_of(const struct answer *answer, const struct json *v)
{
    struct str code = answer->error_type, rest;
    if (code.n) {
        str_cut(code, ':', &code, &rest);
        return code;
    }
    code =
        first(json_get_str(v, "__type"), first(json_get_str(v, "code"), json_get_str(v, "Code")));
    ssize_t hash = str_find_last_byte(code, '#');
    return hash >= 0 ? str_slice(code, (size_t)hash + 1, code.n) : code;
}

static void service_refused(struct arena *a, const struct answer *answer, struct verdict *ret)
{
    struct json *v = parse_body(a, answer);
    struct str code = code_of(answer, v), reason = json_get_str(v, "Reason");
    bool throttled = answer->status == 429 || str_is(code, "TooManyRequestsException") ||
                     str_is(code, "ThrottlingException");
    ret->outcome = throttled ? BENCH_THROTTLED : BENCH_REFUSED;
    ret->type =
        first(throttled ? first(reason, code) : code, str_printf(a, "HTTP %d", answer->status));
    ret->message = clipped(first(json_get_str(v, "message"),
                                 first(json_get_str(v, "Message"), buf_view(&answer->body))));
}

/* Behind a URL a function that fails answers 502, and one that wants to says any status itself. */
static void url_failed(struct arena *a, const struct answer *answer, struct str report_status,
                       struct verdict *ret)
{
    if (str_is(report_status, "timeout")) {
        *ret = (struct verdict){BENCH_TIMED_OUT, S("Sandbox.Timedout"), S("")};
    } else if (answer->status == 429 || answer->status == 403 || answer->error_type.n) {
        service_refused(a, answer, ret);
    } else {
        ret->outcome = BENCH_FUNCTION_ERROR;
        ret->type = str_printf(a, "HTTP %d", answer->status);
        ret->message = clipped(buf_view(&answer->body));
    }
}

/* ---- what API Gateway, a URL and load balancers make of an answer ---- */

static size_t skip_space(struct str s, size_t i)
{
    while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n'))
        i++;
    return i;
}

/* Behind the text that begins at i. */
static size_t skip_text(struct str s, size_t i)
{
    for (i++; i < s.n && s.p[i] != '"'; i++)
        i += s.p[i] == '\\';
    return i + 1;
}

/* 500 or "500"; 0: something else. */
static int code_at(struct str s, size_t i)
{
    bool quoted = i < s.n && s.p[i] == '"';
    int code = 0;
    size_t from = i += quoted;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && i - from < 4; i++)
        code = code * 10 + (s.p[i] - '0');
    bool ends = i < s.n && (quoted ? s.p[i] == '"' : s.p[i] != '.' && s.p[i] != 'e');
    return ends && i - from == 3 ? code : 0;
}

int outcome_status_code(struct str body)
{
    struct str wanted = S("\"statusCode\"");
    size_t i = skip_space(body, 0), depth = 0, end;
    if (i >= body.n || body.p[i] != '{' || str_find(body, wanted) < 0)
        return 0;
    for (; i < body.n; i = end) {
        char c = body.p[i];
        end = i + 1;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return 0;
        if (c != '"')
            continue;
        end = skip_text(body, i);
        size_t colon = skip_space(body, end);
        if (depth == 1 && colon < body.n && body.p[colon] == ':' &&
            str_eq(str_slice(body, i, end), wanted))
            return code_at(body, skip_space(body, colon + 1));
    }
    return 0;
}

/* The caller behind a gateway gets that status: it is as much a failure as behind a URL. */
static void look_at_status_code(struct arena *a, const struct answer *answer, struct verdict *ret)
{
    int code = outcome_status_code(buf_view(&answer->body));
    if (code < 400 || code > 599)
        return;
    ret->outcome = BENCH_FUNCTION_ERROR;
    ret->type = str_printf(a, "statusCode %d", code);
    ret->message =
        clipped(first(json_get_str(parse_body(a, answer), "body"), buf_view(&answer->body)));
}

void outcome_judge(struct arena *a, const struct answer *answer, bool url, struct str report_status,
                   struct verdict *ret)
{
    *ret = (struct verdict){.outcome = BENCH_OK};
    if (str_has(answer->function_error))
        function_failed(a, answer, report_status, ret);
    else if (url && answer->status >= 400)
        url_failed(a, answer, report_status, ret);
    else if (!url && answer->status >= 300)
        service_refused(a, answer, ret);
    else if (!url)
        look_at_status_code(a, answer, ret);
}
