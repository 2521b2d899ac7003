/* http_served - what the tests of HTTP share: a server in a thread of its own, and a client that
 * sends and receives bytes. */
#pragma once
#include "check.h"
#include "http/server.h"

extern struct http_listener *lasting; /* beside that of dial(): it outlasts the stop */
extern _Atomic int turn_result;       /* of the turn hook, after a turn with answers */
extern int turns_with_answers;
extern int64_t in_bytes; /* of the last body below /in */

int setup(void **state);
int teardown(void **state);
/* What a handler tells next: w(aiting), g(one), e(nd of a body), r(efused), p(aused), s(topped).
 * Fails the test when it is nothing for 5 s. */
char told(void);
int dial_port(int to_port);
int dial(void);
void say(int fd, struct str bytes);
/* Everything until the server closes, or until `end` has come. */
struct str hear(int fd, const char *end, char *text, size_t size);
