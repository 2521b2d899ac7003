/* net - an environment's own network: a loopback, and the listeners on it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

int net_up(void); /* lo up, with 127.0.0.1/8 and SANDBOX_ADDRESS/32 */
/* Non-blocking, close-on-exec socket bound at SANDBOX_ADDRESS; the descriptor or -errno. */
int net_listen(uint16_t port, bool datagram);
