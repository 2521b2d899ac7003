/* verbs_all - every verb's description, one file each. */
#pragma once
#include "cli/verb.h"

#define VERB(name) extern const struct verb name##_verb;
#include "cli/verbs.h"
#undef VERB
