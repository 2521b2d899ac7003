/* fetch - the bytes behind a presigned URL: see fetch.h. */
#include "aws/fetch.h"
#include <errno.h>
#include "aws/transport.h"

int aws_fetch(struct arena *a, struct str url, int fd, struct aws_error *err)
{
    *err = (struct aws_error){0};
    ssize_t scheme = str_find(url, S("://"));
    struct str rest = scheme < 0 ? (struct str){0} : str_slice(url, (size_t)scheme + 3, url.n);
    ssize_t slash = str_find_byte(rest, '/');
    if (scheme < 0 || slash < 0) {
        err->message = S("the code's address is no URL");
        return err->r = -EINVAL;
    }
    struct str origin = str_slice(url, 0, (size_t)(scheme + 3 + slash)), path, query;
    str_cut(str_slice(rest, (size_t)slash, rest.n), '?', &path, &query);
    struct wire_request req = {.method = S("GET"), .path = path, .query = query};
    struct transport_limits limits = {
        .connect_timeout_ms = 5000, .timeout_ms = 300000, .max_bytes = 1024 * 1024, .out_fd = fd};
    struct wire_response answer = {0};
    struct transport *t = transport_new();
    int64_t written = 0;
    int r = transport_send(t, str_copy(a, origin), &req, &limits, a, &answer, &written, err);
    if (r == 0 && answer.status != 200) {
        err->status = answer.status;
        err->message = str_printf(a, "%.*s answers %d", STR(origin), answer.status);
        r = err->r = -EREMOTEIO;
    }
    transport_free(t);
    return r;
}
