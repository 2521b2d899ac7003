/* local_template - what of a template is put into the cloud of `lamina local`: its functions, and
 * those resources around them that there are here.
 *
 * Resources of other types are left out; what refers to them gets their logical id instead, as SAM
 * CLI does it. Roles, layers and keys of other accounts cannot be had: they are left out as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "build/project.h"
#include "cli/local.h"
#include "service/cloudformation/provider.h"

#define ROLE "LaminaLocalRole"

struct rewriting {
    struct local *l;
    struct arena *a;
    struct json *root, *gone;     /* gone: an object whose keys are the ids that are left out */
    const struct json *variables; /* --env-vars */
};

static bool is_function(struct str type)
{
    return str_is(type, "AWS::Serverless::Function") || str_is(type, "AWS::Lambda::Function");
}

static bool is_here(struct str type)
{
    return is_function(type) || str_is(type, "AWS::Serverless::LayerVersion") ||
           provider_find(type);
}

/* ---- references ---- */

static bool is_gone(const struct rewriting *w, struct str id)
{
    return json_find(w->gone, id) != NULL;
}

static void become_text(struct json *v, struct str text)
{
    *v = (struct json){.type = JSON_STRING,
                       .text = text,
                       .key = v->key,
                       .key_line = v->key_line,
                       .key_column = v->key_column,
                       .line = v->line,
                       .column = v->column,
                       .next = v->next};
}

static struct str first_part(struct str reference)
{
    struct str head, rest;
    str_cut(reference, '.', &head, &rest);
    return head;
}

/* "${Table.Arn} and ${Table}" without what is gone: "Table.Arn and Table". */
static struct str substituted(const struct rewriting *w, struct str text)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    while (text.n) {
        ssize_t at = str_find(text, S("${"));
        struct str tail = at < 0 ? S("") : str_slice(text, (size_t)at + 2, text.n);
        ssize_t end = at < 0 ? -1 : str_find_byte(tail, '}');
        if (end < 0)
            break;
        struct str name = str_slice(tail, 0, (size_t)end);
        buf_str(&b, str_slice(text, 0, (size_t)at));
        if (is_gone(w, first_part(name)))
            buf_str(&b, name);
        else
            buf_printf(&b, "${%.*s}", STR(name));
        text = str_slice(tail, (size_t)end + 1, tail.n);
    }
    buf_str(&b, text);
    struct str done = buf_copy(&b, w->a);
    buf_done(&b);
    return done;
}

static void rewrite(const struct rewriting *w, struct json *v)
{
    JSON_EACH(v, child)
        rewrite(w, child);
    if (!json_is(v, JSON_OBJECT) || v->n != 1)
        return;
    struct json *only = v->first;
    if (str_is(only->key, "Ref") && is_gone(w, json_str(only))) {
        become_text(v, only->text);
    } else if (str_is(only->key, "Fn::GetAtt")) {
        struct str whole = json_is(only, JSON_ARRAY)
                               ? str_printf(w->a, "%.*s.%.*s", STR(json_str(json_at(only, 0))),
                                            STR(json_str(json_at(only, 1))))
                               : json_str(only);
        if (is_gone(w, first_part(whole)))
            become_text(v, whole);
    } else if (str_is(only->key, "Fn::Sub")) {
        struct json *text = json_is(only, JSON_ARRAY) ? json_at(only, 0) : only;
        if (json_is(text, JSON_STRING))
            text->text = substituted(w, text->text);
    }
}

static void forget_dependencies(const struct rewriting *w, struct json *resource)
{
    struct json *depends = json_get(resource, "DependsOn"), *left = json_new(w->a, JSON_ARRAY);
    if (!depends)
        return;
    if (json_is(depends, JSON_STRING) && !is_gone(w, depends->text))
        return;
    JSON_EACH(depends, d)
        if (!is_gone(w, json_str(d)))
            json_add(left, json_new_str(w->a, json_str(d)));
    json_remove(resource, S("DependsOn"));
    if (left->n)
        json_set(w->a, resource, S("DependsOn"), left);
}

/* ---- functions ---- */

static const char *const not_here[] = {
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "DeadLetterQueue",
    "DeploymentPreference",
    "DurableConfig",
    "EventInvokeConfig",
    "Events",
    "FileSystemConfigs",
    "KmsKeyArn",
    "PermissionsBoundary",
    "ProvisionedConcurrencyConfig",
    "ReservedConcurrentExecutions",
    "RuntimeManagementConfig",
    "SnapStart",
    "VpcConfig",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    NULL,
};

static void drop_layers(const struct rewriting *w, struct json *properties, struct str id)
{
    struct json *layers = json_get(properties, "Layers"), *left = json_new(w->a, JSON_ARRAY);
    if (!json_is(layers, JSON_ARRAY))
        return;
    JSON_EACH(layers, v) {
        if (json_is(v, JSON_STRING))
            fprintf(stderr, "lamina: local: %.*s: the layer %.*s is not here; it is left out\n",
                    STR(id), STR(v->text));
        else
            json_add(left, json_copy(w->a, v));
    }
    json_set(w->a, properties, S("Layers"), left);
}

/* Only names that the template declares: --env-vars before the shell's before the template's. */
static void set_variables(const struct rewriting *w, struct json *environment, struct str id)
{
    struct json *declared = json_get(environment, "Variables");
    const struct json *own = json_find(w->variables, id);
    const struct json *all = json_get(w->variables, "Parameters");
    for (struct json *v = declared ? declared->first : NULL; v; v = v->next) {
        const struct json *given = json_find(own, v->key);
        if (!given)
            given = json_find(all, v->key);
        const char *shell = getenv(str_c(w->a, v->key));
        if (json_is(given, JSON_STRING) || json_is(given, JSON_NUMBER))
            become_text(v, given->text);
        else if (json_is(given, JSON_BOOL))
            become_text(v, given->boolean ? S("true") : S("false"));
        else if (shell)
            become_text(v, str_copy(w->a, str_from(shell)));
    }
}

/* Variables of Globals belong to each function: they are told from here on. */
static void merge_variables(const struct rewriting *w, struct json *properties)
{
    const struct json *globals = json_get(json_get(w->root, "Globals"), "Function");
    const struct json *from = json_get(json_get(globals, "Environment"), "Variables");
    if (!json_is(from, JSON_OBJECT))
        return;
    struct json *environment = json_get(properties, "Environment");
    if (!environment)
        environment = json_set(w->a, properties, S("Environment"), json_new(w->a, JSON_OBJECT));
    struct json *to = json_get(environment, "Variables");
    if (!to)
        to = json_set(w->a, environment, S("Variables"), json_new(w->a, JSON_OBJECT));
    if (!json_is(to, JSON_OBJECT) || json_get(to, "Fn::If"))
        return;
    JSON_EACH(from, v)
        if (!json_find(to, v->key))
            json_set(w->a, to, v->key, json_copy(w->a, v));
}

static void local_role(const struct rewriting *w)
{
    static const char role[] =
        "{\"Type\":\"AWS::IAM::Role\",\"Properties\":{\"AssumeRolePolicyDocument\":{\"Version\":"
        "\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
        "\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]},\"Policies\":[{\"PolicyName\":"
        "\"all\",\"PolicyDocument\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":"
        "\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}}]}}";
    struct json *resources = json_get(w->root, "Resources"), *v;
    if (!json_get(resources, ROLE) && json_parse(w->a, str_from(role), &v, NULL) == 0)
        json_set(w->a, resources, S(ROLE), v);
}

/* A role that stands as text is one of another account's, or was left out. */
static void check_role(const struct rewriting *w, struct json *properties)
{
    static const char reference[] = "{\"Fn::GetAtt\":[\"" ROLE "\",\"Arn\"]}";
    struct json *role = json_get(properties, "Role"), *v;
    if (!json_is(role, JSON_STRING) || json_parse(w->a, str_from(reference), &v, NULL) < 0)
        return;
    local_role(w);
    json_set(w->a, properties, S("Role"), v);
}

static void one_function(const struct rewriting *w, struct json *resource)
{
    struct json *properties = json_get(resource, "Properties");
    if (!json_is(properties, JSON_OBJECT))
        return;
    for (size_t i = 0; not_here[i]; i++)
        json_remove(properties, str_from(not_here[i]));
    drop_layers(w, properties, resource->key);
    check_role(w, properties);
    if (str_is(json_get_str(resource, "Type"), "AWS::Serverless::Function"))
        merge_variables(w, properties);
    set_variables(w, json_get(properties, "Environment"), resource->key);
    if (!json_get(properties, "FunctionName")) /* as SAM CLI calls them */
        json_set(w->a, properties, S("FunctionName"), json_new_str(w->a, resource->key));
}

/* ---- the whole ---- */

static int read_variables(struct local *l, const struct json **ret)
{
    struct str path = l->more->env_vars, text;
    struct json *v;
    struct json_error err = {0};
    *ret = NULL;
    if (!path.n)
        return 0;
    int r = fs_read(str_c(l->arena, path), 1 << 20, l->arena, &text);
    if (r < 0)
        return verb_fail(l->run, "%.*s: %s", STR(path), strerror(-r));
    if (json_parse(l->arena, text, &v, &err) < 0)
        return verb_fail(l->run, "%.*s:%d:%d: %s", STR(path), err.line, err.column, err.message);
    if (!json_is(v, JSON_OBJECT))
        return verb_fail(l->run, "%.*s: not of the form {\"FunctionId\": {\"NAME\": \"value\"}}",
                         STR(path));
    *ret = v;
    return 0;
}

int local_rewrite(struct local *l, struct json *root)
{
    struct arena *a = l->arena;
    struct rewriting w = {l, a, root, json_new(a, JSON_OBJECT), NULL};
    struct json *resources = json_get(root, "Resources");
    int e = read_variables(l, &w.variables);
    if (e)
        return e;
    struct str why;
    if (project_images(a, root, l->template_path, &why) < 0)
        return verb_fail(l->run, "%.*s", STR(why));
    JSON_EACH(json_get(l->root, "Resources"), res)
        if (!is_here(json_get_str(res, "Type")))
            json_set(a, w.gone, res->key, json_new_bool(a, true));
    JSON_EACH(w.gone, id)
        json_remove(resources, id->key);
    json_remove(root, S("Outputs"));
    json_remove(json_get(json_get(root, "Globals"), "Function"), S("VpcConfig"));
    JSON_EACH(json_get(root, "Parameters"), p) {
        struct json *type = json_get(p, "Type"); /* there is no parameter store: the name it is */
        if (type && str_starts(json_str(type), S("AWS::SSM::Parameter::")))
            become_text(type, S("String"));
    }
    rewrite(&w, resources);
    JSON_EACH(resources, res) {
        forget_dependencies(&w, res);
        if (is_function(json_get_str(res, "Type")))
            one_function(&w, res);
    }
    return 0;
}

/* Functions run from the folders of their code: what is saved there is live. */
void local_mounts(struct local *l, struct cloud_options *options)
{
    struct arena *a = l->arena;
    struct local_code *codes;
    size_t n;
    struct str why;
    if (project_local_code(a, json_copy(a, l->root), l->template_path, &codes, &n, &why) < 0)
        return; /* said when it is deployed */
    struct cloud_mount *mounts = ARENA_ARRAY(a, struct cloud_mount, n + 1);
    size_t n_mounts = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        struct str name = json_get_str(codes[i].properties, "FunctionName");
        if (!codes[i].layer && stat(str_c(a, codes[i].path), &st) == 0 && S_ISDIR(st.st_mode))
            mounts[n_mounts++] =
                (struct cloud_mount){name.n ? name : codes[i].logical_id, codes[i].path};
    }
    options->mounts = mounts;
    options->n_mounts = n_mounts;
}
