/* layer_split_journal - what a proof makes is written down before it is made, so that the next one
 * removes what a killed one has left: see layer_split.h. */
#include <errno.h>
#include "base/clock.h"
#include "base/fs.h"
#include "bench/journal.h"
#include "cli/layer_split.h"
#include "cli/target.h"
#include "wire/iam.h"
#include "wire/lambda.h"

static struct str folder(struct arena *a)
{
    return fs_join(a, fs_dirname(a, journal_folder(a)), S("split"));
}

static struct str endpoint_of(struct layer_split *s)
{
    return aws_client_is_local(s->aws) ? aws_client_endpoint(s->aws, &lambda_model, s->a) : S("");
}

static bool gone(struct layer_split *s, int r, const struct aws_error *err, const char *what,
                 struct str name)
{
    if (r == 0 || target_error_is(err, "ResourceNotFoundException") ||
        target_error_is(err, "NoSuchEntity"))
        return true;
    fprintf(stderr, "lamina: layer split: the %s %.*s could not be removed: %.*s\n", what,
            STR(name), STR(err->message));
    return false;
}

static bool remove_all(struct layer_split *s, struct str function)
{
    struct aws_error err = {0};
    struct lambda_delete_function_input made = {.function_name = function};
    struct iam_delete_role_input role = {.role_name = function};
    int r = aws_call(s->aws, s->a, &lambda_delete_function_op, &made, NULL, &err);
    bool all = gone(s, r, &err, "function", function);
    for (int i = 1; i <= SPLIT_LAYERS_MAX; i++) {
        struct lambda_delete_layer_version_input in = {
            .layer_name = str_printf(s->a, "%.*s-%d", STR(function), i),
            .version_number = opt_int(1)};
        err = (struct aws_error){0};
        r = aws_call(s->aws, s->a, &lambda_delete_layer_version_op, &in, NULL, &err);
        all = gone(s, r, &err, "layer", in.layer_name) && all;
    }
    err = (struct aws_error){0};
    if (aws_client_is_local(s->aws)) /* on AWS it has been given */
        r = aws_call(s->aws, s->a, &iam_delete_role_op, &role, NULL, &err);
    return gone(s, r, &err, "role", function) && all;
}

void layer_split_leftovers(struct layer_split *s)
{
    struct str *paths, endpoint = endpoint_of(s);
    size_t n;
    if (journal_list(s->a, folder(s->a), &paths, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct journal *j;
        if (journal_take(s->a, paths[i], &j) < 0)
            continue; /* its writer lives, or it is none */
        const struct journal_head *h = journal_head(j);
        bool here = str_is(h->target, aws_client_is_local(s->aws) ? "local" : "aws") &&
                    str_eq(h->region, aws_client_region(s->aws)) && str_eq(h->endpoint, endpoint) &&
                    str_starts(h->function, S("lamina-split-"));
        if (here && remove_all(s, h->function))
            journal_end(j);
        else
            journal_leave(j);
    }
}

int layer_split_begin(struct layer_split *s, struct str function, struct journal **ret)
{
    bool local = aws_client_is_local(s->aws);
    struct journal_head head = {
        .run = journal_new_run(s->a),
        .target = local ? S("local") : S("aws"),
        .endpoint = endpoint_of(s),
        .region = aws_client_region(s->aws),
        .function = function,
        .created_ms = clock_now_ms(),
    };
    int r = journal_begin(s->a, folder(s->a), &head, ret);
    if (r < 0)
        return verb_fail(s->run, "%.*s: nothing can be noted there, so nothing is made: %s",
                         STR(folder(s->a)), strerror(-r));
    return 0;
}

void layer_split_end(struct layer_split *s, struct str function, struct journal *j)
{
    if (remove_all(s, function))
        journal_end(j);
    else
        journal_leave(j);
}
