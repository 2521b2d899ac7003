/* mem - the heap, for those who cannot go on without it: running out of memory ends the process. */
#pragma once
#include <stddef.h>

void *mem_alloc(size_t size);  /* not zeroed */
void *mem_zalloc(size_t size); /* zeroed */
void *mem_realloc(void *p, size_t size);
void *mem_dup(const void *p, size_t size);
char *mem_dup_text(const char *text); /* NULL gives NULL */

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))
