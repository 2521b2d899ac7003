/* process - the spawner's own life: its set-up and its loop. */
#pragma once
#include "sandbox/sandbox.h"

_Noreturn void spawner_main(int control, const struct spawner_options *options);
