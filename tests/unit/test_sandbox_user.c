/* test_sandbox_user - the same environments, made by a user without any privilege. */
#define TEST_AS_USER 1
#include "test_sandbox.c"
