/* page - Marker, MaxItems, IsTruncated. Markers are opaque to clients: base64 of where to go on. */
#include <errno.h>
#include "base/digest.h"
#include "service/iam/iam.h"

#define DEFAULT_ITEMS 100
#define SCAN_STEP 200

static size_t page_size(const struct page *page)
{
    return page->max_items.has ? (size_t)page->max_items.is : DEFAULT_ITEMS;
}

static int marker_decode(struct call *call, struct str marker, struct str *ret)
{
    *ret = (struct str){0};
    if (!marker.n || base64_decode(call->arena, marker, ret) == 0)
        return 0;
    return call_fail(call, IAM_VALIDATION_ERROR, "Invalid Marker.");
}

int page_cut(struct call *call, const struct page *page, size_t n, size_t *ret_from, size_t *ret_to,
             struct opt_bool *ret_truncated, struct str *ret_marker)
{
    struct str text;
    int64_t from = 0;
    int r = marker_decode(call, page->marker, &text);
    if (r < 0)
        return r;
    if (text.n && (str_to_int64(text, &from) < 0 || from < 0))
        return call_fail(call, IAM_VALIDATION_ERROR, "Invalid Marker.");
    *ret_from = (size_t)from < n ? (size_t)from : n;
    *ret_to = n - *ret_from > page_size(page) ? *ret_from + page_size(page) : n;
    *ret_truncated = opt_bool(*ret_to < n);
    if (*ret_to < n)
        *ret_marker = base64_encode(call->arena, str_printf(call->arena, "%zu", *ret_to));
    return 0;
}

int page_rows(struct call *call, const struct page *page, struct str prefix,
              int (*accept)(struct call *call, const struct store_row *row, void *user), void *user,
              struct opt_bool *ret_truncated, struct str *ret_marker)
{
    struct str after, last = {0};
    size_t accepted = 0;
    int r = marker_decode(call, page->marker, &after);
    *ret_truncated = opt_bool(false);
    if (r < 0)
        return r;
    for (;;) {
        struct store_row *rows;
        size_t n;
        r = store_scan(call->store, prefix, after, SCAN_STEP, call->arena, &rows, &n);
        if (r < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            if (accepted == page_size(page)) { /* there may be more: it takes another page to see */
                *ret_truncated = opt_bool(true);
                *ret_marker = base64_encode(call->arena, last);
                return 0;
            }
            r = accept(call, &rows[i], user);
            if (r < 0)
                return r;
            accepted += (size_t)r;
            last = rows[i].key;
        }
        if (n < SCAN_STEP)
            return 0;
        after = rows[n - 1].key;
    }
}
