/* image - see image.h. Images are unpacked once a digest, into the same folders as packages
 * (DATA/code/DIGEST), shared read-only by all environments, and go as those do. */
#include "service/lambda/image.h"
#include "build/image.h"
#include <errno.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "service/lambda/code_keeper.h"
#include "service/lambda/runtimes.h"
#include "service/lambda/target.h"

#define INVALID(...) lambda_fail(call, LAMBDA_INVALID_PARAMETER_VALUE, __VA_ARGS__)

struct fetch {
    struct call *call;
    struct str uri, path, wanted, architecture; /* amd64, arm64 */
    struct str root, tmp_dir;
    code_done_fn *done;
    void *user;

    /* What the worker has found: on an arena of its own, the call's is not its. */
    struct arena *arena;
    struct image image;
    struct image_report report;
    bool was_there;
};

bool image_is(const struct lambda_function_configuration *c)
{
    return str_is(c->package_type, "Image");
}

int image_check_source(struct call *call, struct str uri, struct str zip, struct str bucket,
                       struct str key)
{
    struct str path, wanted;
    if (!uri.n)
        return INVALID("Please provide ImageUri when the function's PackageType is Image.");
    if (str_has(zip) || bucket.n || key.n)
        return INVALID("Please do not provide other FunctionCode parameters when providing an "
                       "ImageUri.");
    if (!image_uri_parse(call->arena, uri, &path, &wanted))
        return INVALID("Source image %.*s is not valid. Provide a valid source image. Images are "
                       "read from this machine's disk: file:///path/to/oci-layout[:tag], or "
                       "file:///path/to/image.tar as docker save writes it; registries are not "
                       "reached",
                       STR(uri));
    return 0;
}

static int unpack_work(void *user)
{
    struct fetch *f = user;
    struct image *image = &f->image;
    int r = image_open(f->arena, f->path.p, f->wanted, f->architecture, image, &f->report);
    if (r < 0)
        return r;
    struct str there = str_printf(f->arena, "%.*s/%.*s", STR(f->root), STR(image->digest));
    f->was_there = fs_exists(there.p);
    if (!f->was_there) {
        r = mkdir(f->tmp_dir.p, 0755) < 0 ? -errno : 0;
        if (r == 0)
            r = image_unpack(image, f->tmp_dir.p, IMAGE_MAX_BYTES, &f->report);
        if (r < 0)
            fs_remove_tree(f->tmp_dir.p);
    }
    image_close(image);
    return r;
}

static int explain(struct fetch *f, int r)
{
    struct call *call = f->call;
    const struct image_report *report = &f->report;
    switch (report->fault) {
    case IMAGE_FAULT_MISSING:
        return INVALID("Source image %.*s does not exist. Provide a valid source image. (%s)",
                       STR(f->uri), report->why);
    case IMAGE_FAULT_UNSUPPORTED:
        return INVALID("The image manifest, config or layer media type for the source image %.*s "
                       "is not supported. (%s)",
                       STR(f->uri), report->why);
    case IMAGE_FAULT_ARCHITECTURE:
        return INVALID("The architecture of the source image %.*s does not match the "
                       "function's: %s",
                       STR(f->uri), report->why);
    case IMAGE_FAULT_SIZE:
        return INVALID("The source image %.*s exceeds a limit of %lld bytes: %s", STR(f->uri),
                       (long long)IMAGE_MAX_BYTES, report->why);
    case IMAGE_FAULT_BAD:
    case IMAGE_FAULT_UNSAFE:
        return INVALID("Source image %.*s is not valid. Provide a valid source image. (%s)",
                       STR(f->uri), report->why);
    case IMAGE_FAULT_SYSTEM:
        log_error("lambda: cannot unpack an image: %s", report->why);
        return report->error < 0 ? report->error : -EIO;
    case IMAGE_FAULT_NONE:
        break;
    }
    log_error("lambda: cannot keep an image: %s", strerror(-r));
    return r;
}

static struct lambda_string_list copy_list(struct arena *a, const struct str *items, size_t n)
{
    struct lambda_string_list list = {ARENA_ARRAY(a, struct str, n + 1), n};
    for (size_t i = 0; i < n; i++)
        list.items[i] = str_copy(a, items[i]);
    return n ? list : (struct lambda_string_list){0};
}

static void fill(struct fetch *f, struct code *code)
{
    struct arena *a = f->call->arena;
    const struct image *image = &f->image;
    struct lambda_image_record *record = ARENA_NEW(a, struct lambda_image_record);
    *record = (struct lambda_image_record){
        .image_uri = f->uri,
        .resolved_image_uri =
            str_printf(a, "file://%.*s@sha256:%.*s", STR(f->path), STR(image->digest)),
        .entry_point = copy_list(a, image->entrypoint, image->n_entrypoint),
        .command = copy_list(a, image->command, image->n_command),
        .environment = copy_list(a, image->env, image->n_env),
    };
    if (image->working_dir.n)
        record->working_directory = str_copy(a, image->working_dir);
    code->digest = str_copy(a, image->digest);
    code->sha256_base64 = code->digest; /* AWS shows the image's digest in hex */
    code->image = record;
}

static void unpacked(struct call *call, void *user, int result)
{
    struct fetch *f = user;
    struct code code = {0};
    if (result == 0) {
        struct str dir = code_dir(call->cloud, call->arena, f->image.digest);
        if (f->was_there && !fs_exists(dir.p)) { /* removed since the worker looked */
            call_offload(call, unpack_work, unpacked, f);
            return;
        }
        if (!f->was_there && rename(f->tmp_dir.p, dir.p) < 0 && errno != ENOTEMPTY &&
            errno != EEXIST)
            result = -errno;
    }
    if (result < 0)
        result = explain(f, result);
    else
        fill(f, &code);
    arena_free(TAKE(f->arena));
    f->done(call, result, &code, f->user);
    if (fs_exists(f->tmp_dir.p))
        fs_remove_tree(f->tmp_dir.p);
}

void image_fetch(struct call *call, struct str uri, struct str architecture, code_done_fn *done,
                 void *user)
{
    struct fetch *f = ARENA_NEW(call->arena, struct fetch);
    *f = (struct fetch){
        .call = call,
        .uri = uri,
        .architecture = str_is(architecture, "arm64") ? S("arm64") : S("amd64"),
        .root = lambda_state(call)->codes->root,
        .done = done,
        .user = user,
        .arena = arena_new(),
    };
    image_uri_parse(call->arena, uri, &f->path, &f->wanted);
    f->tmp_dir =
        str_printf(call->arena, "%.*s/.tmp-%.*s", STR(f->root), STR(random_hex(call->arena, 16)));
    call_offload(call, unpack_work, unpacked, f);
}

int image_restore(struct str uri, struct str digest, const char *dir)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str path, wanted;
    struct image image;
    struct image_report report;
    if (!image_uri_parse(&a, uri, &path, &wanted))
        return -EINVAL;
    wanted = str_printf(&a, "sha256:%.*s", STR(digest));
    int r = image_open(&a, path.p, wanted, S("amd64"), &image, &report);
    if (r < 0 && report.fault == IMAGE_FAULT_ARCHITECTURE)
        r = image_open(&a, path.p, wanted, S("arm64"), &image, &report);
    if (r == 0) {
        r = image_unpack(&image, dir, IMAGE_MAX_BYTES, &report);
        image_close(&image);
    }
    if (r < 0)
        log_warn("lambda: the image %.*s is lost: %s", STR(uri), report.why);
    return r;
}

/* ---- what is run ---- */

static const struct lambda_image_config *overrides(const struct target *t)
{
    return t->c->image_config_response ? t->c->image_config_response->image_config : NULL;
}

static size_t add_all(struct arena *a, const char **to, size_t n, struct lambda_string_list list)
{
    for (size_t i = 0; i < list.n; i++)
        to[n++] = str_c(a, list.items[i]);
    return n;
}

/* As docker does: an entry point of one's own leaves the image's command behind. */
const char *const *image_command(struct arena *a, const struct target *t)
{
    const struct lambda_image_config *own = overrides(t);
    const struct lambda_image_record *image = t->record.image;
    struct lambda_string_list entry = image->entry_point, command = image->command;
    if (own && own->entry_point.n) {
        entry = own->entry_point;
        command = (struct lambda_string_list){0};
    }
    if (own && own->command.n)
        command = own->command;
    const char **argv = ARENA_ARRAY(a, const char *, entry.n + command.n + 1);
    add_all(a, argv, add_all(a, argv, 0, entry), command);
    return argv;
}

int image_find(struct arena *a, const struct target *t, struct runtime_command *ret,
               struct str *ret_why, bool *ret_no_bootstrap)
{
    *ret = (struct runtime_command){.argv = image_command(a, t)};
    *ret_no_bootstrap = !ret->argv[0];
    if (ret->argv[0])
        return 0;
    *ret_why = S("the image has neither ENTRYPOINT nor CMD");
    return -ENOENT;
}

const char *image_working_dir(struct arena *a, const struct target *t)
{
    const struct lambda_image_config *own = overrides(t);
    struct str dir = own && own->working_directory.n ? own->working_directory
                                                     : t->record.image->working_directory;
    if (!dir.n)
        return "/";
    return dir.p[0] == '/' ? str_c(a, dir) : str_printf(a, "/%.*s", STR(dir)).p;
}

struct str image_start_fault(struct arena *a, const struct target *t, int error, const char *why,
                             struct str *ret)
{
    const char *const *argv = image_command(a, t);
    const char *cwd = image_working_dir(a, t);
    struct str reason = str_lower(a, str_from(strerror(-error)));
    /* The sandbox says "execute PROGRAM: STEP: reason" when it was not the execution that failed.
     */
    struct str said = str_from(why);
    if (str_starts(said, str_printf(a, "execute %s: %s: ", argv[0], cwd))) {
        *ret = str_printf(a, "chdir %s: %.*s", cwd, STR(reason));
        return S("Runtime.InvalidWorkingDir");
    }
    if (error == -ENOENT || error == -EACCES || error == -ENOEXEC || error == -ENOTDIR ||
        error == -ELOOP || error == -EISDIR) {
        *ret = str_printf(a, "fork/exec %s: %.*s", argv[0], STR(reason));
        return S("Runtime.InvalidEntrypoint");
    }
    if (error == -E2BIG || error == -EINVAL || error == -ENAMETOOLONG) {
        *ret = str_printf(a, "fork/exec %s: %.*s", argv[0], STR(reason));
        return S("Runtime.InvalidTaskConfig");
    }
    return (struct str){0}; /* not the function's fault */
}
