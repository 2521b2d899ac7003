/* user - who functions run as; for what must not include more of the sandbox. */
#pragma once

#define SANDBOX_UID 993
#define SANDBOX_GID 990
