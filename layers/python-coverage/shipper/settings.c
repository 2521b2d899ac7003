/* settings - see settings.h. */
#include "settings.h"
#include <errno.h>
#include <stdlib.h>

static struct str variable(const char *name)
{
    struct str v = str_trim(str_from(getenv(name)));
    return v.n ? v : (struct str){0};
}

static struct str variable_or(const char *name, struct str otherwise)
{
    struct str v = variable(name);
    return v.n ? v : otherwise;
}

static void complain(struct settings *s, struct arena *a, const char *name, struct str value,
                     const char *wanted)
{
    s->complaint = str_printf(a, "%.*s%s%s=%.*s is not %s: its default holds", STR(s->complaint),
                              s->complaint.n ? "; " : "", name, STR(value), wanted);
}

static bool truth(struct settings *s, struct arena *a, const char *name, bool otherwise)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    struct str v = variable(name);
    if (!v.n)
        return otherwise;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (str_eq_nocase(v, str_from(yes[i])))
            return true;
        if (str_eq_nocase(v, str_from(no[i])))
            return false;
    }
    complain(s, a, name, v, "true or false");
    return otherwise;
}

static void read_level(struct settings *s, struct arena *a)
{
    static const struct {
        const char *name;
        enum say_level level;
    } levels[] = {
        {"DEBUG", SAY_DEBUG},  {"INFO", SAY_INFO},   {"WARNING", SAY_WARNING},
        {"WARN", SAY_WARNING}, {"ERROR", SAY_ERROR}, {"CRITICAL", SAY_ERROR},
        {"OFF", SAY_NOTHING},
    };
    s->level = SAY_INFO;
    struct str v = variable("COVERAGE_LOG_LEVEL");
    bool known = !v.n;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (str_eq_nocase(v, str_from(levels[i].name))) {
            s->level = levels[i].level;
            known = true;
        }
    }
    if (!known)
        complain(s, a, "COVERAGE_LOG_LEVEL", v, "DEBUG, INFO, WARNING or ERROR");
    if (truth(s, a, "COVERAGE_DEBUG", false))
        s->level = SAY_DEBUG;
}

static void read_timeout(struct settings *s, struct arena *a)
{
    struct str v = variable("COVERAGE_UPLOAD_TIMEOUT");
    int64_t seconds;
    s->timeout_ms = 30000;
    if (!v.n)
        return;
    if (str_to_int64(v, &seconds) < 0 || seconds < 1 || seconds > 900)
        complain(s, a, "COVERAGE_UPLOAD_TIMEOUT", v, "a number of seconds from 1 to 900");
    else
        s->timeout_ms = seconds * 1000;
}

int endpoint_parse(struct str url, struct endpoint *ret, struct str *ret_path)
{
    struct endpoint e = {0};
    if (str_starts(url, S("https://"))) {
        e.tls = true;
        url = str_slice(url, 8, url.n);
    } else if (str_starts(url, S("http://"))) {
        url = str_slice(url, 7, url.n);
    } else {
        return -EINVAL;
    }
    ssize_t slash = str_find_byte(url, '/');
    struct str path = slash < 0 ? S("") : str_slice(url, (size_t)slash, url.n);
    struct str place = slash < 0 ? url : str_slice(url, 0, (size_t)slash);
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    int64_t port = e.tls ? 443 : 80;
    ssize_t bracket = str_starts(place, S("[")) ? str_find_byte(place, ']') : -1;
    ssize_t colon = str_find_last_byte(place, ':');
    if (colon > bracket) {
        if (str_to_int64(str_slice(place, (size_t)colon + 1, place.n), &port) < 0)
            return -EINVAL;
        place = str_slice(place, 0, (size_t)colon);
    }
    e.host = bracket > 0 ? str_slice(place, 1, (size_t)bracket) : place;
    if (!e.host.n || e.host.n > 253 || port < 1 || port > 65535 || str_find_byte(path, '?') >= 0 ||
        str_find_byte(place, '@') >= 0)
        return -EINVAL;
    e.port = (uint16_t)port;
    *ret = e;
    *ret_path = path;
    return 0;
}

static void read_endpoint(struct settings *s, struct arena *a)
{
    if (truth(s, a, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", false))
        return;
    const char *name = "AWS_ENDPOINT_URL_S3";
    if (!variable(name).n)
        name = "AWS_ENDPOINT_URL";
    struct str url = variable(name);
    if (!url.n)
        return;
    if (endpoint_parse(url, &s->endpoint, &s->base_path) < 0)
        complain(s, a, name, url, "a URL");
    else
        s->has_endpoint = true;
}

void settings_read(struct settings *s, struct arena *a)
{
    *s = (struct settings){0};
    s->directory = variable_or("LAMINA_COVERAGE_DIR", S("/tmp/.lamina-coverage"));
    s->enabled = truth(s, a, "COVERAGE_ENABLED", true);
    s->bucket = variable("COVERAGE_S3_BUCKET");
    s->prefix = variable_or("COVERAGE_S3_PREFIX", S("coverage/"));
    while (s->prefix.n && s->prefix.p[0] == '/')
        s->prefix = str_slice(s->prefix, 1, s->prefix.n);
    if (s->prefix.n && !str_ends(s->prefix, S("/")))
        s->prefix = str_printf(a, "%.*s/", STR(s->prefix));
    s->every_invocation = str_is(variable("COVERAGE_CONTEXTS"), "invocation");
    read_timeout(s, a);
    read_level(s, a);
    s->wrapper = variable("AWS_LAMBDA_EXEC_WRAPPER");
    s->runtime_api = variable("AWS_LAMBDA_RUNTIME_API");
    s->region = variable_or("AWS_REGION", variable_or("AWS_DEFAULT_REGION", S("us-east-1")));
    s->fips = truth(s, a, "AWS_USE_FIPS_ENDPOINT", false);
    s->dual_stack = truth(s, a, "AWS_USE_DUALSTACK_ENDPOINT", false);
    s->function = variable_or("AWS_LAMBDA_FUNCTION_NAME", S("unknown"));
    s->version = variable_or("AWS_LAMBDA_FUNCTION_VERSION", S("$LATEST"));
    s->access_key = variable("AWS_ACCESS_KEY_ID");
    s->secret_key = variable("AWS_SECRET_ACCESS_KEY");
    s->token = variable("AWS_SESSION_TOKEN");
    s->credentials_uri = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    s->credentials_token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    s->ca_file = variable_or("AWS_CA_BUNDLE", variable("SSL_CERT_FILE"));
    read_endpoint(s, a);
}
