/* extension_api - the Extensions API (2020-01-01), on the same listener as the Runtime API. */
#include "base/digest.h"
#include "base/json.h"
#include "service/lambda/instance_own.h"
#include "service/lambda/runtime_api.h"

#define BODY_MAX (64 * 1024)

static void refuse_transition(struct http_request *req, const struct extension *e, const char *to,
                              struct str who)
{
    api_refuse(req, 403, "Extension.InvalidExtensionState",
               "State transition from %s to %s failed for extension %.*s. Error: State transition "
               "is not allowed",
               extension_state_name(e), to, STR(who));
}

/* ---- register ---- */

struct registration {
    struct str name;
    bool invoke, shutdown, account;
};

static bool read_events(struct http_request *req, const struct json *body, bool external,
                        struct registration *ret)
{
    JSON_EACH(json_get(body, "events"), event) {
        struct str name = json_str(event);
        if (str_is(name, "INVOKE")) {
            ret->invoke = true;
        } else if (str_is(name, "SHUTDOWN") && external) {
            ret->shutdown = true;
        } else {
            api_refuse(req, 403, "Extension.InvalidEventType", "%.*s: %s", STR(name),
                       str_is(name, "SHUTDOWN") ? "ShutdownEventNotSupportedForInternalExtension"
                                                : "ErrorInvalidEventType");
            return false;
        }
    }
    return true;
}

static bool read_body(struct http_request *req, struct json **ret)
{
    struct str text = S("");
    struct json_error why = {0};
    if (req->body.has && body_load(&req->body, BODY_MAX, req->arena, &text) < 0) {
        api_refuse(req, 413, "RequestEntityTooLarge", "the body has more than %d bytes", BODY_MAX);
        return false;
    }
    if (json_parse(req->arena, text, ret, &why) < 0 || !json_is(*ret, JSON_OBJECT)) {
        api_refuse(req, 403, "InvalidRequestFormat", "%s", why.message ? why.message : "no object");
        return false;
    }
    struct json *events = json_get(*ret, "events"), *keys = json_get(*ret, "configurationKeys");
    if (events && !json_is(events, JSON_ARRAY) && !json_is(events, JSON_NULL)) {
        api_refuse(req, 403, "InvalidRequestFormat", "events is not a list");
        return false;
    }
    JSON_EACH(events, event) {
        if (json_is(event, JSON_STRING))
            continue;
        api_refuse(req, 403, "InvalidRequestFormat", "events has something that is not a string");
        return false;
    }
    if (keys && keys->n > 0) {
        api_refuse(req, 403, "InvalidRequestFormat",
                   "configurationKeys are deprecated; use environment variables instead");
        return false;
    }
    return true;
}

static bool wants_account(struct http_request *req)
{
    struct str list = http_header_get(req, "Lambda-Extension-Accept-Feature"), one;
    while (list.n) {
        str_cut(list, ',', &one, &list);
        if (str_is(str_trim(one), "accountId"))
            return true;
    }
    return false;
}

static void registered(struct instance *in, struct http_request *req, const struct extension *e)
{
    const struct target *t = in->target;
    struct arena *a = req->arena;
    struct json *o = json_new(a, JSON_OBJECT);
    json_set(a, o, S("functionName"), json_new_str(a, t->name));
    json_set(a, o, S("functionVersion"), json_new_str(a, t->version));
    json_set(a, o, S("handler"), json_new_str(a, str_has(t->c->handler) ? t->c->handler : S("")));
    if (wants_account(req))
        json_set(a, o, S("accountId"), json_new_str(a, t->account));
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, 2);
    headers[0] = (struct http_header){S("Content-Type"), S("application/json")};
    headers[1] = (struct http_header){S("Lambda-Extension-Identifier"), str_copy(a, e->id)};
    http_reply(req, 200, headers, 2, body_mem(str_printf(a, "%.*s\n", STR(json_text(a, o, -1)))));
}

/* An internal one: whoever is not a file of /opt/extensions. */
static struct extension *add_internal(struct instance *in, struct http_request *req,
                                      struct str name)
{
    struct extensions *x = &in->extensions;
    if (x->closed || !instance_in_init(in)) {
        api_refuse(req, 403, "Extension.RegistrationClosed",
                   "Extension registration closed already");
    } else if (x->n >= EXTENSIONS_MAX) {
        api_refuse(req, 403, "Extension.TooManyExtensions", "Extension limit (%d) reached",
                   EXTENSIONS_MAX);
    } else {
        struct extension *e = extension_add(x, name, false);
        return e;
    }
    return NULL;
}

static void register_one(struct instance *in, struct http_request *req)
{
    struct registration r = {.name = http_header_get(req, "Lambda-Extension-Name")};
    struct json *body;
    if (!r.name.n) {
        api_refuse(req, 403, "Extension.InvalidExtensionName", "Empty extension name");
        return;
    }
    if (!read_body(req, &body))
        return;
    struct extension *e = extension_by_name(&in->extensions, r.name);
    if (!read_events(req, body, e && e->external, &r))
        return;
    if (e && !e->external) {
        if (in->extensions.closed)
            api_refuse(req, 403, "Extension.RegistrationClosed",
                       "Extension registration closed already");
        else
            api_refuse(req, 403, "Extension.InvalidExtensionState",
                       "Extension with this name already registered");
        return;
    }
    if (!e)
        e = add_internal(in, req, r.name);
    if (!e)
        return;
    if (!extension_register(e, r.invoke, r.shutdown)) {
        refuse_transition(req, e, "Registered", e->name);
        return;
    }
    registered(in, req, e);
    instance_extension_registered(in);
}

/* ---- event/next ---- */

static void poll_gone(struct http_request *req)
{
    struct extension *e = req->user;
    if (e->poll == req)
        e->poll = NULL;
}

static void next(struct instance *in, struct http_request *req, struct extension *e)
{
    if (!extension_next(e)) {
        refuse_transition(req, e, "Ready", e->id);
        return;
    }
    req->user = e;
    req->on_gone = poll_gone;
    e->poll = req;
    instance_extension_next(in, e);
}

void extension_api_deliver(struct extension *e, struct str event)
{
    struct http_request *req = e->poll;
    e->poll = NULL;
    if (!req)
        return; /* it has hung up */
    struct arena *a = req->arena;
    struct http_header *headers = ARENA_ARRAY(a, struct http_header, 2);
    headers[0] = (struct http_header){S("Content-Type"), S("application/json")};
    headers[1] = (struct http_header){S("Lambda-Extension-Event-Identifier"), random_uuid(a)};
    req->on_gone = NULL;
    http_reply(req, 200, headers, 2, body_mem(str_copy(a, event)));
}

/* ---- errors that it tells ---- */

static void told_error(struct instance *in, struct http_request *req, struct extension *e,
                       bool init)
{
    struct str type = http_header_get(req, "Lambda-Extension-Function-Error-Type");
    struct arena *a = &in->extensions.arena;
    if (!type.n) {
        api_refuse(req, 403, "Extension.MissingHeader",
                   "Lambda-Extension-Function-Error-Type not found");
    } else if (!(init ? extension_init_error(e, a, type) : extension_exit_error(e, a, type))) {
        refuse_transition(req, e, init ? "InitError" : "Exited", e->id);
    } else {
        api_accept(req);
        instance_extension_error(in);
    }
}

/* ---- routes ---- */

static bool is_uuid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !strchr("0123456789abcdefABCDEF", s.p[i]))
            return false;
    }
    return s.n == 36;
}

static struct extension *who(struct instance *in, struct http_request *req, bool next_event)
{
    struct str id = http_header_get(req, "Lambda-Extension-Identifier");
    if (!id.n) {
        api_refuse(req, 403, "Extension.MissingExtensionIdentifier",
                   "Missing Lambda-Extension-Identifier header");
        return NULL;
    }
    if (!is_uuid(id)) {
        api_refuse(req, 403, "Extension.InvalidExtensionIdentifier",
                   "Invalid Lambda-Extension-Identifier");
        return NULL;
    }
    struct extension *e = extension_by_id(&in->extensions, id);
    if (!e && next_event)
        api_refuse(req, 403, "Extension.UnknownExtensionIdentifier", "Unknown extension %.*s",
                   STR(id));
    else if (!e)
        api_refuse(req, 403, "Extension.UnknownExtensionIdentifier",
                   "Unknown Lambda-Extension-Identifier");
    return e;
}

void extension_api_subscribe(struct instance *in, struct http_request *req)
{
    struct extension *e;
    if (api_method(req, "PUT") && (e = who(in, req, false)))
        telemetry_subscribe(in, req, e->name);
}

void extension_api(struct instance *in, struct http_request *req, struct str path)
{
    struct extension *e;
    if (str_is(path, "extension/register")) {
        if (api_method(req, "POST"))
            register_one(in, req);
    } else if (str_is(path, "extension/event/next")) {
        if (api_method(req, "GET") && (e = who(in, req, true)))
            next(in, req, e);
    } else if (str_is(path, "extension/init/error")) {
        if (api_method(req, "POST") && (e = who(in, req, false)))
            told_error(in, req, e, true);
    } else if (str_is(path, "extension/exit/error")) {
        if (api_method(req, "POST") && (e = who(in, req, false)))
            told_error(in, req, e, false);
    } else {
        api_not_found(req);
    }
}
