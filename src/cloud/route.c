/* route - which service a request is for: by its signature's scope, its target, its Action, its
 * host, its path; S3 has what is left. */
#include <ctype.h>
#include "base/cleanup.h"
#include "cloud/internal.h"

struct mounted *mounted_find(struct cloud *cloud, const char *id)
{
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (strcmp(cloud->mounted[i].model->id, id) == 0)
            return &cloud->mounted[i];
    return NULL;
}

static struct mounted *by_signing_name(struct cloud *cloud, struct str name)
{
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (str_is(name, cloud->mounted[i].model->signing_name))
            return &cloud->mounted[i];
    return NULL;
}

static struct mounted *by_target(struct cloud *cloud, struct str prefix)
{
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        const char *has = cloud->mounted[i].model->target_prefix;
        if (has && str_is(prefix, has))
            return &cloud->mounted[i];
    }
    return NULL;
}

static bool speaks_query(const struct service_model *m)
{
    return m->protocol == PROTOCOL_QUERY || m->accepts_query;
}

/* Action=ListRoles&Version=2010-05-08: the version tells services apart that share an action. */
static struct mounted *by_action(struct cloud *cloud, const struct wire_request *req,
                                 struct arena *a)
{
    struct str form = req->query, action = wire_query_get(a, form, S("Action"));
    if (!str_has(action) && req->body.has && !req->body.in_file &&
        str_starts(wire_header(req, "Content-Type"), S("application/x-www-form-urlencoded"))) {
        form = req->body.mem;
        action = wire_query_get(a, form, S("Action"));
    }
    if (!str_has(action))
        return NULL;
    struct str version = wire_query_get(a, form, S("Version"));
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (speaks_query(cloud->mounted[i].model) &&
            str_is(version, cloud->mounted[i].model->api_version))
            return &cloud->mounted[i];
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (speaks_query(cloud->mounted[i].model) &&
            operation_find(cloud->mounted[i].model, action))
            return &cloud->mounted[i];
    return NULL;
}

static struct str without_port(struct str host)
{
    ssize_t colon = str_find_last_byte(host, ':');
    return colon >= 0 && str_find_byte(host, ']') < colon ? str_slice(host, 0, (size_t)colon)
                                                          : host;
}

static struct mounted *by_host(struct cloud *cloud, struct str host)
{
    struct str label, rest;
    if (!str_cut(without_port(host), '.', &label, &rest))
        return NULL;
    for (size_t i = 0; i < cloud->n_mounted; i++)
        if (str_is(label, cloud->mounted[i].model->endpoint_prefix))
            return &cloud->mounted[i];
    return NULL;
}

/* Lambda's paths begin with a date: /2015-03-31/functions/... */
static bool path_is_dated(struct str path)
{
    static const char form[] = "/dddd-dd-dd/";
    if (path.n < sizeof(form) - 1)
        return false;
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool digit = isdigit((unsigned char)path.p[i]);
        if (form[i] == 'd' ? !digit : path.p[i] != form[i])
            return false;
    }
    return true;
}

struct mounted *route_service(struct cloud *cloud, const struct wire_request *req, struct arena *a)
{
    struct str scope = sigv4_scope_service(a, req);
    if (scope.n)
        return by_signing_name(cloud, scope);
    struct str target = wire_target_prefix(req);
    if (target.n)
        return by_target(cloud, target);
    struct mounted *m = by_action(cloud, req, a);
    if (!m)
        m = by_host(cloud, wire_header(req, "Host"));
    if (!m && path_is_dated(req->path))
        m = mounted_find(cloud, "lambda");
    return m ? m : mounted_find(cloud, "s3");
}

bool route_url(struct str host, struct str path, struct str *ret_id, struct str *ret_path)
{
    struct str id, rest, label;
    if (str_cut(without_port(host), '.', &id, &rest) && str_cut(rest, '.', &label, &rest) &&
        str_eq_nocase(label, S("lambda-url")) && id.n) {
        *ret_id = id;
        *ret_path = path;
        return true;
    }
    const struct str aside = S("/_lamina/url/");
    if (!str_starts(path, aside))
        return false;
    path = str_slice(path, aside.n, path.n);
    ssize_t slash = str_find_byte(path, '/');
    *ret_id = slash < 0 ? path : str_slice(path, 0, (size_t)slash);
    *ret_path = slash < 0 ? S("/") : str_slice(path, (size_t)slash, path.n);
    return ret_id->n > 0;
}

/* bucket.s3.localhost, bucket.s3.us-east-1.localhost, bucket.localhost; bucket may have dots. */
struct str route_bucket(struct arena *a, struct str host)
{
    static const struct str none;
    host = str_lower(a, without_port(host));
    if (str_starts(host, S("s3.")) || str_starts(host, S("s3-")))
        return none;
    ssize_t s3 = str_find(host, S(".s3."));
    if (s3 < 0)
        s3 = str_find(host, S(".s3-"));
    if (s3 > 0)
        return str_slice(host, 0, (size_t)s3);
    if (str_ends(host, S(".localhost")))
        return str_slice(host, 0, host.n - (sizeof(".localhost") - 1));
    return none;
}
