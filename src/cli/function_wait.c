/* function_wait - asked again, with longer and longer pauses: see function_wait.h. */
#include "cli/function_wait.h"
#include <errno.h>
#include <poll.h>

#define MAX_POLLS 600
#define MAX_PAUSE_MS 1000

int function_wait(struct aws_client *aws, struct arena *a, struct str function,
                  struct lambda_function_configuration **ret, struct aws_error *err)
{
    struct lambda_get_function_configuration_input in = {.function_name = function};
    int pause_ms = 1;
    for (int i = 0; i < MAX_POLLS; i++) {
        int r = aws_call(aws, a, &lambda_get_function_configuration_op, &in, (void **)ret, err);
        if (r < 0)
            return r;
        if (!str_is((*ret)->last_update_status, "InProgress") && !str_is((*ret)->state, "Pending"))
            return 0;
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 < MAX_PAUSE_MS ? pause_ms * 2 : MAX_PAUSE_MS;
    }
    err->message = str_printf(a, "%.*s is still being updated", STR(function));
    return err->r = -ETIMEDOUT;
}
