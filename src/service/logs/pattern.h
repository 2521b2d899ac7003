/* pattern - the filter pattern language of CloudWatch Logs: parsed once, matched against messages.
 *
 *     ERROR -"known issue"                      terms: all must be there, -term must not
 *     ?ERROR ?WARN                              any of them
 *     %5[0-9][0-9]%                             regular expression
 *     { $.user.id = "a*" && $.n > 3 }           of JSON messages
 *     [ip, user, ..., status=4*, bytes>100]     of messages separated by blanks
 *
 * Pure. A pattern lives in the arena it was parsed into, including its compiled expressions, and
 * may be used by one thread at a time. May use base/. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct logs_pattern;

/* -EINVAL with the reason in *ret_why. An empty or blank pattern matches everything. */
int logs_pattern_parse(struct arena *a, struct str text, struct logs_pattern **ret,
                       struct str *ret_why);

/* False as well when an expression takes too long for a message (regex.h): logs_pattern_gave_up()
 * tells, and answers are worth nothing from then on. scratch: for the parsed form of a JSON
 * message; the caller resets it when he likes. */
bool logs_pattern_gave_up(const struct logs_pattern *p);
/* For many messages; to be slowed down before its arena goes. */
void logs_pattern_speed_up(struct logs_pattern *p);
void logs_pattern_slow_down(struct logs_pattern *p);
bool logs_pattern_match(const struct logs_pattern *p, struct str message, struct arena *scratch);
/* Text that every message has which matches, or an absent one: what to look for first. *ret_all:
 * every message that has it matches. */
struct str logs_pattern_needle(const struct logs_pattern *p, bool *ret_all);
