/* templates - GetTemplate, GetTemplateSummary, ValidateTemplate. */
#include <errno.h>
#include "service/cloudformation/prepare.h"

static int get_template(struct call *call, const struct cloudformation_get_template_input *in,
                        struct cloudformation_get_template_output *out)
{
    struct arena *a = call->arena;
    struct cloudformation_stack_record stack = {0};
    const struct cloudformation_record_source *source;
    if (!str_has(in->stack_name))
        return call_fail(
            call, CLOUDFORMATION_VALIDATION_ERROR,
            "GetTemplate by the id of a change set alone is not supported: give StackName");
    int r = stack_lookup(call, in->stack_name, &stack);
    if (r == -ENOENT)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack with id %.*s does not exist",
                         STR(in->stack_name));
    if (r < 0)
        return r;
    source = stack.source;
    struct cloudformation_change_set_record set = {0};
    if (str_has(in->change_set_name)) {
        struct str name = in->change_set_name, head, rest;
        if (str_starts(name, S("arn:"))) {
            str_cut(name, '/', &head, &rest);
            str_cut(rest, '/', &name, &rest);
        }
        r = record_get(call, stack_key(call, "changeset", stack_uuid(stack.stack_id), name),
                       &cloudformation_change_set_record_shape, &set);
        if (r == -ENOENT)
            return call_fail(call, CLOUDFORMATION_CHANGE_SET_NOT_FOUND,
                             "ChangeSet [%.*s] does not exist", STR(in->change_set_name));
        if (r < 0)
            return r;
        source = set.source;
    }
    if (!source)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "Stack [%.*s] has no template yet",
                         STR(in->stack_name));
    bool processed = str_is(in->template_stage, "Processed");
    out->template_body = processed ? source->processed : source->template;
    out->stages_available.items = ARENA_ARRAY(a, struct str, 2);
    out->stages_available.items[0] = S("Original");
    out->stages_available.items[1] = S("Processed");
    out->stages_available.n = 2;
    return 0;
}

/* What can be told of a template without its parameters. */
struct facts {
    struct json *root;
    struct str description;
    struct str *capabilities;
    size_t n_capabilities;
    struct str reason;
    struct str *transforms;
    size_t n_transforms;
};

static int look(struct request *q, struct facts *ret)
{
    struct call *call = q->call;
    struct arena *a = call->arena;
    struct template_error err = {0};
    struct json *root;
    int r = template_parse(a, q->source.template, &root, &err);
    if (r == 0)
        r = template_transforms(a, root, &ret->transforms, &ret->n_transforms, &err);
    if (r < 0)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "%.*s", STR(err.message));
    if (!json_is(json_get(root, "Resources"), JSON_OBJECT) || !json_get(root, "Resources")->n)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR,
                         "Template format error: At least one Resources member must be defined.");
    ret->root = root;
    ret->description = json_get_str(root, "Description");
    struct str *types;
    size_t n;
    int needs = template_capabilities(a, root, &types, &n);
    ret->capabilities = ARENA_ARRAY(a, struct str, 3);
    if (needs & CAPABILITY_NAMED_IAM)
        ret->capabilities[ret->n_capabilities++] = CLOUDFORMATION_CAPABILITY_CAPABILITY_NAMED_IAM;
    else if (needs & CAPABILITY_IAM)
        ret->capabilities[ret->n_capabilities++] = CLOUDFORMATION_CAPABILITY_CAPABILITY_IAM;
    if (n)
        ret->reason = str_printf(a, "The following resource(s) require capabilities: [%.*s]",
                                 STR(str_join(a, S(", "), types, n)));
    if (ret->n_transforms)
        ret->capabilities[ret->n_capabilities++] = CLOUDFORMATION_CAPABILITY_CAPABILITY_AUTO_EXPAND;
    return 0;
}

static int summary_ready(struct request *q)
{
    struct call *call = q->call;
    struct arena *a = call->arena;
    struct cloudformation_get_template_summary_output *out = call->out;
    struct facts f = {0};
    int r = look(q, &f);
    if (r < 0)
        return r;
    const struct json *params = json_get(f.root, "Parameters"),
                      *resources = json_get(f.root, "Resources");
    out->parameters.items =
        ARENA_ARRAY(a, struct cloudformation_parameter_declaration, params ? params->n + 1 : 1);
    JSON_EACH(params, p) {
        struct cloudformation_parameter_declaration *d =
            &out->parameters.items[out->parameters.n++];
        *d = (struct cloudformation_parameter_declaration){
            .parameter_key = p->key,
            .default_value = props_get(a, p, "Default"),
            .parameter_type = json_get_str(p, "Type"),
            .no_echo = opt_bool(props_bool(p, "NoEcho", false)),
            .description = json_get_str(p, "Description"),
            .parameter_constraints = ARENA_NEW(a, struct cloudformation_parameter_constraints),
        };
        const struct json *allowed = json_get(p, "AllowedValues");
        if (allowed) {
            d->parameter_constraints->allowed_values.items =
                ARENA_ARRAY(a, struct str, allowed->n + 1);
            JSON_EACH(allowed, v)
                d->parameter_constraints->allowed_values
                    .items[d->parameter_constraints->allowed_values.n++] = props_text(a, v);
        }
    }
    out->resource_types.items = ARENA_ARRAY(a, struct str, resources->n + 1);
    JSON_EACH(resources, res) {
        struct str type = json_get_str(res, "Type");
        size_t k = 0;
        while (k < out->resource_types.n && !str_eq(out->resource_types.items[k], type))
            k++;
        if (k == out->resource_types.n && str_has(type))
            out->resource_types.items[out->resource_types.n++] = type;
    }
    out->description = f.description;
    out->version = json_get_str(f.root, "AWSTemplateFormatVersion");
    const struct json *metadata = json_get(f.root, "Metadata");
    if (metadata)
        out->metadata = json_text(a, metadata, -1);
    out->capabilities.items = f.n_capabilities ? f.capabilities : NULL;
    out->capabilities.n = f.n_capabilities;
    out->capabilities_reason = f.reason;
    out->declared_transforms.items = f.n_transforms ? f.transforms : NULL;
    out->declared_transforms.n = f.n_transforms;
    return 0;
}

static int get_template_summary(struct call *call,
                                const struct cloudformation_get_template_summary_input *in,
                                struct cloudformation_get_template_summary_output *out)
{
    (void)out;
    struct request *q = ARENA_NEW(call->arena, struct request);
    *q = (struct request){.call = call,
                          .template_body = in->template_body,
                          .template_url = in->template_url,
                          .text_only = true,
                          .then = summary_ready};
    if (str_has(in->stack_name)) {
        struct cloudformation_stack_record *stack =
            ARENA_NEW(call->arena, struct cloudformation_stack_record);
        int r = stack_find(call, in->stack_name, stack);
        if (r < 0)
            return r;
        q->stack = stack;
        q->use_previous_template = true;
    }
    return prepare(q);
}

static int validated(struct request *q)
{
    struct call *call = q->call;
    struct arena *a = call->arena;
    struct cloudformation_validate_template_output *out = call->out;
    struct facts f = {0};
    int r = look(q, &f);
    if (r < 0)
        return r;
    struct template *view;
    struct template_error err = {0};
    /* With a transform the references can only be judged after it, as on AWS. */
    if (!f.n_transforms && template_open(a, f.root, &view, &err) < 0)
        return call_fail(call, CLOUDFORMATION_VALIDATION_ERROR, "%.*s", STR(err.message));
    const struct json *params = json_get(f.root, "Parameters");
    out->parameters.items =
        ARENA_ARRAY(a, struct cloudformation_template_parameter, params ? params->n + 1 : 1);
    JSON_EACH(params, p)
        out->parameters.items[out->parameters.n++] = (struct cloudformation_template_parameter){
            .parameter_key = p->key,
            .default_value = props_get(a, p, "Default"),
            .no_echo = opt_bool(props_bool(p, "NoEcho", false)),
            .description = json_get_str(p, "Description"),
        };
    out->description = f.description;
    out->capabilities.items = f.n_capabilities ? f.capabilities : NULL;
    out->capabilities.n = f.n_capabilities;
    out->capabilities_reason = f.reason;
    out->declared_transforms.items = f.n_transforms ? f.transforms : NULL;
    out->declared_transforms.n = f.n_transforms;
    return 0;
}

static int validate_template(struct call *call,
                             const struct cloudformation_validate_template_input *in,
                             struct cloudformation_validate_template_output *out)
{
    (void)out;
    struct request *q = ARENA_NEW(call->arena, struct request);
    *q = (struct request){.call = call,
                          .template_body = in->template_body,
                          .template_url = in->template_url,
                          .text_only = true,
                          .then = validated};
    return prepare(q);
}

const struct handler cloudformation_template_handlers[] = {
    {cloudformation_get_template_run(get_template), "GetTemplate", "stack/{StackName}/*"},
    {cloudformation_get_template_summary_run(get_template_summary), "GetTemplateSummary", "*"},
    {cloudformation_validate_template_run(validate_template), "ValidateTemplate", "*"},
    {0},
};
