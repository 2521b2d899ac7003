/* .coverage files: any bytes as a file, and any rows in coverage.py's tables. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fs.h"
#include "coverage/sqlite.h"

static char path[64];

static void set_up(void)
{
    snprintf(path, sizeof(path), "/tmp/fuzz-coverage-sqlite-%ld", (long)getpid());
}

static void take(void)
{
    struct arena a;
    struct data_view v;
    struct str reason = {0};
    arena_init(&a);
    struct data *d = data_new(DATA_BY_CONTEXT);
    int e = sqlite_read(&a, d, S(".coverage"), path, &reason);
    if ((e == 0) == (reason.n > 0))
        abort();
    data_finish(d, &v);
    if (e < 0 && v.n_files)
        abort(); /* what is damaged leaves nothing */
    data_free(d);
    arena_done(&a);
}

/* The tables, then a row for each piece: what it is, numbers of any size, the rest as a text. */
static void make(struct str in)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    static const char *const rows[] = {
        "insert or ignore into file values (?1 % 4, ?3)",
        "insert or ignore into context values (?1 % 4, ?3)",
        "insert or ignore into line_bits values (?1 % 4, ?2 % 4, ?3)",
        "insert or ignore into arc values (?1 % 4, ?2 % 4, ?1, ?2)",
        "insert or replace into meta values ('has_arcs', ?1 % 2)",
    };
    unlink(path);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "pragma journal_mode=off; pragma synchronous=off; begin;"
                     "create table coverage_schema (version integer);"
                     "insert into coverage_schema values (7);"
                     "create table meta (key text primary key, value text);"
                     "create table file (id integer primary key, path text unique);"
                     "create table context (id integer primary key, context text unique);"
                     "create table line_bits (file_id integer, context_id integer, numbits blob);"
                     "create table arc (file_id integer, context_id integer, fromno integer, "
                     "tono integer)",
                     NULL, NULL, NULL) != SQLITE_OK)
        abort();
    while (in.n > 18) {
        int64_t numbers[2];
        size_t n = (uint8_t)in.p[1] % 64;
        const char *sql = rows[(uint8_t)in.p[0] % (sizeof rows / sizeof *rows)];
        memcpy(numbers, in.p + 2, sizeof numbers);
        in = str_of(in.p + 18, in.n - 18);
        n = n < in.n ? n : in.n;
        if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
            abort();
        sqlite3_bind_int64(s, 1, numbers[0]);
        sqlite3_bind_int64(s, 2, numbers[1]);
        sqlite3_bind_blob(s, 3, in.p, (int)n, SQLITE_STATIC);
        sqlite3_step(s);
        sqlite3_finalize(s);
        in = str_of(in.p + n, in.n - n);
    }
    sqlite3_exec(db, "commit", NULL, NULL, NULL);
    sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!n)
        return 0;
    if (!path[0])
        set_up();
    struct str in = {(const char *)p + 1, n - 1};
    if (p[0] & 1)
        make(in);
    else if (fs_write(path, in, 0600) < 0)
        abort();
    take();
    unlink(path);
    return 0;
}
