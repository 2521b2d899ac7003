/* demand - how many environments of a sort are to be ready before anybody asks for them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct demand {
    int want;
    int ahead; /* of what was lately asked for: more where one costs little */
    int burst; /* asked for within the last second */
    int64_t burst_ms, used_ms;
};
/* spares below: see struct spawner_options. */

/* Somebody may ask soon. */
void demand_expected(struct demand *d, int spares, int64_t now_ms);
/* Somebody has asked. The next one often follows at once, and before another one is made: so there
 * are some more than were lately asked for in a second: `ahead`. */
void demand_used(struct demand *d, int spares, int64_t now_ms);
/* As time goes by: fewer, but not fewer than least. False: none has been wanted for long. */
bool demand_age(struct demand *d, int spares, int least, int64_t now_ms);
