/* analysis_internal - between the parts of the analysis: workers, their answers, the cache. */
#pragma once
#include "base/buf.h"
#include "coverage/analysis.h"
#include <time.h>

/* analysis_read.c: one line of the script's output; -EBADMSG when it is none. *ret_id: which
 * request it answers; -1: the patterns are wrong, (*ret)->error says which. */
int analysis_read(struct arena *a, struct str line, int64_t *ret_id, struct analysis **ret);
/* Sets of lines, arcs and regions fit together and into the file; whoever made them. */
bool analysis_valid(const struct analysis *an);
/* The lines of spans (first, last, first, last ...), which ascend. -EBADMSG. */
int analysis_set_spans(struct arena *a, struct analysis *an, const uint32_t *spans, size_t n);

/* analysis_run.c: the interpreter to use. ret->program absent: there is none. */
struct analysis_python {
    struct str program, minor; /* "/usr/bin/python3.12", "3.12" */
};
void analysis_find_python(struct arena *a, struct str wanted, struct analysis_python *ret);
/* Runs the script over `requests` (what it reads) and hands out all that it wrote. */
int analysis_run_script(struct arena *a, const struct analysis_python *python, int workers,
                        struct str requests, struct str *ret_results, struct str *ret_errors);

/* cache.c */
#define CACHE_FILES_MAX 10000      /* see cache_trim() */
#define CACHE_ENTRY_MAX (4u << 20) /* larger results are not kept */
struct cache_key {
    char hex[65];
};
/* Folder of the user's cache: $XDG_CACHE_HOME/lamina/coverage; absent without a home. */
struct str cache_folder(struct arena *a);
void cache_key(struct str source, struct str minor, const uint8_t patterns[32],
               struct cache_key *ret);
struct analysis *cache_load(struct arena *a, struct str folder, const struct cache_key *key);
void cache_save(struct str folder, const struct cache_key *key, const struct analysis *an);
/* With more than max entries: a quarter fewer than max are left, those that were of use last. */
void cache_trim(struct str folder, size_t max);
/* cache_pack.c: many entries in one file, each run's new ones together */
#define PACKS_MAX 16  /* those that were of use last are kept */
#define PACK_LEAST 32 /* fewer new entries are files of their own */
struct packs {
    struct pack {
        int fd;
        uint32_t n;
        const uint8_t *index;
        bool is_old; /* of use last more than a day ago */
    } list[PACKS_MAX];
    size_t n;
};
struct pack_name {
    const char *name;
    time_t used;
};
struct pack_item {
    const struct cache_key *key;
    const struct analysis *analysis;
};
/* The index of the open file fd, which ret takes; false when it is damaged or no pack. */
bool pack_index(struct arena *a, int fd, struct pack *ret);
void packs_open(struct arena *a, struct str folder, struct packs *ret);
void packs_close(struct packs *packs);
struct analysis *packs_load(struct arena *a, struct packs *packs, const struct cache_key *key);
/* Sorts items. What cannot be written is as good as absent. */
void pack_save(struct str folder, struct pack_item *items, size_t n);
/* Bytes of an entry, and back; -EBADMSG for anything else. */
void cache_encode(struct buf *b, const struct analysis *an);
int cache_decode(struct arena *a, struct str data, struct analysis **ret);
