/* layer_publish - a layer's zip as a version of a layer: published once a content. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"

struct layer_publication {
    struct str name, zip;    /* zip: its bytes */
    struct str content;      /* what identifies the content: the same gives the same version */
    struct str version;      /* of what is in it, for the description */
    struct str architecture; /* absent: not told */
    const struct str *runtimes;
    size_t n_runtimes;
};

struct layer_published {
    struct str arn;
    int64_t version;
    bool reused;
};

/* A version with that content: 0, -ENOENT, or err->r. what->zip may be absent. */
int layer_published_find(struct aws_client *aws, struct arena *a,
                         const struct layer_publication *what, struct layer_published *ret,
                         struct aws_error *err);
/* 0, or err->r. A version of that layer whose description names the same content is taken. */
int layer_publish_once(struct aws_client *aws, struct arena *a,
                       const struct layer_publication *what, struct layer_published *ret,
                       struct aws_error *err);

/* arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION is of this layer. */
bool layer_arn_is(struct str arn, struct str name);
struct str layer_arn_version(struct str arn);

/* What a zip is, of its manifest when it has one. 0, or an exit code after a message. */
int layer_publication_read(struct verb_run *run, struct str zip, struct layer_publication *ret);

struct layer_publish_options {
    struct str name, regions, manifest;
    struct option_list compatible_runtimes;
};
int layer_publish_run(struct verb_run *run, const struct layer_publish_options *o, struct str zip);
int layer_validate_run(struct verb_run *run, struct str zip);
