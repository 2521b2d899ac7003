/* runtime_node - where on this machine a node of some major version is. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/fs.h"
#include "build/process.h"
#include "service/lambda/runtimes.h"

#define KNOWN_MAX 32

/* What a program has said of its version, for as long as its file stays the same. */
static struct known {
    char path[PATH_MAX];
    struct timespec changed;
    off_t size;
    int major;
} known[KNOWN_MAX];
static size_t n_known;

/* "v20.11.1" or "20.11.1" */
static int major_of(struct str version)
{
    if (str_starts(version, S("v")))
        version = str_slice(version, 1, version.n);
    int major = 0;
    size_t i = 0;
    for (; i < version.n && version.p[i] >= '0' && version.p[i] <= '9' && major < 1000; i++)
        major = major * 10 + (version.p[i] - '0');
    return i > 0 && i < version.n && version.p[i] == '.' ? major : 0;
}

static int ask_version(struct arena *a, const char *path)
{
    const char *argv[] = {path, "--version", NULL};
    static const char *const plainly[] = {"NODE_OPTIONS=", NULL};
    struct process_result result;
    if (process_run(a, argv, NULL, plainly, &result) < 0 || result.exit_code != 0)
        return 0;
    return major_of(str_trim(result.output));
}

/* 0: it is no node. */
static int version_of(struct arena *a, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
        return 0;
    struct known *k = NULL;
    for (size_t i = 0; i < n_known && !k; i++)
        if (strcmp(known[i].path, path) == 0)
            k = &known[i];
    if (k && k->size == st.st_size && k->changed.tv_sec == st.st_mtim.tv_sec &&
        k->changed.tv_nsec == st.st_mtim.tv_nsec)
        return k->major;
    int major = ask_version(a, path);
    if (!k && n_known < KNOWN_MAX)
        k = &known[n_known++];
    if (k) {
        snprintf(k->path, sizeof(k->path), "%s", path);
        k->changed = st.st_mtim;
        k->size = st.st_size;
        k->major = major;
    }
    return major;
}

/* Folders named by versions: v20.11.1/bin/node, as nvm and n keep them. The last one by name, which
 * is not always the newest: any of that major will do. */
static struct str in_versions(struct arena *a, struct str root, int major)
{
    struct str best = {0};
    DIR *dir = opendir(str_c(a, root));
    if (!dir)
        return best;
    for (struct dirent *e; (e = readdir(dir));) {
        struct str path = str_printf(a, "%.*s/%s/bin/node", STR(root), e->d_name);
        if (major_of(str_from(e->d_name)) == major && fs_exists(path.p) &&
            (!best.n || str_cmp(best, path) < 0))
            best = path;
    }
    closedir(dir);
    return best;
}

static struct str on_path(struct arena *a, int major, struct buf *searched)
{
    struct str dir,
        rest = str_printf(a, "/usr/bin:/usr/local/bin:%.*s", STR(str_from(getenv("PATH"))));
    struct str found = {0};
    buf_text(searched, "/usr/bin, /usr/local/bin, PATH");
    for (bool more = true; more && !found.n;) {
        more = str_cut(rest, ':', &dir, &rest);
        if (!dir.n || dir.p[0] != '/')
            continue;
        struct str candidates[] = {str_printf(a, "%.*s/node", STR(dir)),
                                   str_printf(a, "%.*s/node%d", STR(dir), major)};
        for (size_t i = 0; i < 2 && !found.n; i++)
            if (version_of(a, candidates[i].p) == major)
                found = candidates[i];
    }
    return found;
}

struct str node_find(struct arena *a, int major, struct buf *searched)
{
    struct str found = on_path(a, major, searched);
    const char *home = getenv("HOME"), *nvm = getenv("NVM_DIR");
    struct str roots[] = {
        nvm ? str_printf(a, "%s/versions/node", nvm) : (struct str){0},
        home ? str_printf(a, "%s/.nvm/versions/node", home) : (struct str){0},
        S("/usr/local/n/versions/node"),
    };
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots) && !found.n; i++) {
        if (!roots[i].n)
            continue;
        buf_printf(searched, ", %.*s", STR(roots[i]));
        found = in_versions(a, roots[i], major);
    }
    return found;
}
