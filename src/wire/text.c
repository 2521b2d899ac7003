/* text - scalars as text: in XML, queries, headers and URIs. */
#include "wire/text.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/digest.h"

enum timestamp_format text_timestamp(const struct member *m, const struct shape *shape,
                                     enum timestamp_format usual)
{
    if (m && m->timestamp != TIMESTAMP_DEFAULT)
        return m->timestamp;
    return shape->timestamp != TIMESTAMP_DEFAULT ? shape->timestamp : usual;
}

int text_read_double(struct str text, double *ret)
{
    char copy[64];
    if (text.n == 0 || text.n >= sizeof(copy))
        return -EBADMSG;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    if (strspn(copy, "+-0123456789.eE") != text.n && strcmp(copy, "NaN") != 0 &&
        strcmp(copy, "Infinity") != 0 && strcmp(copy, "-Infinity") != 0)
        return -EBADMSG;
    char *end;
    double v = strtod(copy, &end);
    if (*end)
        return -EBADMSG;
    *ret = v;
    return 0;
}

int text_read_unix(struct str text, int64_t *ret_ms)
{
    struct str whole, fraction;
    int64_t s;
    bool dot = str_cut(text, '.', &whole, &fraction);
    if (str_to_int64(whole, &s) < 0 || s > INT64_MAX / 1000 - 1 || s < INT64_MIN / 1000 + 1) {
        double v; /* 1.7e9 */
        if (text_read_double(text, &v) < 0 || !(fabs(v) < 9e15))
            return -EBADMSG;
        *ret_ms = (int64_t)llround(v * 1000);
        return 0;
    }
    int64_t ms = 0, scale = 100;
    for (size_t i = 0; dot && i < fraction.n; i++, scale /= 10) {
        if (fraction.p[i] == 'e' || fraction.p[i] == 'E') {
            double v;
            if (text_read_double(text, &v) < 0 || !(fabs(v) < 9e15))
                return -EBADMSG;
            *ret_ms = (int64_t)llround(v * 1000);
            return 0;
        }
        if (fraction.p[i] < '0' || fraction.p[i] > '9')
            return -EBADMSG;
        ms += (fraction.p[i] - '0') * scale;
    }
    *ret_ms = s * 1000 + (text.p[0] == '-' ? -ms : ms);
    return 0;
}

void text_write_unix(struct buf *b, int64_t ms)
{
    uint64_t abs = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        buf_byte(b, '-');
    buf_int(b, (int64_t)(abs / 1000));
    if (abs % 1000 == 0)
        return;
    char digits[4] = {'.', (char)('0' + abs % 1000 / 100), (char)('0' + abs % 100 / 10),
                      (char)('0' + abs % 10)};
    buf_add(b, digits, sizeof(digits));
}

void text_write_double(struct buf *b, double v)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        buf_text(b, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (v == floor(v) && fabs(v) < 1e15) {
        buf_printf(b, "%.1f", v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_text(b, text);
}

static int read_timestamp(struct str text, enum timestamp_format format, int64_t *ret_ms)
{
    int r = -EBADMSG;
    if (format == TIMESTAMP_UNIX)
        r = text_read_unix(text, ret_ms);
    else if (format == TIMESTAMP_RFC822)
        r = clock_parse_http_date(text, ret_ms);
    else
        r = clock_parse_iso8601(text, ret_ms);
    /* AWS takes any of the three anywhere. */
    if (r < 0)
        r = clock_parse_iso8601(text, ret_ms);
    if (r < 0)
        r = clock_parse_http_date(text, ret_ms);
    if (r < 0)
        r = text_read_unix(text, ret_ms);
    return r < 0 ? -EBADMSG : 0;
}

int text_read(struct arena *a, const struct shape *shape, enum timestamp_format format,
              struct str text, void *slot)
{
    if (shape->type == SHAPE_STRING) {
        *(struct str *)slot = text.p ? text : S("");
        return 0;
    }
    if (shape->type == SHAPE_BLOB)
        return base64_decode(a, str_trim(text), slot) < 0 ? -EBADMSG : 0;
    text = str_trim(text);
    switch (shape->type) {
    case SHAPE_BOOLEAN:
        if (!str_eq_nocase(text, S("true")) && !str_eq_nocase(text, S("false")))
            return -EBADMSG;
        *(struct opt_bool *)slot = opt_bool(str_eq_nocase(text, S("true")));
        return 0;
    case SHAPE_INTEGER: {
        int64_t v;
        if (str_to_int64(text, &v) < 0)
            return -EBADMSG;
        *(struct opt_int *)slot = opt_int(v);
        return 0;
    }
    case SHAPE_DOUBLE: {
        double v;
        if (text_read_double(text, &v) < 0)
            return -EBADMSG;
        *(struct opt_double *)slot = opt_double(v);
        return 0;
    }
    case SHAPE_TIMESTAMP: {
        int64_t ms;
        if (read_timestamp(text, format, &ms) < 0)
            return -EBADMSG;
        *(struct opt_time *)slot = opt_time(ms);
        return 0;
    }
    default:
        return -EBADMSG;
    }
}

static void write_timestamp(struct buf *b, enum timestamp_format format, bool whole_seconds,
                            int64_t ms)
{
    if (format == TIMESTAMP_UNIX) {
        text_write_unix(b, ms);
        return;
    }
    auto_arena struct arena scratch;
    arena_init(&scratch);
    if (format == TIMESTAMP_RFC822)
        buf_str(b, clock_http_date(&scratch, ms));
    else if (whole_seconds)
        buf_str(b, clock_iso8601_s(&scratch, ms));
    else
        buf_str(b, clock_iso8601(&scratch, ms));
}

void text_write(struct buf *b, const struct shape *shape, enum timestamp_format format,
                bool whole_seconds, const void *slot)
{
    switch (shape->type) {
    case SHAPE_STRING:
        buf_str(b, *(const struct str *)slot);
        break;
    case SHAPE_BLOB: {
        auto_arena struct arena scratch;
        arena_init(&scratch);
        buf_str(b, base64_encode(&scratch, *(const struct str *)slot));
        break;
    }
    case SHAPE_BOOLEAN:
        buf_text(b, ((const struct opt_bool *)slot)->is ? "true" : "false");
        break;
    case SHAPE_INTEGER:
        buf_int(b, ((const struct opt_int *)slot)->is);
        break;
    case SHAPE_DOUBLE:
        text_write_double(b, ((const struct opt_double *)slot)->is);
        break;
    case SHAPE_TIMESTAMP:
        write_timestamp(b, format, whole_seconds, ((const struct opt_time *)slot)->ms);
        break;
    default:
        break;
    }
}

void *text_items_push(struct arena *a, const struct shape *shape, struct text_items *items)
{
    return arena_push(a, &items->list->items, &items->list->n, &items->cap, shape->stride);
}
