/* list - a doubly linked list whose links are inside the elements. The owner frees the elements. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_append(struct list *l, struct list *e)
{
    e->prev = l->prev;
    e->next = l;
    l->prev->next = e;
    l->prev = e;
}
static inline void list_prepend(struct list *l, struct list *e)
{
    list_append(l->next, e);
}
static inline void list_remove(struct list *e) /* harmless on an element that is in no list */
{
    if (!e->next)
        return;
    e->prev->next = e->next;
    e->next->prev = e->prev;
    e->next = e->prev = NULL;
}
#define LIST_ENTRY(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))
/* The current element may be removed while iterating. */
#define LIST_EACH(l, type, member, var)                                                            \
    for (type *var = LIST_ENTRY((l)->next, type, member),                                          \
              *next_##var = LIST_ENTRY(var->member.next, type, member);                            \
         &var->member != (l);                                                                      \
         var = next_##var, next_##var = LIST_ENTRY(next_##var->member.next, type, member))
