/* test_coverage_numbers - what follows from an analysis and from hits; and that it does not matter
 * in which order hits came together. Vectors: tests/vectors/coverage-numbers. */
#include "base/fs.h"
#include "base/json.h"
#include "check.h"
#include "coverage/analysis_internal.h"
#include "coverage/data.h"
#include "coverage/numbers.h"

static struct bits set_of(struct arena *a, const struct json *list)
{
    int64_t max = 0, n;
    JSON_EACH(list, v)
        if (json_int(v, &n) == 0 && n > max)
            max = n;
    uint8_t *p = arena_alloc(a, bits_size((uint32_t)max));
    JSON_EACH(list, v)
        if (json_int(v, &n) == 0)
            bits_set(p, (uint32_t)n);
    return (struct bits){p, bits_size((uint32_t)max)};
}

static struct object_arc *arcs_of(struct arena *a, const struct json *list, size_t *ret_n)
{
    struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, list->n / 2 + 1);
    size_t n = 0;
    for (const struct json *v = list->first; v && v->next; v = v->next->next) {
        int64_t from, to;
        assert_int_equal(json_int(v, &from) | json_int(v->next, &to), 0);
        arcs[n++] = (struct object_arc){(int32_t)from, (int32_t)to};
    }
    *ret_n = n;
    return arcs;
}

static int64_t int_of(const struct json *o, const char *key)
{
    int64_t n = -1;
    json_int(json_get(o, key), &n);
    return n;
}

static struct str lines_text(struct arena *a, struct bits set)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (int64_t l = bits_next(set, 0); l >= 0; l = bits_next(set, (uint32_t)l + 1))
        json_add(list, json_new_int(a, l));
    return json_text(a, list, -1);
}

static struct str arcs_text(struct arena *a, const struct file_result *r, bool missing)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < r->n_branches; i++)
        if (missing ? r->branches[i].counts_missing : r->branches[i].executed) {
            struct json *arc = json_add(list, json_new(a, JSON_ARRAY));
            json_add(arc, json_new_int(a, r->branches[i].arc.from));
            json_add(arc, json_new_int(a, r->branches[i].arc.to));
        }
    return json_text(a, list, -1);
}

static void assert_same(struct arena *a, const struct json *wanted, const char *key, struct str got)
{
    assert_str(got, json_text(a, json_get(wanted, key), -1).p);
}

static void check_vector(struct arena *a, const struct json *v)
{
    const struct json *wanted = json_get(v, "expected");
    struct analysis *an;
    int64_t id;
    assert_int_equal(analysis_read(a, json_text(a, json_get(v, "answer"), -1), &id, &an), 0);
    struct file_hits hits = {.lines = set_of(a, json_get(v, "lines"))};
    hits.arcs = arcs_of(a, json_get(v, "arcs"), &hits.n_arcs);
    struct file_result r;
    numbers_file(a, an, &hits, true, &r);
    assert_same(a, wanted, "executed", lines_text(a, r.executed));
    assert_same(a, wanted, "missing", lines_text(a, r.missing));
    assert_same(a, wanted, "missing_branches", arcs_text(a, &r, true));
    assert_same(a, wanted, "executed_branches", arcs_text(a, &r, false));
    assert_int_equal(r.numbers.branches, int_of(wanted, "branches"));
    assert_int_equal(r.numbers.partial_branches, int_of(wanted, "partial"));
    assert_str(numbers_repr(a, numbers_percent(&r.numbers)),
               str_c(a, json_get_str(wanted, "percent")));
    assert_str(numbers_missing_text(a, &r), str_c(a, json_get_str(wanted, "text")));
    /* Its parts add up to the whole. */
    struct coverage_numbers sum = {0};
    uint8_t even[64], odd[64];
    memset(even, 0x55, sizeof(even));
    memset(odd, 0xaa, sizeof(odd));
    struct file_result part;
    numbers_part(a, &r, (struct bits){even, 64}, &part);
    numbers_add(&sum, &part.numbers);
    numbers_part(a, &r, (struct bits){odd, 64}, &part);
    numbers_add(&sum, &part.numbers);
    sum.files = 1;
    assert_memory_equal(&sum, &r.numbers, sizeof(sum));
    /* What is remembered of an analysis says the same. */
    auto_buf struct buf b;
    buf_init(&b, 1 << 20);
    cache_encode(&b, an);
    struct analysis *again;
    assert_int_equal(cache_decode(a, buf_view(&b), &again), 0);
    struct file_result same;
    numbers_file(a, again, &hits, true, &same);
    assert_memory_equal(&same.numbers, &r.numbers, sizeof(r.numbers));
    assert_str(numbers_missing_text(a, &same), str_c(a, json_get_str(wanted, "text")));
}

static void the_numbers_are_those_of_coverage_py(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct str *names;
    size_t n;
    assert_int_equal(fs_walk(&a, TEST_VECTORS "/coverage-numbers", &names, &n), 0);
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++) {
        struct str text, path = fs_join(&a, S(TEST_VECTORS "/coverage-numbers"), names[i]);
        struct json *v;
        assert_int_equal(fs_read(path.p, 1 << 20, &a, &text), 0);
        assert_int_equal(json_parse(&a, text, &v, NULL), 0);
        print_message("# %s\n", names[i].p);
        check_vector(&a, v);
    }
}

static void percents_are_rounded_but_never_to_all_or_nothing(void **state)
{
    static const struct {
        double percent;
        int precision;
        const char *shown;
    } cases[] = {
        {0, 0, "0"},          {0.001, 0, "1"},         {0.4, 0, "1"},          {99.999, 0, "99"},
        {100, 0, "100"},      {50.5, 0, "50"},         {51.5, 0, "52"},        {0.5, 0, "1"},
        {1.5, 0, "2"},        {2.5, 0, "2"},           {99.5, 0, "99"},        {99.4, 0, "99"},
        {0.04, 1, "0.1"},     {99.96, 1, "99.9"},      {66.66666, 2, "66.67"}, {33.335, 2, "33.34"},
        {12.345, 2, "12.35"}, {99.99999, 3, "99.999"}, {100, 2, "100.00"},     {0, 2, "0.00"},
    };
    auto_arena struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_str(numbers_display(&a, cases[i].percent, cases[i].precision), cases[i].shown);
}

static void percents_are_written_so_that_they_read_back(void **state)
{
    auto_arena struct arena a;
    arena_init(&a);
    assert_str(numbers_repr(&a, 100.0), "100.0");
    assert_str(numbers_repr(&a, 0.0), "0.0");
    assert_str(numbers_repr(&a, 50.0), "50.0");
    assert_str(numbers_repr(&a, 100.0 * 7 / 9), "77.77777777777777");
    assert_str(numbers_repr(&a, 100.0 * 2 / 3), "66.66666666666667");
    assert_str(numbers_repr(&a, 100.0 * 1 / 3), "33.333333333333336");
    assert_str(numbers_repr(&a, 12.5), "12.5");
    assert_str(numbers_repr(&a, 10.0), "10.0");
    for (int den = 1; den < 120; den++)
        for (int num = 0; num <= den; num++) {
            double v = (100.0 * num) / den;
            struct str s = numbers_repr(&a, v);
            assert_true(strtod(s.p, NULL) == v);
        }
}

static struct coverage_numbers of(uint64_t run, uint64_t all)
{
    return (struct coverage_numbers){.statements = all, .missing = all - run};
}

static void nothing_to_run_is_all_of_it(void **state)
{
    struct coverage_numbers none = {0}, sum = of(1, 2), more = of(3, 4);
    assert_true(numbers_percent(&none) == 100.0);
    numbers_add(&sum, &more);
    assert_true(numbers_percent(&sum) == 100.0 * 4 / 6);
    sum.branches = 4;
    sum.missing_branches = 1;
    assert_true(numbers_percent(&sum) == 100.0 * 7 / 10);
    assert_true(numbers_percent_statements(&sum) == 100.0 * 4 / 6);
    assert_true(numbers_percent_branches(&sum) == 75.0);
}

static void a_limit_is_compared_as_it_is_shown(void **state)
{
    struct coverage_numbers n = of(99999, 100000), half = of(1999, 4000);
    assert_true(numbers_fail_under(&n, 100, 0)); /* 100 is meant exactly */
    assert_false(numbers_fail_under(&n, 99.999, 3));
    assert_false(numbers_fail_under(&half, 50, 0)); /* 49.975 is 50 */
    assert_true(numbers_fail_under(&half, 50, 2));
    struct coverage_numbers all = of(5, 5);
    assert_false(numbers_fail_under(&all, 100, 0));
}

/* ---- unions ---- */

static uint32_t seed = 12345;

static uint32_t roll(uint32_t n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

#define N_FILES 3
#define N_OBJECTS 12

/* Hits of one environment: a random part of all that can be hit. */
static struct object random_object(struct arena *a)
{
    static const struct object_meta meta[] = {{S_INIT("function"), S_INIT("api")},
                                              {S_INIT("branch"), S_INIT("1")}};
    static const struct object_context contexts[] = {{S_INIT("init"), 1}, {S_INIT("r"), 2}};
    static const char *const paths[] = {"/var/task/a.py", "/var/task/b.py", "/var/task/c/d.py"};
    struct object_file *files = ARENA_ARRAY(a, struct object_file, N_FILES);
    size_t n_files = 0;
    for (size_t f = 0; f < N_FILES; f++) {
        if (!roll(3))
            continue;
        struct object_hits *hits = ARENA_ARRAY(a, struct object_hits, 2);
        for (uint32_t c = 0; c < 2; c++) {
            uint8_t *lines = arena_alloc(a, 40);
            struct object_arc *arcs = ARENA_ARRAY(a, struct object_arc, 40);
            size_t n = 0;
            for (int i = 0; i < 20; i++)
                bits_set(lines, 1 + roll(300));
            for (int32_t from = 1; from < 200 && n < 40; from += 1 + (int32_t)roll(20))
                arcs[n++] = (struct object_arc){from, (int32_t)roll(300) - 20};
            hits[c] = (struct object_hits){c, {lines, 40}, arcs, n};
        }
        files[n_files++] = (struct object_file){
            .path = str_from(paths[f]), .has_sha256 = true, .hits = hits, .n_hits = 2};
    }
    return (struct object){meta, 2, contexts, 2, files, n_files};
}

static void add(struct arena *a, struct data *d, const struct object *o, size_t i)
{
    uint8_t *p;
    size_t n;
    assert_int_equal(object_write(o, &p, &n), 0);
    struct object_error err;
    struct str name = str_printf(a, "coverage/api/%zu.coverage", i);
    assert_int_equal(data_add(d, name, str_of((const char *)p, n), &err), 0);
    free(p);
}

static void assert_same_union(const struct data_view *x, const struct data_view *y)
{
    assert_int_equal(x->n_files, y->n_files);
    for (size_t i = 0; i < x->n_files; i++) {
        const struct data_file *f = &x->files[i], *g = &y->files[i];
        assert_true(str_eq(f->path, g->path));
        assert_true(bits_equal(f->lines, g->lines));
        assert_int_equal(f->n_arcs, g->n_arcs);
        if (f->n_arcs)
            assert_memory_equal(f->arcs, g->arcs, f->n_arcs * sizeof(*f->arcs));
    }
}

/* In one go, one after another in any order, some twice, in groups that are joined: all the same.
 */
static void a_union_does_not_depend_on_the_way_to_it(void **state)
{
    for (int round = 0; round < 40; round++) {
        auto_arena struct arena a;
        arena_init(&a);
        struct object objects[N_OBJECTS];
        for (size_t i = 0; i < N_OBJECTS; i++)
            objects[i] = random_object(&a);
        struct data *once = data_new(DATA_BY_NOTHING), *any = data_new(DATA_BY_NOTHING),
                    *left = data_new(DATA_BY_NOTHING), *right = data_new(DATA_BY_NOTHING);
        size_t order[N_OBJECTS];
        for (size_t i = 0; i < N_OBJECTS; i++) {
            add(&a, once, &objects[i], i);
            size_t j = roll((uint32_t)i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < N_OBJECTS; i++) {
            add(&a, any, &objects[order[i]], order[i]);
            if (roll(4) == 0)
                add(&a, any, &objects[order[roll((uint32_t)i + 1)]], 100 + i);
            add(&a, roll(2) ? left : right, &objects[order[i]], order[i]);
        }
        data_join(left, right);
        struct data_view x, y, z;
        data_finish(once, &x);
        data_finish(any, &y);
        data_finish(left, &z);
        assert_true(x.n_files > 0);
        assert_same_union(&x, &y);
        assert_same_union(&x, &z);
        data_free(once);
        data_free(any);
        data_free(left);
        data_free(right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_of_coverage_py),
        cmocka_unit_test(percents_are_rounded_but_never_to_all_or_nothing),
        cmocka_unit_test(percents_are_written_so_that_they_read_back),
        cmocka_unit_test(nothing_to_run_is_all_of_it),
        cmocka_unit_test(a_limit_is_compared_as_it_is_shown),
        cmocka_unit_test(a_union_does_not_depend_on_the_way_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
