/* zip_text - a zip of one small file made in memory: inline code of a template. May use base. */
#pragma once
#include "base/str.h"

/* The same content gives the same bytes. *ret lives in the arena. -EIO when libzip refuses,
 * -ELIBACC when it is missing. */
int zip_text(struct arena *a, const char *name, struct str content, struct str *ret);
