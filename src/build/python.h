/* python - Python packages into a folder as Lambda wants them: installed by pip for the runtime's
 * version, without what is not needed at run time. May use base. Blocks. */
#pragma once
#include "base/str.h"

struct python_install {
    struct str runtime;      /* "python3.11" */
    struct str architecture; /* x86_64 or arm64; absent: x86_64 */
    struct str source;       /* a requirements.txt, or the folder of a package */
    struct str target;       /* folder to install into; made when missing */
    bool check_imports; /* every installed top-level module must import (only when the runtime's
                         * own interpreter is on the machine) */
};

struct python_report {
    struct str error;    /* what to tell the user when it failed: one line, then pip's last lines */
    struct str pip;      /* the program used */
    bool foreign;        /* installed for another version than the interpreter's: wheels only */
    struct str *checked; /* modules that were imported */
    size_t n_checked;
    bool imports_skipped; /* no interpreter of the runtime to try them with */
};

/* -EINVAL with ret->error. */
int python_install(struct arena *a, const struct python_install *what, struct python_report *ret);

/* Removes what a function never needs: __pycache__, *.pyc, tests folders, bin/, and of *.dist-info
 * what only pip reads (RECORD, INSTALLER, REQUESTED, direct_url.json). METADATA, entry_points.txt,
 * top_level.txt and licences stay: importlib.metadata and plugins (OpenTelemetry) need them. */
int python_strip(const char *dir);

/* Interpreter for "python3.11": /usr/bin, PATH, version folders of pyenv; absent when there is
 * none. */
struct str python_find(struct arena *a, struct str runtime);

/* Local folders and files that a requirements.txt names (relative to it), for hashing. */
int python_local_requirements(struct arena *a, const char *requirements, struct str **ret,
                              size_t *ret_n);
