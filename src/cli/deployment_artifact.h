/* deployment_artifact - templates and code of deployments as objects of the bucket. */
#pragma once
#include "cli/deployment.h"

/* The template's text under the digest of its content; the record names it. Absent bucket: the
 * managed one when it is there, otherwise nothing is done. -errno with *err. */
int deployment_keep_template(struct deployment_record *r, struct str text, struct aws_error *err);
/* A copy of the code that a function (or version) has now; the entry names it. -errno with *err. */
int deployment_keep_code(struct deployment_record *r, struct json *entry, struct aws_error *err);
/* All of a stack or function as it is, its code included. -errno with *why. */
int deployment_capture(struct deployment_record *r, struct str name, struct str *why);
/* 0; -ENOENT: there is none; -errno with *err. from: {bucket, key, version_id}. */
int deployment_artifact_look(struct arena *a, struct aws_client *aws, const struct json *from,
                             struct aws_error *err);
/* The zip that a function's qualifier runs, into an open file. -errno with *err. */
int deployment_fetch_code(struct arena *a, struct aws_client *aws, struct str function,
                          struct str qualifier, int fd, struct aws_error *err);
