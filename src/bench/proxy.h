/* proxy - the proxy that the environment names for a host, and what opens a tunnel through it.
 *
 * As curl reads it: HTTPS_PROXY or https_proxy, then ALL_PROXY or all_proxy; not for hosts that
 * NO_PROXY or no_proxy names ("*", "example.com" and what ends in it, addresses as they are
 * written), and never for this machine itself. Only for https: what is asked by http is asked
 * directly. May use base/. */
#pragma once
#include "bench/address.h"

struct proxy {
    struct address address; /* of the proxy, not resolved yet; host absent: none is to be used */
    struct str connect;     /* the request that opens the tunnel */
};
/* -EINVAL with *why: the proxy is not one that is asked by HTTP (https://, socks5:// ...). */
int proxy_find(struct arena *a, const struct address *to, struct proxy *ret, struct str *why);
