/* session - temporary credentials, a record each: sts/session/ACCESS_KEY. */
#include <errno.h>
#include "service/sts/session.h"
#include "base/digest.h"
#include "wire/walk.h"

#define KEY_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define SECRET_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define RECORD_MAX (256 * 1024)
#define SWEEP_STEP 256

static struct str session_key(struct arena *a, struct str access_key)
{
    return store_key(a, 3, S("sts"), S("session"), access_key);
}

int session_create(struct store *store, struct arena *a, const struct session_request *request,
                   struct session_credentials *ret)
{
    struct sts_session_record record = {
        .secret_key = random_text(a, SECRET_ALPHABET, 40),
        .token = str_printf(a, "IQoJb3JpZ2luX2Vj%.*s", STR(random_text(a, SECRET_ALPHABET, 340))),
        .account = request->account,
        .arn = request->arn,
        .user_id = request->user_id,
        .role_name = request->role_name,
        .role_arn = request->role_arn,
        .policy = request->policy,
        .expires = opt_time(request->now_ms / 1000 * 1000 + request->duration_s * 1000),
    };
    if (request->tags)
        record.tags = *request->tags;
    struct str access_key = str_printf(a, "ASIA%.*s", STR(random_text(a, KEY_ALPHABET, 16)));
    struct buf b;
    buf_init(&b, RECORD_MAX);
    wire_json_write(&b, &sts_session_record_shape, &record);
    int r = buf_failed(&b) ? -EMSGSIZE : store_put(store, session_key(a, access_key), buf_view(&b));
    buf_done(&b);
    if (r < 0)
        return r;
    *ret = (struct session_credentials){
        .access_key = access_key,
        .secret_key = record.secret_key,
        .token = record.token,
        .expires_ms = record.expires.ms,
    };
    return 0;
}

int session_find(struct store *store, struct arena *a, struct str access_key,
                 struct sts_session_record *ret)
{
    struct str text;
    int r = store_get(store, session_key(a, access_key), a, &text);
    if (r < 0)
        return r;
    *ret = (struct sts_session_record){0};
    return wire_json_read(a, text, &sts_session_record_shape, ret, NULL) < 0 ? -EIO : 0;
}

int session_sweep(struct store *store, struct arena *a, int64_t now_ms)
{
    struct str prefix = store_prefix(a, 2, S("sts"), S("session")), after = {0};
    for (;;) {
        struct store_row *rows;
        size_t n;
        int r = store_scan(store, prefix, after, SWEEP_STEP, a, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            struct sts_session_record record = {0};
            bool readable =
                wire_json_read(a, rows[i].value, &sts_session_record_shape, &record, NULL) == 0;
            if (readable && record.expires.ms + 24 * 3600 * 1000LL > now_ms)
                continue; /* for a day a client is told "expired", not "unknown" */
            if ((r = store_delete(store, rows[i].key)) < 0)
                return r;
        }
        if (n < SWEEP_STEP)
            return 0;
        after = rows[n - 1].key;
    }
}
