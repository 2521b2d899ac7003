/* progress - what is going on: one status line that is replaced on a terminal, plain lines
 * elsewhere.
 *
 * On anything but a terminal progress_status() is silent and progress_line() prints, so that logs
 * of a build hold events and no animation. */
#pragma once
#include <stdio.h>
#include "base/str.h"

struct progress {
    FILE *file;
    bool terminal, shown;
    int64_t started_ms, drawn_ms;
};

void progress_init(struct progress *p, FILE *file); /* mostly stderr */
/* Replaces the status line; at most some 20 times a second are drawn. */
void progress_status(struct progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line that stays, above the status line. */
void progress_line(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void progress_clear(struct progress *p); /* removes the status line; before anybody else writes */
int64_t progress_elapsed_ms(const struct progress *p);
