/* report_html - pages that people look at: a folder, or one file with all of it.
 *
 * A page is written only when its bytes have changed: status.json remembers their hashes. So pages
 * have no time on them, but for the first one. Pages of files that are gone are removed; nothing
 * else in the folder is touched. */
#include "coverage/report_html.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/map.h"

#define PAGE_MAX ((size_t)1 << 30)
#define STATUS_MAX ((size_t)256 << 20)
#define NAME_MAX_SHOWN 80

extern const unsigned char report_css[], report_js[];
extern const size_t report_css_size, report_js_size;

struct str html_style(void)
{
    return str_of((const char *)report_css, report_css_size);
}

struct str html_script(void)
{
    return str_of((const char *)report_js, report_js_size);
}

/* "src/app.py" is "src_app.py-1a2b3c4d.html": a name for any file system, not like another one. */
static struct str page_name(struct html *h, struct str name)
{
    size_t from = name.n > NAME_MAX_SHOWN ? name.n - NAME_MAX_SHOWN : 0;
    char shown[NAME_MAX_SHOWN + 1];
    size_t n = 0;
    for (size_t i = from; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || (c == '.' && n);
        shown[n++] = plain ? c : '_';
    }
    return str_printf(h->arena, "%.*s-%.8s.html", (int)n, shown, sha256_hex(h->arena, name).p);
}

static void begin(struct html *h, const struct coverage_report *r,
                  const struct report_html_options *o, struct arena *a, struct buf *b, bool single)
{
    *h = (struct html){.b = b, .arena = a, .r = r, .o = o, .single = single, .title = o->title};
    struct str base = fs_basename(r->root);
    if (!h->title.n)
        h->title = base.n ? str_printf(a, "Coverage of %.*s", STR(base)) : S("Coverage");
    h->style_hash = sha256_hex(a, html_style());
    h->script_hash = sha256_hex(a, html_script());
    h->files = ARENA_ARRAY(a, struct html_file, r->n_files + 1);
    for (size_t i = 0; i < r->n_files; i++) {
        const struct report_file *f = &r->files[i];
        const struct coverage_numbers *n = &f->result.numbers;
        if ((o->skip_covered && !n->missing && !n->missing_branches) ||
            (o->skip_empty && !n->statements)) {
            h->skipped++;
            continue;
        }
        struct html_file *ret = &h->files[h->n_files++];
        ret->file = f;
        ret->page = single ? str_printf(a, "f%zu", i + 1) : page_name(h, f->name);
        html_regions(h, ret);
    }
}

/* ---- documents ---- */

/* Pages run nothing but the script that came with them, even if something was not escaped. */
static void policy(struct html *h)
{
    buf_text(h->b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "img-src data:; base-uri 'none'; form-action 'none'; ");
    if (!h->single) {
        buf_text(h->b, "style-src 'self' file:; script-src 'self' file:\">\n");
        return;
    }
    uint8_t style[32], script[32];
    digest_sha256(html_style(), style);
    digest_sha256(html_script(), script);
    struct str s = base64_encode(h->arena, str_of((const char *)style, 32)),
               j = base64_encode(h->arena, str_of((const char *)script, 32));
    buf_printf(h->b, "style-src 'sha256-%.*s'; script-src 'sha256-%.*s'\">\n", STR(s), STR(j));
}

static void document(struct html *h, struct str title)
{
    struct buf *b = h->b;
    buf_text(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    policy(h);
    buf_text(b, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta name=\"generator\" content=\"lamina " LAMINA_VERSION "\">\n"
                "<meta name=\"robots\" content=\"noindex\">\n<title>");
    html_text(b, title);
    buf_text(b, "</title>\n<link rel=\"icon\" href=\"data:,\">\n");
    if (h->single) {
        buf_text(b, "<style>");
        buf_str(b, html_style());
        buf_text(b, "</style>\n<script>");
        buf_str(b, html_script());
        buf_text(b, "</script>\n");
    } else {
        buf_printf(b,
                   "<link rel=\"stylesheet\" href=\"style.css?%.8s\">\n"
                   "<script src=\"report.js?%.8s\"></script>\n",
                   h->style_hash.p, h->script_hash.p);
    }
    buf_printf(b, "</head>\n<body%s>\n<a class=\"skip\" href=\"#%s\">Skip to content</a>\n",
               h->single ? " class=\"single\"" : "", h->single ? "index" : "content");
}

static void document_end(struct html *h)
{
    buf_text(h->b, "</body>\n</html>\n");
}

void coverage_write_html(struct buf *b, const struct coverage_report *r,
                         const struct report_html_options *o)
{
    auto_arena struct arena a;
    struct html h;
    arena_init(&a);
    begin(&h, r, o, &a, b, true);
    document(&h, h.title);
    buf_text(b, "<main>\n");
    for (int i = HTML_FILES; i <= HTML_CONTEXTS; i++)
        html_index(&h, (enum html_index)i);
    for (size_t i = 0; i < h.n_files; i++)
        html_page(&h, i);
    buf_text(b, "</main>\n<script type=\"application/json\" id=\"search\">");
    html_search(&h);
    buf_text(b, "</script>\n");
    document_end(&h);
}

/* ---- the folder ---- */

struct folder {
    struct html *h;
    const char *dir;
    struct arena *arena;
    struct json *old, *now; /* names to hashes */
    struct report_html_result *result;
};

static void read_status(struct folder *f)
{
    struct str text;
    struct json *root;
    const char *path = str_c(f->arena, str_printf(f->arena, "%s/status.json", f->dir));
    if (fs_read(path, STATUS_MAX, f->arena, &text) == 0 &&
        json_parse(f->arena, text, &root, NULL) == 0)
        f->old = json_get(root, "files");
}

/* The bytes are those that were written there, as far as their number tells. */
static bool unchanged(struct folder *f, struct map *old, const char *path, struct str name,
                      struct str hash, size_t size)
{
    struct stat st;
    const struct json *was = map_find(old, name);
    return was && str_eq(json_str(was), hash) && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           (size_t)st.st_size == size;
}

static int put(struct folder *f, struct map *old, struct str name, struct str text)
{
    uint8_t digest[32];
    digest_sha256(text, digest);
    struct str hash = hex_encode(f->arena, digest, 16);
    struct str path = str_printf(f->arena, "%s/%.*s", f->dir, STR(name));
    json_add(f->now, json_new_str(f->arena, hash))->key = name;
    bool same = unchanged(f, old, path.p, name, hash, text.n);
    map_remove(old, name);
    if (same) {
        f->result->kept++;
        return 0;
    }
    f->result->written++;
    int r = fs_write(path.p, text, 0644);
    if (r < 0)
        f->result->path = path;
    return r;
}

static int put_buf(struct folder *f, struct map *old, struct str name)
{
    struct buf *b = f->h->b;
    int r = buf_failed(b) ? -EFBIG : put(f, old, name, buf_view(b));
    buf_clear(b);
    return r;
}

/* Only what we have written ourselves, and only in this folder. */
static void remove_old(struct folder *f, struct map *old)
{
    size_t pos = 0;
    struct str name;
    void *value;
    while (map_next(old, &pos, &name, &value)) {
        if (!str_ends(name, S(".html")) || str_find_byte(name, '/') >= 0)
            continue;
        if (unlink(str_c(f->arena, str_printf(f->arena, "%s/%.*s", f->dir, STR(name)))) == 0)
            f->result->removed++;
    }
}

static int put_pages(struct folder *f, struct map *old)
{
    struct html *h = f->h;
    int r = 0;
    struct arena *whole = h->arena;
    auto_arena struct arena page;
    arena_init(&page);
    h->arena = &page;
    for (size_t i = 0; !r && i < h->n_files; i++) {
        double percent = numbers_percent(&h->files[i].file->result.numbers);
        struct str shown = numbers_display(&page, percent, h->r->precision);
        document(h, str_printf(&page, "%.*s: %.*s%%", STR(h->files[i].file->name), STR(shown)));
        buf_text(h->b, "<main>\n");
        html_page(h, i);
        buf_text(h->b, "</main>\n");
        document_end(h);
        r = put_buf(f, old, h->files[i].page);
        arena_reset(&page);
    }
    h->arena = whole;
    return r;
}

static int put_rest(struct folder *f, struct map *old)
{
    struct html *h = f->h;
    int r = put(f, old, S("style.css"), html_style());
    if (!r)
        r = put(f, old, S("report.js"), html_script());
    buf_text(h->b, "window.laminaSearch=");
    html_search(h);
    buf_text(h->b, ";\n");
    if (!r)
        r = put_buf(f, old, S("search.js"));
    for (int i = HTML_FILES; !r && i <= HTML_CONTEXTS; i++) {
        document(h, h->title);
        buf_text(h->b, "<main>\n");
        html_index(h, (enum html_index)i);
        buf_text(h->b, "</main>\n");
        document_end(h);
        r = put_buf(f, old, str_printf(f->arena, "%s.html", html_index_pages[i]));
    }
    return r;
}

static int put_status(struct folder *f)
{
    struct json *root = json_new(f->arena, JSON_OBJECT);
    json_set(f->arena, root, S("format"), json_new_int(f->arena, 1));
    json_set(f->arena, root, S("files"), f->now);
    struct str path = str_printf(f->arena, "%s/status.json", f->dir);
    int r = fs_write(path.p, json_text(f->arena, root, 0), 0644);
    if (r < 0)
        f->result->path = path;
    return r;
}

/* A report is nothing to commit; as coverage.py does it. */
static void put_ignore(struct folder *f)
{
    const char *path = str_c(f->arena, str_printf(f->arena, "%s/.gitignore", f->dir));
    if (!fs_exists(path))
        fs_write(path, S("# made by lamina coverage html\n*\n"), 0644);
}

static int put_all(struct folder *f)
{
    struct map old;
    map_init(&old);
    JSON_EACH(f->old, v)
        map_put(&old, v->key, v);
    int r = put_pages(f, &old);
    if (!r)
        r = put_rest(f, &old);
    if (!r)
        remove_old(f, &old);
    map_done(&old);
    return r ? r : put_status(f);
}

int coverage_write_html_folder(struct arena *a, const struct coverage_report *r,
                               const struct report_html_options *o, const char *dir,
                               struct report_html_result *ret)
{
    auto_buf struct buf b;
    struct html h;
    *ret = (struct report_html_result){.path = str_from(dir)};
    struct folder f = {
        .h = &h, .dir = dir, .arena = a, .now = json_new(a, JSON_OBJECT), .result = ret};
    bool made = !fs_exists(dir);
    buf_init(&b, PAGE_MAX);
    int e = fs_mkdirs(dir, 0755);
    if (e < 0)
        return e;
    begin(&h, r, o, a, &b, false);
    read_status(&f);
    if (made)
        put_ignore(&f);
    return put_all(&f);
}
