/* scripts - JavaScript and TypeScript as text: which of its lines hold code, and where they begin.
 *
 * Pure; results live in the arena. A line counts when it holds something besides white space,
 * comments and closing punctuation: `}`, `)`, `]`, `;`, `,`, and `{`, `(`, `[` alone do not make a
 * line of code. A text of several lines in backticks is code. */
#pragma once
#include "base/arena.h"
#include "base/str.h"
#include "coverage/bits.h"

struct script_text {
    struct str text; /* without a byte order mark */
    const uint32_t
        *start;          /* of line l at l: UTF-16 code units before it; n_lines + 1 has the end */
    uint32_t n_lines;    /* lines count from 1 */
    struct bits code;    /* lines that count */
    struct bits ignored; /* by comments: c8 ignore next N, start, stop; node:coverage disable ... */
};
void script_read(struct arena *a, struct str text, struct script_text *ret);

/* The line of an offset; the last one for those behind the end. */
uint32_t script_line(const struct script_text *s, uint32_t offset);

/* Files of scripts by their names: .js .mjs .cjs .jsx .ts .mts .cts .tsx, not .d.ts. */
bool script_is(struct str name);
