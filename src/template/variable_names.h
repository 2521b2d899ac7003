/* variable_names - which names environment variables of functions may have, as Lambda decides when
 * a function is made; checks of templates ask the same, before anything is made. Pure. */
#pragma once
#include "base/str.h"

/* A letter, then at least one letter, digit or '_': the pattern of Lambda's model
 * (EnvironmentVariableName). */
bool variable_name_fits(struct str name);

/* Lambda sets it itself, and refuses functions that do ("Using Lambda environment variables",
 * reserved variables). */
bool variable_name_is_reserved(struct str name);
