/* fuzz_template - any text through the whole room: parse, lint, transform, open, bind, resolve. */
#include "template/process.h"
#include "template/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int any_ref(void *user, struct arena *a, const struct template_resource *resource,
                   struct json **ret, struct template_error *err)
{
    *ret = json_new_str(a, resource->logical_id);
    return 0;
}

static int any_attribute(void *user, struct arena *a, const struct template_resource *resource,
                         struct str attribute, struct json **ret, struct template_error *err)
{
    *ret = json_new_str(a, attribute);
    return 0;
}

static void resolve_all(struct arena *a, struct template *t)
{
    const struct template_source source = {.resolve_ref = any_ref,
                                           .resolve_attribute = any_attribute};
    struct template_error err;
    struct json *properties;
    struct str value, name;
    for (size_t i = 0; i < t->n_resources; i++)
        if (t->resources[t->order[i]].active)
            template_resolve_properties(t, a, &source, &t->resources[t->order[i]], &properties,
                                        &err);
    for (size_t i = 0; i < t->n_outputs; i++)
        if (t->outputs[i].active)
            template_resolve_output(t, a, &source, &t->outputs[i], &value, &name, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a);
    struct template_param param = {S("P"), S("value"), false};
    struct template_request request = {.text = str_of((const char *)data, size),
                                       .params = &param,
                                       .n_params = size % 2,
                                       .env = {.region = S("us-east-1")}};
    struct template_processed out;
    struct template_error err = {0};
    struct json *root;
    if (template_parse(&a, request.text, &root, &err) == 0) {
        struct template_problem *problems;
        size_t n;
        template_validate(&a, root, &problems, &n);
        template_hash(&a, root);
    }
    if (template_process(&a, &request, &out, &err) == 0)
        resolve_all(&a, out.view);
    arena_done(&a);
    return 0;
}
