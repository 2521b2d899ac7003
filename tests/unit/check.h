/* check - what unit tests share, on top of cmocka. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* A test with setup() and teardown() of its file around it. */
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static inline void assert_str_at(struct str got, const char *wanted, const char *file, int line)
{
    if (str_has(got) && str_is(got, wanted))
        return;
    print_error("got \"%.*s\"%s, wanted \"%s\"\n", STR(got), str_has(got) ? "" : " (absent)",
                wanted);
    _fail(file, line);
}
#define assert_str(got, wanted) assert_str_at((got), (wanted), __FILE__, __LINE__)
