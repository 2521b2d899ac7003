/* init - `lamina init NAME`: a small SAM project that works. */
#include <errno.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct init_options {
    struct str runtime;
};

static const struct option_row rows[] = {
    {OPTION(struct init_options, runtime), .name = "runtime", .letter = 'r', .type = OPTION_TEXT,
     .metavar = "RUNTIME", .default_value = "python3.11",
     .help = "runtime of the function: python3.8 to python3.14, nodejs18.x to nodejs24.x"},
    {0},
};

/* @NAME@ and @RUNTIME@ are filled in. */
static const struct {
    const char *language; /* NULL: of every project */
    const char *path, *text;
} files[] = {
    {NULL, "template.yaml",
     "AWSTemplateFormatVersion: '2010-09-09'\n"
     "Transform: AWS::Serverless-2016-10-31\n"
     "Description: @NAME@\n"
     "\n"
     "Resources:\n"
     "  HelloFunction:\n"
     "    Type: AWS::Serverless::Function\n"
     "    Properties:\n"
     "      CodeUri: hello/\n"
     "      Handler: app.handler\n"
     "      Runtime: @RUNTIME@\n"
     "      MemorySize: 128\n"
     "      Timeout: 3\n"
     "      Environment:\n"
     "        Variables:\n"
     "          GREETING: Hello\n"
     "\n"
     "Outputs:\n"
     "  HelloFunctionArn:\n"
     "    Value: !GetAtt HelloFunction.Arn\n"},
    {"python3.", "hello/app.py",
     "import os\n"
     "\n"
     "\n"
     "def handler(event, context):\n"
     "    name = event.get(\"name\", \"world\")\n"
     "    print(f\"greeting {name}\")\n"
     "    return {\"message\": f\"{os.environ['GREETING']}, {name}!\"}\n"},
    {"nodejs", "hello/app.mjs",
     "export const handler = async (event) => {\n"
     "  const name = event.name ?? 'world';\n"
     "  console.log(`greeting ${name}`);\n"
     "  return { message: `${process.env.GREETING}, ${name}!` };\n"
     "};\n"},
    {NULL, "samconfig.toml",
     "version = 0.1\n"
     "\n"
     "[default.global.parameters]\n"
     "stack_name = \"@NAME@\"\n"
     "\n"
     "[default.build.parameters]\n"
     "cached = true\n"
     "parallel = true\n"
     "\n"
     "[default.deploy.parameters]\n"
     "capabilities = \"CAPABILITY_IAM\"\n"
     "resolve_s3 = true\n"
     "fail_on_empty_changeset = false\n"},
    {NULL, "tests.yaml",
     "cases:\n"
     "  - name: greets\n"
     "    function: HelloFunction\n"
     "    payload: {name: Lambda}\n"
     "    cold: true\n"
     "    expect:\n"
     "      cold: true\n"
     "      payload_equals: {message: 'Hello, Lambda!'}\n"
     "      logs: [greeting Lambda]\n"
     "\n"
     "  - name: greets again, warm\n"
     "    function: HelloFunction\n"
     "    expect:\n"
     "      cold: false\n"
     "      payload: {message: 'Hello, world!'}\n"},
    {NULL, ".gitignore", ".aws-sam/\n"},
};

static struct str fill(struct arena *a, const char *text, struct str name, struct str runtime)
{
    struct str parts[64], rest = str_from(text);
    size_t n = 0;
    while (rest.n && n + 2 < sizeof parts / sizeof parts[0]) {
        ssize_t at = str_find_byte(rest, '@');
        if (at < 0)
            break;
        parts[n++] = str_slice(rest, 0, (size_t)at);
        rest = str_slice(rest, (size_t)at, rest.n);
        bool is_name = str_starts(rest, S("@NAME@"));
        parts[n++] = is_name ? name : runtime;
        rest = str_slice(rest, is_name ? 6 : 9, rest.n);
    }
    parts[n++] = rest;
    return str_join(a, S(""), parts, n);
}

static bool good_name(struct str s)
{
    if (!s.n || s.n > 128 || !((s.p[0] | 32) >= 'a' && (s.p[0] | 32) <= 'z'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static int run_init(struct verb_run *run)
{
    const struct init_options *o = run->values[0];
    struct arena *a = run->arena;
    struct str name = run->parsed.operands[0];
    if (!good_name(name))
        return verb_usage(
            run, "\"%.*s\" cannot name a stack: letters, digits and -, a letter first, 128 at most",
            STR(name));
    if (!str_starts(o->runtime, S("python3.")) && !str_starts(o->runtime, S("nodejs")))
        return verb_usage(run,
                          "runtime %.*s: a new project is in Python (python3.8 to python3.14) or "
                          "JavaScript (nodejs18.x to nodejs24.x)",
                          STR(o->runtime));
    const char *dir = str_c(a, name);
    if (mkdir(dir, 0755) < 0)
        return verb_fail(run, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].language && !str_starts(o->runtime, str_from(files[i].language)))
            continue;
        struct str path = str_printf(a, "%s/%s", dir, files[i].path);
        int r = fs_mkdirs(fs_dirname(a, path).p, 0755);
        if (r == 0)
            r = fs_write(path.p, fill(a, files[i].text, name, o->runtime), 0644);
        if (r < 0)
            return verb_fail(run, "%.*s: %s", STR(path), strerror(-r));
    }
    printf("%s is ready. Next:\n\n    cd %s\n    lamina up --detach\n    lamina build && lamina "
           "deploy && lamina test\n",
           dir, dir);
    return 0;
}

const struct verb init_verb = {
    .name = "init",
    .run = run_init,
    .sets = {{rows, sizeof(struct init_options)}},
    .operands = "NAME",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "start a small SAM project that works",
    .details = "    lamina init hello",
};
