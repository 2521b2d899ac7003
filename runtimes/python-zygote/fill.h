/* fill - a zygote's holes are filled, so that what its children allocate lies together.
 *
 * What is free in a zygote's memory is scattered over pages that are used otherwise: a child would
 * copy a page for each few objects that it makes. Blocks that are never freed take these places;
 * all that comes later gets fresh memory. */
#pragma once

/* In the zygote, once. Keeps at most some hundred KiB for good. */
void fill_holes(void);
