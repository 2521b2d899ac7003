/* esbuild - bundles a function's JavaScript or TypeScript by the program of that name, with the
 * options that SAM's Metadata: BuildProperties has for it. May use base. Blocks. */
#pragma once
#include "base/json.h"

/* sources: a folder with its dependencies installed, whose own esbuild is preferred. -EINVAL with
 * *why, also when there is no esbuild. */
int esbuild_bundle(struct arena *a, const struct json *properties, const char *sources,
                   const char *out, struct str *why);
