/* insights_value - values, functions over them, and the fields that an event has by itself. */
#pragma once
#include "service/logs/insights.h"
#include "service/logs/block.h"

struct buf;

/* What functions need beside their arguments. */
struct insights_scope {
    struct arena *scratch; /* until the next row */
    int64_t event_ms;      /* @timestamp of the row */
    bool has_event_ms;
    int64_t now_ms;
};

typedef struct insights_value insights_function_run(const struct insights_scope *scope,
                                                    const struct insights_expr *e,
                                                    const struct insights_value *args, size_t n);

struct insights_function {
    const char *name;
    insights_function_run *run; /* NULL: an aggregate */
    int min_args, max_args;     /* -1: any number */
    bool period;                /* its last argument is one: 5m */
    char aggregate;             /* which one */
};

const struct insights_function *insights_function_find(struct str name);

static inline struct insights_value insights_absent(void)
{
    return (struct insights_value){0};
}
static inline struct insights_value insights_number(double v)
{
    return (struct insights_value){.type = INSIGHTS_NUMBER, .number = v};
}
static inline struct insights_value insights_bool(bool v)
{
    return (struct insights_value){.type = INSIGHTS_BOOL, .number = v};
}
static inline struct insights_value insights_time(double ms)
{
    return (struct insights_value){.type = INSIGHTS_TIME, .number = ms};
}
static inline struct insights_value insights_text(struct str s)
{
    return (struct insights_value){.type = INSIGHTS_TEXT, .text = s};
}

bool insights_to_number(const struct insights_value *v, double *ret);
bool insights_true(const struct insights_value *v);
/* As it is shown. It lives as long as the value or the arena. */
struct str insights_to_text(struct arena *a, const struct insights_value *v);
/* By number where both are numbers, otherwise by text. */
int insights_compare(struct arena *a, const struct insights_value *x,
                     const struct insights_value *y);
bool insights_equal(struct arena *a, const struct insights_value *x,
                    const struct insights_value *y);
/* The order of sort: what is no number comes first; digits inside of text count as numbers. */
int insights_order(struct arena *a, const struct insights_value *x, const struct insights_value *y);
struct insights_value insights_of_json(const struct json *v);
int64_t insights_floor(int64_t ms, const struct insights_period *period);

/* ---- fields of an event ---- */

struct insights_event {
    struct log_place place;
    struct str message;
    struct str group, stream, account;
    bool parsed; /* json is known, or that there is none */
    const struct json *json;
};
/* Which field a name means, found once for each slot. */
enum insights_field_id {
    FIELD_JSON, /* a member of the message */
    FIELD_TIMESTAMP,
    FIELD_MESSAGE,
    FIELD_INGESTION,
    FIELD_LOG_STREAM,
    FIELD_LOG,
    FIELD_PTR,
    FIELD_TYPE, /* from here on: of lines that Lambda writes */
    FIELD_REQUEST_ID,
    FIELD_DURATION,
    FIELD_BILLED,
    FIELD_INIT,
    FIELD_MEMORY_SIZE,
    FIELD_MEMORY_USED,
    FIELD_XRAY_TRACE,
    FIELD_XRAY_SEGMENT,
    FIELD_UNKNOWN, /* @ and something: no event has it */
};
#define INSIGHTS_FIELDS_KNOWN FIELD_UNKNOWN
enum insights_field_id insights_field_id(struct str name);
const char *insights_field_name(enum insights_field_id id); /* NULL: FIELD_JSON */
struct insights_value insights_discover(struct insights_event *e, enum insights_field_id id,
                                        struct str name, struct arena *a);
struct str insights_pointer(struct arena *a, const struct insights_event *e);
/* The first JSON of the message, or NULL. */
const struct json *insights_message_json(struct insights_event *e, struct arena *a);
/* The member that a name with dots means; a.0 of arrays. */
const struct json *insights_json_at(const struct json *v, struct str name);
