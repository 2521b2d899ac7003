/* query - structs as parameters of the query protocol. Internal to wire/. */
#pragma once
#include "wire/walk.h"

/* Each parameter is preceded by '&'. */
void query_write(struct buf *b, struct arena *a, const struct shape *shape, const void *object);
