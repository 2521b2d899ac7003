/* template/sam - the course of the transform: checks, Globals, each resource, references, errors.
 */
#include "template/sam_inside.h"

#include <errno.h>

static int add_problem(struct sam *s, struct str id, struct str message)
{
    for (size_t i = 0; i < s->n_problems; i++)
        if (str_eq(s->problems[i].message, message))
            return -EBADMSG;
    struct sam_problem *p = arena_push(s->arena, (void **)&s->problems, &s->n_problems,
                                       &s->cap_problems, sizeof *s->problems);
    *p = (struct sam_problem){.id = id, .message = message};
    const struct json *at = s->resource ? s->resource : json_find(s->source, id);
    if (at) {
        p->line = at->key_line ? at->key_line : at->line;
        p->column = at->key_line ? at->key_column : at->column;
    }
    return -EBADMSG;
}

int sam_invalid(struct sam *s, struct str id, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str what = str_vprintf(s->arena, fmt, ap);
    va_end(ap);
    return add_problem(
        s, id,
        str_printf(s->arena, "Resource with id [%.*s] is invalid. %.*s", STR(id), STR(what)));
}

int sam_fatal(struct sam *s, struct str id, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str what = str_vprintf(s->arena, fmt, ap);
    va_end(ap);
    s->n_problems = 0;
    s->fatal = true;
    return add_problem(s, str_has(id) ? id : what, what);
}

static int structure(struct sam *s, const char *what)
{
    return sam_fatal(s, (struct str){0}, "Structure of the SAM template is invalid. %s", what);
}

bool too_large(struct sam *s)
{
    if (s->arena->used - s->used_before <= TEMPLATE_MAX_WORK_BYTES)
        return false;
    structure(s, "It becomes too large when its Globals are merged.");
    return true;
}

static const char *const supported[] = {"AWS::Serverless::Function",
                                        "AWS::Serverless::LayerVersion", NULL};
static const char *const refused[] = {"AWS::Serverless::Api",
                                      "AWS::Serverless::Application",
                                      "AWS::Serverless::HttpApi",
                                      "AWS::Serverless::SimpleTable",
                                      "AWS::Serverless::StateMachine",
                                      "AWS::Serverless::Connector",
                                      "AWS::Serverless::WebSocketApi",
                                      "AWS::Serverless::GraphQLApi",
                                      "AWS::Serverless::CapacityProvider",
                                      NULL};

static bool among(struct str word, const char *const *list)
{
    for (; *list; list++)
        if (str_is(word, *list))
            return true;
    return false;
}

static int check_structure(struct sam *s)
{
    const struct json *resources = json_get(s->root, "Resources");
    if (!json_is(resources, JSON_OBJECT) || !resources->n)
        return structure(s, "'Resources' section is required");
    if (resources->n > 500)
        return sam_fatal(s, (struct str){0},
                         "Template format error: Number of resources, %zu, is greater than maximum "
                         "allowed, 500",
                         resources->n);
    JSON_EACH(resources, resource)
        if (resource->type != JSON_OBJECT)
            return structure(s, "All 'Resources' must be Objects. If you're using YAML, this may "
                                "be an indentation issue.");
    JSON_EACH(resources, resource) {
        struct str type = json_get_str(resource, "Type");
        const struct json *condition = json_get(resource, "Condition");
        if (truthy(condition) && !json_is(condition, JSON_STRING))
            return structure(s, "Every Condition member must be a string.");
        const struct json *properties = json_get(resource, "Properties");
        if ((among(type, supported) || among(type, refused)) && properties &&
            properties->type != JSON_OBJECT)
            return sam_fatal(s, resource->key,
                             "Resource with id [%.*s] is invalid. Attribute 'Properties' should be "
                             "a map.",
                             STR(resource->key));
    }
    return 0;
}

static void read_parameters(struct sam *s, const struct sam_input *in)
{
    s->params = json_new(s->arena, JSON_OBJECT);
    for (size_t i = 0; i < in->n_params; i++)
        if (str_has(in->params[i].value))
            json_set(s->arena, s->params, in->params[i].key,
                     json_new_str(s->arena, in->params[i].value));
    const struct json *section = json_get(in->root, "Parameters");
    if (json_is(section, JSON_OBJECT)) {
        JSON_EACH(section, p) {
            const struct json *value = json_get(p, "Default");
            if (value && !json_find(s->params, p->key))
                json_set(s->arena, s->params, p->key, json_copy(s->arena, value));
        }
    }
    if (!json_get(s->params, "AWS::Region"))
        json_set(s->arena, s->params, S("AWS::Region"), json_new_str(s->arena, s->region));
    if (!json_get(s->params, "AWS::Partition"))
        json_set(s->arena, s->params, S("AWS::Partition"), json_new_str(s->arena, s->partition));
}

/* The new resource may take the place of the one it comes from, and of no other. */
static bool id_is_free(struct sam *s, const struct json *generated)
{
    const struct json *existing = json_find(s->source, generated->key);
    if (!existing)
        return true;
    struct str before = json_get_str(existing, "Type"), after = json_get_str(generated, "Type");
    return (str_is(after, "AWS::Lambda::Function") &&
            str_is(before, "AWS::Serverless::Function")) ||
           (str_is(after, "AWS::Lambda::LayerVersion") &&
            str_is(before, "AWS::Serverless::LayerVersion"));
}

static int replace_resource(struct sam *s, struct str id)
{
    struct json *resources = json_get(s->root, "Resources");
    json_remove(resources, id);
    int r = 0;
    for (struct json *g = s->generated->first, *next; g; g = next) {
        next = g->next;
        if (id_is_free(s, g)) {
            json_set(s->arena, resources, g->key, g);
            continue;
        }
        r = add_problem(
            s, id,
            str_printf(
                s->arena,
                "Transforming resource with id [%.*s] attempts to create a new resource with "
                "id [%.*s] and type \"%.*s\". A resource with that id already exists within "
                "this template. Please use a different id for that resource.",
                STR(id), STR(g->key), STR(json_get_str(g, "Type"))));
    }
    return r;
}

static int transform_one(struct sam *s, struct json *declaration)
{
    struct str id = declaration->key, type = json_get_str(declaration, "Type");
    s->resource = declaration;
    s->generated = json_new(s->arena, JSON_OBJECT);
    if (!is_alphanumeric(id))
        return sam_invalid(s, id, "Logical ids must be alphanumeric.");
    if (among(type, refused))
        return sam_invalid(s, id, "Resources of type %.*s are not supported yet.", STR(type));
    struct json *properties = json_get(declaration, "Properties");
    if (!properties)
        properties = json_new(s->arena, JSON_OBJECT);
    int r = str_is(type, supported[0]) ? transform_function(s, id, properties)
                                       : transform_layer(s, id, properties);
    return r < 0 ? r : replace_resource(s, id);
}

static void transform_all(struct sam *s)
{
    /* Functions first, as the translator does: layers still have their old shape then. */
    for (int pass = 0; pass < 2 && !s->fatal; pass++) {
        JSON_EACH(s->source, declaration) {
            struct str type = json_get_str(declaration, "Type");
            bool function = str_is(type, supported[0]);
            if (s->fatal || too_large(s) || function != (pass == 0) ||
                !(among(type, supported) || among(type, refused)))
                continue;
            struct json *copy = json_copy(s->arena, declaration);
            copy->key = declaration->key;
            copy->key_line = declaration->key_line;
            copy->key_column = declaration->key_column;
            transform_one(s, copy);
        }
    }
    s->resource = NULL;
}

static int by_id(const void *x, const void *y)
{
    const struct sam_problem *a = *(const struct sam_problem *const *)x;
    const struct sam_problem *b = *(const struct sam_problem *const *)y;
    int c = str_cmp(a->id, b->id);
    return c ? c : (a > b) - (a < b);
}

static int report(struct sam *s, struct template_error *err)
{
    const struct sam_problem **sorted =
        ARENA_ARRAY(s->arena, const struct sam_problem *, s->n_problems);
    for (size_t i = 0; i < s->n_problems; i++)
        sorted[i] = &s->problems[i];
    qsort(sorted, s->n_problems, sizeof *sorted, by_id);
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    buf_printf(
        &b, "Invalid Serverless Application Specification document. Number of errors found: %zu.",
        s->n_problems);
    for (size_t i = 0; i < s->n_problems; i++) {
        buf_byte(&b, ' ');
        buf_str(&b, sorted[i]->message);
    }
    if (err) {
        err->message = buf_copy(&b, s->arena);
        err->line = sorted[0]->line;
        err->column = sorted[0]->column;
    }
    buf_done(&b);
    return -EBADMSG;
}

static void remove_transform(struct sam *s)
{
    struct json *section = json_get(s->root, "Transform");
    if (json_is(section, JSON_ARRAY)) {
        struct json *others = json_new(s->arena, JSON_ARRAY);
        JSON_EACH(section, name)
            if (!str_is(json_str(name), SAM_TRANSFORM))
                json_add(others, json_copy(s->arena, name));
        if (others->n) {
            json_set(s->arena, s->root, S("Transform"), others);
            return;
        }
    }
    json_remove(s->root, S("Transform"));
}

static void rename_depends_on(struct sam *s, struct json *v)
{
    if (v->type == JSON_OBJECT) {
        struct json *on = json_get(v, "DependsOn");
        const struct json *to;
        if (json_is(on, JSON_STRING) && (to = json_find(s->changed, on->text)))
            on->text = to->text;
        if (json_is(on, JSON_ARRAY))
            JSON_EACH(on, item)
                if (item->type == JSON_STRING && (to = json_find(s->changed, item->text)))
                    item->text = to->text;
    }
    JSON_EACH(v, child)
        rename_depends_on(s, child);
}

int sam_transform(struct arena *a, const struct sam_input *in, struct json **ret,
                  struct template_error *err)
{
    struct sam s = {.arena = a, .region = in->region, .used_before = a->used};
    if (!str_has(s.region))
        s.region = S("us-east-1");
    s.partition = template_partition(s.region);
    s.root = json_copy(a, in->root);
    s.changed = json_new(a, JSON_OBJECT);
    s.derived = json_new(a, JSON_OBJECT);
    read_parameters(&s, in);
    if (check_structure(&s) < 0 || merge_globals(&s) < 0)
        return report(&s, err);
    s.source = json_copy(a, json_get(s.root, "Resources"));
    JSON_EACH(s.source, resource)
        if (json_get(resource, "Connectors"))
            sam_invalid(&s, resource->key, "Attribute 'Connectors' is not supported yet.");
    transform_all(&s);
    if (s.n_problems)
        return report(&s, err);
    remove_transform(&s);
    rename_depends_on(&s, s.root);
    rename_resources(&s, s.root);
    resolve_derived(&s, s.root);
    *ret = s.root;
    return 0;
}
