/* test_split - which files of a bundle are whose; what modules of ES import. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/fs.h"
#include "build/split.h"

static void imports_of_modules_are_found(void **state)
{
    static const struct {
        const char *text, *wanted;
        bool dynamic;
    } cases[] = {
        {"import a from 'a';", "a", false},
        {"import 'b/sub.js'\nimport*as x from \"@s/c/d\"", "b @s/c", false},
        {"export { x } from `e`", "e", false},
        {"import './own.js'; import '/abs'; import 'node:fs'; import '#inner'", "", false},
        {"const f = await import( 'f' )", "f", true},
        {"import g from 'g'; require('h')", "", true},
        {"reimport 'i'; xfrom 'j'; o.from ('k')", "", false},
        {"import 'unfinished", "", false},
        {"import(", "", false},
        {"from", "", false},
        {"", "", false},
        {"import ''", "", false},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str *names;
        size_t n = split_es_imports(&a, str_from(cases[i].text), cases[i].dynamic, &names);
        struct str all = n ? str_join(&a, S(" "), names, n) : S("");
        if (!str_is(all, cases[i].wanted))
            fail_msg("%s: %.*s", cases[i].text, STR(all));
    }
}

static void put(struct arena *a, const char *dir, const char *path, const char *text)
{
    struct str whole = fs_join(a, str_from(dir), str_from(path));
    assert_int_equal(fs_mkdirs(str_c(a, fs_dirname(a, whole)), 0755), 0);
    assert_int_equal(fs_write(str_c(a, whole), str_from(text), 0644), 0);
}

static const struct split_file *file(const struct split_plan *p, const char *path)
{
    for (size_t i = 0; i < p->n_files; i++)
        if (str_is(p->files[i].path, path))
            return &p->files[i];
    fail_msg("no file %s", path);
    return NULL;
}

static void a_record_that_lies_takes_nothing_away(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    char dir[] = "/tmp/test-split-XXXXXX";
    assert_non_null(mkdtemp(dir));
    put(&a, dir, "app.py", "import pkg\n");
    put(&a, dir, "own/__init__.py", "");
    put(&a, dir, "own/x.py", "");
    put(&a, dir, "pkg/__init__.py", "");
    put(&a, dir, "pkg/more,odd.txt", "");
    put(&a, dir, "pkg-1.dist-info/RECORD",
        "pkg/__init__.py,sha256=x,0\r\n\"pkg/more,odd.txt\",,\n../../etc/passwd,,\n/etc/passwd,,\n"
        "none/there.py,,\n,,\n\"\n\"unfinished");
    put(&a, dir, "liar-1.dist-info/RECORD", "own/x.py,,\napp.py,,\n");
    put(&a, dir, "empty-1.dist-info/METADATA", "");
    put(&a, dir, ".dist-info/RECORD", "app.py,,\n");
    struct split_request q = {
        .dir = dir, .runtime = S("python3.12"), .handler = S("app.handler"), .layers = 1, 5};
    struct split_plan p;
    assert_int_equal(split_plan(&a, &q, &p), 0);
    assert_true(str_is(file(&p, "pkg/__init__.py")->to, "python/pkg/__init__.py"));
    assert_true(str_is(file(&p, "pkg/more,odd.txt")->to, "python/pkg/more,odd.txt"));
    assert_false(str_has(file(&p, "app.py")->to));
    assert_false(str_has(file(&p, "own/x.py")->to));
    assert_false(str_has(file(&p, "own/__init__.py")->to));
    assert_int_equal(p.n_layers, 1);
    assert_int_equal(fs_remove_tree(dir), 0);
}

static void the_same_bundle_gives_the_same_bytes_in_few_or_many_layers(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    char dir[] = "/tmp/test-split-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *bundle = str_printf(&a, "%s/in", dir).p, *out = str_printf(&a, "%s/out", dir).p;
    put(&a, bundle, "app.py", "");
    for (int i = 0; i < 7; i++) {
        put(&a, bundle, str_printf(&a, "p%d/__init__.py", i).p, "x = 1\n");
        put(&a, bundle, str_printf(&a, "p%d-1.dist-info/RECORD", i).p,
            str_printf(&a, "p%d/__init__.py,,\n", i).p);
    }
    for (int layers = 1; layers <= 5; layers++) {
        struct split_request q = {.dir = bundle,
                                  .runtime = S("python3.12"),
                                  .handler = S("app.handler"),
                                  .layers = layers,
                                  .max_layers = 5};
        struct split_plan p;
        struct split_parts one, two;
        assert_int_equal(split_plan(&a, &q, &p), 0);
        assert_int_equal(p.n_layers, layers);
        assert_int_equal(split_write(&a, &q, &p, out, &one), 0);
        assert_int_equal(split_write(&a, &q, &p, out, &two), 0);
        int64_t files = one.code.files;
        for (int i = 0; i < layers; i++) {
            files += one.layers[i].files;
            assert_true(str_eq(one.layers[i].sha256, two.layers[i].sha256));
        }
        assert_int_equal(files, one.original.files);
    }
    assert_int_equal(fs_remove_tree(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imports_of_modules_are_found),
        cmocka_unit_test(a_record_that_lies_takes_nothing_away),
        cmocka_unit_test(the_same_bundle_gives_the_same_bytes_in_few_or_many_layers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
