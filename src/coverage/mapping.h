/* mapping - what was run, file by file of the sources here. Internal to reports and combined data.
 */
#pragma once
#include "coverage/sources.h"

/* A local file, and all that has been run of it. */
struct mapped {
    struct local_file *local;
    const struct data_file **data; /* none: nobody has told of it */
    size_t n, cap;
};

struct mapping {
    struct arena *arena;
    const struct report_request *request;
    struct sources sources;
    struct map by_path;
    struct mapped **files; /* sorted by path */
    size_t n, cap;
    struct report_left_out *left_out;
    size_t n_left_out, cap_left_out;
};
void mapping_build(struct arena *a, const struct report_request *q, struct mapping *ret);
void mapping_done(struct mapping *m);

/* Relative to the working directory, where it is below. */
struct str mapping_name(const struct mapping *m, struct str path);
bool mapping_wanted(const struct mapping *m, struct str path); /* by include and omit */
void mapping_leave_out(struct mapping *m, struct str name, struct str reason);

/* Unions over the file's data. */
struct bits mapped_join(struct arena *a, struct bits x, struct bits y);
struct bits mapped_raw(struct arena *a, const struct mapped *m);
void mapped_hits(struct arena *a, const struct mapped *m, struct file_hits *ret);
