/* data_internal - what a union is made of; between data.c, data_first.c and data_view.c. */
#pragma once
#include "base/arena.h"
#include "coverage/data.h"
#include "coverage/sets.h"

struct file {
    struct data_file pub;
    struct str label; /* other languages: of the group that all is of; "": none */
    struct line_set raw;
    struct hits all;
    struct hits *groups;
    size_t n_groups, cap_groups;
    struct data_hits *pub_groups;
    uint32_t *first;
    size_t n_first;
    int64_t latest; /* start of the latest context in `first` */
    struct v8_hits *v8;
    struct str *payloads;
    size_t n_payloads, cap_payloads;
};

struct data {
    struct arena arena; /* texts */
    enum data_by by;
    struct map by_key, by_source, by_group, by_context;
    struct file **files;
    size_t n_files, cap_files;
    struct data_source *sources;
    size_t n_sources, cap_sources;
    struct data_context *contexts;
    size_t n_contexts, cap_contexts;
    struct str *groups;
    size_t n_groups, cap_groups;
    struct data_file *view;
    struct object_reader *reader;
    struct arena reading;
    const struct map *names; /* of tests, by request id; or NULL */
    bool has_arcs;
    size_t n_lines_only;
};

#define PUSH(d, list)                                                                              \
    arena_push(&(d)->arena, (void **)&(d)->list, &(d)->n_##list, &(d)->cap_##list,                 \
               sizeof *(d)->list)

/* Index of the group of that name, which is made when it is new. */
uint32_t data_group(struct data *d, struct str label);

/* data_first.c: the context has run these lines. Before they are joined to f's. */
void first_take(struct data *d, struct file *f, uint32_t context, struct bits lines);
/* `from` is of another union, whose contexts stand in d from `shift` on. */
void first_join(struct data *d, struct file *to, const struct file *from, uint32_t shift);
