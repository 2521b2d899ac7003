/* coverage_watch - what `lamina coverage watch` knows, and how it is shown. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "cli/coverage_report.h"
#include "coverage/report.h"

struct coverage_watch_options {
    struct str file;
    int64_t interval_ms; /* 0: as it is useful */
};
extern const struct option_row coverage_watch_rows[];
int coverage_watch_run(struct verb_run *run);
const struct coverage_watch_options *coverage_watch_of(const struct verb_run *run);

/* What one line of a file was seen doing since the watch began. */
struct watch_line {
    int64_t new_ms, ran_ms; /* 0: never; new: for the first time of all */
    struct str by;          /* request id, "init" */
};

/* One file that has changed since the watch began; stays while reports come and go. */
struct watch_file {
    struct str name;
    int64_t changed_ms;
    size_t n_new; /* lines, since the watch began */
    struct watch_line *lines;
    size_t n_lines;
    struct bits executed;    /* of the last report */
    struct str function, by; /* of the last change */
};

/* What one invocation ran in one file, as far as it was told for the first time. */
struct watch_event {
    int64_t ms; /* its start */
    struct str function, version, by;
    const struct report_file *file; /* of the report of all */
    struct bits ran, fresh;         /* statements; fresh: that nobody had run before */
};

struct watch {
    struct verb_run *run;
    struct coverage_inputs in; /* .data: the union of all that has been told */
    struct str bucket, prefix;
    struct str *functions; /* whose objects are wanted; none: all */
    size_t n_functions;
    struct arena own;    /* what is kept as long as the watch */
    struct map etags;    /* key -> its ETag, as it was fetched last */
    struct map base;     /* key \0 context: was there when the watch began */
    struct map seen;     /* key \0 context \0 path -> how many lines and arcs */
    struct map files;    /* path -> struct watch_file * */
    struct arena making; /* of the report */
    struct coverage_report report;
    uint64_t polls;
    struct str trouble; /* why S3 was not read last time; or absent */
    size_t n_objects;
    int64_t changed_ms; /* when something changed last */
};

/* Looks once. The objects that have changed are taken into the union and into `ret`, whose hits are
 * only what was not known of them before. 1: something has changed, 0, or -errno with *err. */
int watch_poll(struct watch *w, struct data *ret, struct aws_error *err);
/* All objects that are there, silently. 0 or an exit code after a message. */
int watch_begin(struct watch *w);

struct watch_file *watch_file_of(struct watch *w, const struct report_file *f);

/* The time of a line as people read it: 23:11:20. */
struct str watch_clock(struct arena *a, int64_t ms);
/* "12-14, 17" */
struct str watch_ranges(struct arena *a, struct bits lines);

/* ---- the screen ---- */

struct screen;
/* Takes the terminal: the other screen, no echo. NULL: it is none. */
struct screen *screen_open(struct watch *w);
/* Gives it back as it was. Accepts NULL. */
void screen_close(struct screen *s);
/* Draws what has changed since it was drawn. */
void screen_draw(struct screen *s);
/* A file was changed: it is shown, unless the user has chosen another one. */
void screen_changed(struct screen *s, struct str file);
/* Waits for keys, at most ms. false: the user wants to leave. */
bool screen_wait(struct screen *s, int ms);
