/* template/sam_url - FunctionUrlConfig of a function: the URL and who may call it. */
#include "template/sam_inside.h"

static struct str named(struct sam *s, struct str id, const char *suffix)
{
    return str_printf(s->arena, "%.*s%s", STR(id), suffix);
}

static int check_cors(struct sam *s, struct str id, const struct json *cors)
{
    static const struct {
        const char *name, *type;
        enum json_type kind;
    } rows[] = {
        {"AllowOrigins", "list", JSON_ARRAY},    {"AllowMethods", "list", JSON_ARRAY},
        {"AllowCredentials", "bool", JSON_BOOL}, {"AllowHeaders", "list", JSON_ARRAY},
        {"ExposeHeaders", "list", JSON_ARRAY},   {"MaxAge", "int", JSON_NUMBER},
    };
    if (!truthy(cors) || template_is_intrinsic(cors))
        return 0;
    if (cors->type != JSON_OBJECT)
        return sam_invalid(s, id, "Property 'FunctionUrlConfig.Cors' should be a map.");
    JSON_EACH(cors, v) {
        size_t i = 0, n = sizeof rows / sizeof *rows;
        while (i < n && !str_is(v->key, rows[i].name))
            i++;
        if (i == n)
            return sam_invalid(s, id, "%.*s is not a valid property for configuring Cors.",
                               STR(v->key));
        if (!template_is_intrinsic(v) && v->type != rows[i].kind)
            return sam_invalid(s, id, "%s must be of type %s.", rows[i].name, rows[i].type);
    }
    return 0;
}

static void permit(struct sam *s, struct str id, const char *action, const struct json *target,
                   struct json **ret)
{
    generate(s, id, "AWS::Lambda::Permission", passed_attributes(s), ret);
    put_text(s, *ret, "Action", str_from(action));
    put(s, *ret, "FunctionName", target);
    put_text(s, *ret, "Principal", S("*"));
}

int make_url(struct sam *s, struct str id, const struct json *config, struct str alias_id)
{
    if (!truthy(config))
        return 0;
    const struct json *auth = json_get(config, "AuthType");
    if (!template_is_intrinsic(config)) {
        if (!template_is_intrinsic(auth) && !str_is(json_str(auth), "AWS_IAM") &&
            !str_is(json_str(auth), "NONE"))
            return sam_invalid(s, id,
                               "AuthType is required to configure function property "
                               "`FunctionUrlConfig`. Please provide either AWS_IAM or NONE.");
        int r = check_cors(s, id, json_get(config, "Cors"));
        if (r < 0)
            return r;
    }
    const struct json *target = ref_to(s, str_has(alias_id) ? alias_id : id);
    struct json *out;
    generate(s, named(s, id, "Url"), "AWS::Lambda::Url", passed_attributes(s), &out);
    if (truthy(json_get(config, "Cors")))
        put(s, out, "Cors", json_get(config, "Cors"));
    put(s, out, "AuthType", auth);
    put(s, out, "TargetFunctionArn", target);
    put(s, out, "InvokeMode", json_get(config, "InvokeMode"));
    if (template_is_intrinsic(config) || !str_is(json_str(auth), "NONE"))
        return 0;
    permit(s, named(s, id, "UrlPublicPermissions"), "lambda:InvokeFunctionUrl", target, &out);
    put(s, out, "FunctionUrlAuthType", auth);
    permit(s, named(s, id, "URLInvokeAllowPublicAccess"), "lambda:InvokeFunction", target, &out);
    put(s, out, "InvokedViaFunctionUrl", json_new_bool(s->arena, true));
    return 0;
}
