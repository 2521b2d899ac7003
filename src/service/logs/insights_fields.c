/* insights_fields - the fields that an event has by itself: AWS's names for its parts, what
 * Lambda's lines say, and the members of JSON. */
#include <ctype.h>
#include "base/digest.h"
#include "service/logs/insights_value.h"
#include "service/logs/record.h"

static const struct {
    const char *name, *label; /* label: of a REPORT line */
    double unit;              /* megabytes are told as bytes, as AWS does */
} fields[INSIGHTS_FIELDS_KNOWN] = {
    [FIELD_TIMESTAMP] = {.name = "@timestamp"},
    [FIELD_MESSAGE] = {.name = "@message"},
    [FIELD_INGESTION] = {.name = "@ingestionTime"},
    [FIELD_LOG_STREAM] = {.name = "@logStream"},
    [FIELD_LOG] = {.name = "@log"},
    [FIELD_PTR] = {.name = "@ptr"},
    [FIELD_TYPE] = {.name = "@type"},
    [FIELD_REQUEST_ID] = {.name = "@requestId"},
    [FIELD_DURATION] = {.name = "@duration", .label = "\tDuration: "},
    [FIELD_BILLED] = {.name = "@billedDuration", .label = "\tBilled Duration: "},
    [FIELD_INIT] = {.name = "@initDuration", .label = "\tInit Duration: "},
    [FIELD_MEMORY_SIZE] = {.name = "@memorySize", .label = "\tMemory Size: ", .unit = 1e6},
    [FIELD_MEMORY_USED] = {.name = "@maxMemoryUsed", .label = "\tMax Memory Used: ", .unit = 1e6},
    [FIELD_XRAY_TRACE] = {.name = "@xrayTraceId", .label = "XRAY TraceId: "},
    [FIELD_XRAY_SEGMENT] = {.name = "@xraySegmentId", .label = "SegmentId: "},
};

enum insights_field_id insights_field_id(struct str name)
{
    if (!str_starts(name, S("@")))
        return FIELD_JSON;
    for (int i = FIELD_TIMESTAMP; i < INSIGHTS_FIELDS_KNOWN; i++)
        if (str_is(name, fields[i].name))
            return (enum insights_field_id)i;
    return FIELD_UNKNOWN;
}

const char *insights_field_name(enum insights_field_id id)
{
    return id < INSIGHTS_FIELDS_KNOWN ? fields[id].name : NULL;
}

/* ---- lines of Lambda ---- */

static bool is_id(struct str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-'
                                                    : !isxdigit((unsigned char)s.p[i]))
            return false;
    return true;
}

static struct str line_type(struct str m, struct str *ret_rest)
{
    static const struct str types[] = {S_INIT("START"), S_INIT("END"), S_INIT("REPORT")};
    for (size_t i = 0; i < 3; i++) {
        struct str rest = str_slice(m, types[i].n, m.n);
        if (str_starts(m, types[i]) && str_starts(rest, S(" RequestId: "))) {
            *ret_rest = str_slice(rest, 12, rest.n);
            return types[i];
        }
    }
    return (struct str){0};
}

/* Of START, END, REPORT, and of what the runtimes of Python and Node put before an own line. */
static struct insights_value request_id(struct str m)
{
    struct str rest, part;
    if (line_type(m, &rest).n)
        return is_id(str_slice(rest, 0, 36)) ? insights_text(str_slice(rest, 0, 36))
                                             : insights_absent();
    for (int i = 0; i < 3; i++) {
        if (!str_cut(m, '\t', &part, &m))
            break;
        if (is_id(part))
            return insights_text(part);
    }
    return insights_absent();
}

static struct insights_value reported(struct str m, enum insights_field_id id)
{
    struct str rest;
    if (!str_is(line_type(m, &rest), "REPORT"))
        return insights_absent();
    struct str label = str_from(fields[id].label);
    ssize_t at = str_find(rest, label);
    if (at < 0)
        return insights_absent();
    rest = str_slice(rest, (size_t)at + label.n, rest.n);
    size_t n = 0;
    while (n < rest.n && !isspace((unsigned char)rest.p[n]))
        n++;
    struct insights_value v = insights_text(str_slice(rest, 0, n));
    double number;
    if (fields[id].unit == 0)
        return v;
    return insights_to_number(&v, &number) ? insights_number(number * fields[id].unit)
                                           : insights_absent();
}

/* ---- JSON ---- */

/* Where the object or array that begins at s ends; 0 when it does not. */
static size_t json_extent(struct str s)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

const struct json *insights_message_json(struct insights_event *e, struct arena *a)
{
    if (e->parsed)
        return e->json;
    e->parsed = true;
    e->json = NULL;
    struct json *v;
    struct str m = str_trim(e->message);
    bool whole = m.n && (m.p[0] == '{' || m.p[0] == '[') && strchr("}]", m.p[m.n - 1]);
    if (whole && json_parse(a, m, &v, NULL) == 0) {
        e->json = v;
    } else if (str_starts(e->group, S("/aws/lambda/"))) {
        /* Of Lambda's lines, the first piece that is JSON. */
        ssize_t at = str_find_byte(m, '{');
        struct str rest = at < 0 ? S("") : str_slice(m, (size_t)at, m.n);
        size_t n = json_extent(rest);
        if (n && json_parse(a, str_slice(rest, 0, n), &v, NULL) == 0)
            e->json = v;
    }
    return e->json;
}

/* A name with dots: members may have dots in their own names. */
const struct json *insights_json_at(const struct json *v, struct str name)
{
    if (!v || (v->type != JSON_OBJECT && v->type != JSON_ARRAY))
        return NULL;
    int64_t i;
    if (v->type == JSON_ARRAY) {
        struct str head, rest;
        bool more = str_cut(name, '.', &head, &rest);
        if (str_to_int64(head, &i) < 0 || i < 0)
            return NULL;
        const struct json *item = json_at(v, (size_t)i);
        return more ? insights_json_at(item, rest) : item;
    }
    const struct json *found = json_find(v, name);
    for (size_t at = 0; !found && at < name.n; at++)
        if (name.p[at] == '.') {
            const struct json *member = json_find(v, str_slice(name, 0, at));
            found = member ? insights_json_at(member, str_slice(name, at + 1, name.n)) : NULL;
        }
    return found;
}

struct str insights_pointer(struct arena *a, const struct insights_event *e)
{
    return base64_encode(a, str_printf(a, "1:%.*s:%.*s:%lld:%lld", STR(e->group), STR(e->stream),
                                       (long long)e->place.time, (long long)e->place.sequence));
}

struct insights_value insights_discover(struct insights_event *e, enum insights_field_id id,
                                        struct str name, struct arena *a)
{
    struct str type, rest;
    switch (id) {
    case FIELD_TIMESTAMP:
        return insights_time((double)e->place.time);
    case FIELD_INGESTION:
        return insights_time((double)logs_sequence_ms(e->place.sequence));
    case FIELD_MESSAGE:
        return insights_text(e->message);
    case FIELD_LOG_STREAM:
        return insights_text(e->stream);
    case FIELD_LOG:
        return insights_text(str_printf(a, "%.*s:%.*s", STR(e->account), STR(e->group)));
    case FIELD_PTR:
        return insights_text(insights_pointer(a, e));
    case FIELD_TYPE:
        type = line_type(e->message, &rest);
        return type.n ? insights_text(type) : insights_absent();
    case FIELD_REQUEST_ID:
        return request_id(e->message);
    case FIELD_JSON: {
        struct insights_value v =
            insights_of_json(insights_json_at(insights_message_json(e, a), name));
        return v.type == INSIGHTS_JSON ? insights_absent() : v;
    }
    case FIELD_UNKNOWN:
        return insights_absent();
    default:
        return reported(e->message, id);
    }
}
