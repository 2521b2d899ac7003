/* sources - which local file is the one that a function has run. Internal to the report.
 *
 * A file is known by its path in the environment and, when the object says so, by the SHA-256 of
 * the source that was deployed. A local file of that hash is the one; another one is told by name,
 * and never used unless that was asked for. */
#pragma once
#include "base/map.h"
#include "coverage/report.h"

struct local_file {
    struct str path; /* absolute */
    struct str text;
    uint8_t sha256[32];
    bool hashed;
};

struct sources {
    struct arena *arena;
    const struct report_request *request;
    struct map known; /* path -> struct local_file *, or &sources->none */
    struct local_file none;
};
void sources_init(struct sources *s, struct arena *a, const struct report_request *q);
void sources_done(struct sources *s);

/* NULL: not there, or not readable. */
struct local_file *sources_read(struct sources *s, struct str path);

/* NULL with *ret_reason: what was looked for, and what was found instead. *ret_changed: the one
 * that is in its place, but was not the one that was deployed; or NULL. */
struct local_file *sources_find(struct sources *s, const struct data_file *f,
                                struct str *ret_reason, struct local_file **ret_changed);

/* "api:7 (last run 2025-11-24T23:11:20Z)" */
struct str sources_deployed(struct arena *a, const struct data_file *f);

/* Python files below dir that could be imported: *.py and *.pyw, in dir and in packages (folders
 * with __init__.py, or all with namespaces), but not what pip installed there. Sorted. */
int sources_walk(struct arena *a, struct str dir, bool namespaces, struct str **ret, size_t *ret_n);
