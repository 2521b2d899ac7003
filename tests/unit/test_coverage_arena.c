/* test_coverage_arena - the hits of a running function, as a reader finds them. */
#include "check.h"
#include "../../layers/python-coverage/arena.h"

/* A header, two files (the second with a chunk of arcs), as a tracer writes them. */
struct image {
    struct covarena_header head;
    struct {
        struct covarena_file file;
        uint64_t lines[1], raw[1];
        char path[8];
    } a;
    struct {
        struct covarena_chunk chunk;
        uint64_t hit[1];
        struct covarena_arc arcs[64];
    } chunk;
    struct {
        struct covarena_file file;
        uint64_t lines[2], raw[2];
        char path[8];
    } b;
};

static void image_make(struct image *m)
{
    memset(m, 0, sizeof(*m));
    memcpy(m->head.magic, COVARENA_MAGIC, 8);
    m->head.version = COVARENA_VERSION;
    m->head.header_bytes = sizeof(m->head);
    m->head.size = sizeof(*m);
    m->head.first_file = offsetof(struct image, b);
    m->a.file = (struct covarena_file){.bytes = sizeof(m->a), .path_bytes = 4, .n_words = 1};
    memcpy(m->a.path, "a.py", 5);
    m->a.lines[0] = 1 << 3;
    m->a.raw[0] = 1 << 3 | 1 << 4;
    m->b.file = (struct covarena_file){.next = offsetof(struct image, a),
                                       .bytes = sizeof(m->b),
                                       .path_bytes = 4,
                                       .n_words = 2,
                                       .arcs = offsetof(struct image, chunk)};
    memcpy(m->b.path, "b.py", 5);
    m->b.lines[1] = 1;
    m->chunk.chunk = (struct covarena_chunk){.capacity = 64, .used = 4};
    m->chunk.arcs[0] = (struct covarena_arc){1, 2};
    m->chunk.arcs[1] = (struct covarena_arc){7, -5};
    m->chunk.arcs[2] = (struct covarena_arc){0, 0}; /* handed out, not written yet */
    m->chunk.arcs[3] = (struct covarena_arc){3, 4}; /* never taken */
    m->chunk.hit[0] = 1 | 2 | 4;
}

/* Out of line: the compiler does not know that assert_true() leaves a test, and would warn. */
static bool __attribute__((noinline))
next_file(struct image *m, struct covarena_files *files, struct covarena_file_view *f)
{
    return covarena_next_file(m, sizeof(*m), files, f);
}

static bool __attribute__((noinline))
next_arc(struct image *m, struct covarena_file_view *f, struct covarena_arcs *arcs, bool take,
         struct covarena_arc *arc)
{
    return covarena_next_arc(m, sizeof(*m), f, arcs, take, arc);
}

static void test_files_and_arcs(void **state)
{
    struct image m;
    image_make(&m);
    assert_ptr_equal(covarena_open(&m, sizeof(m)), &m.head);
    struct covarena_files files = {0};
    struct covarena_file_view f;
    assert_true(next_file(&m, &files, &f));
    assert_memory_equal(f.path, "b.py", f.path_bytes);
    assert_int_equal(covarena_word(&f.lines[1]), 1);
    struct covarena_arcs arcs = {0};
    struct covarena_arc arc;
    assert_true(next_arc(&m, &f, &arcs, false, &arc));
    assert_true(arc.from == 1 && arc.to == 2);
    assert_true(next_arc(&m, &f, &arcs, false, &arc));
    assert_true(arc.from == 7 && arc.to == -5);
    assert_false(next_arc(&m, &f, &arcs, false, &arc));
    assert_true(next_file(&m, &files, &f));
    assert_memory_equal(f.path, "a.py", f.path_bytes);
    assert_false(next_file(&m, &files, &f));
    assert_false(next_file(&m, &files, &f));
}

static void test_taken_hits_are_gone(void **state)
{
    struct image m;
    image_make(&m);
    struct covarena_files files = {0};
    struct covarena_file_view f;
    assert_true(next_file(&m, &files, &f));
    assert_int_equal(covarena_take(&f.lines[1]), 1);
    assert_int_equal(covarena_take(&f.lines[1]), 0);
    for (int n = 2; n >= 0; n -= 2) {
        struct covarena_arcs arcs = {0};
        struct covarena_arc arc;
        int seen = 0;
        while (next_arc(&m, &f, &arcs, true, &arc))
            seen++;
        assert_int_equal(seen, n);
    }
    assert_int_equal(m.chunk.arcs[0].from, 1);
}

static void test_damage_ends_the_walk(void **state)
{
    struct image m;
    struct covarena_files files = {0};
    struct covarena_file_view f;
    image_make(&m);
    assert_null(covarena_open(&m, sizeof(m.head) - 1));
    m.head.version++;
    assert_null(covarena_open(&m, sizeof(m)));

    image_make(&m); /* a list that bites its tail */
    m.a.file.next = offsetof(struct image, b);
    assert_true(next_file(&m, &files, &f));
    assert_true(next_file(&m, &files, &f));
    assert_false(next_file(&m, &files, &f));

    image_make(&m); /* a bitmap that reaches beyond the end */
    m.b.file.n_words = COVARENA_LINES_MAX / 64;
    files = (struct covarena_files){0};
    assert_false(next_file(&m, &files, &f));

    image_make(&m); /* a chunk that does */
    m.chunk.chunk.capacity = 1u << 30;
    files = (struct covarena_files){0};
    assert_true(next_file(&m, &files, &f));
    struct covarena_arcs arcs = {0};
    struct covarena_arc arc;
    assert_false(next_arc(&m, &f, &arcs, false, &arc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_arcs),
        cmocka_unit_test(test_taken_hits_are_gone),
        cmocka_unit_test(test_damage_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
