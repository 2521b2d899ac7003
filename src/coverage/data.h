/* data - the exact union of what many environments have executed.
 *
 * Objects and .coverage files may come in any order and more than once: the result is the same.
 * May use base. A struct data owns all that it hands out; one thread uses it at a time. */
#pragma once
#include "base/map.h"
#include "coverage/object.h"
#include "coverage/v8.h"

/* What executed lines are told apart by, besides being joined. */
enum data_by { DATA_BY_NOTHING, DATA_BY_FUNCTION, DATA_BY_VERSION, DATA_BY_CONTEXT };

/* One object or data file. */
struct data_source {
    struct str name; /* key or path */
    struct str function, version, runtime, language, region, log_group, log_stream;
    struct str started, updated, missing; /* absent: not told */
};

struct data_context {
    struct str name;  /* as the object has it, or the test of that request (data_names) */
    struct str id;    /* as the object has it */
    int64_t start_ms; /* 0: not known */
    uint32_t source;
};

/* Lines and arcs of one group (a function, a version, a context) in one file. */
struct data_hits {
    uint32_t group;
    struct bits lines;
    const struct object_arc *arcs; /* sorted */
    size_t n_arcs;
};

/* One source file as one function had it: other sources of the same path are files of their own. */
struct data_file {
    struct str function; /* empty: from a .coverage file */
    struct str path;     /* in the environment, or as the .coverage file has it */
    bool has_sha256;
    uint8_t sha256[32];
    uint32_t kind;
    struct str runtime; /* of the newest object */
    struct str version; /* the same */
    struct str updated; /* the same: when it was uploaded last */
    struct bits raw, lines;
    const struct object_arc *arcs; /* sorted by from and to, each once */
    size_t n_arcs;
    /* first[l] - 1: index of the context that hit line l first; 0: no one has told */
    const uint32_t *first;
    size_t n_first;
    const struct data_hits *groups; /* by index; none for DATA_BY_NOTHING */
    size_t n_groups;
    uint32_t
        group; /* other languages: 1 + index of the function or version that all is of; 0: none */
    struct v8_hits *v8;         /* OBJECT_V8: their union (v8.h); else NULL */
    const struct str *payloads; /* all other kinds but Python: each once */
    size_t n_payloads;
};

struct data *data_new(enum data_by by);
void data_free(struct data *d); /* accepts NULL */
enum data_by data_by(const struct data *d);

/* What contexts shall be called: request id -> struct str *, a test's name. Valid as long as
 * objects are added. */
void data_names(struct data *d, const struct map *names);

/* Bytes of an object, as they were found under `name`. -EBADMSG with *err; nothing is taken then.
 */
int data_add(struct data *d, struct str name, struct str bytes, struct object_error *err);
void data_add_object(struct data *d, struct str name, const struct object *o);

/* A file's lines and arcs from elsewhere (a .coverage file): the first call for a name makes a
 * source without a function. context: "" for none. */
void data_add_lines(struct data *d, struct str source, struct str path, struct str context,
                    struct bits lines, const struct object_arc *arcs, size_t n_arcs);

/* A source of data_add_lines() that has measured no branches. */
void data_lines_only(struct data *d);

/* from's contents are taken into d; from may be freed afterwards. Same `by`. */
void data_join(struct data *d, const struct data *from);

/* What is in it, valid until the next data_add. Files are sorted by path, function and hash; the
 * others stand in the order in which they came. */
struct data_view {
    const struct data_file *files;
    size_t n_files;
    const struct data_source *sources;
    size_t n_sources;
    const struct data_context *contexts;
    size_t n_contexts;
    const struct str *groups;
    size_t n_groups;
    bool has_arcs;       /* some source has measured branches */
    bool has_python;     /* some file is Python, */
    bool has_foreign;    /* or is not */
    size_t n_lines_only; /* sources that have not */
};
void data_finish(struct data *d, struct data_view *ret);
