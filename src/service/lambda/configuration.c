/* configuration - what a request says about a function becomes what is stored about it. */
#include <errno.h>
#include "base/clock.h"
#include "base/digest.h"
#include "service/lambda/event_config.h"
#include "service/lambda/image.h"
#include "template/variable_names.h"

/* The members that CreateFunction and UpdateFunctionConfiguration share. */
struct settings {
    struct str role, handler, runtime, description, kms_key_arn;
    struct opt_int timeout, memory_size;
    const struct lambda_environment *environment;
    const struct lambda_tracing_config *tracing;
    const struct lambda_layer_list *layers;
    const struct lambda_ephemeral_storage *storage;
    const struct lambda_logging_config *logging;
    const struct lambda_vpc_config *vpc;
    const struct lambda_dead_letter_config *dead_letter;
    const struct lambda_snap_start *snap_start;
    const struct lambda_image_config *image;
    size_t n_file_systems;
    bool other; /* capacity provider, durable execution */
};

/* clang-format off */
#define SETTINGS(in) (struct settings){                                                            \
    .role = (in)->role, .handler = (in)->handler, .runtime = (in)->runtime,                        \
    .description = (in)->description, .kms_key_arn = (in)->kms_key_arn,                            \
    .timeout = (in)->timeout, .memory_size = (in)->memory_size,                                    \
    .environment = (in)->environment, .tracing = (in)->tracing_config, .layers = &(in)->layers,    \
    .storage = (in)->ephemeral_storage, .logging = (in)->logging_config, .vpc = (in)->vpc_config,  \
    .dead_letter = (in)->dead_letter_config, .snap_start = (in)->snap_start,                       \
    .image = (in)->image_config, .n_file_systems = (in)->file_system_configs.n,                    \
    .other = (in)->capacity_provider_config || (in)->durable_config}
/* clang-format on */

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

static int check_environment(struct call *call, const struct lambda_environment_variables *vars)
{
    struct buf reserved, all;
    buf_init(&reserved, 65536);
    buf_init(&all, 1 << 20);
    buf_byte(&all, '{');
    for (size_t i = 0; i < vars->n; i++) {
        if (variable_name_is_reserved(vars->items[i].key))
            buf_printf(&reserved, "%s%.*s", reserved.n ? ", " : "", STR(vars->items[i].key));
        if (i)
            buf_byte(&all, ',');
        json_write_str(&all, vars->items[i].key);
        buf_byte(&all, ':');
        json_write_str(&all, vars->items[i].value);
    }
    buf_byte(&all, '}');
    int r = 0;
    if (reserved.n)
        r = INVALID("Lambda was unable to configure your environment variables because the "
                    "environment variables you have provided contains reserved keys that are "
                    "currently not supported for modification. Reserved keys used in this request: "
                    "%.*s",
                    STR(buf_view(&reserved)));
    else if (all.failed || all.n > 4096)
        r = INVALID("Lambda was unable to configure your environment variables because the "
                    "environment variables you have provided exceeded the 4KB limit. String "
                    "measured: %.*s",
                    STR(str_slice(buf_view(&all), 0, 8192)));
    buf_done(&reserved);
    buf_done(&all);
    return r;
}

/* Runtimes that functions may be made with now, and those that no longer may. */
static const char *const runtimes[] = {
    "nodejs20.x", "provided.al2023", "python3.12",   "java17",     "nodejs16.x",
    "dotnet8",    "python3.10",      "java11",       "python3.11", "dotnet6",
    "java21",     "nodejs18.x",      "provided.al2", "ruby3.3",    "java8.al2",
    "ruby3.2",    "python3.8",       "python3.9",    "python3.13", "nodejs22.x",
    "ruby3.4",    "nodejs24.x",      "python3.14",   "java25",     "dotnet10",
    NULL,
};
static const char *const retired_runtimes[] = {
    "nodejs",        "nodejs4.3",     "nodejs6.10",
    "nodejs8.10",    "nodejs10.x",    "nodejs12.x",
    "nodejs14.x",    "python2.7",     "python3.6",
    "python3.7",     "dotnetcore1.0", "dotnetcore2.0",
    "dotnetcore2.1", "dotnetcore3.1", "nodejs4.3-edge",
    "go1.x",         "ruby2.5",       "ruby2.7",
    "provided",      "java8",         NULL,
};

static bool is_one_of(struct str name, const char *const *list)
{
    for (; *list; list++)
        if (str_is(name, *list))
            return true;
    return false;
}

static struct str all_of(struct arena *a, const char *const *list)
{
    struct buf b;
    buf_init(&b, 4096);
    for (; *list; list++)
        buf_printf(&b, "%s%s", b.n ? ", " : "", *list);
    struct str text = buf_copy(&b, a);
    buf_done(&b);
    return text;
}

static int check_runtime(struct call *call, struct str runtime)
{
    if (is_one_of(runtime, runtimes))
        return 0;
    if (is_one_of(runtime, retired_runtimes))
        return INVALID("The runtime parameter of %.*s is no longer supported for creating or "
                       "updating AWS Lambda functions. We recommend you use a supported runtime "
                       "while creating or updating functions.",
                       STR(runtime));
    return INVALID("Value %.*s at 'runtime' failed to satisfy constraint: Member must satisfy enum "
                   "value set: [%.*s] or be a valid ARN",
                   STR(runtime), STR(all_of(call->arena, runtimes)));
}

int configuration_check_layer_runtimes(struct call *call,
                                       const struct lambda_compatible_runtimes *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!is_one_of(list->items[i], runtimes) && !is_one_of(list->items[i], retired_runtimes))
            return call_fail(
                call, LAMBDA_VALIDATION,
                "1 validation error detected: Value '[%.*s]' at 'compatibleRuntimes' "
                "failed to satisfy constraint: Member must satisfy constraint: [Member "
                "must satisfy enum value set: [%.*s], Member must not be null]",
                STR(list->items[i]), STR(all_of(call->arena, runtimes)));
    return 0;
}

static int check_settings(struct call *call, const struct settings *s)
{
    if (s->memory_size.has && (s->memory_size.is < 128 || s->memory_size.is > 10240))
        return INVALID("'MemorySize' value failed to satisfy constraint: Member must have value "
                       "less than or equal to 10240");
    if (s->timeout.has && (s->timeout.is < 1 || s->timeout.is > 900))
        return call_fail(call, LAMBDA_VALIDATION,
                         "1 validation error detected: Value '%lld' at 'timeout' failed to satisfy "
                         "constraint: Member must have value less than or equal to 900",
                         (long long)s->timeout.is);
    if (s->environment) {
        int r = check_environment(call, &s->environment->variables);
        if (r < 0)
            return r;
    }
    if (s->n_file_systems)
        return INVALID("FileSystemConfigs is not supported here: there is no EFS");
    if (s->vpc && (s->vpc->subnet_ids.n || s->vpc->security_group_ids.n))
        return INVALID("VpcConfig is not supported here: there are no VPCs");
    if (s->snap_start && !str_is(s->snap_start->apply_on, "None"))
        return INVALID("SnapStart is not supported here");
    if (s->dead_letter && s->dead_letter->target_arn.n) {
        struct str arn = s->dead_letter->target_arn;
        struct str why = destination_unsupported(call->arena, arn);
        return INVALID("The DeadLetterConfig target %.*s is invalid: %.*s", STR(arn),
                       STR(why.n ? why : S("it must be an SNS topic or an SQS queue")));
    }
    if (s->other)
        return INVALID("CapacityProviderConfig and DurableConfig are not supported here");
    return s->runtime.n ? check_runtime(call, s->runtime) : 0;
}

/* What the other package type has does not go with this one. */
static int check_package_type(struct call *call, bool image, const struct settings *s)
{
    if (image && (s->handler.n || s->runtime.n || s->layers->n))
        return INVALID(
            "Please don't provide Handler or Runtime or Layer when the intended function "
            "PackageType is Image.");
    if (!image && s->image)
        return INVALID("Please don't provide ImageConfig when the intended function PackageType is "
                       "Zip.");
    return 0;
}

static int check_logging(struct call *call, const struct lambda_logging_config *old,
                         const struct lambda_logging_config *asked)
{
    if (!asked || (!asked->application_log_level.n && !asked->system_log_level.n))
        return 0;
    struct str format = asked->log_format.n ? asked->log_format : old ? old->log_format : S("Text");
    if (str_is(format, "JSON"))
        return 0;
    return INVALID("LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel "
                   "from your request or change the LogFormat to \"Json\" and try again.");
}

static struct lambda_logging_config *logging_of(struct call *call, struct str function,
                                                const struct lambda_logging_config *old,
                                                const struct lambda_logging_config *asked)
{
    struct lambda_logging_config *c = ARENA_NEW(call->arena, struct lambda_logging_config);
    if (old)
        *c = *old;
    if (asked && asked->log_format.n)
        c->log_format = asked->log_format;
    if (asked && asked->log_group.n)
        c->log_group = asked->log_group;
    if (asked && asked->application_log_level.n)
        c->application_log_level = asked->application_log_level;
    if (asked && asked->system_log_level.n)
        c->system_log_level = asked->system_log_level;
    if (!c->log_format.n)
        c->log_format = S("Text");
    if (!c->log_group.n)
        c->log_group = str_printf(call->arena, "/aws/lambda/%.*s", STR(function));
    if (str_is(c->log_format, "JSON")) {
        if (!c->application_log_level.n)
            c->application_log_level = S("INFO");
        if (!c->system_log_level.n)
            c->system_log_level = S("INFO");
    } else {
        c->application_log_level = c->system_log_level = (struct str){0};
    }
    return c;
}

static void apply(struct call *call, const struct settings *s,
                  struct lambda_function_configuration *c)
{
    struct arena *a = call->arena;
    if (s->role.n)
        c->role = s->role;
    if (s->handler.n)
        c->handler = s->handler;
    if (s->runtime.n && !str_eq(s->runtime, c->runtime)) {
        c->runtime = s->runtime;
        /* AWS names a runtime version by a hash; ours stands for the name alone. */
        c->runtime_version_config = ARENA_NEW(a, struct lambda_runtime_version_config);
        c->runtime_version_config->runtime_version_arn =
            str_printf(a, "arn:aws:lambda:%.*s::runtime:%.*s", STR(call->region),
                       STR(sha256_hex(a, s->runtime)));
    }
    if (str_has(s->description))
        c->description = s->description;
    if (s->timeout.has)
        c->timeout = s->timeout;
    if (s->memory_size.has)
        c->memory_size = s->memory_size;
    if (s->kms_key_arn.n)
        c->kms_key_arn = s->kms_key_arn;
    if (s->environment) {
        c->environment = NULL;
        if (s->environment->variables.n) {
            c->environment = ARENA_NEW(a, struct lambda_environment_response);
            c->environment->variables = s->environment->variables;
        }
    }
    if (s->tracing && s->tracing->mode.n) {
        c->tracing_config = ARENA_NEW(a, struct lambda_tracing_config_response);
        c->tracing_config->mode = s->tracing->mode;
    }
    if (s->storage) {
        c->ephemeral_storage = ARENA_NEW(a, struct lambda_ephemeral_storage);
        *c->ephemeral_storage = *s->storage;
    }
    if (s->dead_letter) {
        c->dead_letter_config = NULL;
        if (s->dead_letter->target_arn.n) {
            c->dead_letter_config = ARENA_NEW(a, struct lambda_dead_letter_config);
            *c->dead_letter_config = *s->dead_letter;
        }
    }
    if (s->image) { /* given, it replaces the one before as a whole */
        c->image_config_response = NULL;
        if (s->image->entry_point.n || s->image->command.n || s->image->working_directory.n) {
            c->image_config_response = ARENA_NEW(a, struct lambda_image_config_response);
            c->image_config_response->image_config = ARENA_NEW(a, struct lambda_image_config);
            *c->image_config_response->image_config = *s->image;
        }
    }
    c->logging_config = logging_of(call, c->function_name, c->logging_config, s->logging);
}

void configuration_touch(struct call *call, struct lambda_version_record *v)
{
    v->configuration->last_modified = clock_lambda_time(call->arena, call->now_ms);
    v->configuration->revision_id = random_uuid(call->arena);
}

int configuration_create(struct call *call, const struct lambda_create_function_input *in,
                         struct str name, struct lambda_version_record *ret)
{
    struct arena *a = call->arena;
    bool image = str_is(in->package_type, "Image");
    if (in->code_signing_config_arn.n)
        return INVALID("CodeSigningConfigArn is not supported here");
    if (in->tenancy_config)
        return INVALID("TenancyConfig is not supported here");
    int r = check_package_type(call, image, &SETTINGS(in));
    if (r < 0)
        return r;
    if (!image && !in->runtime.n && !in->handler.n)
        return INVALID("Runtime and Handler are mandatory parameters for functions created with "
                       "deployment packages.");
    if (!image && !in->runtime.n)
        return INVALID("Runtime is mandatory for functions created with deployment packages.");
    if (!image && !in->handler.n)
        return INVALID("Handler is mandatory for functions created with deployment packages.");
    struct settings s = SETTINGS(in);
    r = check_settings(call, &s);
    if (r == 0)
        r = check_logging(call, NULL, s.logging);
    if (r < 0)
        return r;

    struct lambda_function_configuration *c = ARENA_NEW(a, struct lambda_function_configuration);
    c->function_name = name;
    c->function_arn = function_arn(call, name, S(""));
    c->version = S("$LATEST");
    c->description = S("");
    c->timeout = opt_int(3);
    c->memory_size = opt_int(128);
    c->package_type = image ? S("Image") : S("Zip");
    c->architectures = in->architectures;
    if (!c->architectures.n) {
        c->architectures.items = ARENA_NEW(a, struct str);
        c->architectures.items[0] = S("x86_64");
        c->architectures.n = 1;
    }
    c->tracing_config = ARENA_NEW(a, struct lambda_tracing_config_response);
    c->tracing_config->mode = S("PassThrough");
    c->ephemeral_storage = ARENA_NEW(a, struct lambda_ephemeral_storage);
    c->ephemeral_storage->size = opt_int(512);
    c->snap_start = ARENA_NEW(a, struct lambda_snap_start_response);
    *c->snap_start = (struct lambda_snap_start_response){S("None"), S("Off")};
    apply(call, &s, c);

    *ret = (struct lambda_version_record){
        .configuration = c, .account = call->account, .region = call->region};
    configuration_touch(call, ret);
    return configuration_check_layers(call, ret, &in->layers, c->runtime);
}

int configuration_update(struct call *call,
                         const struct lambda_update_function_configuration_input *in,
                         struct lambda_version_record *v)
{
    struct settings s = SETTINGS(in);
    int r = check_package_type(call, image_is(v->configuration), &s);
    if (r == 0)
        r = check_settings(call, &s);
    if (r == 0)
        r = check_logging(call, v->configuration->logging_config, s.logging);
    if (r < 0)
        return r;
    apply(call, &s, v->configuration);
    configuration_touch(call, v);
    if (in->layers.items) {
        r = configuration_check_layers(call, v, &in->layers, v->configuration->runtime);
        if (r < 0)
            return r;
    }
    return configuration_check_size(call, v);
}

/* The layers that a request asks for: each must exist, none twice. */
int configuration_check_layers(struct call *call, struct lambda_version_record *v,
                               const struct lambda_layer_list *layers, struct str runtime)
{
    struct arena *a = call->arena;
    if (layers->n > 5)
        return INVALID("Cannot reference more than 5 layers.");
    struct lambda_layers_reference_list list = {ARENA_ARRAY(a, struct lambda_layer, layers->n + 1),
                                                layers->n};
    struct lambda_string_list codes = {ARENA_ARRAY(a, struct str, layers->n + 1), layers->n};
    struct layer_name names[5];
    for (size_t i = 0; i < layers->n; i++) {
        struct str arn = layers->items[i];
        struct layer_name *n = &names[i];
        if (!layer_name_parse(arn, n) || !n->account.n || n->version == 0)
            return INVALID("Layer version %.*s does not exist.", STR(arn));
        if (!str_eq(n->region, call->region))
            return INVALID("Layers are not in the same region as the function. Layers are expected "
                           "to be in region %.*s.",
                           STR(call->region));
        for (size_t j = 0; j < i; j++)
            if (str_eq(names[j].name, n->name) && str_eq(names[j].account, n->account))
                return INVALID("Two different versions of the same layer are not allowed to be "
                               "referenced in the same function. %.*s and %.*s are versions of the "
                               "same layer.",
                               STR(layers->items[j]), STR(arn));
        if (!str_eq(n->account, call->account)) {
            struct str why;
            if (call_allowed(call, call->who, S("lambda:GetLayerVersion"), arn, &why) < 0)
                return call_fail(call, LAMBDA_ACCESS_DENIED, "%.*s", STR(why));
        }
        struct lambda_layer_version_record layer = {0};
        int r =
            record_get(call, key_layer_version(call, n->account, n->region, n->name, n->version),
                       &lambda_layer_version_record_shape, &layer);
        if (r == -ENOENT)
            return INVALID("Layer version %.*s does not exist.", STR(arn));
        if (r < 0)
            return r;
        list.items[i] = (struct lambda_layer){
            .arn = arn,
            .code_size = layer.layer->content ? layer.layer->content->code_size : opt_int(0)};
        codes.items[i] = layer.code;
    }
    v->configuration->layers = layers->n ? list : (struct lambda_layers_reference_list){0};
    v->layer_codes = codes;
    return 0;
}

/* Code and layers together must stay below the limit of one function. */
int configuration_check_size(struct call *call, const struct lambda_version_record *v)
{
    int64_t total = v->unpacked_bytes.is;
    for (size_t i = 0; i < v->layer_codes.n; i++) {
        struct lambda_code_record code = {0};
        struct str key = store_key(call->arena, 3, S("lambda"), S("code"), v->layer_codes.items[i]);
        int r = record_get(call, key, &lambda_code_record_shape, &code);
        if (r < 0 && r != -ENOENT)
            return r;
        total += code.unpacked_bytes.is;
    }
    if (total > LAMBDA_UNZIPPED_MAX)
        return INVALID("Function code combined with layers exceeds the maximum allowed size of %d "
                       "bytes. The actual size is %lld bytes.",
                       LAMBDA_UNZIPPED_MAX, (long long)total);
    return 0;
}

void configuration_out(struct call *call, const struct lambda_version_record *v,
                       struct str qualifier, struct lambda_function_configuration *ret)
{
    *ret = *v->configuration;
    ret->function_arn = function_arn(call, ret->function_name, qualifier);
    configuration_show(ret, SHOW_ACTIVE);
}

/* A version is usable from the moment its record is stored: the code was unpacked before. So the
 * states in between last as long as the response that announces them is on its way. */
void configuration_show(struct lambda_function_configuration *c, enum configuration_state state)
{
    c->state = c->state_reason = c->state_reason_code = (struct str){0};
    c->last_update_status = c->last_update_status_reason = (struct str){0};
    c->last_update_status_reason_code = (struct str){0};
    if (state == SHOW_NONE)
        return;
    if (state == SHOW_PENDING) {
        c->state = S("Pending");
        c->state_reason = S("The function is being created.");
        c->state_reason_code = S("Creating");
        return;
    }
    c->state = S("Active");
    c->last_update_status = S("Successful");
    if (state == SHOW_UPDATING) {
        c->last_update_status = S("InProgress");
        c->last_update_status_reason = S("The function is being created.");
        c->last_update_status_reason_code = S("Creating");
    }
}
