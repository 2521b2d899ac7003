/* bind - the members of a REST operation that are not in the body: URI, query, headers, status.
 * Internal to wire/. Both directions; readers return -EBADMSG with the member that does not fit. */
#pragma once
#include "wire/request.h"
#include "wire/walk.h"

int bind_read_labels(struct arena *a, const struct operation *op, const struct str *labels,
                     size_t n, void *object, const struct member **ret_bad);
int bind_read_query(struct arena *a, struct str query, const struct shape *shape, void *object,
                    const struct member **ret_bad);
int bind_read_headers(struct arena *a, const struct wire_header *headers, size_t n,
                      const struct shape *shape, void *object, const struct member **ret_bad);

void bind_write_headers(struct arena *a, const struct service_model *service,
                        const struct shape *shape, const void *object, struct wire_headers *ret);
/* Path and query of the operation's URI with labels put in. -EINVAL: label absent or empty. */
int bind_write_uri(struct arena *a, const struct operation *op, const void *object,
                   bool bucket_in_host, struct str *ret_path, struct str *ret_query,
                   const struct member **ret_bad);
bool bind_has_body_members(const struct shape *shape);
