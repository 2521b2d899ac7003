/* net - an environment's own network: a loopback, and the listeners on it. */
#pragma once
#include "sandbox/message.h"
#include <stdbool.h>
#include <stdint.h>

int net_up(void); /* lo up, with 127.0.0.1/8 and SANDBOX_ADDRESS/32 */
/* Non-blocking, close-on-exec socket bound at SANDBOX_ADDRESS; the descriptor or -errno. */
int net_listen(uint16_t port, bool datagram);
/* All PLAN_PORT of it. */
int net_listen_all(struct plan_cursor plan, int fds[SANDBOX_PORTS], size_t *ret_n, char *why);
