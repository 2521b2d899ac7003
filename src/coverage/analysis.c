/* analysis - the cache first, then the workers for what it does not have. */
#include "coverage/analysis.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"
#include "coverage/analysis_internal.h"
#include <errno.h>
#include <sched.h>

/* One run over many sources. */
struct job {
    struct arena *a;
    const struct analysis_options *options;
    const struct analysis_source *sources;
    struct analysis **results;
    struct cache_key *keys;
    size_t n;
    struct str folder; /* of the cache; empty: none */
    struct analysis_python python;
    struct analysis_report report;
};

static struct analysis *failed(struct arena *a, const char *why)
{
    struct analysis *an = ARENA_NEW(a, struct analysis);
    an->error = str_from(why);
    return an;
}

static struct json *texts(struct arena *a, const struct str *p, size_t n)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < n; i++)
        json_add(list, json_new_str(a, p[i]));
    return list;
}

/* What is sent first; a list that is not there stands for the script's own. */
static struct str patterns_line(struct arena *a, const struct analysis_options *o)
{
    struct json *v = json_new(a, JSON_OBJECT);
    if (o->exclude)
        json_set(a, v, S("exclude"), texts(a, o->exclude, o->n_exclude));
    if (o->partial)
        json_set(a, v, S("partial"), texts(a, o->partial, o->n_partial));
    return json_text(a, v, -1);
}

static void look_into_cache(struct job *j, struct str patterns)
{
    uint8_t hash[32];
    struct packs packs = {0};
    digest_sha256(patterns, hash);
    if (j->folder.n)
        packs_open(j->a, j->folder, &packs);
    for (size_t i = 0; i < j->n; i++) {
        if (j->results[i])
            continue;
        cache_key(j->sources[i].text, j->python.minor, hash, &j->keys[i]);
        if (j->folder.n)
            j->results[i] = packs_load(j->a, &packs, &j->keys[i]);
        if (j->folder.n && !j->results[i])
            j->results[i] = cache_load(j->a, j->folder, &j->keys[i]);
        j->report.n_cached += j->results[i] != NULL;
    }
    packs_close(&packs);
}

static void read_results(struct job *j, struct str results, struct str *ret_bad_pattern)
{
    struct str line;
    bool more = results.n > 0;
    while (more) {
        more = str_cut(results, '\n', &line, &results);
        int64_t id;
        struct analysis *an;
        if (!line.n || analysis_read(j->a, line, &id, &an) < 0 || id >= (int64_t)j->n)
            continue;
        if (id < 0)
            *ret_bad_pattern = an->error;
        else if (!j->results[id])
            j->results[id] = an;
    }
}

static void save(struct job *j, const bool *asked)
{
    if (!j->folder.n || fs_mkdirs(str_c(j->a, j->folder), 0700) < 0)
        return;
    struct pack_item *items = ARENA_ARRAY(j->a, struct pack_item, j->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++)
        if (asked[i] && j->results[i])
            items[n++] = (struct pack_item){&j->keys[i], j->results[i]};
    if (n >= PACK_LEAST) {
        pack_save(j->folder, items, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        cache_save(j->folder, items[i].key, items[i].analysis);
    cache_trim(j->folder, CACHE_FILES_MAX);
}

static int workers(const struct job *j)
{
    if (j->options->workers > 0)
        return j->options->workers;
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 8 ? 8 : n;
}

/* Asks the script about what is still open. */
static int ask(struct job *j, struct str patterns)
{
    auto_arena struct arena scratch;
    arena_init(&scratch);
    auto_buf struct buf requests;
    buf_init(&requests, (size_t)1 << 32);
    buf_str(&requests, patterns);
    buf_byte(&requests, '\n');
    bool *asked = ARENA_ARRAY(&scratch, bool, j->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++)
        if (!j->results[i]) {
            asked[i] = true;
            n++;
            buf_printf(&requests, "{\"id\":%zu,\"size\":%zu}\n", i, j->sources[i].text.n);
            buf_str(&requests, j->sources[i].text);
        }
    if (!n)
        return 0;
    if (buf_failed(&requests))
        return -EMSGSIZE;
    struct str results, errors, bad_pattern = {0};
    int r = analysis_run_script(&scratch, &j->python, workers(j), buf_view(&requests), &results,
                                &errors);
    if (r < 0)
        return r;
    read_results(j, results, &bad_pattern);
    if (str_has(bad_pattern)) {
        j->report.warning = str_printf(j->a, "no regular expression: %.*s", STR(bad_pattern));
        return -EINVAL;
    }
    save(j, asked);
    return 0;
}

/* 3.10 changed which lines have code; before and after that, versions agree. */
static bool is_old(struct str minor)
{
    return str_is(minor, "3.8") || str_is(minor, "3.9");
}

static void warn(struct job *j)
{
    struct str wanted = j->options->python;
    if (!wanted.n || str_eq(wanted, j->python.minor))
        return;
    size_t errors = 0;
    for (size_t i = 0; i < j->n; i++)
        errors += str_has(j->results[i]->error);
    if (errors || is_old(wanted) != is_old(j->python.minor))
        j->report.warning = str_printf(
            j->a, "python%.*s is not on PATH: sources were read as Python %.*s understands them",
            STR(wanted), STR(j->python.minor));
}

/* Without an interpreter: the lines that the functions themselves have sent. */
static void fall_back(struct job *j)
{
    j->report.warning =
        S("there is no python3 (3.8 or later) on PATH: only lines of imported files are counted, "
          "without branches and exclusions");
    for (size_t i = 0; i < j->n; i++) {
        struct analysis *an = ARENA_NEW(j->a, struct analysis);
        struct bits raw = bits_trim(j->sources[i].raw);
        if (raw.n > bits_size(ANALYSIS_LINE_MAX))
            raw.n = bits_size(ANALYSIS_LINE_MAX);
        uint8_t *lines = arena_copy(j->a, raw.n ? (const void *)raw.p : "", raw.n ? raw.n : 1);
        lines[0] &= 0xfe; /* there is no line 0 */
        an->raw_only = true;
        an->statements = (struct bits){lines, raw.n};
        for (size_t at = 0; at < j->sources[i].text.n; at++)
            an->n_lines += j->sources[i].text.p[at] == '\n';
        j->results[i] = an;
    }
}

int analysis_run(struct arena *a, const struct analysis_options *options,
                 const struct analysis_source *sources, size_t n,
                 struct analysis_report *ret_report, struct analysis ***ret)
{
    static const struct analysis_options defaults = {0};
    struct job j = {
        .a = a,
        .options = options ? options : &defaults,
        .sources = sources,
        .results = ARENA_ARRAY(a, struct analysis *, n + 1),
        .keys = ARENA_ARRAY(a, struct cache_key, n + 1),
        .n = n,
    };
    j.folder = str_has(j.options->cache) ? j.options->cache : cache_folder(a);
    analysis_find_python(a, j.options->python, &j.python);
    j.report.program = j.python.program;
    j.report.python = j.python.minor;
    if (!str_has(j.python.program)) {
        fall_back(&j);
    } else {
        for (size_t i = 0; i < n; i++)
            if (sources[i].text.n > ANALYSIS_SOURCE_MAX)
                j.results[i] = failed(a, "it is larger than 64 MiB");
        struct str patterns = patterns_line(a, j.options);
        look_into_cache(&j, patterns);
        int r = ask(&j, patterns);
        *ret_report = j.report;
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++)
            if (!j.results[i])
                j.results[i] = failed(a, "the interpreter gave up on it");
        warn(&j);
    }
    *ret_report = j.report;
    *ret = j.results;
    return 0;
}
