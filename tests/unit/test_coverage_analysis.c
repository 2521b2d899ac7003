/* test_coverage_analysis - sources to statements and branches, their cache, the settings files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fs.h"
#include "base/cleanup.h"
#include "check.h"
#include "coverage/analysis_internal.h"
#include "coverage/numbers.h"
#include "coverage/settings.h"

#define DEMO                                                                                       \
    "\"\"\"Demo.\"\"\"\nimport os\n\n\ndef f(a,\n      b):\n    if a:\n        return 1\n    for " \
    "i in "                                                                                        \
    "b:  # pragma: no branch\n        print(i)\n\n\nclass C:\n    def m(self):  # pragma: no "     \
    "cover\n        return 2\n"

static struct str scratch_folder(struct arena *a)
{
    static char folder[] = "/tmp/lamina-analysis-XXXXXX";
    static bool made;
    if (!made)
        assert_non_null(mkdtemp(folder));
    made = true;
    return str_copy(a, str_from(folder));
}

static struct analysis *analyse(struct arena *a, const char *text, struct str cache,
                                struct analysis_report *report)
{
    struct analysis_source source = {.path = S("demo.py"), .text = str_from(text)};
    struct analysis_options options = {.cache = cache};
    struct analysis **found;
    assert_int_equal(analysis_run(a, &options, &source, 1, report, &found), 0);
    return found[0];
}

static const char *text_of(struct arena *a, struct bits set)
{
    struct str s = S("");
    for (int64_t l = bits_next(set, 0); l >= 0; l = bits_next(set, (uint32_t)l + 1))
        s = str_printf(a, "%.*s%s%lld", STR(s), s.n ? " " : "", (long long)l);
    return str_c(a, s);
}

static void a_source_has_statements_branches_and_regions(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct analysis_report report;
    const struct analysis *an = analyse(&a, DEMO, S(""), &report);
    assert_false(str_has(an->error));
    assert_string_equal(text_of(&a, an->statements), "2 5 7 8 9 10 13");
    assert_string_equal(text_of(&a, an->excluded), "14 15");
    assert_string_equal(text_of(&a, an->no_branch), "9");
    assert_int_equal(analysis_first_line(an, 6), 5);
    assert_int_equal(analysis_first_line(an, 9), 9);
    assert_int_equal(analysis_first_line(an, 99999), 99999);
    assert_int_equal(an->n_arcs, 4);
    assert_int_equal(an->arcs[0].arc.from, 7);
    assert_int_equal(an->arcs[0].arc.to, 8);
    assert_true(str_is(an->arcs[0].missing, "line 7 didn't jump to line 8 because the condition on "
                                            "line 7 was never true"));
    assert_int_equal(an->arcs[2].arc.to, -5);
    assert_true(str_is(an->arcs[2].action, "return from function 'f'"));
    assert_true(str_is(an->arcs[2].missing, "line 9 didn't return from function 'f' because the "
                                            "loop on line 9 didn't complete"));
    assert_int_equal(an->n_regions, 3);
    assert_true(str_is(an->regions[0].name, "f"));
    assert_string_equal(text_of(&a, an->regions[0].lines), "7 8 9 10");
    assert_true(an->regions[1].kind == ANALYSIS_CLASS);
    assert_true(str_is(an->regions[2].name, "C.m"));
    assert_string_equal(text_of(&a, an->regions[1].lines), "15");
}

static void what_is_no_python_says_so_and_where(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct analysis_report report;
    const struct analysis *an = analyse(&a, "a = 1\nif a\n    b = 2\n", S(""), &report);
    assert_true(str_has(an->error));
    assert_int_equal(an->error_line, 2);
    an = analyse(&a, "a = '\n", S(""), &report);
    assert_true(str_has(an->error));
    an = analyse(&a, "# coding: nonsense\n", S(""), &report);
    assert_true(str_has(an->error));
    an = analyse(&a, "", S(""), &report);
    assert_false(str_has(an->error));
    assert_int_equal(bits_count(an->statements), 0);
}

static void a_pattern_that_is_none_is_named(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str exclude[] = {S("fine"), S("(")};
    struct analysis_source source = {.path = S("demo.py"), .text = S("a = 1\n")};
    struct analysis_options options = {.exclude = exclude, .n_exclude = 2, .cache = S("")};
    struct analysis_report report;
    struct analysis **found;
    assert_int_equal(analysis_run(&a, &options, &source, 1, &report, &found), -EINVAL);
    assert_true(str_starts(report.warning, S("no regular expression: (: ")));
}

static void own_patterns_replace_those_that_are_given(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str exclude[] = {S("^b ")};
    struct analysis_source source = {.path = S("demo.py"),
                                     .text = S("a = 1  # pragma: no cover\nb = 2\n")};
    struct analysis_options options = {.exclude = exclude, .n_exclude = 1, .cache = S("")};
    struct analysis_report report;
    struct analysis **found;
    assert_int_equal(analysis_run(&a, &options, &source, 1, &report, &found), 0);
    assert_string_equal(text_of(&a, found[0]->statements), "1");
    /* The defaults are the same in C and in the script. */
    struct str same[] = {ANALYSIS_EXCLUDE};
    options = (struct analysis_options){.exclude = same, .n_exclude = 3, .cache = S("")};
    source.text = S("a = 1  # pragma: no cover\nb = 2\ndef f(): ...\nif TYPE_CHECKING:\n    c\n");
    assert_int_equal(analysis_run(&a, &options, &source, 1, &report, &found), 0);
    assert_string_equal(text_of(&a, found[0]->statements), "2");
    struct str partial[] = {ANALYSIS_PARTIAL, ANALYSIS_PARTIAL_ALWAYS};
    for (size_t i = 0; i < 3; i++) {
        assert_true(str_find(analysis_script(), same[i]) > 0);
        assert_true(str_find(analysis_script(), partial[i]) > 0);
    }
}

static void the_cache_answers_without_python(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("cache/deep"));
    struct analysis_report report;
    analyse(&a, DEMO, folder, &report);
    assert_int_equal(report.n_cached, 0);
    const struct analysis *an = analyse(&a, DEMO, folder, &report);
    assert_int_equal(report.n_cached, 1);
    assert_string_equal(text_of(&a, an->statements), "2 5 7 8 9 10 13");
    assert_int_equal(an->n_regions, 3);
    assert_int_equal(analysis_first_line(an, 6), 5);
    analyse(&a, DEMO "# changed\n", folder, &report);
    assert_int_equal(report.n_cached, 0);
    analyse(&a, "if a\n", folder, &report);
    an = analyse(&a, "if a\n", folder, &report);
    assert_int_equal(report.n_cached, 1);
    assert_true(str_has(an->error));
}

static void a_damaged_entry_is_none(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("damaged")), *names;
    struct analysis_report report;
    analyse(&a, DEMO, folder, &report);
    size_t n;
    assert_int_equal(fs_walk(&a, folder.p, &names, &n), 0);
    assert_int_equal(n, 1);
    struct str path = fs_join(&a, folder, names[0]), data;
    assert_int_equal(fs_read(path.p, 1 << 20, &a, &data), 0);
    char *bytes = (char *)data.p;
    for (size_t i = 0; i < data.n; i += 7) {
        struct analysis *an;
        bytes[i] ^= 0x20;
        assert_int_equal(cache_decode(&a, data, &an), -EBADMSG);
        bytes[i] ^= 0x20;
        assert_int_equal(cache_decode(&a, str_slice(data, 0, i), &an), -EBADMSG);
    }
    assert_int_equal(fs_write(path.p, S("LAMCACH1rubbish"), 0600), 0);
    const struct analysis *an = analyse(&a, DEMO, folder, &report);
    assert_int_equal(report.n_cached, 0);
    assert_string_equal(text_of(&a, an->statements), "2 5 7 8 9 10 13");
    analyse(&a, DEMO, folder, &report);
    assert_int_equal(report.n_cached, 1);
}

/* Analyses forty sources, of which `changed` has another line; how many came from the cache. */
static size_t analyse_forty(struct arena *a, struct str folder, int changed)
{
    struct analysis_source sources[40] = {0};
    struct analysis_options options = {.cache = folder};
    struct analysis_report report;
    struct analysis **all;
    for (int i = 0; i < 40; i++)
        sources[i].text = str_printf(a, "x%d = 1\n%s", i, i == changed ? "y = 2\n" : "");
    assert_int_equal(analysis_run(a, &options, sources, 40, &report, &all), 0);
    for (int i = 0; i < 40; i++)
        assert_string_equal(text_of(a, all[i]->statements), i == changed ? "1 2" : "1");
    return report.n_cached;
}

static void many_new_entries_are_one_file(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("packs")), *names, data;
    size_t n;
    assert_int_equal(analyse_forty(&a, folder, -1), 0);
    assert_int_equal(analyse_forty(&a, folder, -1), 40);
    assert_int_equal(fs_walk(&a, folder.p, &names, &n), 0);
    assert_int_equal(n, 1);
    struct str pack = fs_join(&a, folder, names[0]);
    assert_int_equal(analyse_forty(&a, folder, 7), 39);
    assert_int_equal(analyse_forty(&a, folder, 7), 40);
    assert_int_equal(fs_walk(&a, folder.p, &names, &n), 0);
    assert_int_equal(n, 2);

    /* an entry that is damaged is made again, the others are still there */
    assert_int_equal(fs_read(pack.p, 1 << 20, &a, &data), 0);
    char *bytes = (char *)data.p;
    bytes[data.n - 1] ^= 1;
    assert_int_equal(fs_write(pack.p, data, 0600), 0);
    assert_int_equal(analyse_forty(&a, folder, -1), 39);
    assert_int_equal(analyse_forty(&a, folder, -1), 40);

    /* an index that is damaged, and a pack that was cut short, are none */
    fs_remove_tree(folder.p);
    assert_int_equal(analyse_forty(&a, folder, -1), 0);
    bytes[data.n - 1] ^= 1;
    bytes[20] ^= 1;
    assert_int_equal(fs_write(pack.p, data, 0600), 0);
    assert_int_equal(analyse_forty(&a, folder, -1), 0);
    assert_int_equal(fs_write(pack.p, str_slice(data, 0, 300), 0600), 0);
    assert_int_equal(analyse_forty(&a, folder, -1), 0);
    assert_int_equal(analyse_forty(&a, folder, -1), 40);
}

static void the_cache_stays_small(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("many")), *names;
    fs_mkdirs(folder.p, 0700);
    for (int i = 0; i < 41; i++) {
        struct str path = fs_join(&a, folder, str_printf(&a, "%064d", i));
        int fd = creat(path.p, 0600);
        assert_true(fd >= 0);
        close(fd);
        if (i == 5) { /* this one was of use in a far future */
            struct timespec times[2] = {{.tv_sec = 1ll << 33}, {.tv_sec = 1ll << 33}};
            assert_int_equal(utimensat(AT_FDCWD, path.p, times, 0), 0);
        }
    }
    size_t n;
    cache_trim(folder, 41);
    assert_int_equal(fs_walk(&a, folder.p, &names, &n), 0);
    assert_int_equal(n, 41);
    cache_trim(folder, 40);
    assert_int_equal(fs_walk(&a, folder.p, &names, &n), 0);
    assert_int_equal(n, 30);
    assert_true(fs_exists(fs_join(&a, folder, str_printf(&a, "%064d", 5)).p));
}

static void without_python_lines_of_the_function_count(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str before = str_copy(&a, str_from(getenv("PATH")));
    setenv("PATH", "/nonexistent", 1);
    uint8_t raw[] = {0x17};
    struct analysis_source source = {.path = S("demo.py"), .text = S(DEMO), .raw = {raw, 1}};
    struct analysis_report report;
    struct analysis **found;
    int r = analysis_run(&a, NULL, &source, 1, &report, &found);
    setenv("PATH", before.p, 1);
    assert_int_equal(r, 0);
    assert_false(str_has(report.python));
    assert_true(str_starts(report.warning, S("there is no python3")));
    assert_true(found[0]->raw_only);
    assert_string_equal(text_of(&a, found[0]->statements), "1 2 4");
}

static void a_script_that_only_is_called_python_is_not_used(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("shims"));
    fs_mkdirs(folder.p, 0700);
    struct str shim = fs_join(&a, folder, S("python3.12"));
    assert_int_equal(fs_write(shim.p, S("#!/bin/sh\nexit 127\n"), 0755), 0);
    struct str before = str_copy(&a, str_from(getenv("PATH")));
    setenv("PATH", str_printf(&a, "%.*s:/usr/bin", STR(folder)).p, 1);
    struct analysis_python python;
    analysis_find_python(&a, S("3.12"), &python);
    setenv("PATH", before.p, 1);
    assert_false(str_eq(python.program, shim));
    assert_true(str_has(python.program));
}

static void answers_of_the_script_are_not_trusted(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[1]",
        "{\"id\":1}",
        "{\"id\":\"x\",\"error\":\"e\"}",
        "{\"id\":0,\"lines\":3,\"statements\":\"0\",\"excluded\":\"\",\"no_branch\":\"\",\"spans\":"
        "[],"
        "\"arcs\":[],\"sure\":[],\"texts\":[],\"withs\":[],\"regions\":[]}",
        "{\"id\":0,\"lines\":3,\"statements\":\"00000000\",\"excluded\":\"\",\"no_branch\":\"\","
        "\"spans\":[],\"arcs\":[],\"sure\":[],\"texts\":[],\"withs\":[],\"regions\":[]}",
        "{\"id\":0,\"lines\":3,\"statements\":\"02\",\"excluded\":\"\",\"no_branch\":\"\","
        "\"spans\":[1,"
        "9],\"arcs\":[],\"sure\":[],\"texts\":[],\"withs\":[],\"regions\":[]}",
        "{\"id\":0,\"lines\":3,\"statements\":\"02\",\"excluded\":\"\",\"no_branch\":\"\","
        "\"spans\":[],"
        "\"arcs\":[1,2,1,2],\"sure\":[0,0],\"texts\":[\"\",\"\",\"\",\"\"],\"withs\":[],"
        "\"regions\":[]}",
    };
    auto_arena struct arena a;
    arena_init(&a);
    int64_t id;
    struct analysis *an;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(analysis_read(&a, str_from(wrong[i]), &id, &an), -EBADMSG);
}

/* ---- settings ---- */

static const char *joined(struct arena *a, const struct str *items, size_t n)
{
    return str_c(a, str_join(a, S("|"), items, n));
}

static void coveragerc_is_read_as_configparser_does(void **state)
{
    static const char text[] = "; a comment\n"
                               "[run]\nomit = */tests/*, setup.py\n  gen_*.py\nbranch = True\n"
                               "plugins = x\n"
                               "[report]\n"
                               "Exclude_Also :\n"
                               "    raise NotImplementedError\n"
                               "    # not this one\n"
                               "\n"
                               "    ^if DEBUG:$\n"
                               "fail_under = 87.5\n"
                               "precision=2\nshow_missing = yes\nskip_covered: off\n"
                               "[paths]\nsource = a\n  /ci/*/a\n  /var/task\n";
    auto_arena struct arena a;
    arena_init(&a);
    struct coverage_settings s;
    struct settings_error err;
    bool found;
    assert_int_equal(settings_parse(&a, S(".coveragerc"), S(""), true, &s, &found, &err), 0);
    assert_true(found && s.precision == -1 && !s.exclude && !s.partial && !s.has_fail_under);
    assert_int_equal(settings_parse(&a, S(".coveragerc"), str_from(text), true, &s, &found, &err),
                     0);
    assert_string_equal(joined(&a, s.omit, s.n_omit), "*/tests/*|setup.py|gen_*.py");
    assert_int_equal(s.n_exclude, 5);
    assert_true(str_is(s.exclude[3], "raise NotImplementedError"));
    assert_true(str_is(s.exclude[4], "^if DEBUG:$"));
    assert_true(s.has_fail_under && s.fail_under == 87.5);
    assert_true(s.precision == 2 && s.show_missing && !s.skip_covered && !s.partial);
    assert_string_equal(joined(&a, s.unused, s.n_unused), "run:plugins");
    assert_int_equal(s.n_paths, 2);
    assert_true(str_is(s.paths[0].pattern, "/ci/*/a") && str_is(s.paths[0].to, "a"));
    assert_true(str_is(s.paths[1].pattern, "/var/task") && str_is(s.paths[1].to, "a"));
}

static void other_ini_files_have_a_prefix(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct coverage_settings s;
    struct settings_error err;
    bool found;
    struct str other = S("[report]\nfail_under = 1\n[metadata]\nname = x\n");
    assert_int_equal(settings_parse(&a, S("setup.cfg"), other, false, &s, &found, &err), 0);
    assert_false(found);
    struct str own = S("[coverage:report]\nexclude_lines =\n    a\n    b\npartial_branches = c\n");
    assert_int_equal(settings_parse(&a, S("tox.ini"), own, false, &s, &found, &err), 0);
    assert_true(found);
    assert_string_equal(joined(&a, s.exclude, s.n_exclude), "a|b");
    assert_string_equal(joined(&a, s.partial, s.n_partial),
                        "c|while (True|1|False|0):|if (True|1|False|0):");
}

static void pyproject_is_read_with_its_types(void **state)
{
    static const char text[] = "[tool.coverage.run]\nomit = ['x/*', 'y.py']\n"
                               "[tool.coverage.report]\nexclude_also = ['def __repr__', '@(abc)']\n"
                               "fail_under = 90\nskip_empty = true\nsort = '-cover'\n";
    auto_arena struct arena a;
    arena_init(&a);
    struct coverage_settings s;
    struct settings_error err;
    bool found;
    assert_int_equal(
        settings_parse(&a, S("pyproject.toml"), str_from(text), false, &s, &found, &err), 0);
    assert_true(found && s.n_exclude == 5 && s.fail_under == 90 && s.skip_empty);
    assert_string_equal(joined(&a, s.omit, s.n_omit), "x/*|y.py");
    assert_true(str_is(s.sort, "-cover"));
    struct str wrong = S("[tool.coverage.report]\nomit = 'x'\n");
    assert_int_equal(settings_parse(&a, S("pyproject.toml"), wrong, false, &s, &found, &err),
                     -EBADMSG);
    assert_int_equal(err.line, 2);
    assert_true(str_is(err.reason, "omit is no list of texts"));
}

static void variables_stand_for_their_values(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    setenv("LAMINA_TEST_X", "there", 1);
    unsetenv("LAMINA_TEST_Y");
    struct coverage_settings s;
    struct settings_error err;
    bool found;
    struct str text = S("[report]\nomit = $LAMINA_TEST_X/a, ${LAMINA_TEST_X}b, "
                        "${LAMINA_TEST_Y-else}, x$$y, ${LAMINA_TEST_Y}z\nexclude_lines = \\.$\n");
    assert_int_equal(settings_parse(&a, S(".coveragerc"), text, true, &s, &found, &err), 0);
    assert_string_equal(joined(&a, s.omit, s.n_omit), "there/a|thereb|else|x$y|z");
    assert_string_equal(joined(&a, s.exclude, s.n_exclude), "\\.$");
    text = S("[report]\nsort = name\nomit = ${LAMINA_TEST_Y?}\n");
    assert_int_equal(settings_parse(&a, S(".coveragerc"), text, true, &s, &found, &err), -EBADMSG);
}

static void wrong_settings_are_named(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"fail_under = 1\n", "a setting stands before the first section"},
        {"[report]\nnonsense\n", "a line is neither a section nor a setting"},
        {"[report]\na = 1\na = 2\n", "a setting is given twice in its section"},
        {"[report]\n[report]\n", "a section is there twice"},
        {"[report\n", "a section's name does not end in ]"},
        {"[report]\nfail_under = much\n", "fail_under is no such number"},
        {"[report]\nfail_under = 101\n", "fail_under is no such number"},
        {"[report]\nshow_missing = perhaps\n", "show_missing is neither true nor false"},
    };
    auto_arena struct arena a;
    arena_init(&a);
    struct coverage_settings s;
    struct settings_error err;
    bool found;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(
            settings_parse(&a, S(".coveragerc"), str_from(cases[i].text), true, &s, &found, &err),
            -EBADMSG);
        assert_string_equal(str_c(&a, err.reason), cases[i].reason);
    }
}

static void the_first_file_that_speaks_of_coverage_is_taken(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str folder = fs_join(&a, scratch_folder(&a), S("project"));
    fs_mkdirs(folder.p, 0700);
    struct coverage_settings s;
    struct settings_error err;
    assert_int_equal(settings_read(&a, folder, (struct str){0}, &s, &err), 0);
    assert_false(str_has(s.file));
    fs_write(fs_join(&a, folder, S("setup.cfg")).p, S("[metadata]\nname = x\n"), 0600);
    fs_write(fs_join(&a, folder, S("pyproject.toml")).p,
             S("[tool.coverage.report]\nprecision = 3\n"), 0600);
    assert_int_equal(settings_read(&a, folder, (struct str){0}, &s, &err), 0);
    assert_int_equal(s.precision, 3);
    fs_write(fs_join(&a, folder, S(".coveragerc")).p, S("[report]\nprecision = 1\n"), 0600);
    assert_int_equal(settings_read(&a, folder, (struct str){0}, &s, &err), 0);
    assert_int_equal(s.precision, 1);
    assert_true(str_ends(s.file, S("/.coveragerc")));
    assert_int_equal(settings_read(&a, folder, S("/nonexistent/rc"), &s, &err), -ENOENT);
    fs_remove_tree(scratch_folder(&a).p); /* the last test */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_has_statements_branches_and_regions),
        cmocka_unit_test(what_is_no_python_says_so_and_where),
        cmocka_unit_test(a_pattern_that_is_none_is_named),
        cmocka_unit_test(own_patterns_replace_those_that_are_given),
        cmocka_unit_test(the_cache_answers_without_python),
        cmocka_unit_test(a_damaged_entry_is_none),
        cmocka_unit_test(many_new_entries_are_one_file),
        cmocka_unit_test(the_cache_stays_small),
        cmocka_unit_test(without_python_lines_of_the_function_count),
        cmocka_unit_test(a_script_that_only_is_called_python_is_not_used),
        cmocka_unit_test(answers_of_the_script_are_not_trusted),
        cmocka_unit_test(coveragerc_is_read_as_configparser_does),
        cmocka_unit_test(other_ini_files_have_a_prefix),
        cmocka_unit_test(pyproject_is_read_with_its_types),
        cmocka_unit_test(variables_stand_for_their_values),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(the_first_file_that_speaks_of_coverage_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
