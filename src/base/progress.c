/* progress - one status line on a terminal, plain lines elsewhere. */
#include "base/progress.h"
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/table.h"
#include "base/utf8.h"

#define REDRAW_MS 50

void progress_init(struct progress *p, FILE *file)
{
    const char *term = getenv("TERM");
    *p = (struct progress){.file = file};
    p->terminal = isatty(fileno(file)) && !(term && strcmp(term, "dumb") == 0);
    p->started_ms = clock_mono_ns() / 1000000;
    p->drawn_ms = -REDRAW_MS;
}

void progress_clear(struct progress *p)
{
    if (!p->shown)
        return;
    fputs("\r\033[K", p->file);
    fflush(p->file);
    p->shown = false;
}

void progress_status(struct progress *p, const char *fmt, ...)
{
    if (!p->terminal)
        return;
    int64_t elapsed_ms = progress_elapsed_ms(p);
    if (elapsed_ms - p->drawn_ms < REDRAW_MS)
        return;
    p->drawn_ms = elapsed_ms;
    auto_arena struct arena a;
    arena_init(&a);
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vprintf(&a, fmt, ap);
    va_end(ap);
    size_t width = term_width(p->file), n = 0, used = 0;
    while (n < text.n) { /* a wrapped line could not be replaced */
        size_t one = utf8_length(text.p + n, text.p + text.n);
        one = one ? one : 1;
        used += utf8_width(str_of(text.p + n, one));
        if (width && used >= width)
            break;
        n += one;
    }
    fprintf(p->file, "\r%.*s\033[K", (int)n, text.p);
    fflush(p->file);
    p->shown = true;
}

void progress_line(struct progress *p, const char *fmt, ...)
{
    progress_clear(p);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(p->file, fmt, ap);
    va_end(ap);
    fputc('\n', p->file);
    fflush(p->file);
}

int64_t progress_elapsed_ms(const struct progress *p)
{
    return clock_mono_ns() / 1000000 - p->started_ms;
}
