/* find - where a cloud keeps its data, and whether one answers. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include "aws/ask.h"
#include "base/fs.h"
#include "cli/daemon.h"

struct str daemon_data_dir(struct arena *a)
{
    struct str data = str_from(getenv("XDG_DATA_HOME"));
    if (data.n && data.p[0] == '/')
        return fs_join(a, data, S("lamina"));
    struct str home = str_from(getenv("HOME"));
    return fs_join(a, home.n ? home : S("/"), S(".local/share/lamina"));
}

static char *note_path(struct arena *a, struct str dir)
{
    return str_c(a, fs_join(a, dir, S("lamina.pid")));
}

int daemon_note_write(struct arena *a, struct str dir, const struct daemon_note *note)
{
    struct str text = str_printf(a, "%d\n%.*s\n", note->pid, STR(note->endpoint));
    return fs_write(note_path(a, dir), text, 0600);
}

void daemon_note_remove(struct arena *a, struct str dir)
{
    unlink(note_path(a, dir));
}

int daemon_note_read(struct arena *a, struct str dir, struct daemon_note *ret)
{
    struct str text, pid, rest;
    int64_t number;
    int r = fs_read(note_path(a, dir), 4096, a, &text);
    if (r < 0)
        return r;
    if (!str_cut(text, '\n', &pid, &rest) || str_to_int64(pid, &number) < 0 || number <= 1)
        return -ENOENT;
    if (kill((pid_t)number, 0) < 0 && errno == ESRCH)
        return -ENOENT;
    *ret = (struct daemon_note){.pid = (int)number, .endpoint = str_trim(rest)};
    return 0;
}

int daemon_get(struct arena *a, struct str endpoint, struct str path, struct str *ret_body)
{
    int status, r = ask(a, endpoint, "GET", path, &status, ret_body);
    return r == 0 && status != 200 ? -EPROTO : r;
}

int daemon_post(struct arena *a, struct str endpoint, struct str path, int *ret_status,
                struct str *ret_body)
{
    return ask(a, endpoint, "POST", path, ret_status, ret_body);
}

int daemon_health(struct arena *a, struct str endpoint, struct str *ret_json)
{
    return daemon_get(a, endpoint, S("/_lamina/health"), ret_json);
}
