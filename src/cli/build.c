/* build - `lamina build`: a project's sources to .aws-sam/build. */
#include <errno.h>
#include "base/progress.h"
#include "build/project.h"
#include "cli/source.h"
#include "cli/target.h"
#include "cli/verbs_all.h"

struct build_options {
    struct str template, build_dir;
    bool cached, parallel;
};

static const struct option_row rows[] = {
    {OPTION(struct build_options, template), .name = "template", .letter = 't', .type = OPTION_TEXT,
     .metavar = "FILE", .help = "the template; template.yaml otherwise"},
    {OPTION(struct build_options, template), .name = "template-file", .type = OPTION_TEXT,
     .hidden = true, .help = "the same as --template"},
    {OPTION(struct build_options, build_dir), .name = "build-dir", .letter = 'b',
     .type = OPTION_TEXT, .metavar = "DIR", .default_value = ".aws-sam/build",
     .help = "where the result goes"},
    {OPTION(struct build_options, cached), .name = "cached", .letter = 'c', .type = OPTION_FLAG,
     .help = "take what was built from the same inputs before"},
    {OPTION(struct build_options, parallel), .name = "parallel", .letter = 'p', .type = OPTION_FLAG,
     .help = "build several artifacts at once"},
    {0},
};

struct show {
    struct progress progress;
    bool json;
};

static const char *word(enum artifact_state state)
{
    static const char *const words[] = {"built", "unchanged", "copied", "failed"};
    return words[state];
}

static void show(const struct artifact *art, void *user)
{
    struct show *s = user;
    if (art->state == ARTIFACT_FAILED || s->json)
        return;
    progress_line(&s->progress, "%-9s %-24.*s %-12.*s %7.1f kB  %5lld ms", word(art->state),
                  STR(art->logical_id), STR(art->method), (double)art->bytes / 1024,
                  (long long)art->milliseconds);
}

static void report(struct verb_run *run, const struct project *p)
{
    struct arena *a = run->arena;
    struct json *all = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY);
    json_set(a, all, S("template"), json_new_str(a, p->template_out));
    json_set(a, all, S("artifacts"), list);
    for (size_t i = 0; i < p->n_artifacts; i++) {
        const struct artifact *art = &p->artifacts[i];
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, o, S("logicalId"), json_new_str(a, art->logical_id));
        json_set(a, o, S("kind"), json_new_str(a, art->layer ? S("layer") : S("function")));
        json_set(a, o, S("method"), json_new_str(a, art->method));
        json_set(a, o, S("state"), json_new_str(a, str_from(word(art->state))));
        json_set(a, o, S("inputs"), json_new_str(a, art->digest));
        json_set(a, o, S("bytes"), json_new_int(a, art->bytes));
        json_set(a, o, S("files"), json_new_int(a, art->files));
        json_set(a, o, S("milliseconds"), json_new_int(a, art->milliseconds));
    }
    target_print_json(a, all);
}

static int run_build(struct verb_run *run)
{
    const struct build_options *o = run->values[0];
    struct str path, text;
    struct json *root;
    int e = source_find(run, o->template, false, &path);
    if (!e)
        e = source_read(run, path, &text, &root);
    if (e)
        return e;
    struct show s = {.json = target_of(run)->json};
    progress_init(&s.progress, stderr);
    struct project_options options = {
        .template_path = path,
        .build_dir = o->build_dir,
        .cached = o->cached,
        .parallel = o->parallel,
        .only = run->parsed.n_operands ? run->parsed.operands[0] : (struct str){0},
    };
    struct project project;
    if (project_build(run->arena, root, &options, show, &s, &project) < 0) {
        progress_clear(&s.progress);
        return verb_fail(run, "%.*s", STR(project.error));
    }
    progress_clear(&s.progress);
    if (s.json)
        report(run, &project);
    else
        printf("%.*s\n", STR(project.template_out));
    return 0;
}

const struct verb build_verb = {
    .name = "build",
    .run = run_build,
    .sets = {{rows, sizeof(struct build_options)}, TARGET_SET},
    .preset = target_preset,
    .operands = "[LOGICAL_ID]",
    .max_operands = 1,
    .summary = "build functions and layers of a project into .aws-sam/build",
    .details =
        "Python: sources, and what requirements.txt names, installed by pip for the runtime's "
        "version.\n"
        "Node.js: sources, and the dependencies of package.json. Others, or with Metadata: "
        "BuildMethod:\n"
        "makefile, by make build-LOGICAL_ID; esbuild, with its BuildProperties, where there is "
        "one. Layers\n"
        "are built when they have a BuildMethod.\n\n"
        "    lamina build --cached --parallel",
};
