/* shape - what AWS's service models say, as constant tables, and the C types that generated structs
 * are made of.
 *
 * tools/modelgen turns models/<service>.json into <service>.h (structs, enums, one `struct
 * operation` an operation) and <service>.c (the tables). The walkers of wire/ read and write any
 * generated struct through its shape. May use base/.
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

struct shape;

struct member {
    const char *name;      /* as the model spells it: FunctionName */
    const char *wire_name; /* locationName, or name */
    const struct shape *shape;
    uint32_t offset;
    enum location location;
    enum timestamp_format timestamp;
    bool required;
    bool flattened; /* a list or map in XML or a query without its wrapper */
    bool xml_attribute;
    bool sensitive;
    bool idempotency_token;    /* the client fills it when absent */
    const char *xml_namespace; /* uri, or NULL */
    const char *xml_prefix;
};

struct shape {
    const char *name; /* as the model spells it */
    enum shape_type type;
    uint32_t size; /* of the C object: sizeof the struct, or of the slot */
    bool is_union;
    bool sensitive;
    enum timestamp_format timestamp;
    /* structure */
    const struct member *members;
    uint32_t n_members;
    const struct member *payload; /* the member that is the whole body, or NULL */
    const char *wire_name;        /* element name when it is the root of an XML body */
    const char *xml_namespace;
    bool event_stream;
    bool unwrapped; /* XML: the only member's text stands in the root itself (S3's
                       GetBucketLocation) */
    /* list, map */
    const struct shape *element; /* list element, or map value */
    const struct shape *key;
    uint32_t stride;       /* size of one element, or of one entry of a map */
    uint32_t value_offset; /* of the value in a map's entry */
    const char
        *element_name;    /* XML/query name of an element (list: "member"; map value: "value") */
    const char *key_name; /* map: "key" */
    bool flattened;
    /* constraints, as the model states them */
    bool has_min, has_max;
    double min, max; /* of the value (numbers) or the length (text, blobs, lists, maps) */
    const char *pattern;
    const char *const *enum_values; /* NULL-terminated */
    /* what the service answers when they are not met; NULL: the service's usual code and text */
    const char *violation_code, *violation_message;
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
    const char *name;          /* shape's name: ResourceNotFoundException */
    const char *code;          /* what goes over the wire; mostly the same */
    int status;                /* HTTP status */
    bool sender;               /* the client's fault (query protocol's <Type>Sender) */
    bool common;               /* any operation of the service may answer it */
    const struct shape *shape; /* its further members, or NULL */
};

struct service_model;

struct operation {
    const char *name; /* CreateFunction */
    const struct service_model *service;
    uint32_t index;     /* position in service->operations */
    bool modelled;      /* false: only the name and route are known; it answers NotImplemented */
    const char *method; /* POST */
    const char *uri; /* /2015-03-31/functions/{FunctionName}/invocations?Qualifier, {Key+} greedy */
    int status;      /* of success; 0 means 200 */
    const struct shape *input, *output; /* NULL: none */
    const char *result_wrapper;         /* query: <CreateStackResult> */
    const char *input_wire_name; /* rest-xml root element of the input, when the model names it */
    const char *input_xml_namespace;
    const struct error_shape *const *errors; /* NULL-terminated */
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

/* NULL when the service has no such operation. */
const struct operation *operation_find(const struct service_model *service, struct str name);
const struct error_shape *error_find(const struct service_model *service, struct str code);
const struct member *member_find(const struct shape *shape, struct str name); /* by model name */
