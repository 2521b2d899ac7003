/* pristine - what a zygote has written, as a file that cannot change; pages of a child that are
 * equal to it again are given back.
 *
 * Most of what a child copies it copies to count references up and down again. Anonymous memory
 * cannot be un-copied, a private mapping of a file can: madvise(MADV_DONTNEED) shows the file's page
 * again. So a zygote puts its writable memory into a sealed memfd, maps that, privately, in the same
 * place, and closes it: nobody can write to it any more.
 *
 * Where it does not work everything stays as it was. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* In the zygote, once, with no other thread. proc: the folder. */
void pristine_make(int proc);

/* Finds out, by a scout, which pages each invocation writes to: these are not worth it. Around the
 * fork in the zygote: begin, end. In the scout, after an invocation that followed a
 * pristine_give_back(): note. */
void pristine_watch_begin(void);
void pristine_watch_note(int proc);
void pristine_watch_end(void);

/* In a child, while nobody waits: maps all of it, which a fork does not do for what is a file's. */
void pristine_map(void);
/* In a child. Does nothing where anybody else might be writing to this memory: other threads,
 * processes of this one, operations of the kernel. Only the first call does anything. */
void pristine_give_back(int proc);
