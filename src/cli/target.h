/* target - where a verb's calls go, and what samconfig.toml says: shared by all verbs that talk to
 * a cloud.
 *
 * The embedded cloud is asked unless --target aws, LAMINA_TARGET=aws or an endpoint is given:
 * nothing is sent to Amazon by accident. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"

struct target_options {
    struct str endpoint, region, profile, target;
    bool json;
    struct str config_file, config_env;
};
extern const struct option_row target_rows[];
#define TARGET_SET                                                                                 \
    {                                                                                              \
        target_rows, sizeof(struct target_options)                                                 \
    }

/* For struct verb's preset: values of samconfig.toml beside the template (or --config-file), the
 * command's section over the global one; environment variables and the command line win. Keys that
 * neither this verb nor SAM knows are warned about. */
int target_preset(struct verb_run *run);

struct target_options *target_of(const struct verb_run *run);

/* Opens the client; 0 or an exit code after a message. */
int target_open(struct verb_run *run, struct aws_client **ret);

/* On AWS, before something is changed: account, region and caller to stderr, "AWS account
 * 123456789012, eu-west-1, as arn:..."; 0 or an exit code after a message. Nothing elsewhere. */
int target_announce(struct verb_run *run, struct aws_client *aws);

/* "lamina: deploy: ... (AccessDenied)" and 1. what: "the stack cannot be described", or NULL. */
int target_fail(const struct verb_run *run, const struct aws_error *err, const char *what);

/* True when the error has this code. */
bool target_error_is(const struct aws_error *err, const char *code);

/* Prints a tree as --json wants it. */
void target_print_json(struct arena *a, const struct json *v);
