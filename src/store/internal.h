/* internal - what the files of the store share. */
#pragma once
#include <sqlite3.h>
#include "base/map.h"
#include "store/store.h"

/* 2: events of logs stand in blocks, which version 1 would not see; what 1 has written is read. */
#define STORE_SCHEMA 2

enum statement {
    STATEMENT_GET,
    STATEMENT_PUT,
    STATEMENT_DELETE,
    STATEMENT_DELETE_RANGE,
    STATEMENT_SCAN_FROM,  /* key >= ? */
    STATEMENT_SCAN_AFTER, /* key > ? */
    STATEMENT_SCAN_BACK,
    STATEMENT_COUNT,
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_SAVEPOINT,
    STATEMENT_N
};

#define RECENT_ROWS 64
struct recent_row {
    char *bytes; /* key and value; NULL: none is kept here */
    uint64_t hash;
    size_t key_n, value_n;
    bool there; /* false: it is known that the key is not stored */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_N];
    char *dir, *tmp, *blobs;
    int lock_fd;
    bool ephemeral, durable;
    bool in_turn;        /* a write transaction is open */
    int failed;          /* the turn is lost: -errno until store_commit() says so */
    unsigned marks;      /* set */
    unsigned savepoints; /* of these marks, the oldest n have a savepoint in the database */
    struct recent_row recent[RECENT_ROWS];
    struct map touched; /* ids of blobs made or deleted in this turn: value is unused */
};

int store_write_begin(struct store *s); /* before every write */
int store_error_of(struct store *s, int sqlite_code);
struct str blob_key(struct arena *a, struct str id);

/* recent.c. The value is good until the next call. */
bool recent_find(struct store *s, struct str key, bool *ret_there, struct str *ret_value);
void recent_keep(struct store *s, struct str key, bool there, struct str value);
void recent_forget(struct store *s, struct str key);
void recent_forget_all(struct store *s);

/* After a turn, kept or lost: files whose key does not exist are removed. */
void blobs_settle(struct store *s);
int blobs_sweep(struct store *s);
