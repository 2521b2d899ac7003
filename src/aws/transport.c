/* transport - requests over libcurl, loaded by dlopen: its 29 libraries cost every start of the
 * program milliseconds, and most verbs send nothing. */
#include "aws/transport.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/mem.h"

/* curl's headers wrap these in type-checking macros, which do not go with function pointers. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

struct library {
    void *handle;
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *);
    void (*easy_reset)(CURL *);
    CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
    CURLcode (*easy_perform)(CURL *);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    const char *(*easy_strerror)(CURLcode);
    CURLcode (*global_init)(long);
    struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
    void (*slist_free_all)(struct curl_slist *);
};

struct transport {
    struct library lib;
    CURL *easy;
};

static int load(struct library *lib)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    const struct {
        const char *name;
        void *into;
    } symbols[] = {
        {"curl_easy_init", &lib->easy_init},         {"curl_easy_cleanup", &lib->easy_cleanup},
        {"curl_easy_reset", &lib->easy_reset},       {"curl_easy_setopt", &lib->easy_setopt},
        {"curl_easy_perform", &lib->easy_perform},   {"curl_easy_getinfo", &lib->easy_getinfo},
        {"curl_easy_strerror", &lib->easy_strerror}, {"curl_global_init", &lib->global_init},
        {"curl_slist_append", &lib->slist_append},   {"curl_slist_free_all", &lib->slist_free_all},
    };
    for (size_t i = 0; i < ARRAY_LEN(names) && !lib->handle; i++)
        lib->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib->handle)
        return -ELIBACC;
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *symbol = dlsym(lib->handle, symbols[i].name);
        if (!symbol)
            return -ELIBACC;
        memcpy(symbols[i].into, &symbol, sizeof(symbol));
    }
    return lib->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ELIBACC;
}

struct transport *transport_new(void)
{
    return MEM_NEW(struct transport);
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    if (t->easy)
        t->lib.easy_cleanup(t->easy);
    free(t); /* the library stays: unloading it while its threads may run is not safe */
}

/* ---- one exchange ---- */

struct exchange {
    struct arena *arena;
    const struct body *body;
    int64_t sent;
    struct wire_headers headers;
    struct buf memory;
    int out_fd;
    int (*on_bytes)(void *user, struct str bytes);
    void *user;
    int64_t written;
    long status; /* as the status line said, before the body comes */
    int io_error;
};

static size_t on_read(char *to, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    size_t want = size * count;
    int64_t left = x->body->size - x->sent;
    if ((int64_t)want > left)
        want = (size_t)left;
    ssize_t n = (ssize_t)want;
    if (x->body->in_file) {
        n = pread(x->body->fd, to, want, x->body->offset + x->sent);
        if (n < 0 || (n == 0 && want)) {
            x->io_error = n < 0 ? -errno : -EIO;
            return CURL_READFUNC_ABORT;
        }
    } else if (want) {
        memcpy(to, x->body->mem.p + x->sent, want);
    }
    x->sent += n;
    return (size_t)n;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct exchange *x = user;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    x->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    struct str name, value, text = str_trim(str_of(line, size * count));
    if (str_starts(text, S("HTTP/"))) {
        /* A new head: what came before was "100 Continue". */
        int64_t status = 0;
        str_cut(text, ' ', &name, &value);
        str_cut(value, ' ', &name, &value);
        str_to_int64(name, &status);
        x->status = (long)status;
        x->headers = (struct wire_headers){0};
    } else if (str_cut(text, ':', &name, &value)) {
        wire_headers_add(x->arena, &x->headers, str_copy(x->arena, str_trim(name)),
                         str_copy(x->arena, str_trim(value)));
    }
    return size * count;
}

static size_t on_body(char *p, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    size_t n = size * count;
    if (x->on_bytes && x->status >= 200 && x->status < 300) {
        x->io_error = x->on_bytes(x->user, str_of(p, n));
        if (x->io_error < 0)
            return 0;
        x->written += (int64_t)n;
        return n;
    }
    if (x->out_fd >= 0 && x->status >= 200 && x->status < 300) {
        x->io_error = fs_write_all(x->out_fd, p, n);
        if (x->io_error < 0)
            return 0;
        x->written += (int64_t)n;
        return n;
    }
    buf_add(&x->memory, p, n);
    if (buf_failed(&x->memory)) {
        x->io_error = -EMSGSIZE;
        return 0;
    }
    return n;
}

static struct curl_slist *header_list(const struct library *lib, const struct wire_request *req,
                                      struct arena *a)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < req->n_headers; i++) {
        const struct wire_header *h = &req->headers[i];
        /* curl leaves out "Name:"; a header that is empty on purpose is "Name;" */
        list = lib->slist_append(
            list, h->value.n ? str_printf(a, "%.*s: %.*s", STR(h->name), STR(h->value)).p
                             : str_printf(a, "%.*s;", STR(h->name)).p);
    }
    if (!wire_header(req, "Content-Type").p)
        list = lib->slist_append(list, "Content-Type:");
    list = lib->slist_append(list, "Expect:");
    return lib->slist_append(list, "Accept:");
}

static void set_body(struct transport *t, struct exchange *x, const struct wire_request *req)
{
    const struct library *lib = &t->lib;
    bool head = str_is(req->method, "HEAD"), get = str_is(req->method, "GET");
    if (head)
        lib->easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    if (req->body.has) {
        lib->easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        lib->easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
        lib->easy_setopt(t->easy, CURLOPT_READDATA, x);
        lib->easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, on_seek);
        lib->easy_setopt(t->easy, CURLOPT_SEEKDATA, x);
        lib->easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body.size);
    } else if (!head && !get && !str_is(req->method, "DELETE")) {
        lib->easy_setopt(t->easy, CURLOPT_POSTFIELDS, ""); /* Content-Length: 0 */
        lib->easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, 0L);
    }
}

static int error_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
        return -EHOSTUNREACH;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return -EACCES;
    case CURLE_ABORTED_BY_CALLBACK:
        return -ECANCELED;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return -ECONNRESET;
    default:
        return -EIO;
    }
}

static bool is_amazon(struct str url)
{
    return str_starts(url, S("https://")) &&
           (str_find(url, S(".amazonaws.")) > 0 || str_ends(url, S(".api.aws")) ||
            str_find(url, S(".api.amazonwebservices.")) > 0);
}

static int failed(struct transport *t, CURLcode code, const struct exchange *x, struct str url,
                  const char *detail, struct arena *a, struct aws_error *err)
{
    long os = 0;
    int r = x->io_error < 0 ? x->io_error : error_of(code);
    t->lib.easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
    *err = (struct aws_error){.r = r};
    if (x->io_error == -EMSGSIZE)
        err->message = S("the answer is too large to be kept in memory");
    else if (x->io_error == -EBADMSG && x->on_bytes)
        err->message = S("the answer is no event stream, or a damaged one");
    else if (x->io_error < 0)
        err->message = str_printf(a, "reading or writing the body: %s", strerror(-x->io_error));
    else if (r == -ECONNREFUSED && is_amazon(url)) /* the detail names the proxy, if there is one */
        err->message = str_printf(a, "cannot connect to %.*s: %s", STR(url),
                                  *detail ? detail : "connection refused");
    else if (r == -ECONNREFUSED)
        err->message =
            str_printf(a, "cannot connect to %.*s: %s; is \"lamina up\" running?", STR(url),
                       os == ECONNREFUSED || !os ? "connection refused" : strerror((int)os));
    else if (r == -EHOSTUNREACH)
        err->message = str_printf(
            a, "cannot find the host of %.*s%s", STR(url),
            is_amazon(url) ? "; is there such a region, and is this machine online?" : "");
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        err->message =
            str_printf(a,
                       "%.*s shows a certificate that is not trusted (%s); AWS_CA_BUNDLE=FILE "
                       "names other authorities, as a proxy that opens TLS wants",
                       STR(url), *detail ? detail : t->lib.easy_strerror(code));
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        err->message = S("cannot find the host of the proxy that HTTPS_PROXY names");
    else if (r == -ECANCELED)
        err->message = S("interrupted");
    else if (r == -ETIMEDOUT)
        err->message = str_printf(a, "%.*s did not answer in time", STR(url));
    else
        err->message = str_printf(a, "talking to %.*s: %s", STR(url),
                                  *detail ? detail : t->lib.easy_strerror(code));
    return r;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up)
{
    (void)total, (void)now, (void)up_total, (void)up;
    const volatile sig_atomic_t *cancel = user;
    return *cancel;
}

static void set_options(struct transport *t, struct exchange *x, const char *url,
                        const char *method, const struct transport_limits *limits, char *detail)
{
    const struct library *lib = &t->lib;
    const char *bundle = getenv("AWS_CA_BUNDLE");
    if (!bundle || !*bundle)
        bundle = getenv("SSL_CERT_FILE");
    if (bundle && *bundle)
        lib->easy_setopt(t->easy, CURLOPT_CAINFO, bundle);
    lib->easy_setopt(t->easy, CURLOPT_URL, url);
    lib->easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
    lib->easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
    lib->easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    lib->easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    lib->easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    lib->easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    lib->easy_setopt(t->easy, CURLOPT_TCP_NODELAY, 1L);
    lib->easy_setopt(t->easy, CURLOPT_ERRORBUFFER, detail);
    lib->easy_setopt(t->easy, CURLOPT_USERAGENT, "lamina/" LAMINA_VERSION);
    lib->easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_timeout_ms);
    lib->easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)limits->timeout_ms);
    lib->easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    lib->easy_setopt(t->easy, CURLOPT_HEADERDATA, x);
    lib->easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    lib->easy_setopt(t->easy, CURLOPT_WRITEDATA, x);
    if (limits->cancel) {
        lib->easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
        lib->easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        lib->easy_setopt(t->easy, CURLOPT_XFERINFODATA, (void *)(uintptr_t)limits->cancel);
    }
    if (str_starts(str_from(url), S("http://127.")) ||
        str_starts(str_from(url), S("http://169.254.")) ||
        str_starts(str_from(url), S("http://[")) ||
        str_starts(str_from(url), S("http://localhost")))
        lib->easy_setopt(t->easy, CURLOPT_PROXY,
                         ""); /* proxies of the environment are for elsewhere */
}

int transport_send(struct transport *t, struct str url, const struct wire_request *req,
                   const struct transport_limits *limits, struct arena *a,
                   struct wire_response *ret, int64_t *ret_written, struct aws_error *err)
{
    if (!t->easy) {
        int r = t->lib.handle ? 0 : load(&t->lib);
        if (r == 0)
            t->easy = t->lib.easy_init();
        if (!t->easy) {
            *err = (struct aws_error){.r = -ELIBACC,
                                      .message = S("libcurl.so.4 cannot be loaded; install the "
                                                   "package libcurl4")};
            return -ELIBACC;
        }
    }
    char detail[CURL_ERROR_SIZE] = "";
    struct exchange x = {.arena = a,
                         .body = &req->body,
                         .out_fd = limits->out_fd,
                         .on_bytes = limits->on_bytes,
                         .user = limits->user};
    buf_init(&x.memory, (size_t)limits->max_bytes);
    t->lib.easy_reset(t->easy); /* keeps the connections */
    struct str whole = str_printf(a, "%.*s%.*s%s%.*s", STR(url), STR(req->path),
                                  req->query.n ? "?" : "", STR(req->query));
    set_options(t, &x, whole.p, str_c(a, req->method), limits, detail);
    set_body(t, &x, req);
    struct curl_slist *headers = header_list(&t->lib, req, a);
    t->lib.easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers);
    CURLcode code = t->lib.easy_perform(t->easy);
    t->lib.slist_free_all(headers);
    int r = 0;
    *ret_written = x.written;
    if (code != CURLE_OK)
        r = failed(t, code, &x, url, detail, a, err);
    else
        *ret = (struct wire_response){.status = (int)x.status,
                                      .headers = x.headers.items,
                                      .n_headers = x.headers.n,
                                      .body = body_mem(buf_copy(&x.memory, a))};
    buf_done(&x.memory);
    return r;
}
