/* verify_plan - what `lamina verify` is to check: defaults, and verify.yaml over them (verify.h).
 */
#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/options.h"
#include "cli/verify.h"

/* ---- reading ---- */

enum kind { TEXT, COUNT, NUMBER, SHARE, TIME, SIZE, FLAG, RANGE, GATES, PAYLOAD, PAYLOAD_FILE };

struct field {
    const char *section; /* "": at the top */
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t low, high;   /* COUNT, RANGE */
    const char *choices; /* TEXT: "a|b" */
};
#define AT(member) offsetof(struct verify_plan, member)
static const struct field fields[] = {
    {"", "stack", TEXT, AT(stack), 0, 0, NULL},
    {"", "payload", PAYLOAD, AT(payload), 0, 0, NULL},
    {"", "payload_file", PAYLOAD_FILE, AT(payload), 0, 0, NULL},
    {"configuration", "memory_mb", RANGE, AT(memory_mb), 128, 10240, NULL},
    {"configuration", "timeout_s", RANGE, AT(timeout_s), 1, 900, NULL},
    {"configuration", "package_max", SIZE, AT(package_bytes), 0, 0, NULL},
    {"configuration", "log_retention_days", RANGE, AT(log_retention_days), 1, 3653, NULL},
    {"configuration", "architecture", TEXT, AT(architecture), 0, 0, "x86_64|arm64"},
    {"configuration", "tracing", TEXT, AT(tracing), 0, 0, "Active|PassThrough"},
    {"configuration", "concurrency", TEXT, AT(concurrency), 0, 0, "reserved|unreserved"},
    {"cold", "n", COUNT, AT(cold.n), 1, 10000, NULL},
    {"cold", "thresholds", GATES, AT(cold), 0, 0, NULL},
    {"warm", "n", COUNT, AT(warm.n), 1, 10000000, NULL},
    {"warm", "thresholds", GATES, AT(warm), 0, 0, NULL},
    {"load", "connections", COUNT, AT(load.connections), 1, 10000, NULL},
    {"load", "duration", TIME, AT(load.duration_ms), 0, 0, NULL},
    {"load", "n", COUNT, AT(load.n), 1, 100000000, NULL},
    {"load", "rate", TEXT, AT(load.rate), 0, 0, NULL},
    {"load", "thresholds", GATES, AT(load), 0, 0, NULL},
    {"memory", "sizes", TEXT, AT(memory.sizes), 0, 0, NULL},
    {"memory", "n", COUNT, AT(memory.n), 1, 100000, NULL},
    {"memory", "thresholds", GATES, AT(memory), 0, 0, NULL},
    {"cost", "invocations_per_month", NUMBER, AT(invocations_per_month), 0, 0, NULL},
    {"cost", "max_usd_per_month", NUMBER, AT(max_usd_per_month), 0, 0, NULL},
    {"cost", "max_usd_per_million", NUMBER, AT(max_usd_per_million), 0, 0, NULL},
    {"cost", "free_tier", FLAG, AT(free_tier), 0, 0, NULL},
    {"baseline", "folder", TEXT, AT(baseline), 0, 0, NULL},
    {"baseline", "max_regression", SHARE, AT(max_regression), 0, 0, NULL},
};
static const struct {
    const char *name;
    size_t off; /* the flag that "NAME: false" sets; 0: it cannot be turned off */
    size_t given;
} sections[] = {
    {"configuration", AT(configuration_off), 0},
    {"cold", AT(cold.off), AT(cold.given)},
    {"warm", AT(warm.off), AT(warm.given)},
    {"load", AT(load.off), AT(load.given)},
    {"memory", AT(memory.off), AT(memory.given)},
    {"cost", 0, 0},
    {"baseline", 0, 0},
};

struct reader {
    struct arena *a;
    struct str file;
    struct verify_plan *p;
    struct str *why;
};

static int bad(struct reader *r, const struct json *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int bad(struct reader *r, const struct json *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = str_vprintf(r->a, fmt, ap);
    va_end(ap);
    int line = at && at->key_line ? at->key_line : at && at->line ? at->line : 1;
    *r->why = str_printf(r->a, "%.*s:%d: %.*s", STR(r->file), line, STR(s));
    return -EINVAL;
}

static double number_of(const struct json *v)
{
    char text[64], *end;
    /* "3e6" is a text in YAML 1.1 */
    if (!v || (v->type != JSON_NUMBER && v->type != JSON_STRING) || !v->text.n ||
        v->text.n >= sizeof text)
        return -1;
    memcpy(text, v->text.p, v->text.n);
    text[v->text.n] = '\0';
    double d = strtod(text, &end);
    return *end || !(d >= 0) || d > 1e15 ? -1 : d;
}

/* A scalar as it was written. */
static struct str word_of(const struct json *v)
{
    return v && (v->type == JSON_STRING || v->type == JSON_NUMBER) ? v->text : (struct str){0};
}

static bool among(struct str choices, struct str word)
{
    struct str one;
    while (choices.n) {
        str_cut(choices, '|', &one, &choices);
        if (str_eq(one, word))
            return true;
    }
    return false;
}

/* "128..1024", "..60", "14..", or one number: exactly that. */
static int read_range(struct reader *r, const struct field *f, const struct json *v)
{
    struct verify_range *to = (struct verify_range *)((char *)r->p + f->offset);
    struct str text = word_of(v), low = text, high = text;
    ssize_t dots = str_find(text, S(".."));
    if (dots >= 0) {
        low = str_trim(str_slice(text, 0, (size_t)dots));
        high = str_trim(str_slice(text, (size_t)dots + 2, text.n));
    }
    struct verify_range range = {f->low, f->high};
    bool good = (low.n || high.n) && (!low.n || str_to_int64(low, &range.low) == 0) &&
                (!high.n || str_to_int64(high, &range.high) == 0) && range.low >= f->low &&
                range.high <= f->high && range.low <= range.high;
    if (!good)
        return bad(r, v, "%s: a range like %lld..%lld, within that", f->name, (long long)f->low,
                   (long long)f->high);
    *to = range;
    return 0;
}

/* One condition, or a list of them. They stand instead of the default ones. */
static int read_gates(struct reader *r, const struct field *f, const struct json *v)
{
    struct verify_step *step = (struct verify_step *)((char *)r->p + f->offset);
    struct str why = {0};
    step->n_gates = 0;
    if (v->type == JSON_STRING)
        return gate_parse(r->a, v->text, step->gates, &step->n_gates, &why) < 0
                   ? bad(r, v, "thresholds: \"%.*s\": %.*s", STR(v->text), STR(why))
                   : 0;
    if (v->type != JSON_ARRAY)
        return bad(r, v, "thresholds: a list of conditions like p95<500ms");
    JSON_EACH(v, item) {
        if (item->type != JSON_STRING)
            return bad(r, item, "thresholds: a condition like p95<500ms");
        if (gate_parse(r->a, item->text, step->gates, &step->n_gates, &why) < 0)
            return bad(r, item, "thresholds: \"%.*s\": %.*s", STR(item->text), STR(why));
    }
    return 0;
}

static int read_payload_file(struct reader *r, const struct json *v, struct str *ret)
{
    struct json *parsed;
    struct str path = json_str(v);
    if (!str_has(path))
        return bad(r, v, "payload_file: a file's name");
    struct str full = fs_join(r->a, fs_dirname(r->a, r->file), path);
    int e = fs_read(str_c(r->a, full), 6 << 20, r->a, ret);
    if (e < 0)
        return bad(r, v, "payload_file: %.*s: %s", STR(full), strerror(-e));
    return json_parse(r->a, *ret, &parsed, NULL) < 0
               ? bad(r, v, "payload_file: %.*s is not JSON", STR(full))
               : 0;
}

static int read_quantity(struct reader *r, const struct field *f, const struct json *v, void *to)
{
    struct str word = word_of(v);
    double d = number_of(v);
    bool percent = str_ends(word, S("%"));
    int64_t i;
    switch (f->kind) {
    case COUNT:
        if (!v || json_int(v, &i) < 0 || i < f->low || i > f->high)
            return bad(r, v, "%s: a whole number from %lld to %lld", f->name, (long long)f->low,
                       (long long)f->high);
        *(int64_t *)to = i;
        return 0;
    case TIME:
        if (!word.n || duration_parse(word, "s", &i) < 0 || i <= 0)
            return bad(r, v, "%s: a duration like 30s", f->name);
        *(int64_t *)to = i;
        return 0;
    case SIZE:
        if (!word.n || size_parse(word, &i) < 0 || i <= 0)
            return bad(r, v, "%s: a size like 10M", f->name);
        *(int64_t *)to = i;
        return 0;
    case SHARE:
        if (percent)
            d = number_of(&(struct json){.type = JSON_STRING,
                                         .text = str_trim(str_slice(word, 0, word.n - 1))});
        if (d < 0)
            return bad(r, v, "%s: a share like 10%%", f->name);
        *(double *)to = percent ? d / 100 : d;
        return 0;
    default:
        if (!(d > 0))
            return bad(r, v, "%s: a number above 0", f->name);
        *(double *)to = d;
        return 0;
    }
}

static int read_field(struct reader *r, const struct field *f, const struct json *v)
{
    void *to = (char *)r->p + f->offset;
    struct str word = word_of(v);
    switch (f->kind) {
    case TEXT:
        if (!word.n)
            return bad(r, v, "%s: a text", f->name);
        if (f->choices && !among(str_from(f->choices), word))
            return bad(r, v, "%s: \"%.*s\" is none of %s", f->name, STR(word), f->choices);
        *(struct str *)to = word;
        return 0;
    case FLAG:
        if (v->type != JSON_BOOL)
            return bad(r, v, "%s: true or false", f->name);
        *(bool *)to = v->boolean;
        return 0;
    case RANGE:
        return read_range(r, f, v);
    case GATES:
        return read_gates(r, f, v);
    case PAYLOAD:
        *(struct str *)to = json_text(r->a, v, -1);
        return 0;
    case PAYLOAD_FILE:
        return read_payload_file(r, v, to);
    default:
        return read_quantity(r, f, v, to);
    }
}

static int unknown(struct reader *r, const struct json *v, const char *section)
{
    struct str names[ARRAY_LEN(fields) + ARRAY_LEN(sections) + 1];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].section, section) == 0)
            names[n++] = str_from(fields[i].name);
    for (size_t i = 0; !*section && i < ARRAY_LEN(sections); i++)
        names[n++] = str_from(sections[i].name);
    if (!*section)
        names[n++] = S("functions");
    struct str near = options_nearest(v->key, names, n);
    if (near.n)
        return bad(r, v, "unknown key \"%.*s\"%s%s (did you mean %.*s?)", STR(v->key),
                   *section ? " of " : "", section, STR(near));
    return bad(r, v, "unknown key \"%.*s\"%s%s: it has %.*s", STR(v->key), *section ? " of " : "",
               section, STR(str_join(r->a, S(", "), names, n)));
}

static int read_fields(struct reader *r, const struct json *object, const char *section)
{
    JSON_EACH(object, v) {
        const struct field *f = NULL;
        for (size_t i = 0; !f && i < ARRAY_LEN(fields); i++)
            if (strcmp(fields[i].section, section) == 0 && str_is(v->key, fields[i].name))
                f = &fields[i];
        if (!f)
            return unknown(r, v, section);
        int e = read_field(r, f, v);
        if (e < 0)
            return e;
    }
    return 0;
}

/* "functions:": a list of names, or a mapping of names to {payload} or {payload_file}. */
static int read_functions(struct reader *r, const struct json *list)
{
    if (list->type != JSON_ARRAY && list->type != JSON_OBJECT)
        return bad(r, list, "functions: a list of names, or names with their payloads");
    JSON_EACH(list, v) {
        struct verify_function f = {.name = list->type == JSON_ARRAY ? json_str(v) : v->key};
        if (!f.name.n)
            return bad(r, v, "functions: a name");
        if (list->type == JSON_OBJECT && v->type != JSON_OBJECT && v->type != JSON_NULL)
            return bad(r, v, "%.*s: payload or payload_file", STR(f.name));
        for (const struct json *k = list->type == JSON_OBJECT ? v->first : NULL; k; k = k->next) {
            int e = 0;
            if (str_is(k->key, "payload"))
                f.event.body = json_text(r->a, k, -1);
            else if (str_is(k->key, "payload_file"))
                e = read_payload_file(r, k, &f.event.body);
            else
                e = bad(r, k, "unknown key \"%.*s\" of %.*s: it has payload, payload_file",
                        STR(k->key), STR(f.name));
            if (e < 0)
                return e;
        }
        *(struct verify_function *)arena_push(r->a, (void **)&r->p->functions, &r->p->n_functions,
                                              &r->p->cap_functions, sizeof f) = f;
    }
    return r->p->n_functions ? 0 : bad(r, list, "functions: there is none");
}

static int read_section(struct reader *r, const struct json *v, bool *ret_is)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (!str_is(v->key, sections[i].name))
            continue;
        *ret_is = true;
        bool *off = sections[i].off ? (bool *)((char *)r->p + sections[i].off) : NULL;
        if (sections[i].given)
            *(bool *)((char *)r->p + sections[i].given) = true;
        if (v->type == JSON_BOOL && off) {
            *off = !v->boolean;
            return 0;
        }
        if (v->type != JSON_OBJECT)
            return bad(r, v, "%s: a mapping%s", sections[i].name, off ? ", or false" : "");
        return read_fields(r, v, sections[i].name);
    }
    return 0;
}

int verify_plan_parse(struct arena *a, const struct json *root, struct str file,
                      struct verify_plan *ret, struct str *why)
{
    struct reader r = {a, file, ret, why};
    ret->file = file;
    if (root->type == JSON_NULL)
        return 0;
    if (root->type != JSON_OBJECT)
        return bad(&r, root, "a mapping is expected: stack, functions, cold, warm, ...");
    JSON_EACH(root, v) {
        bool section = false;
        int e = str_is(v->key, "functions") ? read_functions(&r, v) : read_section(&r, v, &section);
        if (e == 0 && !section && !str_is(v->key, "functions")) {
            struct json one = *root; /* a field at the top: the same way as in a section */
            struct json alone = *v;
            alone.next = NULL;
            one.first = &alone;
            e = read_fields(&r, &one, "");
        }
        if (e < 0)
            return e;
    }
    return 0;
}
