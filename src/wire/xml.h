/* xml - structs as XML elements. Internal to wire/. */
#pragma once
#include "wire/walk.h"

void xml_write_text(struct buf *b,
                    struct str s); /* escaped; characters XML cannot hold become U+FFFD */
void xml_write_element(struct buf *b, const char *name, struct str text); /* <name>text</name> */
/* The members of the body, without an element around them. */
void xml_write_members(struct buf *b, const struct service_model *service,
                       const struct shape *shape, const void *object);
/* One member with its element, whatever its type. */
void xml_write_root(struct buf *b, const struct service_model *service, const char *name,
                    const char *xml_namespace, const struct shape *shape, const void *object);
