/* table - aligned columns for a terminal.
 *
 * Cells are added row by row and live in the arena given. Widths count terminal columns, not
 * bytes. Colours appear only when the stream is a terminal and NO_COLOR is unset. */
#pragma once
#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum style { STYLE_NONE, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_CYAN };

struct table_column {
    const char *title; /* NULL ends the columns */
    bool right;        /* numbers */
    bool shrink;       /* is cut with an ellipsis first when the terminal is too narrow */
};

struct table;
struct table *table_new(struct arena *a, const struct table_column *columns);
void table_row(struct table *t);                   /* begins a row */
/* A copy on one line, without control characters: what came from elsewhere must not drive the
 * terminal. Cells are printed like that. */
struct str table_printable(struct arena *a, struct str s);
void table_cell(struct table *t, struct str text); /* absent shows "-" */
void table_cell_style(struct table *t, enum style style, struct str text);
void table_printf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* width 0: as wide as needed. Control characters in cells are shown as '?': what a cloud answers
 * must not drive the terminal. */
void table_write(struct buf *b, const struct table *t, size_t width, bool colour);
void table_print(FILE *f, const struct table *t);

bool term_colour(FILE *f);  /* a terminal, NO_COLOR unset, TERM not "dumb" */
size_t term_width(FILE *f); /* 0 when it is no terminal */
/* text between the escapes of a style; plain when on is false. */
struct str term_style(struct arena *a, bool on, enum style style, struct str text);
