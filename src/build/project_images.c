/* project_images - functions of PackageType Image in a project: where their images are. */
#include <errno.h>
#include "base/arena.h"
#include "base/fs.h"
#include "build/image.h"
#include "build/project.h"

static bool is_image(struct json *root, const struct json *properties)
{
    struct str type = json_get_str(properties, "PackageType");
    if (!str_has(type))
        type = json_get_str(json_get(json_get(root, "Globals"), "Function"), "PackageType");
    return str_is(type, "Image");
}

/* "./image.tar:tag", relative to the template, as an URI; absent when no such file is there. */
static struct str local_uri(struct arena *a, struct str template_path, struct str text)
{
    struct str path, wanted, uri, dir = fs_dirname(a, template_path);
    char *real = realpath(str_c(a, dir), NULL);
    if (!real)
        return (struct str){0};
    uri = str_printf(a, "file://%.*s", STR(fs_join(a, str_from(real), text)));
    free(real);
    return image_uri_parse(a, uri, &path, &wanted) && fs_exists(path.p) ? uri : (struct str){0};
}

static int one_function(struct arena *a, struct str template_path, const struct json *resource,
                        struct json *uri, struct str *why)
{
    if (json_is(uri, JSON_STRING) && str_find(uri->text, S("://")) < 0) {
        struct str found = local_uri(a, template_path, uri->text);
        if (str_has(found)) {
            uri->text = found;
            return 0;
        }
    }
    struct str file = json_get_str(json_get(resource, "Metadata"), "Dockerfile");
    if (!str_has(file) || (json_is(uri, JSON_STRING) && str_find(uri->text, S("://")) >= 0))
        return 0;
    *why = str_printf(a,
                      "%.*s:%d: %.*s: building an image from %.*s needs docker, which is not used "
                      "here: build it, write it with `docker save -o image.tar NAME` (or as an OCI "
                      "layout), and name that as its ImageUri: ./image.tar",
                      STR(template_path), resource->key_line, STR(resource->key), STR(file));
    return -EINVAL;
}

struct str project_disk_image(struct json *root)
{
    JSON_EACH(json_get(root, "Resources"), res) {
        const struct json *properties = json_get(res, "Properties");
        struct str uri = json_get_str(properties, "ImageUri");
        if (!str_has(uri))
            uri = json_get_str(json_get(properties, "Code"), "ImageUri");
        if (str_starts(uri, S("file://")))
            return res->key;
    }
    return (struct str){0};
}

int project_images(struct arena *a, struct json *root, struct str template_path, struct str *why)
{
    int r = 0;
    JSON_EACH(json_get(root, "Resources"), res) {
        struct str type = json_get_str(res, "Type");
        struct json *properties = json_get(res, "Properties");
        if (r < 0 || !is_image(root, properties))
            continue;
        if (str_is(type, "AWS::Serverless::Function"))
            r = one_function(a, template_path, res, json_get(properties, "ImageUri"), why);
        else if (str_is(type, "AWS::Lambda::Function"))
            r = one_function(a, template_path, res,
                             json_get(json_get(properties, "Code"), "ImageUri"), why);
    }
    return r;
}
