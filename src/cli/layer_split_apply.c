/* layer_split_apply - a deployed function becomes what was proven: see layer_split.h. */
#include <errno.h>
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "cli/function_wait.h"
#include "cli/layer_publish.h"
#include "cli/layer_split.h"
#include "cli/target.h"

static int publish(struct layer_split *s, int i, struct str *ret)
{
    struct layer_publication what = {
        .name = str_printf(s->a, "%.*s-packages-%d", STR(s->name), i + 1),
        .content = s->parts.layers[i].sha256,
        .architecture =
            s->config->architectures.n ? s->config->architectures.items[0] : S("x86_64"),
        .runtimes = &s->request.runtime,
        .n_runtimes = 1};
    struct layer_published published;
    struct aws_error err = {0};
    int r = fs_read(str_c(s->a, s->parts.layers[i].zip), LAYER_ZIPPED_MAX, s->a, &what.zip);
    if (r < 0)
        return verb_fail(s->run, "%.*s: %s", STR(s->parts.layers[i].zip), strerror(-r));
    if (layer_publish_once(s->aws, s->a, &what, &published, &err) < 0)
        return target_fail(s->run, &err, "a layer cannot be published");
    *ret = published.arn;
    return 0;
}

static int settle(struct layer_split *s, struct aws_error *err)
{
    struct lambda_function_configuration *c;
    return function_wait(s->aws, s->a, s->name, &c, err);
}

/* Layers first: with them the old code still finds its own packages. */
static int change(struct layer_split *s, struct lambda_layer_list layers)
{
    struct lambda_update_function_configuration_input in = {.function_name = s->name,
                                                            .layers = layers};
    struct lambda_update_function_code_input code = {.function_name = s->name};
    struct aws_error err = {0};
    int r = fs_read(str_c(s->a, s->parts.code.zip), LAYER_ZIPPED_MAX, s->a, &code.zip_file);
    if (r < 0)
        return verb_fail(s->run, "%.*s: %s", STR(s->parts.code.zip), strerror(-r));
    r = aws_call(s->aws, s->a, &lambda_update_function_configuration_op, &in, NULL, &err);
    if (r == 0)
        r = settle(s, &err);
    if (r < 0)
        return target_fail(s->run, &err, "the function's layers cannot be changed");
    r = aws_call(s->aws, s->a, &lambda_update_function_code_op, &code, NULL, &err);
    if (r == 0)
        r = settle(s, &err);
    return r < 0 ? target_fail(s->run, &err,
                               "the function has its layers, but still its old code; the same "
                               "command does the rest")
                 : 0;
}

/* Both are recorded with their code, so that `lamina rollback FUNCTION` undoes it. */
static int record(struct layer_split *s, struct deployment_record *r, const char *action,
                  const char *result)
{
    struct str why;
    *r = (struct deployment_record){
        .run = s->run, .aws = s->aws, .prefix = s->name, .bucket = s->o->s3_bucket};
    deployment_begin(r, action, S("."));
    if (deployment_capture(r, s->name, &why) < 0)
        return verb_fail(s->run, "%.*s cannot be recorded: %.*s", STR(s->name), STR(why));
    return deployment_write(r, result, (struct str){0}) < 0 ? 1 : 0;
}

static void warn_of_stack(struct layer_split *s)
{
    struct lambda_get_function_input in = {.function_name = s->name};
    struct lambda_get_function_output *out;
    struct aws_error err = {0};
    if (aws_call(s->aws, s->a, &lambda_get_function_op, &in, (void **)&out, &err) < 0)
        return;
    for (size_t i = 0; i < out->tags.n; i++)
        if (str_is(out->tags.items[i].key, "aws:cloudformation:stack-name"))
            fprintf(stderr,
                    "lamina: layer: %.*s belongs to the stack %.*s, which does not know of this: "
                    "put the snippet into its template, or the next deploy takes it back\n",
                    STR(s->name), STR(out->tags.items[i].value));
}

/* One that an interrupted --apply has left is replaced. */
static bool is_ours(struct layer_split *s, struct str arn)
{
    for (int i = 0; i < SPLIT_LAYERS_MAX; i++)
        if (layer_arn_is(arn, str_printf(s->a, "%.*s-packages-%d", STR(s->name), i + 1)))
            return true;
    return false;
}

int layer_split_apply(struct layer_split *s)
{
    struct deployment_record before, after;
    struct lambda_layer_list layers = {
        ARENA_ARRAY(s->a, struct str, s->config->layers.n + SPLIT_LAYERS_MAX), 0};
    int e = record(s, &before, "record", "complete");
    if (e)
        return verb_fail(s->run, "nothing was changed: without a record there is no way back");
    for (size_t i = 0; i < s->config->layers.n; i++)
        if (!is_ours(s, s->config->layers.items[i].arn))
            layers.items[layers.n++] = s->config->layers.items[i].arn;
    for (int i = 0; i < s->parts.n_layers && !e; i++)
        e = publish(s, i, &layers.items[layers.n++]);
    if (!e)
        e = change(s, layers);
    if (e)
        return e;
    warn_of_stack(s);
    e = record(s, &after, "layer split", "complete");
    struct json *v = json_new(s->a, JSON_OBJECT), *list = json_new(s->a, JSON_ARRAY);
    json_set(s->a, v, S("before"), json_new_str(s->a, before.id));
    json_set(s->a, v, S("deployment"), json_new_str(s->a, after.id));
    json_set(s->a, v, S("layers"), list);
    for (size_t i = 0; i < layers.n; i++)
        json_add(list, json_new_str(s->a, layers.items[i]));
    s->applied = v;
    if (!target_of(s->run)->json)
        printf("\n%.*s is split; `lamina rollback %.*s --to %.*s` takes it back\n", STR(s->name),
               STR(s->name), STR(before.id));
    return e;
}
