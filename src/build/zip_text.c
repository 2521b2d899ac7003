/* zip_text - a zip in memory: see zip_text.h. */
#include "build/zip_text.h"
#include <errno.h>
#include "base/arena.h"
#include "build/libzip.h"

/* 1980-01-01, the first moment a zip can name. */
#define ZIP_EPOCH 315532800

static int fill(zip_t *zip, const char *name, struct str content)
{
    zip_source_t *file = libzip.source_buffer(zip, content.n ? content.p : "", content.n, 0);
    if (!file)
        return -EIO;
    zip_int64_t at = libzip.file_add(zip, name, file, ZIP_FL_ENC_UTF_8);
    if (at < 0) {
        libzip.source_free(file);
        return -EIO;
    }
    libzip.file_set_mtime(zip, (zip_uint64_t)at, ZIP_EPOCH, 0);
    libzip.file_set_external_attributes(zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX, 0100644u << 16);
    return 0;
}

static int read_back(struct arena *a, zip_source_t *out, struct str *ret)
{
    if (libzip.source_open(out) < 0)
        return -EIO;
    libzip.source_seek(out, 0, SEEK_END);
    zip_int64_t size = libzip.source_tell(out);
    libzip.source_seek(out, 0, SEEK_SET);
    char *p = arena_alloc(a, (size_t)size + 1);
    zip_int64_t got = libzip.source_read(out, p, (zip_uint64_t)size);
    libzip.source_close(out);
    if (got != size)
        return -EIO;
    *ret = str_of(p, (size_t)size);
    return 0;
}

int zip_text(struct arena *a, const char *name, struct str content, struct str *ret)
{
    zip_error_t error;
    if (libzip_load() < 0)
        return -ELIBACC;
    libzip.error_init(&error);
    zip_source_t *out = libzip.source_buffer_create(NULL, 0, 0, &error);
    if (!out)
        return -EIO;
    libzip.source_keep(out); /* libzip.close() gives up its share */
    zip_t *zip = libzip.open_from_source(out, ZIP_TRUNCATE, &error);
    int r = zip ? fill(zip, name, content) : -EIO;
    if (r < 0 && zip)
        libzip.discard(zip);
    else if (zip && libzip.close(zip) < 0)
        r = -EIO;
    if (r == 0)
        r = read_back(a, out, ret);
    libzip.source_free(out);
    return r;
}
