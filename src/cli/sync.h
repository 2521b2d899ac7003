/* sync - `lamina sync`: a stack that follows its sources. Shared by sync.c (the verb, the whole),
 * sync_project.c (what there is to follow) and sync_code.c (one function or layer). */
#pragma once
#include <signal.h>
#include "aws/client.h"
#include "build/artifact.h"
#include "cli/verb.h"

struct sync_options {
    struct str template, stack_name, s3_bucket, s3_prefix, role_arn;
    struct option_list overrides, capabilities, tags, resource_ids, resources;
    bool code, watch, skip_deploy, dependency_layer, use_container;
};

/* One function or layer with local code. */
struct sync_item {
    struct artifact *artifact;
    struct str image_uri;   /* of a function of an image on disk: nothing is built */
    struct str physical_id; /* absent: the stack has it not */
    struct str sha256;      /* of the zip that was sent last, base64 */
    struct str alias;       /* AutoPublishAlias: follows what is sent */
    int tree;               /* of watch.h */
    bool pending;           /* changed, or its last build failed */
    struct arena *arena;    /* of sources */
    struct artifact_sources sources;
    bool built; /* from sources */
};

struct sync {
    struct verb_run *run;
    const struct sync_options *o;
    struct arena *arena; /* of one template; a new one when it changes */
    struct aws_client *aws;
    struct str path, stack_name, build_dir;
    struct json *root;
    struct sync_item *items;
    size_t n_items;
    int64_t saved_us; /* when what is being worked on was saved; 0: nothing was */
};

/* Set by SIGINT, SIGTERM, SIGHUP. */
extern volatile sig_atomic_t sync_stopped;

/* Builds, sends, waits until it is live, and prints the line. 0, or 1 after a message; items whose
 * content is what the cloud has already are not sent. */
int sync_item_send(struct sync *s, struct sync_item *item);
void sync_item_done(struct sync_item *item);

/* The template, and what of it is code: s->items. The arena of the one before is gone with all it
 * held. 0, or an exit code after a message; so the next. */
int sync_read_project(struct sync *s);
void sync_project_done(struct sync *s);
int sync_read_stack(struct sync *s); /* names and hashes of what the stack has of them */
