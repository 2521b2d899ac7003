/* unneeded - memory that init inherits from the spawner and gives back.
 *
 * Each init is a copy of the spawner that lives as long as its environment. Pages of the spawner's
 * heap would stay in memory once for every init that was made between two writes to them, and what
 * init has used for a moment would stay in its stack. */
#pragma once

/* In the spawner, before the first init is made. */
void unneeded_look(void);
/* In init: from here on nobody calls malloc() and nothing on the heap may be looked at. */
void unneeded_drop_heap(void);
/* What deeper calls have left below the caller's frame. */
void unneeded_drop_stack(void);
/* Of a static, page-aligned array without initial values; reads as zeros afterwards. */
void unneeded_drop(void *p, unsigned long size);
