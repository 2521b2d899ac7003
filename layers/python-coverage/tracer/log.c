/* log - one line of JSON to stderr, written at once, so that lines of threads and forks stay whole.
 */
#include "tracer.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void quote(char *to, size_t room, const char *text)
{
    size_t n = 0;
    for (; *text && n + 8 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            to[n++] = '\\';
        if (c < 0x20)
            n += (size_t)snprintf(to + n, room - n, "\\u%04x", c);
        else
            to[n++] = (char)c;
    }
    to[n] = 0;
}

void log_line(int level, const char *operation, const char *format, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
    if (level < options.log_level)
        return;
    char message[TRACER_TEXT_MAX], quoted[TRACER_TEXT_MAX * 2], line[TRACER_TEXT_MAX * 3], when[32];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    quote(quoted, sizeof(quoted), message);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(line, sizeof(line),
                     "{\"timestamp\": \"%s.%03dZ\", \"level\": \"%s\", \"logger\": "
                     "\"lamina-coverage\", \"operation\": \"%s\", \"message\": \"%s\"}\n",
                     when, (int)(now.tv_nsec / 1000000), names[level / 10 - 1], operation, quoted);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* a program without stderr */
}
