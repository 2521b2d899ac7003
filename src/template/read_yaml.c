/* template/read_yaml - libyaml's events to a tree; short tags, anchors, merges, limits. */
#include "template/read_yaml.h"

#include "base/map.h"

#include <errno.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    yaml_parser_t parser;
    struct map anchors;        /* name -> struct json, whole once its node has ended */
    size_t nodes, used_before; /* of the arena */
    struct template_error *err;
};

static int read_node(struct reader *rd, const yaml_event_t *event, int depth, struct json **ret);

static int fail_at(struct reader *rd, yaml_mark_t mark, const char *what)
{
    int line = (int)mark.line + 1, column = (int)mark.column + 1;
    template_fail(rd->arena, rd->err, NULL,
                  "Template format error: YAML not well-formed.%s%s (line %d, column %d)",
                  *what ? " " : "", what, line, column);
    if (rd->err) {
        rd->err->line = line;
        rd->err->column = column;
    }
    return -EBADMSG;
}

static int next_event(struct reader *rd, yaml_event_t *event)
{
    if (yaml_parser_parse(&rd->parser, event))
        return 0;
    return fail_at(rd, rd->parser.problem_mark, "");
}

static bool one_of(struct str s, const char *const *words)
{
    for (; *words; words++)
        if (str_is(s, *words))
            return true;
    return false;
}

static size_t digits(struct str s, size_t i)
{
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+][0-9]+)?)? : what is a number both in YAML 1.1 and in JSON. */
static bool is_number(struct str s)
{
    size_t i = s.n && s.p[0] == '-' ? 1 : 0, from = i;
    i = digits(s, i);
    if (i == from || (s.p[from] == '0' && i > from + 1))
        return false;
    if (i == s.n)
        return true;
    if (s.p[i] != '.')
        return false;
    from = ++i;
    i = digits(s, i);
    if (i == from)
        return false;
    if (i == s.n)
        return true;
    if (s.p[i] != 'e' && s.p[i] != 'E')
        return false;
    i++;
    if (i == s.n || (s.p[i] != '-' && s.p[i] != '+'))
        return false;
    from = ++i;
    i = digits(s, i);
    return i > from && i == s.n;
}

enum json_type yaml_scalar_type(struct str text, bool *ret_bool)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"yes",  "Yes", "YES", "true", "True",
                                      "TRUE", "on",  "On",  "ON",   NULL};
    static const char *const no[] = {"no",    "No",  "NO",  "false", "False",
                                     "FALSE", "off", "Off", "OFF",   NULL};
    if (one_of(text, nulls))
        return JSON_NULL;
    if (one_of(text, yes) || one_of(text, no)) {
        *ret_bool = one_of(text, yes);
        return JSON_BOOL;
    }
    return is_number(text) ? JSON_NUMBER : JSON_STRING;
}

/* "!Sub" -> "Fn::Sub"; NULL: no such function. */
static const char *long_name(struct reader *rd, const char *tag)
{
    static const char *const functions[] = {"And",
                                            "Base64",
                                            "Cidr",
                                            "Contains",
                                            "EachMemberEquals",
                                            "EachMemberIn",
                                            "Equals",
                                            "FindInMap",
                                            "ForEach",
                                            "GetAZs",
                                            "GetAtt",
                                            "GetStackOutput",
                                            "If",
                                            "ImportValue",
                                            "Join",
                                            "Length",
                                            "Not",
                                            "Or",
                                            "RefAll",
                                            "Select",
                                            "Split",
                                            "Sub",
                                            "ToJsonString",
                                            "Transform",
                                            "ValueOf",
                                            "ValueOfAll",
                                            NULL};
    if (!strcmp(tag, "!Ref") || !strcmp(tag, "!Condition"))
        return tag + 1;
    for (const char *const *f = functions; *f; f++)
        if (!strcmp(tag + 1, *f))
            return str_printf(rd->arena, "Fn::%s", *f).p;
    return NULL;
}

static struct json *new_at(struct reader *rd, enum json_type type, yaml_mark_t mark)
{
    struct json *v = json_new(rd->arena, type);
    v->line = (int)mark.line + 1;
    v->column = (int)mark.column + 1;
    return v;
}

/* {"Fn::X": inner} around the value of a short tag. */
static int wrap(struct reader *rd, const char *tag, yaml_mark_t mark, struct json *inner,
                struct json **ret)
{
    const char *name = long_name(rd, tag);
    if (!name)
        return fail_at(rd, mark, str_printf(rd->arena, "Unknown tag %s", tag).p);
    if (!strcmp(tag, "!GetAtt") && inner->type == JSON_STRING) {
        struct str head, rest;
        if (str_cut(inner->text, '.', &head, &rest)) {
            struct json *pair = new_at(rd, JSON_ARRAY, mark);
            struct json *first = json_add(pair, json_new_str(rd->arena, head));
            struct json *second = json_add(pair, json_new_str(rd->arena, rest));
            first->line = second->line = inner->line;
            first->column = second->column = inner->column;
            inner = pair;
        }
    }
    struct json *object = new_at(rd, JSON_OBJECT, mark);
    inner->key = str_copy(rd->arena, str_from(name)); /* the tag dies with its event */
    inner->key_line = object->line;
    inner->key_column = object->column;
    json_add(object, inner);
    *ret = object;
    return 0;
}

static bool is_short(const char *tag)
{
    return tag && tag[0] == '!' && tag[1] && tag[1] != '!';
}

static int read_scalar(struct reader *rd, const yaml_event_t *event, struct json **ret)
{
    const char *tag = (const char *)event->data.scalar.tag;
    struct str text = str_copy(
        rd->arena, str_of((const char *)event->data.scalar.value, event->data.scalar.length));
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct json *v = new_at(rd, JSON_STRING, event->start_mark);
    v->text = text;
    if (is_short(tag))
        return wrap(rd, tag, event->start_mark, v, ret);
    bool typed = tag && (!strcmp(tag, YAML_INT_TAG) || !strcmp(tag, YAML_FLOAT_TAG) ||
                         !strcmp(tag, YAML_BOOL_TAG) || !strcmp(tag, YAML_NULL_TAG));
    if (tag && !typed && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0)
        return fail_at(rd, event->start_mark, str_printf(rd->arena, "Unknown tag %s", tag).p);
    if ((plain && !tag) || typed)
        v->type = yaml_scalar_type(text, &v->boolean);
    *ret = v;
    return 0;
}

static int count_copy(struct reader *rd, const struct json *v, int depth)
{
    if (depth > TEMPLATE_MAX_DEPTH || ++rd->nodes > TEMPLATE_MAX_NODES)
        return -E2BIG;
    JSON_EACH(v, child) {
        int r = count_copy(rd, child, depth + 1);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_alias(struct reader *rd, const yaml_event_t *event, int depth, struct json **ret)
{
    const struct json *target =
        map_find(&rd->anchors, str_from((const char *)event->data.alias.anchor));
    if (!target)
        return fail_at(rd, event->start_mark, "Unknown alias");
    /* Counted before anything is copied: a few nested aliases can stand for billions of values. */
    if (rd->arena->used - rd->used_before > TEMPLATE_MAX_WORK_BYTES / 2 ||
        count_copy(rd, target, depth) < 0)
        return fail_at(rd, event->start_mark, "Too many values or too deeply nested");
    *ret = json_copy(rd->arena, target);
    (*ret)->line = (int)event->start_mark.line + 1;
    (*ret)->column = (int)event->start_mark.column + 1;
    return 0;
}

static int read_sequence(struct reader *rd, int depth, struct json *array)
{
    for (;;) {
        yaml_event_t event;
        int r = next_event(rd, &event);
        if (r < 0)
            return r;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        struct json *item;
        r = read_node(rd, &event, depth + 1, &item);
        yaml_event_delete(&event);
        if (r < 0)
            return r;
        json_add(array, item);
    }
}

/* Members of "<<" that the mapping does not name itself. */
static int merge(struct reader *rd, struct json *object, struct map *seen, const struct json *from,
                 yaml_mark_t mark)
{
    if (from->type == JSON_ARRAY) {
        JSON_EACH(from, one) {
            if (one->type != JSON_OBJECT)
                return fail_at(rd, mark, "Only mappings can be merged");
            int r = merge(rd, object, seen, one, mark);
            if (r < 0)
                return r;
        }
        return 0;
    }
    if (from->type != JSON_OBJECT)
        return fail_at(rd, mark, "Only mappings can be merged");
    JSON_EACH(from, member) {
        if (map_find(seen, member->key))
            continue;
        struct json *copy = json_copy(rd->arena, member);
        copy->key = member->key;
        copy->key_line = member->key_line;
        copy->key_column = member->key_column;
        json_add(object, copy);
        map_put(seen, copy->key, copy);
    }
    return 0;
}

/* One "key: value"; merges are put aside, since the mapping's own members win over them. */
static int read_member(struct reader *rd, const yaml_event_t *key, int depth, struct json *object,
                       struct map *seen, struct json *merges)
{
    if (key->type != YAML_SCALAR_EVENT)
        return fail_at(rd, key->start_mark, "Keys must be scalars");
    struct str name =
        str_copy(rd->arena, str_of((const char *)key->data.scalar.value, key->data.scalar.length));
    bool merging = str_is(name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!merging && map_find(seen, name))
        return fail_at(rd, key->start_mark,
                       str_printf(rd->arena, "Duplicate key '%.*s'", STR(name)).p);
    yaml_event_t event;
    int r = next_event(rd, &event);
    if (r < 0)
        return r;
    struct json *value;
    r = read_node(rd, &event, depth + 1, &value);
    yaml_event_delete(&event);
    if (r < 0)
        return r;
    if (merging) {
        json_add(merges, value);
        return 0;
    }
    value->key = name;
    value->key_line = (int)key->start_mark.line + 1;
    value->key_column = (int)key->start_mark.column + 1;
    json_add(object, value);
    map_put(seen, name, value);
    return 0;
}

static int read_mapping(struct reader *rd, yaml_mark_t mark, int depth, struct json *object)
{
    struct map seen;
    map_init(&seen);
    struct json *merges = json_new(rd->arena, JSON_ARRAY);
    int r = 0;
    while (r == 0) {
        yaml_event_t event;
        r = next_event(rd, &event);
        if (r < 0)
            break;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        if (!end)
            r = read_member(rd, &event, depth, object, &seen, merges);
        yaml_event_delete(&event);
        if (end)
            break;
    }
    if (r == 0 && merges->n)
        r = merge(rd, object, &seen, merges->n == 1 ? merges->first : merges, mark);
    map_done(&seen);
    return r;
}

static int read_collection(struct reader *rd, const yaml_event_t *event, int depth,
                           struct json **ret)
{
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    const char *tag =
        (const char *)(mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    struct json *v = new_at(rd, mapping ? JSON_OBJECT : JSON_ARRAY, event->start_mark);
    int r = mapping ? read_mapping(rd, event->start_mark, depth, v) : read_sequence(rd, depth, v);
    if (r < 0)
        return r;
    if (is_short(tag))
        return wrap(rd, tag, event->start_mark, v, ret);
    if (tag && strcmp(tag, "!") != 0 && strcmp(tag, mapping ? YAML_MAP_TAG : YAML_SEQ_TAG) != 0)
        return fail_at(rd, event->start_mark, str_printf(rd->arena, "Unknown tag %s", tag).p);
    *ret = v;
    return 0;
}

static int read_node(struct reader *rd, const yaml_event_t *event, int depth, struct json **ret)
{
    if (depth > TEMPLATE_MAX_DEPTH)
        return fail_at(rd, event->start_mark, "Too deeply nested");
    if (++rd->nodes > TEMPLATE_MAX_NODES)
        return fail_at(rd, event->start_mark, "Too many values");
    const yaml_char_t *anchor = NULL;
    int r;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        r = read_scalar(rd, event, ret);
        break;
    case YAML_ALIAS_EVENT:
        return read_alias(rd, event, depth, ret);
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        r = read_collection(rd, event, depth, ret);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        r = read_collection(rd, event, depth, ret);
        break;
    default:
        return fail_at(rd, event->start_mark, "");
    }
    /* The anchor is known only now: a node cannot contain itself. */
    if (r == 0 && anchor)
        map_put(&rd->anchors, str_from((const char *)anchor), *ret);
    return r;
}

/* The one document; *ret stays NULL when there is none. */
static int read_stream(struct reader *rd, struct json **ret)
{
    struct json *root = NULL;
    for (;;) {
        yaml_event_t event;
        int r = next_event(rd, &event);
        if (r < 0)
            return r;
        bool end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && root)
            r = fail_at(rd, event.start_mark, "More than one document");
        else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_STREAM_END_EVENT &&
                 event.type != YAML_DOCUMENT_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT)
            r = read_node(rd, &event, 1, &root);
        yaml_event_delete(&event);
        if (r < 0)
            return r;
        if (end)
            break;
    }
    *ret = root;
    return 0;
}

int read_yaml(struct arena *a, struct str text, struct json **ret, struct template_error *err)
{
    struct reader rd = {.arena = a, .used_before = a->used, .err = err};
    if (!yaml_parser_initialize(&rd.parser))
        abort();
    map_init(&rd.anchors);
    yaml_parser_set_encoding(&rd.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&rd.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    int r = read_stream(&rd, ret);
    yaml_parser_delete(&rd.parser);
    map_done(&rd.anchors);
    return r;
}
