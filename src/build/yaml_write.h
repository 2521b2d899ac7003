/* yaml_write - a tree as YAML text in block style, as people write templates. May use base. Pure.
 *
 * What is read back (YAML 1.1) is the same tree: strings that would be taken for something else are
 * quoted, text of several lines is a literal block where that keeps it. */
#pragma once
#include "base/buf.h"
#include "base/json.h"

void yaml_write(struct buf *b, const struct json *v);
