/* log - the program's own log on stderr. */
#include "base/log.h"
#include <stdarg.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"

enum log_level log_threshold = LOG_INFO;

static const char *const names[] = {"debug", "info", "warn", "error"};

void log_setup(void)
{
    const char *wanted = getenv("LAMINA_LOG");
    if (!wanted || !*wanted)
        return;
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        if (strcmp(wanted, names[i]) == 0) {
            log_threshold = (enum log_level)i;
            return;
        }
    }
    log_warn("LAMINA_LOG=%s is none of debug, info, warn, error", wanted);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if (level < log_threshold)
        return;
    int64_t now = clock_now_ms(), of_day = now % 86400000;
    char line[2048];
    int n = snprintf(line, sizeof(line), "%02d:%02d:%02d.%03d %-5s ", (int)(of_day / 3600000),
                     (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60), (int)(of_day % 1000),
                     names[level]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t end = (size_t)n + (m > 0 ? (size_t)m : 0);
    if (end > sizeof(line) - 2)
        end = sizeof(line) - 2; /* an overlong event is cut */
    /* One event, one line: text of clients must not forge further ones. */
    for (size_t i = (size_t)n; i < end; i++)
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    line[end++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, end); /* one write: lines of processes don't mix */
    (void)written;
}
