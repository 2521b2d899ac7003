/* limits - the resource limits that all processes of environments have in common, whatever the
 * shell has that the daemon was started from. */
#pragma once

/* In the spawner: everything inherits them. What may not be raised stays as it is. */
void limits_prepare(void);

/* In the daemon, ahead of everything: all processes inherit it. Whoever wakes up runs when the one
 * that is running has had a tenth of a millisecond, instead of some milliseconds: an invocation
 * wakes five times. It gives nobody more of the processors. Linux 6.12; nothing before. */
void limits_be_prompt(void);
