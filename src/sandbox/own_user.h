/* own_user - a user of the host's for each environment, which goes by SANDBOX_UID in there.
 *
 * What the kernel counts by user (inotify instances, message queues, pending signals and timers,
 * descriptors in flight, watches of epoll) it counts for that user, and for the owner of the user
 * namespace: each environment's is made by its own. Users are from OWN_USER_FIRST on, beyond those
 * that people, containers and systemd are given (systemd's UIDS-GIDS.md), in turn from somewhere
 * at random, so that two daemons meet hardly ever. Whoever else a file belongs to is who he is
 * outside, too; groups are the same.
 *
 * Only processes that run functions are in such a namespace: what else an environment has belongs
 * to the host's. user_namespaces(7). */
#pragma once

#define OWN_USER_FIRST 0x70000000
#define OWN_USERS 0x0ffffff0

/* For the spawner. A new one's user namespace, for shed_privileges(); or -errno: we may not (not
 * root, in a chroot, not in the system's user namespace, or these are switched off). */
int own_user_make(void);
