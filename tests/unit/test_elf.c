/* test_elf - what programs say that they need, also when they lie. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/fs.h"
#include "build/elf.h"

static struct str itself(struct arena *a)
{
    struct str data;
    assert_int_equal(fs_read("/proc/self/exe", 256 << 20, a, &data), 0);
    return data;
}

static void a_program_says_what_it_needs(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct elf_report r;
    assert_int_equal(elf_look(itself(&a), &r), 0);
#ifdef __x86_64__
    assert_int_equal(r.machine, EM_X86_64);
    assert_true(str_is(r.interpreter, "/lib64/ld-linux-x86-64.so.2"));
#endif
    assert_true(r.dynamic);
    assert_int_equal(r.glibc_major, 2);
    assert_in_range(r.glibc_minor, 2, 200);
}

static void what_is_cut_off_or_foreign_is_refused(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str data = itself(&a);
    struct elf_report r;
    assert_int_equal(elf_look(S(""), &r), -EBADMSG);
    assert_int_equal(elf_look(S("#!/bin/sh\n"), &r), -EBADMSG);
    for (size_t n = 0; n < sizeof(Elf64_Ehdr); n++)
        assert_int_equal(elf_look(str_slice(data, 0, n), &r), -EBADMSG);
}

/* Each byte of the headers and of the tables that they name: nothing outside is read. */
static void damage_is_survived(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str data = itself(&a);
    size_t n = data.n < 65536 ? data.n : 65536;
    char *copy = malloc(n); /* on its own: a sanitizer sees its end */
    assert_non_null(copy);
    struct elf_report r;
    for (size_t i = 0; i < 2048; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            memcpy(copy, data.p, n);
            copy[i] ^= (char)(1 << bit);
            elf_look(str_of(copy, n), &r);
        }
    for (size_t cut = 0; cut < n; cut += 97)
        elf_look(str_of(copy, cut), &r);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_says_what_it_needs),
        cmocka_unit_test(what_is_cut_off_or_foreign_is_refused),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
