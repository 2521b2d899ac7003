/* ship - see ship.h. */
#include "ship.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "say.h"

#define TIME_TO_SEND_MS 30 /* with less there is no sense in beginning */
#define ATTEMPTS_MAX 3     /* at the end of an invocation: the next one waits for it */
#define APPEARS_MS 300     /* a runtime that counts has its arena by then */
#define INIT_MS 9500

int ship_open(struct ship *s, const struct settings *settings)
{
    *s = (struct ship){.settings = settings, .identity.started_ms = clock_now_ms()};
    int r = arenas_open(settings->directory.p, settings->every_invocation, &s->arenas);
    if (r < 0)
        return r;
    s->blobs = blobs_new(arenas_directory(s->arenas));
    arena_init(&s->arena);
    s3_init(&s->s3, settings);
    return 0;
}

void ship_close(struct ship *s)
{
    ledger_free(s->ledger);
    s3_done(&s->s3);
    blobs_free(s->blobs);
    arenas_close(s->arenas);
    arena_done(&s->arena);
}

/* ---- what was before ---- */

static int read_kept(struct ship *s, const char *name, struct arena *a, struct str *ret)
{
    struct stat st;
    auto_close int fd =
        openat(arenas_directory(s->arenas), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > OBJECT_BODY_MAX)
        return -EINVAL;
    char *p = arena_alloc(a, (size_t)st.st_size + 1);
    ssize_t n = read(fd, p, (size_t)st.st_size);
    if (n < 0)
        return -errno;
    *ret = str_of(p, (size_t)n);
    return 0;
}

static bool load_kept(struct ship *s, const char *name)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str bytes;
    if (read_kept(s, name, &a, &bytes) < 0)
        return false;
    struct object_reader *reader = object_reader_new();
    struct object o;
    struct object_error error;
    bool good = object_read(reader, bytes, &a, &o, &error) == 0 &&
                identity_load(&s->identity, &s->arena, &o);
    if (good)
        ledger_load(s->ledger, &o);
    object_reader_free(reader);
    return good;
}

static void load(struct ship *s)
{
    if (s->ledger)
        return;
    s->ledger = ledger_new();
    bool unsent = load_kept(s, ".object-unsent");
    s->identified = unsent || load_kept(s, ".object");
    s->unsent = unsent;
    if (s->identified)
        say(SAY_DEBUG, S(""), "going on with the coverage of a former runtime");
}

/* ---- what is new ---- */

void ship_wait_init(struct ship *s)
{
    int64_t from_ms = conn_now_ms();
    for (int r = -EAGAIN; r < 0; poll(NULL, 0, 1)) {
        ship_look(s);
        r = arenas_ready(s->arenas);
        if (r == -ESRCH || (r == -ENOENT && arenas_tell(s->arenas)) ||
            conn_now_ms() - from_ms > (r == -ENOENT ? APPEARS_MS : INIT_MS))
            return;
    }
    arenas_copy(s->arenas);
    s->init_copied = true;
}

void ship_begin(struct ship *s, struct str request_id)
{
    bool first = !s->request[0];
    request_id = str_slice(request_id, 0, sizeof(s->request) - 1);
    memcpy(s->request, request_id.p, request_id.n);
    s->request[request_id.n] = 0;
    s->request_ms = clock_now_ms();
    if (first || !arenas_tell(s->arenas))
        ship_look(s);
    if (first && !s->init_copied && !s->init_entered && !s->hopeless)
        arenas_copy(s->arenas);
}

void ship_initialised(struct ship *s)
{
    ship_look(s);
    if (!s->init_copied && !s->init_entered && !s->hopeless)
        arenas_copy(s->arenas);
    s->init_copied = true;
}

int64_t ship_request(struct ship *s)
{
    struct covarena_request request;
    int64_t left = INIT_MS;
    arenas_news(s->arenas); /* reads the headers */
    if (!arenas_request(s->arenas, &request, &s->never_returned))
        return conn_now_ms() + left;
    if (request.id[0])
        snprintf(s->request, sizeof(s->request), "%s", request.id);
    s->request_ms = (int64_t)request.began_ms;
    if (request.deadline_ms)
        left = (int64_t)request.deadline_ms - clock_now_ms();
    if (left > 16 * 60000) /* it is told by a clock that is not ours */
        left = 16 * 60000;
    return conn_now_ms() + (left < 0 ? 0 : left);
}

bool ship_has_others(const struct ship *s)
{
    return arenas_others(s->arenas) || blobs_any(s->blobs);
}

int64_t ship_until(int64_t deadline_ms)
{
    int64_t margin = (deadline_ms - conn_now_ms()) / 10;
    return deadline_ms - (margin < 20 ? 20 : margin > 300 ? 300 : margin);
}

void ship_look(struct ship *s)
{
    if (arenas_look(s->arenas) || blobs_nested(s->blobs))
        blobs_look(s->blobs);
}

bool ship_news(struct ship *s)
{
    return arenas_known_news(s->arenas) || blobs_news(s->blobs) || s->unsent;
}

static void collect(struct ship *s)
{
    struct ledger_counts counts = {0};
    bool blobs = blobs_news(s->blobs);
    load(s);
    if (!s->init_entered) {
        ledger_context(s->ledger, S("init"), s->identity.started_ms);
        arenas_enter(s->arenas, s->ledger, true, &counts);
        s->init_entered = true;
    }
    if (s->request[0])
        ledger_context(s->ledger, str_from(s->request), s->request_ms);
    arenas_enter(s->arenas, s->ledger, false, &counts);
    s->unsent_lines += counts.lines;
    bool loss = arenas_loss(s->arenas);
    s->unsent =
        s->unsent || blobs || loss || counts.lines || counts.arcs || s->settings->every_invocation;
}

/* ---- the object ---- */

static void keep(struct ship *s, struct str bytes)
{
    int directory = arenas_directory(s->arenas);
    auto_close int fd = openat(directory, ".object-new",
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n &&
        renameat(directory, ".object-new", directory, ".object-unsent") == 0)
        return;
    say(SAY_DEBUG, S(""), "the object cannot be kept in the environment: %s", strerror(errno));
    unlinkat(directory, ".object-new", 0);
}

static void identify(struct ship *s)
{
    if (!s->identified)
        identity_find(&s->identity, &s->arena, s->arenas);
    s->identified = true;
    if (!s->key.n)
        s->key = s3_key(&s->arena, s->settings->prefix, s->identity.started_ms,
                        s->settings->function, s->identity.environment);
}

static int make_object(struct ship *s, uint8_t **ret, size_t *ret_n)
{
    auto_arena struct arena a;
    arena_init(&a);
    auto_buf struct buf missing;
    buf_init(&missing, 2000);
    struct object_file *blobs;
    size_t n_blobs;
    arenas_missing(s->arenas, &missing);
    ledger_hash_sources(s->ledger, &missing);
    blobs_read(s->blobs, &a, &blobs, &n_blobs, &missing);
    if (s->never_returned && blobs_any(s->blobs))
        buf_printf(&missing, "%s%s did not return: what it ran since the last look at it",
                   missing.n ? "; " : "", s->request);
    if (ledger_full(s->ledger))
        buf_printf(&missing, "%smore hits than an object holds", missing.n ? "; " : "");
    struct object_meta meta[IDENTITY_META_MAX];
    size_t n_meta = identity_meta(&s->identity, &a, s->settings, s->arenas, blobs_any(s->blobs),
                                  buf_view(&missing), meta);
    return ledger_write(s->ledger, meta, n_meta, blobs, n_blobs, ret, ret_n);
}

/* ---- sending ---- */

static void tell(struct ship *s, const struct s3_result *result, size_t bytes, int64_t began_us,
                 bool last)
{
    auto_buf struct buf fields;
    buf_init(&fields, 16 << 10);
    int64_t us = clock_mono_ns() / 1000 - began_us;
    say_text(&fields, "operation", S("s3_upload"));
    buf_printf(&fields, ",\"duration_ms\":%lld.%03lld", (long long)us / 1000, (long long)us % 1000);
    say_int(&fields, "bytes", (int64_t)bytes);
    say_text(&fields, "bucket", s->settings->bucket);
    say_text(&fields, "key", s->key);
    say_int(&fields, "files", (int64_t)ledger_files(s->ledger));
    say_int(&fields, "new_lines", (int64_t)s->unsent_lines);
    say_int(&fields, "attempts", result->attempts);
    if (s->request[0])
        say_text(&fields, "request_id", str_from(s->request));
    if (result->verdict == RETRY_DONE)
        say(SAY_INFO, buf_view(&fields), "coverage uploaded");
    else if (result->verdict == RETRY_LATER)
        say(SAY_WARNING, buf_view(&fields), "coverage could not be uploaded %s: %s",
            last ? "before the environment ended" : "and is kept for the next time", result->why);
    else
        say(SAY_ERROR, buf_view(&fields),
            "coverage cannot be uploaded, and will not be tried again: %s", result->why);
}

static void put(struct ship *s, int64_t deadline_ms, bool last)
{
    auto_free uint8_t *bytes = NULL;
    size_t n;
    int64_t began_us = clock_mono_ns() / 1000;
    struct s3_result result = {.verdict = RETRY_NEVER};
    identify(s);
    int r = make_object(s, &bytes, &n);
    if (r < 0) {
        n = 0;
        snprintf(result.why, sizeof(result.why), "the object cannot be written: %s", strerror(-r));
    } else {
        keep(s, str_of((char *)bytes, n));
        s3_put(&s->s3, s->key, str_of((char *)bytes, n), deadline_ms,
               last          ? 0
               : s->failures ? 1
                             : ATTEMPTS_MAX,
               &result);
    }
    tell(s, &result, n, began_us, last);
    s->hopeless = result.verdict == RETRY_NEVER;
    if (result.verdict == RETRY_DONE) {
        int directory = arenas_directory(s->arenas);
        renameat(directory, ".object-unsent", directory, ".object");
        s->unsent = false;
        s->unsent_lines = 0;
        s->failures = 0;
    } else {
        s->rest_until_ms = conn_now_ms() + retry_rest_ms(++s->failures);
    }
}

static void keep_only(struct ship *s)
{
    auto_free uint8_t *bytes = NULL;
    size_t n;
    identify(s);
    if (make_object(s, &bytes, &n) == 0)
        keep(s, str_of((char *)bytes, n));
}

void ship_send(struct ship *s, int64_t deadline_ms, bool last)
{
    if (s->hopeless)
        return;
    collect(s);
    if (!s->unsent)
        return;
    int64_t now = conn_now_ms(), until = now + s->settings->timeout_ms;
    if (until > deadline_ms)
        until = deadline_ms;
    if (last || (now >= s->rest_until_ms && until - now >= TIME_TO_SEND_MS))
        put(s, until, last);
    else if (s->settings->every_invocation) /* the arena has them no more */
        keep_only(s);
    malloc_trim(0);
}
