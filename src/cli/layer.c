/* layer - `lamina layer build`: a layer's zip from a package, a requirements.txt, or our own parts.
 */
#include <errno.h>
#include "base/clock.h"
#include "build/coverage_layer.h"
#include "build/layer.h"
#include "cli/layer_publish.h"
#include "cli/layer_split.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

/* Of build and of split. */
struct layer_common {
    struct str output, runtime;
};

static const struct option_row common_rows[] = {
    {OPTION(struct layer_common, output), .name = "output", .letter = 'o', .type = OPTION_TEXT,
     .metavar = "PATH",
     .help = "build: the zip to write, layer.zip otherwise; split: the folder that gets code, "
             "layers and report"},
    {OPTION(struct layer_common, runtime), .name = "runtime", .letter = 'r', .type = OPTION_TEXT,
     .metavar = "RUNTIME",
     .help =
         "build: the runtime the layer is for, python3.11 otherwise; split: that of a folder or "
         "zip"},
    {0},
};

struct layer_options {
    struct str output, runtime, architecture;
    bool cache, import_check;
};

static const struct option_row rows[] = {
    {OPTION(struct layer_options, architecture), .name = "architecture", .type = OPTION_TEXT,
     .choices = "x86_64|arm64", .default_value = "x86_64",
     .help = "the processor the layer is for"},
    {OPTION(struct layer_options, architecture), .name = "arch", .type = OPTION_TEXT,
     .choices = "x86_64|arm64", .default_value = "x86_64", .hidden = true,
     .help = "the same, shorter"},
    {OPTION(struct layer_options, cache), .name = "cache", .type = OPTION_FLAG,
     .default_value = "true", .help = "take the zip made from the same inputs before"},
    {OPTION(struct layer_options, import_check), .name = "import-check", .type = OPTION_FLAG,
     .default_value = "true", .help = "import every module that was installed"},
    {0},
};

static const struct option_row publish_rows[] = {
    {OPTION(struct layer_publish_options, name), .name = "name", .letter = 'n', .type = OPTION_TEXT,
     .metavar = "NAME", .help = "the layer's name"},
    {OPTION(struct layer_publish_options, regions), .name = "regions", .type = OPTION_TEXT,
     .metavar = "A,B,...", .help = "in these regions; otherwise the target's"},
    {OPTION(struct layer_publish_options, compatible_runtimes), .name = "compatible-runtimes",
     .type = OPTION_LIST, .metavar = "RUNTIME", .many = true,
     .help = "runtimes it is for; otherwise those of its manifest"},
    {OPTION(struct layer_publish_options, manifest), .name = "manifest", .type = OPTION_TEXT,
     .metavar = "FILE", .default_value = "layer-deployment.json",
     .help = "the JSON file that gets the versions by region"},
    {0},
};

static const struct option_row split_rows[] = {
    {OPTION(struct layer_split_options, payloads), .name = "payloads", .type = OPTION_LIST,
     .many = true, .metavar = "DIR|FILE|JSON...",
     .help = "what the original and the split are asked, to compare their answers"},
    {OPTION(struct layer_split_options, ignore), .name = "ignore", .type = OPTION_LIST,
     .many = true, .metavar = "PATH...",
     .help = "what of answers differs by itself: $.time, $.body.id"},
    {OPTION(struct layer_split_options, layers), .name = "layers", .type = OPTION_INT,
     .metavar = "N", .default_value = "1",
     .help = "how many layers to make; more when a zip would be too big"},
    {OPTION(struct layer_split_options, packages), .name = "packages", .type = OPTION_LIST,
     .many = true, .metavar = "NAME...",
     .help = "modules at the top without .dist-info that shall move as well"},
    {OPTION(struct layer_split_options, cold), .name = "cold", .type = OPTION_INT, .metavar = "N",
     .default_value = "5", .help = "cold starts to measure of each"},
    {OPTION(struct layer_split_options, handler), .name = "handler", .type = OPTION_TEXT,
     .metavar = "HANDLER", .help = "of a folder or zip"},
    {OPTION(struct layer_split_options, role), .name = "role", .type = OPTION_TEXT,
     .metavar = "ARN", .help = "role of the temporary function; otherwise the function's"},
    {OPTION(struct layer_split_options, apply), .name = "apply", .type = OPTION_FLAG,
     .help = "publish the layers and change the function, when the answers are the same"},
    {OPTION(struct layer_split_options, unproven), .name = "unproven", .type = OPTION_FLAG,
     .help = "with --apply: without payloads"},
    {OPTION(struct layer_split_options, s3_bucket), .name = "s3-bucket", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "bucket of the records; SAM's managed bucket otherwise"},
    {OPTION(struct layer_split_options, stack_name), .name = "stack-name", .type = OPTION_TEXT,
     .metavar = "NAME", .help = "stack in which a logical id is looked up"},
    {0},
};

static struct str cache_dir(struct arena *a)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (base && *base)
        return str_printf(a, "%s/lamina/layers", base);
    return home && *home ? str_printf(a, "%s/.cache/lamina/layers", home) : (struct str){0};
}

static void print(const struct layer_options *o, const struct layer_report *r, int64_t ms)
{
    printf("%.*s  %.1f kB zipped, %.1f kB unzipped, %lld files  (%s, %lld ms)\n", STR(o->output),
           (double)r->zipped_bytes / 1024, (double)r->unzipped_bytes / 1024, (long long)r->files,
           r->cached ? "unchanged" : "built", (long long)ms);
    printf("  budget    %.1f %% of 50 MB zipped, %.1f %% of 250 MB unzipped\n",
           100.0 * (double)r->zipped_bytes / LAYER_ZIPPED_MAX,
           100.0 * (double)r->unzipped_bytes / LAYER_UNZIPPED_MAX);
    printf("  sha256    %.*s\n", STR(r->sha256));
    if (r->cached)
        return;
    printf("  imports   ");
    for (size_t i = 0; i < r->python.n_checked; i++)
        printf("%s%.*s", i ? ", " : "", STR(r->python.checked[i]));
    if (!r->python.n_checked)
        printf("%s", r->python.imports_skipped ? "not tried: no interpreter of this runtime here"
                                               : "not tried");
    putchar('\n');
}

static void print_json(struct arena *a, const struct layer_options *o, const struct layer_report *r,
                       int64_t ms)
{
    struct json *v = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, v, S("output"), json_new_str(a, o->output));
    json_set(a, v, S("runtime"), json_new_str(a, o->runtime));
    json_set(a, v, S("architecture"), json_new_str(a, o->architecture));
    json_set(a, v, S("cached"), json_new_bool(a, r->cached));
    json_set(a, v, S("inputs"), json_new_str(a, r->inputs));
    json_set(a, v, S("sha256"), json_new_str(a, r->sha256));
    json_set(a, v, S("zippedBytes"), json_new_int(a, r->zipped_bytes));
    json_set(a, v, S("unzippedBytes"), json_new_int(a, r->unzipped_bytes));
    json_set(a, v, S("files"), json_new_int(a, r->files));
    json_set(a, v, S("milliseconds"), json_new_int(a, ms));
    json_set(a, v, S("imported"), list);
    for (size_t i = 0; i < r->python.n_checked; i++)
        json_add(list, json_new_str(a, r->python.checked[i]));
    target_print_json(a, v);
}

static int build_coverage(struct verb_run *run, const struct layer_options *o)
{
    struct arena *a = run->arena;
    struct coverage_layer r;
    if (coverage_layer_build(a, o->architecture, o->output, &r) < 0)
        return verb_fail(run, "%.*s", STR(r.error));
    if (target_of(run)->json) {
        struct json *v = json_new(a, JSON_OBJECT);
        json_set(a, v, S("output"), json_new_str(a, o->output));
        json_set(a, v, S("architecture"), json_new_str(a, o->architecture));
        json_set(a, v, S("content"), json_new_str(a, r.content));
        json_set(a, v, S("sha256"), json_new_str(a, r.sha256));
        json_set(a, v, S("zippedBytes"), json_new_int(a, r.zipped_bytes));
        json_set(a, v, S("unzippedBytes"), json_new_int(a, r.unzipped_bytes));
        json_set(a, v, S("files"), json_new_int(a, r.files));
        target_print_json(a, v);
        return 0;
    }
    printf("%.*s  %.1f kB zipped, %.1f kB unzipped, %lld files, for %.*s\n", STR(o->output),
           (double)r.zipped_bytes / 1024, (double)r.unzipped_bytes / 1024, (long long)r.files,
           STR(o->architecture));
    printf("  sha256    %.*s\n", STR(r.sha256));
    return 0;
}

static int build_layer(struct verb_run *run, const struct layer_options *o)
{
    struct layer_request q = {
        .source = run->parsed.operands[1],
        .runtime = o->runtime,
        .architecture = o->architecture,
        .output = o->output,
        .cache_dir = o->cache ? cache_dir(run->arena) : (struct str){0},
        .check_imports = o->import_check,
    };
    struct layer_report r;
    int64_t from = clock_mono_ns();
    if (layer_build(run->arena, &q, &r) < 0)
        return verb_fail(run, "%.*s", STR(r.error));
    int64_t ms = (clock_mono_ns() - from) / 1000000;
    if (target_of(run)->json)
        print_json(run->arena, o, &r, ms);
    else
        print(o, &r, ms);
    return 0;
}

static int run_build(struct verb_run *run)
{
    const struct layer_common *common = run->values[0];
    struct layer_options *o = run->values[1];
    o->output = common->output.n ? common->output : S("layer.zip");
    o->runtime = common->runtime.n ? common->runtime : S("python3.11");
    return str_is(run->parsed.operands[1], COVERAGE_LAYER_SOURCE) ? build_coverage(run, o)
                                                                  : build_layer(run, o);
}

static int run_validate(struct verb_run *run)
{
    return layer_validate_run(run, run->parsed.operands[1]);
}

static int run_publish(struct verb_run *run)
{
    return layer_publish_run(run, run->values[2], run->parsed.operands[1]);
}

static int run_split(struct verb_run *run)
{
    const struct layer_common *common = run->values[0];
    struct layer_split_options *o = run->values[3];
    o->output = common->output;
    o->runtime = common->runtime;
    return layer_split_run(run, o);
}

static const struct verb_action actions[] = {
    {.name = "build",
     .run = run_build,
     .sets = 1 | 2 | 16,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "PATH|requirements.txt|python-coverage",
     .summary =
         "make a layer's zip of a package, of requirements, or of Lamina's own coverage layer",
     .details =
         "The same inputs give the same zip, byte for byte. What a function never needs is left\n"
         "out (tests, bytecode, pip's own records); METADATA and entry_points.txt stay.\n"
         "python-coverage is the layer that `lamina coverage enable` gives to functions.\n\n"
         "    lamina layer build requirements.txt -o layer.zip --runtime python3.12\n"
         "    lamina layer build python-coverage -o coverage.zip"},
    {.name = "validate",
     .run = run_validate,
     .sets = 16,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "ZIP",
     .summary = "look at sizes, modes, programs and imports of a layer's zip",
     .details = "Exit code 1 when it would not work on Lambda.\n\n"
                "    lamina layer validate coverage.zip"},
    {.name = "publish",
     .run = run_publish,
     .sets = 4 | 16,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "ZIP",
     .summary = "publish a layer's zip in regions",
     .details =
         "Writes a JSON file with the version's ARN in each region. A content that a layer has\n"
         "already is not published again.\n\n"
         "    lamina layer publish coverage.zip --name coverage --regions us-east-1,eu-west-1"},
    {.name = "split",
     .run = run_split,
     .sets = 1 | 8 | 16,
     .min_operands = 1,
     .max_operands = 1,
     .operands = "FUNCTION|DIR|ZIP",
     .summary = "split a function's bundle into its own code and layers of packages",
     .details =
         "Packages are known by .dist-info and node_modules. What would not be found as before\n"
         "stays in the code, with the reason. With --payloads both are run, in a temporary\n"
         "function, and their answers compared; Init Durations are shown.\n\n"
         "    lamina layer split my-function -o split --payloads events/ --apply"},
    {0},
};

const struct verb layer_verb = {
    .name = "layer",
    .actions = actions,
    .sets = {{common_rows, sizeof(struct layer_common)},
             {rows, sizeof(struct layer_options)},
             {publish_rows, sizeof(struct layer_publish_options)},
             {split_rows, sizeof(struct layer_split_options)},
             TARGET_SET},
    .preset = target_preset,
    .operands = "build PATH|requirements.txt|python-coverage | validate ZIP | publish ZIP | "
                "split FUNCTION|DIR|ZIP",
    .min_operands = 1,
    .max_operands = 2,
    .summary = "build a layer's zip, check it, publish it in regions, split one off a function",
    .details = "    lamina layer build requirements.txt -o layer.zip --runtime python3.12",
};
