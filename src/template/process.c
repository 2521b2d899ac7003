/* template/process - parse, transform, open and bind, in this order. */
#include "template/inside.h"
#include "template/process.h"

#include <errno.h>

static int check_transforms(struct arena *a, const struct json *root, struct template_error *err)
{
    struct str *names;
    size_t n;
    int r = template_transforms(a, root, &names, &n, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!str_is(names[i], SAM_TRANSFORM) && !str_is(names[i], "AWS::LanguageExtensions"))
            r = template_fail(a, err, json_get(root, "Transform"), "No transform named %.*s found.",
                              STR(names[i]));
    return r;
}

/* The values that the transform may look at, as CloudFormation hands them over: all of them text,
 * those given, those kept from before, and defaults. */
static struct template_param *known_values(struct arena *a, const struct template_request *request,
                                           const struct json *root, size_t *ret_n)
{
    const struct json *section = json_get(root, "Parameters");
    size_t n = 0, room = request->n_params + (section ? section->n : 0) + 1;
    struct template_param *values = ARENA_ARRAY(a, struct template_param, room);
    for (size_t i = 0; i < request->n_params; i++) {
        values[n] = request->params[i];
        for (size_t k = 0; values[n].use_previous && k < request->n_previous; k++)
            if (str_eq(request->previous[k].key, values[n].key))
                values[n].value = request->previous[k].value;
        n++;
    }
    JSON_EACH(section, p) {
        bool given = false;
        for (size_t i = 0; i < request->n_params && !given; i++)
            given = str_eq(request->params[i].key, p->key);
        struct str value = scalar_text(json_get(p, "Default"));
        if (!given && str_has(value))
            values[n++] = (struct template_param){p->key, value, false};
    }
    *ret_n = n;
    return values;
}

static int transform(struct arena *a, const struct template_request *request,
                     const struct json *root, struct json **ret, struct template_error *err)
{
    struct sam_input in = {.root = root, .region = request->env.region};
    in.params = known_values(a, request, root, &in.n_params);
    struct template_error inner = {0};
    int r = sam_transform(a, &in, ret, &inner);
    if (r == -EBADMSG && err) {
        *err = inner;
        err->message =
            str_printf(a, "Transform %s failed with: %.*s", SAM_TRANSFORM, STR(inner.message));
    }
    return r;
}

int template_process(struct arena *a, const struct template_request *request,
                     struct template_processed *ret, struct template_error *err)
{
    struct template_processed out = {0};
    struct json *root, *tree;
    int r = template_parse(a, request->text, &root, err);
    if (r < 0 || (r = check_transforms(a, root, err)) < 0)
        return r;
    tree = root;
    out.transformed = template_has_transform(root, S(SAM_TRANSFORM));
    if (out.transformed && (r = transform(a, request, root, &tree, err)) < 0)
        return r;
    if ((r = template_open(a, tree, &out.view, err)) < 0 ||
        (r = template_bind(out.view, request->params, request->n_params, request->previous,
                           request->n_previous, &request->env, err)) < 0)
        return r;
    out.original = root;
    out.tree = tree;
    out.json = template_to_json(a, tree, -1);
    out.hash = template_hash(a, tree);
    *ret = out;
    return 0;
}
