/* say - lines of the extension's log: one JSON object each, written at once. */
#pragma once
#include "base/buf.h"
#include "settings.h"

void say_setup(enum say_level level);
bool say_wanted(enum say_level level);

/* A line with timestamp, level, message and what `fields` adds: text that begins with a comma, or
 * absent. */
void say(enum say_level level, struct str fields, const char *message, ...)
    __attribute__((format(printf, 3, 4)));

/* For fields: ,"name":"text" */
void say_text(struct buf *b, const char *name, struct str text);
void say_int(struct buf *b, const char *name, int64_t value);
