/* limits - the resource limits that all processes of environments have in common, whatever the
 * shell has that the daemon was started from. */
#pragma once

/* In the spawner: everything inherits them. What may not be raised stays as it is. */
void limits_prepare(void);
