/* shape - what AWS's service models say, as constant tables, and the C types that generated structs
 * are made of.
 *
 * tools/modelgen turns models/<service>.json into <service>.h (structs, enums, one `struct
 * operation` an operation) and tables.c (the tables of all services). The walkers of wire/ read and
 * write any generated struct through its shape. May use base/.
 *
 * The tables hold no pointers, so that the dynamic linker has nothing to write into them: all
 * processes share their pages, and nobody pays for those that are not looked at. Names are places
 * in wire_names, shapes are places in wire_shapes; 0 is "none" in both. The functions below turn
 * them into pointers; a field whose comment names a function is read by it only.
 *
 * A member's slot in its struct is:
 *   string, enum, blob            struct str          absent: p == NULL
 *   boolean                       struct opt_bool
 *   integer, long                 struct opt_int
 *   float, double                 struct opt_double
 *   timestamp                     struct opt_time     milliseconds since 1970
 *   structure, union              struct x *          absent: NULL
 *   list                          {T *items; size_t n}   absent: items == NULL (an empty list is
 * not absent) map                           {struct x_entry {struct str key; T value} *items;
 * size_t n} streaming blob                struct body document                      struct json *
 * Elements of a list are slots too, except that structures stand in the array itself. Values of a
 * map are slots (structures are pointers). Everything a slot points to lives in the arena of the
 * call. */
#pragma once
#include "base/body.h"
#include "base/json.h"
#include "base/str.h"

struct opt_bool {
    bool has;
    bool is;
};
struct opt_int {
    bool has;
    int64_t is;
};
struct opt_double {
    bool has;
    double is;
};
struct opt_time {
    bool has;
    int64_t ms;
};

static inline struct opt_bool opt_bool(bool is)
{
    return (struct opt_bool){true, is};
}
static inline struct opt_int opt_int(int64_t is)
{
    return (struct opt_int){true, is};
}
static inline struct opt_double opt_double(double is)
{
    return (struct opt_double){true, is};
}
static inline struct opt_time opt_time(int64_t ms)
{
    return (struct opt_time){true, ms};
}

enum shape_type {
    SHAPE_STRUCTURE, /* also unions: is_union */
    SHAPE_LIST,
    SHAPE_MAP,
    SHAPE_STRING, /* also enums: enum_values != NULL */
    SHAPE_BLOB,
    SHAPE_BOOLEAN,
    SHAPE_INTEGER, /* also long */
    SHAPE_DOUBLE,  /* also float */
    SHAPE_TIMESTAMP,
    SHAPE_STREAM, /* a blob that is the whole payload */
    SHAPE_DOCUMENT,
};

enum timestamp_format { TIMESTAMP_DEFAULT, TIMESTAMP_UNIX, TIMESTAMP_ISO8601, TIMESTAMP_RFC822 };

enum location {
    LOCATION_BODY,
    LOCATION_HEADER,
    LOCATION_HEADERS, /* all headers that begin with wire_name, as a map */
    LOCATION_QUERY,   /* one parameter; a map: all parameters not otherwise named */
    LOCATION_URI,
    LOCATION_STATUS,
};

struct member {
    uint32_t name;          /* member_name() */
    uint32_t wire_name;     /* member_wire_name() */
    uint32_t xml_namespace; /* member_xml_namespace() */
    uint32_t xml_prefix;    /* member_xml_prefix() */
    uint16_t shape;         /* member_shape() */
    uint16_t offset;        /* of the slot in the struct */
    enum location location : 8;
    enum timestamp_format timestamp : 8;
    bool required;
    bool flattened; /* a list or map in XML or a query without its wrapper */
    bool xml_attribute;
    bool sensitive;
    bool idempotency_token; /* the client fills it when absent */
};

struct shape {
    uint32_t name; /* shape_name() */
    enum shape_type type : 8;
    bool sensitive;
    enum timestamp_format timestamp : 8;
    bool flattened; /* list, map */
    uint32_t size;  /* of the C object: sizeof the struct, or of the slot */
    /* structure */
    uint32_t members; /* shape_member() */
    uint16_t n_members;
    uint16_t payload;       /* shape_payload(): its position + 1 */
    uint32_t wire_name;     /* shape_wire_name() */
    uint32_t xml_namespace; /* shape_xml_namespace() */
    bool is_union;
    bool event_stream;
    bool unwrapped; /* XML: the only member's text stands in the root itself (S3's
                       GetBucketLocation) */
    /* list, map */
    uint16_t element;      /* shape_element() */
    uint16_t key;          /* shape_key() */
    uint16_t stride;       /* size of one element, or of one entry of a map */
    uint16_t value_offset; /* of the value in a map's entry */
    uint32_t element_name; /* shape_element_name() */
    uint32_t key_name;     /* shape_key_name() */
    /* constraints, as the model states them */
    bool has_min, has_max;
    uint16_t n_enum_values;
    double min, max;      /* of the value (numbers) or the length (text, blobs, lists, maps) */
    uint32_t pattern;     /* shape_pattern() */
    uint32_t enum_values; /* shape_enum_values() */
    /* what the service answers when they are not met; none: the service's usual code and text */
    uint32_t violation_code, violation_message; /* shape_violation_code(), ..._message() */
};

/* The C slot of every list and map begins like this. */
struct any_list {
    void *items;
    size_t n;
};

enum protocol {
    PROTOCOL_REST_JSON,
    PROTOCOL_REST_XML,
    PROTOCOL_QUERY,
    PROTOCOL_JSON_1_0,
    PROTOCOL_JSON_1_1,
    PROTOCOL_CBOR, /* smithy rpc-v2-cbor: not served yet */
};

struct error_shape {
    const char *name; /* shape's name: ResourceNotFoundException */
    const char *code; /* what goes over the wire; mostly the same */
    int status;       /* HTTP status */
    bool sender;      /* the client's fault (query protocol's <Type>Sender) */
    bool common;      /* any operation of the service may answer it */
    uint16_t shape;   /* error_members() */
};

struct operation {
    uint32_t name;                /* operation_name() */
    uint32_t method;              /* operation_method() */
    uint32_t uri;                 /* operation_uri() */
    uint32_t result_wrapper;      /* operation_result_wrapper() */
    uint32_t input_wire_name;     /* operation_input_wire_name() */
    uint32_t input_xml_namespace; /* operation_input_xml_namespace() */
    uint16_t service;             /* operation_service() */
    uint16_t index;               /* position in the service's operations */
    uint16_t input, output;       /* operation_input(), operation_output() */
    uint16_t errors;              /* operation_error() */
    uint16_t n_errors;
    uint16_t status; /* of success; 0 means 200 */
    bool modelled;   /* false: only the name and route are known; it answers NotImplemented */
    bool checksum_required; /* Content-MD5 or a checksum header must come with the request */
};

struct service_model {
    const char *id;           /* folder and prefix: lambda */
    const char *name;         /* "AWS Lambda", for messages */
    const char *signing_name; /* credential scope */
    const char *endpoint_prefix;
    enum protocol protocol;
    bool accepts_query; /* also serves the query protocol next to JSON */
    const char *api_version;
    const char *target_prefix; /* Logs_20140328 */
    const char *xml_namespace;
    bool global; /* no region in ARNs (iam, sts, s3) */
    /* From "wire" of models/<id>.extra.json; NULL: what the protocol's services usually answer. */
    const char *validation_code; /* a constraint is not met */
    const char *malformed_code;  /* the body cannot be parsed */
    const char *malformed_text;  /* what its message begins with */
    const char *error_namespace; /* JSON: what stands before '#' in __type */
    bool whole_seconds;          /* ISO 8601 times without milliseconds */
    const struct operation *operations;
    uint32_t n_operations;
    const struct error_shape *errors;
    uint32_t n_errors;
};

/* The generated tables (tables.c). */
extern const char wire_names[];
extern const struct shape wire_shapes[];
extern const struct member wire_members[];
extern const uint16_t wire_operation_errors[];
extern const struct service_model *const wire_services[];

static inline const char *wire_name(uint32_t at)
{
    return wire_names + at;
}
static inline const char *wire_name_or_null(uint32_t at)
{
    return at ? wire_names + at : NULL;
}
static inline const struct shape *wire_shape_or_null(uint16_t index)
{
    return index ? &wire_shapes[index] : NULL;
}

/* As the model spells it: FunctionName. */
static inline const char *member_name(const struct member *m)
{
    return wire_name(m->name);
}
/* locationName, or the name. */
static inline const char *member_wire_name(const struct member *m)
{
    return wire_name(m->wire_name);
}
static inline const struct shape *member_shape(const struct member *m)
{
    return &wire_shapes[m->shape];
}
/* Its uri, or NULL. */
static inline const char *member_xml_namespace(const struct member *m)
{
    return wire_name_or_null(m->xml_namespace);
}
static inline const char *member_xml_prefix(const struct member *m)
{
    return wire_name_or_null(m->xml_prefix);
}

/* As the model spells it. */
static inline const char *shape_name(const struct shape *s)
{
    return wire_name(s->name);
}
/* The i-th of a structure's n_members. */
static inline const struct member *shape_member(const struct shape *s, uint32_t i)
{
    return &wire_members[s->members + i];
}
/* The member that is the whole body, or NULL. */
static inline const struct member *shape_payload(const struct shape *s)
{
    return s->payload ? shape_member(s, s->payload - 1u) : NULL;
}
/* Element name when it is the root of an XML body, or NULL. */
static inline const char *shape_wire_name(const struct shape *s)
{
    return wire_name_or_null(s->wire_name);
}
/* Its uri, or NULL. */
static inline const char *shape_xml_namespace(const struct shape *s)
{
    return wire_name_or_null(s->xml_namespace);
}
/* List element, or map value. */
static inline const struct shape *shape_element(const struct shape *s)
{
    return &wire_shapes[s->element];
}
/* Of a map. */
static inline const struct shape *shape_key(const struct shape *s)
{
    return &wire_shapes[s->key];
}
/* XML and query name of an element (list: "member"; map value: "value"). */
static inline const char *shape_element_name(const struct shape *s)
{
    return wire_name(s->element_name);
}
/* The same of a map's key: "key". */
static inline const char *shape_key_name(const struct shape *s)
{
    return wire_name(s->key_name);
}
/* A regular expression, or NULL. */
static inline const char *shape_pattern(const struct shape *s)
{
    return wire_name_or_null(s->pattern);
}
/* n_enum_values strings, each with its NUL, one after the other. */
static inline const char *shape_enum_values(const struct shape *s)
{
    return wire_name(s->enum_values);
}
static inline const char *shape_violation_code(const struct shape *s)
{
    return wire_name_or_null(s->violation_code);
}
static inline const char *shape_violation_message(const struct shape *s)
{
    return wire_name_or_null(s->violation_message);
}

/* CreateFunction. */
static inline const char *operation_name(const struct operation *op)
{
    return wire_name(op->name);
}
static inline const struct service_model *operation_service(const struct operation *op)
{
    return wire_services[op->service];
}
/* POST. */
static inline const char *operation_method(const struct operation *op)
{
    return wire_name(op->method);
}
/* "/2015-03-31/functions/{FunctionName}/invocations?Qualifier"; {Key+} is greedy. */
static inline const char *operation_uri(const struct operation *op)
{
    return wire_name(op->uri);
}
/* NULL: it has none. */
static inline const struct shape *operation_input(const struct operation *op)
{
    return wire_shape_or_null(op->input);
}
static inline const struct shape *operation_output(const struct operation *op)
{
    return wire_shape_or_null(op->output);
}
/* Query: CreateStackResult, or NULL. */
static inline const char *operation_result_wrapper(const struct operation *op)
{
    return wire_name_or_null(op->result_wrapper);
}
/* rest-xml: root element of the input when the model names it, or NULL. */
static inline const char *operation_input_wire_name(const struct operation *op)
{
    return wire_name_or_null(op->input_wire_name);
}
static inline const char *operation_input_xml_namespace(const struct operation *op)
{
    return wire_name_or_null(op->input_xml_namespace);
}
/* The i-th of n_errors that it may answer. */
static inline const struct error_shape *operation_error(const struct operation *op, size_t i)
{
    return &operation_service(op)->errors[wire_operation_errors[op->errors + i]];
}

/* Its further members, or NULL. */
static inline const struct shape *error_members(const struct error_shape *e)
{
    return wire_shape_or_null(e->shape);
}

/* NULL when the service has no such operation. */
const struct operation *operation_find(const struct service_model *service, struct str name);
const struct error_shape *error_find(const struct service_model *service, struct str code);
const struct member *member_find(const struct shape *shape, struct str name); /* by model name */
