/* coverage_watch_view - the screen of `lamina coverage watch`: files with bars, and one file's
 * source. A frame is written only when it differs from the one that is there. */
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "cli/coverage_watch.h"

#define FRAME_MAX (1u << 20)
#define BAR 16
#define FRESH_MS 4000  /* a new line stands out so long */
#define NAMED_MS 30000 /* and says so long who has run it */
#define RAN_MS 1500    /* one that has run again */
#define TICK_MS 250

#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[0m\033[?1049l"

struct screen {
    struct watch *w;
    struct termios was;
    bool keys, colour, utf8;
    struct buf frame, shown;
    size_t width, height, row;
    struct str selected; /* path; absent: what has changed last */
    struct str path;     /* that is shown now */
    size_t top;          /* its first line on the screen, from 0 */
    bool jump;           /* to what is new */
};

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *v = getenv(names[i]);
        if (v && *v)
            return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
    }
    return false;
}

static void put(struct screen *s, const char *text, size_t n)
{
    while (n) {
        ssize_t r = write(STDOUT_FILENO, text, n);
        if (r <= 0)
            return; /* whoever is gone sees nothing */
        text += r;
        n -= (size_t)r;
    }
    (void)s;
}

static void size_of(struct screen *s)
{
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    s->width = size.ws_col ? size.ws_col : 80;
    s->height = size.ws_row ? size.ws_row : 24;
}

struct screen *screen_open(struct watch *w)
{
    const char *term = getenv("TERM");
    struct termios raw;
    if (!isatty(STDOUT_FILENO) || !term || !*term || !strcmp(term, "dumb"))
        return NULL;
    struct screen *s = MEM_NEW(struct screen);
    *s =
        (struct screen){.w = w, .colour = term_colour(stdout), .utf8 = speaks_utf8(), .jump = true};
    buf_init(&s->frame, FRAME_MAX);
    buf_init(&s->shown, FRAME_MAX);
    struct str wanted = coverage_watch_of(w->run)->file;
    for (size_t i = 0; i < w->report.n_files && wanted.n; i++)
        if (str_ends(w->report.files[i].name, wanted))
            s->selected = str_copy(&w->own, w->report.files[i].path);
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->was) == 0) {
        raw = s->was;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped watch would leave its screen behind */
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        s->keys = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    }
    put(s, ENTER, sizeof ENTER - 1);
    return s;
}

void screen_close(struct screen *s)
{
    if (!s)
        return;
    put(s, LEAVE, sizeof LEAVE - 1);
    if (s->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &s->was);
    buf_done(&s->frame);
    buf_done(&s->shown);
    free(s);
}

/* ---- pieces of a frame ---- */

static void style(struct screen *s, const char *codes)
{
    if (s->colour || strchr(codes, '7'))
        buf_printf(&s->frame, "\033[%sm", codes);
}

static void end_style(struct screen *s)
{
    buf_text(&s->frame, "\033[0m");
}

/* What a source or a cloud says must not drive the terminal. Returns the columns written. */
static size_t plain(struct screen *s, struct str text, size_t width)
{
    size_t column = 0;
    for (size_t i = 0; i < text.n && column < width; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\t') {
            do
                buf_byte(&s->frame, ' ');
            while (++column % 4 && column < width);
            continue;
        }
        size_t end = i + 1;
        while (end < text.n && ((unsigned char)text.p[end] & 0xc0) == 0x80)
            end++;
        struct str one = c < ' ' || c == 127 ? S("?") : str_slice(text, i, end);
        if (column + utf8_width(one) > width)
            break;
        buf_str(&s->frame, one);
        column += utf8_width(one);
        i = end - 1;
    }
    return column;
}

static void pad(struct screen *s, size_t from, size_t to)
{
    for (; from < to; from++)
        buf_byte(&s->frame, ' ');
}

static void next_row(struct screen *s)
{
    buf_text(&s->frame, "\033[0m\033[K");
    if (++s->row < s->height)
        buf_text(&s->frame, "\r\n");
}

static void bar(struct screen *s, double percent)
{
    size_t full = (size_t)(percent / 100 * BAR + 0.5);
    full = percent > 0 && !full ? 1 : percent < 100 && full == BAR ? BAR - 1 : full;
    style(s, percent >= 90 ? "32" : percent >= 50 ? "33" : "31");
    for (size_t i = 0; i < BAR; i++) {
        if (i == full)
            style(s, "2");
        if (i < full)
            buf_text(&s->frame, s->utf8 ? "█" : "#");
        else
            buf_text(&s->frame, s->utf8 ? "░" : ".");
    }
    end_style(s);
}

static struct str ago(struct arena *a, int64_t ms)
{
    int64_t seconds = (clock_now_ms() - ms) / 1000;
    if (seconds < 60) /* in steps: a frame a second would be no quiet one */
        return seconds < 5 ? S("now") : str_printf(a, "%lld s ago", (long long)seconds / 5 * 5);
    return str_printf(a, "%lld min ago", (long long)seconds / 60);
}

static struct str short_id(struct str id)
{
    return str_slice(id, 0, 8);
}

static void header(struct screen *s, struct arena *a)
{
    const struct coverage_report *r = &s->w->report;
    struct str percent = numbers_display(a, numbers_percent(&r->totals), r->precision);
    struct str left = r->n_files ? str_printf(a, " %.*s%% of %zu file%s", STR(percent), r->n_files,
                                              r->n_files == 1 ? "" : "s")
                                 : S(" no file yet"); /* all of nothing is 100 % */
    struct str right =
        str_printf(a, "%zu object%s in s3://%.*s/%.*s ", s->w->n_objects,
                   s->w->n_objects == 1 ? "" : "s", STR(s->w->bucket), STR(s->w->prefix));
    if (left.n + right.n + 2 > s->width)
        right = S("");
    style(s, "1;7");
    size_t n = plain(s, left, s->width);
    pad(s, n, s->width - right.n);
    plain(s, right, s->width);
    next_row(s);
}

static void footer(struct screen *s, struct arena *a)
{
    struct str trouble = s->w->trouble;
    const struct coverage_report *r = &s->w->report;
    style(s, trouble.n ? "31" : "2");
    if (!trouble.n && r->warning.n)
        trouble = r->warning;
    if (!trouble.n && r->n_left_out)
        trouble = str_printf(a, "%zu left out; %.*s: %.*s", r->n_left_out, STR(r->left_out[0].name),
                             STR(r->left_out[0].reason));
    plain(s,
          trouble.n ? trouble
                    : S(" q leave   Tab next file   f follow what changes   arrows, PgUp, PgDn "
                        "move"),
          s->width);
    buf_text(&s->frame, "\033[0m\033[K");
}

static void file_row(struct screen *s, struct arena *a, const struct report_file *f, size_t name)
{
    const struct coverage_numbers *n = &f->result.numbers;
    const struct watch_file *t = watch_file_of(s->w, f);
    double percent = numbers_percent(n);
    bool now = t->changed_ms && clock_now_ms() - t->changed_ms < FRESH_MS;
    buf_text(&s->frame, str_eq(f->path, s->path) ? ">" : " ");
    if (now)
        style(s, "1;32");
    pad(s, plain(s, f->name, name), name);
    end_style(s);
    buf_byte(&s->frame, ' ');
    bar(s, percent);
    buf_printf(&s->frame, " %4.*s%%  %5llu/%llu", STR(numbers_display(a, percent, 0)),
               (unsigned long long)(n->statements - n->missing), (unsigned long long)n->statements);
    if (t->changed_ms) {
        buf_printf(&s->frame, "  +%zu  ", t->n_new);
        style(s, "2");
        plain(s,
              str_printf(a, "%.*s %.*s %.*s", STR(ago(a, t->changed_ms)), STR(short_id(t->by)),
                         STR(t->function)),
              s->width);
    }
    next_row(s);
}

static void file_rows(struct screen *s, struct arena *a, size_t room)
{
    const struct coverage_report *r = &s->w->report;
    size_t at = 0, name = 4;
    for (size_t i = 0; i < r->n_files; i++) {
        at = str_eq(r->files[i].path, s->path) ? i : at;
        name = r->files[i].name.n > name ? r->files[i].name.n : name;
    }
    if (name > s->width / 3)
        name = s->width / 3;
    size_t from = r->n_files <= room || at < room / 2 ? 0 : at - room / 2;
    if (from + room > r->n_files)
        from = r->n_files < room ? 0 : r->n_files - room;
    for (size_t i = from; i < r->n_files && i < from + room; i++)
        file_row(s, a, &r->files[i], name);
}

/* ---- the source ---- */

static bool in(struct bits b, size_t line)
{
    return line / 8 < b.n && b.p[line / 8] & 1u << line % 8;
}

static void source_row(struct screen *s, const struct report_file *f, struct watch_file *t,
                       size_t line, struct str text)
{
    int64_t now = clock_now_ms();
    uint32_t first = analysis_first_line(f->result.analysis, (uint32_t)line);
    const struct watch_line *l = first < t->n_lines ? &t->lines[first] : &t->lines[0];
    bool fresh = l->new_ms && now - l->new_ms < FRESH_MS, ran = now - l->ran_ms < RAN_MS;
    bool named = l->new_ms && now - l->new_ms < NAMED_MS;
    bool statement = in(f->result.executed, first) || in(f->result.missing, first);
    char mark = fresh || named                 ? '+'
                : ran                          ? '>'
                : in(f->result.missing, first) ? '!'
                : statement                    ? '|'
                                               : ' ';
    const char *look = fresh                        ? "1;7;32"
                       : ran                        ? "1;36"
                       : mark == '!'                ? "31"
                       : mark == '+' || mark == '|' ? "32"
                                                    : "2";
    style(s, fresh ? look : "2");
    buf_printf(&s->frame, "%5zu ", line);
    end_style(s);
    style(s, look);
    buf_byte(&s->frame, mark);
    buf_byte(&s->frame, ' ');
    if (!fresh && !ran)
        end_style(s);
    if (!statement && !fresh)
        style(s, "2");
    size_t side = named && line == first && s->width > 60 ? 12 : 0, room = s->width - 8 - side;
    size_t n = plain(s, text, room);
    if (side) {
        pad(s, n, room);
        buf_text(&s->frame, "  ");
        plain(s, short_id(l->by), 10);
    }
    next_row(s);
}

/* Where the lines begin that were new last, so that they are seen. */
static void look_at_news(struct screen *s, const struct watch_file *t, size_t room)
{
    int64_t newest = 0;
    size_t at = 0;
    for (size_t l = 1; l < t->n_lines; l++) {
        int64_t ms = t->lines[l].new_ms ? t->lines[l].new_ms : 0;
        if (ms > newest) {
            newest = ms;
            at = l;
        }
    }
    if (at && (at < s->top + 1 || at > s->top + room))
        s->top = at > room / 3 ? at - room / 3 : 0;
    s->jump = false;
}

static void source(struct screen *s, struct arena *a, const struct report_file *f)
{
    struct watch_file *t = watch_file_of(s->w, f);
    size_t room = s->height > s->row + 2 ? s->height - s->row - 2 : 0, line = 0;
    size_t n_lines = f->result.analysis->n_lines;
    struct str text, rest = f->text;
    if (s->jump)
        look_at_news(s, t, room);
    if (s->top + room > n_lines)
        s->top = n_lines > room ? n_lines - room : 0;
    style(s, "1");
    size_t n = plain(s, f->name, s->width);
    end_style(s);
    if (t->changed_ms) {
        struct str by = str_printf(a, "   %.*s by %.*s %.*s", STR(ago(a, t->changed_ms)),
                                   STR(t->function), STR(t->by));
        style(s, "36");
        plain(s, by, n < s->width ? s->width - n : 0);
    }
    next_row(s);
    while (rest.n && line < s->top + room) {
        str_cut(rest, '\n', &text, &rest);
        if (text.n && text.p[text.n - 1] == '\r')
            text.n--;
        if (++line > s->top)
            source_row(s, f, t, line, text);
    }
}

/* ---- a frame ---- */

static const struct report_file *shown_file(struct screen *s)
{
    const struct coverage_report *r = &s->w->report;
    const struct report_file *latest = NULL;
    int64_t ms = -1;
    for (size_t i = 0; i < r->n_files; i++) {
        const struct watch_file *t = watch_file_of(s->w, &r->files[i]);
        if (s->selected.n && str_eq(r->files[i].path, s->selected))
            return &r->files[i];
        /* nothing has changed yet: the first one that has something in it */
        int64_t when = t->changed_ms ? t->changed_ms : r->files[i].result.numbers.statements > 0;
        if (when > ms) {
            ms = when;
            latest = &r->files[i];
        }
    }
    return latest;
}

void screen_draw(struct screen *s)
{
    auto_arena struct arena a;
    arena_init(&a);
    size_of(s);
    const struct report_file *f = shown_file(s);
    if (f && !str_eq(f->path, s->path)) {
        s->path = str_copy(&s->w->own, f->path);
        s->top = 0;
        s->jump = true;
    }
    buf_clear(&s->frame);
    s->row = 0;
    buf_text(&s->frame, "\033[H");
    header(s, &a);
    next_row(s);
    size_t room = s->height / 3 < 10 ? s->height / 3 : 10;
    if (f) {
        file_rows(s, &a, room ? room : 1);
        next_row(s);
        source(s, &a, f);
    } else {
        plain(s, S(" Nothing has been told yet: invoke a function whose coverage is on."),
              s->width);
        next_row(s);
    }
    while (s->row + 1 < s->height)
        next_row(s);
    footer(s, &a);
    if (s->frame.n == s->shown.n && !memcmp(s->frame.p, s->shown.p, s->frame.n))
        return;
    put(s, s->frame.p, s->frame.n);
    buf_clear(&s->shown);
    buf_add(&s->shown, s->frame.p, s->frame.n);
}

void screen_changed(struct screen *s, struct str file)
{
    if (!s->selected.n || str_eq(file, s->selected))
        s->jump = true;
}

/* ---- keys ---- */

static void select_next(struct screen *s, bool back)
{
    const struct coverage_report *r = &s->w->report;
    size_t at = 0;
    for (size_t i = 0; i < r->n_files; i++)
        if (str_eq(r->files[i].path, s->path))
            at = back ? i + r->n_files - 1 : i + 1;
    if (r->n_files)
        s->selected = str_copy(&s->w->own, r->files[at % r->n_files].path);
}

static void move(struct screen *s, int64_t by)
{
    s->top = by < 0 && (size_t)-by > s->top ? 0 : (size_t)((int64_t)s->top + by);
}

static bool key(struct screen *s, struct str keys)
{
    static const struct {
        const char *name;
        int by; /* 0: half a page down, -1000: up */
    } moves[] = {{"\033[A", -1},      {"\033[B", 1},     {"\033OA", -1},
                 {"\033OB", 1},       {"k", -1},         {"j", 1},
                 {"\033[5~", -1000},  {"\033[6~", 1000}, {"\033[H", -(1 << 24)},
                 {"\033[F", 1 << 24}, {"b", -1000},      {" ", 1000}};
    if (str_is(keys, "q") || str_is(keys, "\033"))
        return false;
    if (str_is(keys, "\t") || str_is(keys, "n"))
        select_next(s, false);
    else if (str_is(keys, "\033[Z") || str_is(keys, "p"))
        select_next(s, true);
    else if (str_is(keys, "f"))
        s->selected = (struct str){0};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (str_is(keys, moves[i].name))
            move(s, moves[i].by == 1000    ? (int64_t)s->height / 2
                    : moves[i].by == -1000 ? -((int64_t)s->height / 2)
                                           : moves[i].by);
    return true;
}

bool screen_wait(struct screen *s, int ms)
{
    int64_t until = clock_mono_ns() + ms * 1000000LL;
    for (;;) {
        struct pollfd fd = {.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN};
        int64_t left = (until - clock_mono_ns()) / 1000000 + 1;
        if (until <= clock_mono_ns())
            return true;
        int r = poll(&fd, 1, left < TICK_MS ? (int)left : TICK_MS);
        if (r < 0)
            return true; /* a signal: the caller looks */
        if (r > 0) {
            char text[16];
            ssize_t n = read(STDIN_FILENO, text, sizeof text);
            if (n <= 0)
                s->keys = false; /* nobody is there any more */
            else if (!key(s, str_of(text, (size_t)n)))
                return false;
        }
        screen_draw(s);
    }
}
