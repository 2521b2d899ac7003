/* report_native - what gcc's and llvm's halves have in common. Internal to the report. */
#pragma once
#include "coverage/report_foreign.h"

struct native {
    struct mapping *mapping;
    struct lines *lines;
    struct arena *arena;
    char *work; /* a folder of our own */
};

/* The source that a compiler has called so, here; built_s: when what tells of it was built, 0: not
 * known. NULL: none of the project's (silently), or one that has changed since (told). */
struct lines_file *native_source(struct native *n, struct str path, int64_t built_s);

void native_leave_out(struct native *n, const struct data_file *f, struct str reason);

void native_gcov(struct native *n);
void native_llvm(struct native *n);
