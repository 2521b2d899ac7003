/* report_foreign - files of other languages than Python, for a report. Internal to the report. */
#pragma once
#include "coverage/lines.h"
#include "coverage/mapping.h"

/* What V8 has counted: scripts, by their source maps where they have some; and those below the
 * functions' folders that nobody has loaded. */
void report_scripts(struct mapping *m, struct lines *l);

/* What gcc and llvm have counted. */
void report_native(struct mapping *m, struct lines *l);
