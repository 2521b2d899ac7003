/* image - see image.h. This file reads the documents: index, manifest, configuration. */
#include "build/image.h"
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"

#define DOCUMENT_MAX (4 << 20)
#define INDEX_DEPTH 3

struct opening {
    struct arena *a;
    struct image *image;
    struct image_report *report;
    const char *path;
    struct str wanted, architecture;
};

static int bad(struct opening *o, const char *what)
{
    return image_fail(o->report, IMAGE_FAULT_BAD, "%s: %s", o->path, what);
}

/* ---- members ---- */

static int read_member(struct opening *o, struct str member, struct str *ret)
{
    struct image_part part;
    int r = image_files_get(o->image->files, member, &part);
    if (r < 0)
        return r;
    auto_close int fd = part.fd;
    if (part.size > DOCUMENT_MAX)
        return image_fail(o->report, IMAGE_FAULT_BAD, "%s: %.*s is too large for a document",
                          o->path, STR(member));
    char *text = arena_alloc(o->a, (size_t)part.size + 1);
    for (int64_t done = 0; done < part.size;) {
        ssize_t n = pread(fd, text + done, (size_t)(part.size - done), part.offset + done);
        if (n <= 0)
            return image_fail_system(o->report, n < 0 ? -errno : -EIO, member);
        done += n;
    }
    *ret = str_of(text, (size_t)part.size);
    return 0;
}

static bool is_sha256(struct str hex)
{
    for (size_t i = 0; i < hex.n; i++)
        if (!((hex.p[i] >= '0' && hex.p[i] <= '9') || (hex.p[i] >= 'a' && hex.p[i] <= 'f')))
            return false;
    return hex.n == 64;
}

/* "sha256:HEX" */
static int digest_hex(struct opening *o, struct str digest, struct str *ret)
{
    struct str algorithm, hex;
    if (str_cut(digest, ':', &algorithm, &hex) && str_is(algorithm, "sha256") && is_sha256(hex)) {
        *ret = hex;
        return 0;
    }
    if (str_is(algorithm, "sha512"))
        return image_fail(o->report, IMAGE_FAULT_UNSUPPORTED,
                          "%s uses the digest sha512; only sha256 is supported", o->path);
    return bad(o, "a digest that is none");
}

static int parse_document(struct opening *o, struct str text, struct str name, struct json **ret)
{
    if (json_parse(o->a, text, ret, NULL) < 0)
        return image_fail(o->report, IMAGE_FAULT_BAD, "%s: %.*s is not JSON", o->path, STR(name));
    return 0;
}

/* What a descriptor of the image points to, held against its digest. */
static int read_blob(struct opening *o, const struct json *descriptor, struct str *ret_hex,
                     struct json **ret)
{
    struct str hex, text;
    int r = digest_hex(o, json_get_str(descriptor, "digest"), &hex);
    if (r < 0)
        return r;
    struct str member = str_printf(o->a, "blobs/sha256/%.*s", STR(hex));
    r = read_member(o, member, &text);
    if (r == -ENOENT)
        return image_fail(o->report, IMAGE_FAULT_BAD, "%s lacks %.*s", o->path, STR(member));
    if (r < 0)
        return o->report->fault ? r : image_fail_system(o->report, r, member);
    if (!str_eq(sha256_hex(o->a, text), hex))
        return image_fail(o->report, IMAGE_FAULT_BAD, "%s: %.*s does not have its digest", o->path,
                          STR(member));
    *ret_hex = hex;
    return parse_document(o, text, member, ret);
}

/* ---- the configuration ---- */

static void texts(struct arena *a, const struct json *list, struct str **ret, size_t *ret_n)
{
    *ret = ARENA_ARRAY(a, struct str, list ? list->n + 1 : 1);
    *ret_n = 0;
    JSON_EACH(list, v)
        if (str_has(json_str(v)))
            (*ret)[(*ret_n)++] = v->text;
}

static int take_config(struct opening *o, const struct json *config)
{
    struct image *image = o->image;
    const struct json *c = json_get(config, "config");
    const struct json *ids = json_get(json_get(config, "rootfs"), "diff_ids");
    struct str os = json_get_str(config, "os");
    image->architecture = json_get_str(config, "architecture");
    if (!str_has(image->architecture))
        return bad(o, "its configuration names no architecture");
    if (str_has(os) && !str_is(os, "linux"))
        return image_fail(o->report, IMAGE_FAULT_ARCHITECTURE, "%s is made for %.*s", o->path,
                          STR(os));
    if (!str_eq(image->architecture, o->architecture))
        return image_fail(o->report, IMAGE_FAULT_ARCHITECTURE, "%s is made for %.*s, not for %.*s",
                          o->path, STR(image->architecture), STR(o->architecture));
    texts(o->a, json_get(c, "Env"), &image->env, &image->n_env);
    texts(o->a, json_get(c, "Entrypoint"), &image->entrypoint, &image->n_entrypoint);
    texts(o->a, json_get(c, "Cmd"), &image->command, &image->n_command);
    image->working_dir = json_get_str(c, "WorkingDir");
    image->user = json_get_str(c, "User");
    if (!ids || ids->n != image->n_layers)
        return bad(o, "its configuration and its manifest do not have the same layers");
    for (size_t i = 0; i < image->n_layers; i++) {
        int r = digest_hex(o, json_str(json_at(ids, i)), &image->layers[i].diff_id);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- OCI: index and manifest ---- */

static bool is_index(struct str type)
{
    return str_is(type, "application/vnd.oci.image.index.v1+json") ||
           str_is(type, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest(struct str type)
{
    return str_is(type, "application/vnd.oci.image.manifest.v1+json") ||
           str_is(type, "application/vnd.docker.distribution.manifest.v2+json");
}

static int check_layer_type(struct opening *o, struct str type)
{
    static const char *const known[] = {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(type, known[i]))
            return 0;
    return image_fail(o->report, IMAGE_FAULT_UNSUPPORTED,
                      "%s has a layer of the type %.*s; tar and tar+gzip are supported", o->path,
                      STR(type));
}

static int take_layers(struct opening *o, const struct json *list)
{
    struct image *image = o->image;
    if (!list || list->n > IMAGE_MAX_LAYERS)
        return bad(o, list ? "too many layers" : "its manifest has no layers");
    image->layers = ARENA_ARRAY(o->a, struct image_layer, list->n + 1);
    JSON_EACH(list, v) {
        struct image_layer *layer = &image->layers[image->n_layers++];
        int r = check_layer_type(o, json_get_str(v, "mediaType"));
        if (r == 0)
            r = digest_hex(o, json_get_str(v, "digest"), &layer->digest);
        if (r < 0)
            return r;
        layer->member = str_printf(o->a, "blobs/sha256/%.*s", STR(layer->digest));
    }
    return 0;
}

static int take_manifest(struct opening *o, const struct json *descriptor)
{
    struct json *manifest, *config;
    struct str hex;
    int r = read_blob(o, descriptor, &o->image->digest, &manifest);
    if (r < 0)
        return r;
    struct str type = json_get_str(manifest, "mediaType");
    if (str_has(type) && !is_manifest(type))
        return image_fail(o->report, IMAGE_FAULT_UNSUPPORTED,
                          "%s has a manifest of the type %.*s, which is not supported", o->path,
                          STR(type));
    r = take_layers(o, json_get(manifest, "layers"));
    if (r == 0)
        r = read_blob(o, json_get(manifest, "config"), &hex, &config);
    return r < 0 ? r : take_config(o, config);
}

/* Proofs of origin that build tools put beside an image. */
static bool is_attestation(const struct json *d)
{
    return str_is(json_get_str(json_get(d, "annotations"), "vnd.docker.reference.type"),
                  "attestation-manifest");
}

static bool tag_matches(struct str name, struct str tag)
{
    return str_eq(name, tag) ||
           (name.n > tag.n && str_ends(name, tag) && name.p[name.n - tag.n - 1] == ':');
}

static bool is_wanted(const struct json *d, struct str wanted)
{
    const struct json *notes = json_get(d, "annotations");
    return str_eq(json_get_str(d, "digest"), wanted) ||
           tag_matches(json_get_str(notes, "org.opencontainers.image.ref.name"), wanted) ||
           tag_matches(json_get_str(notes, "io.containerd.image.name"), wanted);
}

static bool names_any(const struct json *list, struct str wanted)
{
    JSON_EACH(list, d)
        if (is_wanted(d, wanted))
            return true;
    return false;
}

static bool other_platform(const struct opening *o, const struct json *d)
{
    const struct json *p = json_get(d, "platform");
    struct str os = json_get_str(p, "os"), arch = json_get_str(p, "architecture");
    return (str_has(os) && !str_is(os, "linux")) ||
           (str_has(arch) && !str_eq(arch, o->architecture));
}

/* Of all images, what they are called; or of the wanted one, what it is made for. */
static struct str list_of(struct opening *o, const struct json *list, bool platforms)
{
    struct str *names = ARENA_ARRAY(o->a, struct str, list->n + 1);
    size_t n = 0;
    JSON_EACH(list, d) {
        struct str s = platforms ? json_get_str(json_get(d, "platform"), "architecture")
                                 : json_get_str(json_get(d, "annotations"),
                                                "org.opencontainers.image.ref.name");
        bool meant = !platforms || !str_has(o->wanted) || list->n == 1 || is_wanted(d, o->wanted) ||
                     !names_any(list, o->wanted);
        if (str_has(s) && meant && !is_attestation(d) && n < 10)
            names[n++] = s;
    }
    return n ? str_join(o->a, S(", "), names, n) : S("none");
}

/* One descriptor of an index: by name, then by platform. */
static int choose(struct opening *o, const struct json *list, bool top, const struct json **ret)
{
    const struct json *found = NULL;
    size_t named = 0, all = 0, fitting = 0;
    JSON_EACH(list, d)
        if (!is_attestation(d))
            all++;
    struct str wanted = o->wanted;
    if (top && !str_has(wanted) && all > 1)
        wanted = S("latest");
    JSON_EACH(list, d) {
        if (is_attestation(d) || (top && str_has(wanted) && !is_wanted(d, wanted)))
            continue;
        named++;
        if (!is_index(json_get_str(d, "mediaType")) && other_platform(o, d))
            continue;
        fitting++;
        if (!found)
            found = d;
    }
    /* Several without names are one image for several platforms. */
    if (top && !str_has(o->wanted) && named == 0 && all > 1) {
        JSON_EACH(list, d)
            if (!is_attestation(d) && !found && !other_platform(o, d) && json_get(d, "platform"))
                found = d;
        if (found) {
            *ret = found;
            return 0;
        }
    }
    if (!named)
        return image_fail(o->report, IMAGE_FAULT_MISSING, "%s has no image %s%.*s; there are: %.*s",
                          o->path, str_starts(wanted, S("sha256:")) ? "" : "tagged ", STR(wanted),
                          STR(list_of(o, list, false)));
    if (!fitting)
        return image_fail(o->report, IMAGE_FAULT_ARCHITECTURE, "%s is made for %.*s, not for %.*s",
                          o->path, STR(list_of(o, list, true)), STR(o->architecture));
    *ret = found;
    return 0;
}

static int take_index(struct opening *o, const struct json *index, int depth)
{
    const struct json *list = json_get(index, "manifests"), *d = NULL;
    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return bad(o, "its index names no images");
    if (depth > INDEX_DEPTH)
        return bad(o, "its indexes are nested too deeply");
    /* A digest may name what an inner index has. */
    if (depth == 0 && str_starts(o->wanted, S("sha256:")) && !names_any(list, o->wanted)) {
        struct json *direct = json_new(o->a, JSON_OBJECT);
        json_set(o->a, direct, S("digest"), json_new_str(o->a, o->wanted));
        return take_manifest(o, direct);
    }
    int r = choose(o, list, depth == 0, &d);
    if (r < 0)
        return r;
    struct str type = json_get_str(d, "mediaType");
    if (is_index(type)) {
        struct json *inner;
        struct str hex;
        r = read_blob(o, d, &hex, &inner);
        return r < 0 ? r : take_index(o, inner, depth + 1);
    }
    if (!is_manifest(type))
        return image_fail(o->report, IMAGE_FAULT_UNSUPPORTED,
                          "%s has a manifest of the type %.*s, which is not supported", o->path,
                          STR(type));
    return take_manifest(o, d);
}

/* ---- docker save without an index ---- */

static bool has_tag(const struct json *m, struct str tag)
{
    JSON_EACH(json_get(m, "RepoTags"), v)
        if (tag_matches(json_str(v), tag))
            return true;
    return false;
}

static const struct json *choose_saved(struct opening *o, const struct json *list)
{
    struct str wanted = o->wanted;
    if (!str_has(wanted) && list->n == 1)
        return list->first;
    if (!str_has(wanted))
        wanted = S("latest");
    struct str hex = str_starts(wanted, S("sha256:")) ? str_slice(wanted, 7, wanted.n) : S("-");
    JSON_EACH(list, m)
        if (has_tag(m, wanted) || str_find(json_get_str(m, "Config"), hex) >= 0)
            return m;
    image_fail(o->report, IMAGE_FAULT_MISSING, "%s has no image %.*s", o->path, STR(wanted));
    return NULL;
}

/* The hash that a file's name promises: HEX.json, blobs/sha256/HEX; absent when it promises none.
 */
static struct str promised(struct str member)
{
    struct str name = fs_basename(member);
    if (str_ends(name, S(".json")))
        name.n -= 5;
    return is_sha256(name) ? name : (struct str){0};
}

static int take_saved(struct opening *o, const struct json *list)
{
    struct image *image = o->image;
    struct json *config;
    struct str text;
    if (!json_is(list, JSON_ARRAY) || list->n == 0)
        return bad(o, "its manifest.json names no images");
    const struct json *m = choose_saved(o, list), *layers = json_get(m, "Layers");
    if (!m)
        return -EINVAL;
    struct str member = json_get_str(m, "Config");
    int r = str_has(member) ? read_member(o, member, &text) : -ENOENT;
    if (r == -ENOENT)
        return bad(o, "its configuration is missing");
    if (r < 0)
        return o->report->fault ? r : image_fail_system(o->report, r, member);
    image->digest = sha256_hex(o->a, text);
    if (str_has(promised(member)) && !str_eq(promised(member), image->digest))
        return image_fail(o->report, IMAGE_FAULT_BAD, "%s: %.*s does not have its digest", o->path,
                          STR(member));
    if (!json_is(layers, JSON_ARRAY) || layers->n > IMAGE_MAX_LAYERS)
        return bad(o, "its manifest.json has no layers, or too many");
    image->layers = ARENA_ARRAY(o->a, struct image_layer, layers->n + 1);
    JSON_EACH(layers, v)
        image->layers[image->n_layers++].member = json_str(v);
    r = parse_document(o, text, member, &config);
    return r < 0 ? r : take_config(o, config);
}

/* ---- the beginning ---- */

static int read_image(struct opening *o)
{
    struct str text;
    struct json *v;
    struct str name = S("index.json");
    int r = read_member(o, name, &text);
    bool oci = r == 0;
    if (r == -ENOENT) {
        name = S("manifest.json");
        r = read_member(o, name, &text);
    }
    if (r == -ENOENT)
        return bad(o, "no image: neither index.json (OCI) nor manifest.json (docker save)");
    if (r < 0)
        return o->report->fault ? r : image_fail_system(o->report, r, name);
    r = parse_document(o, text, name, &v);
    if (r < 0)
        return r;
    return oci ? take_index(o, v, 0) : take_saved(o, v);
}

int image_open(struct arena *a, const char *path, struct str wanted, struct str architecture,
               struct image *ret, struct image_report *report)
{
    *ret = (struct image){0};
    *report = (struct image_report){0};
    struct opening o = {a, ret, report, path, wanted, architecture};
    int r = image_files_open(a, path, &ret->files, report);
    if (r == 0)
        r = read_image(&o);
    if (r < 0)
        image_close(ret);
    return r;
}

void image_close(struct image *image)
{
    image_files_close(TAKE(image->files));
}

bool image_uri_parse(struct arena *a, struct str uri, struct str *ret_path, struct str *ret_wanted)
{
    struct str path = {0};
    if (str_starts(uri, S("file:///")))
        path = str_slice(uri, 7, uri.n);
    else if (str_starts(uri, S("file://localhost/")))
        path = str_slice(uri, 16, uri.n);
    else
        return false;
    *ret_wanted = (struct str){0};
    *ret_path = str_copy(a, path);
    if (memchr(path.p, 0, path.n) || fs_exists(ret_path->p))
        return true;
    ssize_t at = str_find_last_byte(path, '@'), slash = str_find_last_byte(path, '/');
    if (at > slash) {
        *ret_wanted = str_copy(a, str_slice(path, (size_t)at + 1, path.n));
        path = str_slice(path, 0, (size_t)at);
        *ret_path = str_copy(a, path);
        if (fs_exists(ret_path->p))
            return true;
    }
    ssize_t colon = str_find_last_byte(path, ':');
    if (colon > slash) {
        if (!str_has(*ret_wanted))
            *ret_wanted = str_copy(a, str_slice(path, (size_t)colon + 1, path.n));
        *ret_path = str_copy(a, str_slice(path, 0, (size_t)colon));
    }
    return true;
}
