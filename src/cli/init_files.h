/* init_files - what a new project consists of. */
#pragma once

enum { INIT_PYTHON = 1, INIT_NODE = 2, INIT_C = 4, INIT_ALL = 7 };

/* @NAME@ and @RUNTIME@ are filled in. */
struct init_file {
    unsigned languages; /* of which projects */
    const char *path, *text;
};
extern const struct init_file init_files[]; /* ended by one without path */
