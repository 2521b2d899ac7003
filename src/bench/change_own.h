/* change_own - what change.c and change_undo.c share. Nobody else includes it. */
#pragma once
#include "bench/change.h"

#define CHANGE_MARK "lamina-bench:"

void change_say(struct arena *a, struct change_report *report, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool change_error_is(const struct aws_error *err, const char *code);
/* "lamina-bench:RUN:" */
struct str change_mark(struct arena *a, struct str run);

struct undoing {
    struct arena *arena;
    struct aws_client *aws;
    struct journal *journal;
    struct change_report *report;
};
/* 0: nothing is left to do. */
int undo_configuration(struct undoing *u, struct aws_error *err);
/* version absent: it is looked for by its description. */
int undo_version(struct undoing *u, struct str version, struct str description,
                 struct aws_error *err);
/* All versions that the journal tells of and that are not undone yet. */
int undo_versions(struct undoing *u, struct aws_error *err);
