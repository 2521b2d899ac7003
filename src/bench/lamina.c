/* lamina - see lamina.h. */
#include "bench/lamina.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include "aws/ask.h"
#include "base/json.h"
#include "wire/lambda.h"

#define GONE_POLLS 500

int lamina_ask(struct arena *a, struct str endpoint, const char *method, struct str path,
               struct str *ret_body)
{
    int status, r = ask(a, endpoint, method, path, &status, ret_body);
    return r == 0 && status != 200 ? -EPROTO : r;
}

struct str lamina_endpoint(struct arena *a, struct aws_client *aws)
{
    struct str endpoint, body;
    struct json *health;
    if (!aws_client_is_local(aws))
        return (struct str){0};
    endpoint = aws_client_endpoint(aws, &lambda_model, a);
    if (lamina_ask(a, endpoint, "GET", S("/_lamina/health"), &body) < 0 ||
        json_parse(a, body, &health, NULL) < 0 || !json_is(health, JSON_OBJECT))
        return (struct str){0};
    return endpoint;
}

static int64_t number_of(const struct json *o, const char *name)
{
    int64_t v = 0;
    json_int(json_get(o, name), &v);
    return v;
}

int lamina_drop(struct arena *a, struct str endpoint, struct str region, struct str function,
                struct str version, struct lamina_dropped *ret)
{
    struct str path =
        str_printf(a, "/_lamina/lambda/drop?region=%.*s&function=%.*s", STR(region), STR(function));
    struct lamina_dropped all = {0};
    if (version.n) /* digits, or $LATEST */
        path = str_printf(a, "%.*s&version=%s%.*s", STR(path), version.p[0] == '$' ? "%24" : "",
                          STR(str_slice(version, version.p[0] == '$', version.n)));
    for (int i = 0; i < GONE_POLLS; i++) {
        struct str body;
        struct json *o;
        int r = lamina_ask(a, endpoint, "POST", path, &body);
        if (r < 0)
            return r;
        if (json_parse(a, body, &o, NULL) < 0)
            return -EPROTO;
        all.dropped += number_of(o, "dropped");
        all.busy = number_of(o, "busy");
        all.provisioned = number_of(o, "provisioned");
        if (!number_of(o, "ending"))
            break;
        poll(NULL, 0, i < 20 ? 1 : 10); /* its end would take processor time of the next one */
    }
    *ret = all;
    return 0;
}

#define PROCESS "process "

struct str lamina_cloud(struct arena *a, struct str endpoint)
{
    struct str text;
    struct json *root;
    int64_t pid;
    if (!endpoint.n || lamina_ask(a, endpoint, "GET", S("/_lamina/health"), &text) < 0 ||
        json_parse(a, text, &root, NULL) < 0)
        return (struct str){0};
    struct str data = json_get_str(root, "data");
    if (data.n)
        return str_printf(a, "data %.*s", STR(data));
    if (json_int(json_get(root, "pid"), &pid) < 0)
        return (struct str){0};
    return str_printf(a, PROCESS "%lld", (long long)pid);
}

bool lamina_cloud_gone(struct str cloud)
{
    int64_t pid;
    return str_starts(cloud, S(PROCESS)) &&
           str_to_int64(str_slice(cloud, strlen(PROCESS), cloud.n), &pid) == 0 && pid > 1 &&
           kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}
