/* say - see say.h. */
#include "say.h"
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"

static enum say_level threshold = SAY_INFO;

void say_setup(enum say_level level)
{
    threshold = level;
}

bool say_wanted(enum say_level level)
{
    return level >= threshold && threshold != SAY_NOTHING;
}

void say_text(struct buf *b, const char *name, struct str text)
{
    buf_printf(b, ",\"%s\":", name);
    json_write_str(b, text);
}

void say_int(struct buf *b, const char *name, int64_t value)
{
    buf_printf(b, ",\"%s\":%lld", name, (long long)value);
}

void say(enum say_level level, struct str fields, const char *message, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    if (!say_wanted(level) || level >= SAY_NOTHING)
        return;
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf b;
    buf_init(&b, 64 << 10);
    va_list ap;
    va_start(ap, message);
    struct str text = str_vprintf(&a, message, ap);
    va_end(ap);
    buf_printf(&b, "{\"timestamp\":\"%.*s\",\"level\":\"%s\"",
               STR(clock_iso8601(&a, clock_now_ms())), names[level]);
    say_text(&b, "message", text);
    buf_text(&b, ",\"logger\":\"lamina-coverage-shipper\"");
    buf_str(&b, fields);
    buf_text(&b, "}\n");
    struct str line = buf_view(&b);
    while (line.n) { /* one write, but for a pipe that is full */
        ssize_t n = write(STDOUT_FILENO, line.p, line.n);
        if (n <= 0)
            break;
        line = str_slice(line, (size_t)n, line.n);
    }
}
