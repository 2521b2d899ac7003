/* filter - the system calls that nothing inside an environment may make. */
#pragma once
#include <linux/filter.h>
#include <stddef.h>

/* Compiles the filter once; the memory belongs to the caller. -errno where libseccomp or the kernel
 * cannot. */
int filter_compile(struct sock_fprog *ret);
