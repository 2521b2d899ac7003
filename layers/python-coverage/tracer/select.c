/* select - which files are counted.
 *
 * With COVERAGE_INCLUDE_PATTERNS what they match; else all below LAMBDA_TASK_ROOT but what others
 * have written: site-packages, and what `pip install -t` has put beside the handler, known by the
 * RECORD of its *.dist-info. Then not what COVERAGE_EXCLUDE_PATTERNS match. */
#include "tracer.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAMES_MAX 65536
#define RECORD_MAX (16 << 20)

/* Top-level names below the task root that belong to installed packages; sorted when complete. */
static char **names;
static size_t n_names;
static bool names_known;
static char root[PATH_MAX]; /* options.task_root with its links followed */

void select_begin(void)
{
    for (size_t i = 0; i < n_names; i++)
        free(names[i]);
    free(names);
    names = NULL;
    n_names = 0;
    names_known = false;
    if (!realpath(options.task_root, root))
        snprintf(root, sizeof(root), "%s", options.task_root);
}

static void add_name(const char *p, size_t n)
{
    if (n == 0 || n_names == NAMES_MAX ||
        (n_names > 0 && strlen(names[n_names - 1]) == n && memcmp(names[n_names - 1], p, n) == 0))
        return;
    if ((n_names & (n_names - 1)) == 0) {
        char **more = realloc(names, sizeof(*names) * (n_names ? n_names * 2 : 1));
        if (!more)
            return;
        names = more;
    }
    if ((names[n_names] = strndup(p, n)))
        n_names++;
}

/* The first folder, or the file, of each line: path,hash,size. */
static void read_record(const char *p, size_t n)
{
    for (const char *end = p + n, *line = p; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((stop ? stop : end) - line), i = 0;
        const char *name = line + (len > 0 && *line == '"');
        len -= (size_t)(name - line);
        while (i < len && name[i] != '/' && name[i] != ',' && name[i] != '"' && name[i] != '\r')
            i++;
        if (name[0] != '.')
            add_name(name, i);
        line = stop ? stop + 1 : end;
    }
}

static void read_package(const char *dir)
{
    static const char *const files[] = {"RECORD", "top_level.txt"};
    char path[PATH_MAX + 300];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s/%s", root, dir, files[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
        if (size > 0 && size < RECORD_MAX) {
            char *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
            if (p != MAP_FAILED) {
                read_record(p, (size_t)size);
                munmap(p, (size_t)size);
            }
        }
        if (fd >= 0)
            close(fd);
    }
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_names(void)
{
    names_known = true;
    DIR *d = opendir(root);
    for (struct dirent *e; d && (e = readdir(d));)
        if (ends_with(e->d_name, ".dist-info") || ends_with(e->d_name, ".egg-info"))
            read_package(e->d_name);
    if (d)
        closedir(d);
    if (n_names)
        qsort(names, n_names, sizeof(*names), by_name);
}

/* The handler's own package is the user's, even where it was installed with its dist-info. */
static bool is_handlers(const char *name, size_t n)
{
    const char *h = options.handler ? options.handler : "";
    size_t m = strcspn(h, "./");
    return m > 0 && n >= m && memcmp(h, name, m) == 0 &&
           (n == m || strncmp(name + m, ".py", 3) == 0);
}

static bool is_installed(const char *rest)
{
    if (!names_known)
        read_names();
    char name[NAME_MAX + 1];
    size_t n = strcspn(rest, "/");
    if (n >= sizeof(name) || is_handlers(rest, n))
        return false;
    memcpy(name, rest, n);
    name[n] = 0;
    const char *key = name;
    return n_names && bsearch(&key, names, n_names, sizeof(*names), by_name);
}

static bool is_users(const char *path)
{
    size_t n = strlen(root);
    if (strncmp(path, root, n) != 0 || path[n] != '/')
        return false;
    const char *rest = path + n + 1;
    return !strstr(path + n, "/site-packages/") && !strstr(path + n, "/dist-packages/") &&
           !is_installed(rest);
}

/* Any of the patterns; one that begins with a name is tried below the task root as well. */
static bool any_matches(const char *patterns, const char *path)
{
    for (const char *p = patterns; p && *p;) {
        size_t n = strcspn(p, ","), skip = strspn(p, " ");
        const char *own = p + (skip < n ? skip : n);
        size_t len = n - (size_t)(own - p);
        while (len && own[len - 1] == ' ')
            len--;
        char absolute[PATH_MAX * 2];
        if (len && pattern_check(own, len) == 0) {
            if (pattern_matches(own, len, path))
                return true;
            if (*own != '*' && *own != '?' && *own != '/' && memchr(own, '/', len)) {
                while (len > 2 && strncmp(own, "./", 2) == 0)
                    own += 2, len -= 2;
                int m = snprintf(absolute, sizeof(absolute), "%s/%.*s", root, (int)len, own);
                if (m > 0 && (size_t)m < sizeof(absolute) &&
                    pattern_matches(absolute, (size_t)m, path))
                    return true;
            }
        }
        p += n + (p[n] == ',');
    }
    return false;
}

bool select_path(const char *path)
{
    if (options.include ? !any_matches(options.include, path) : !is_users(path))
        return false;
    return !any_matches(options.exclude, path);
}
