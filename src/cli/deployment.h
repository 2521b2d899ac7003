/* deployment - what a deployment was: a JSON record in the bucket that holds its artifacts.
 *
 * Key: PREFIX/deployments/ID.json, PREFIX the --s3-prefix or the name of the stack or function. An
 * id begins with the time in UTC, so that names sort as they happened. Members, and what may change
 * in them: docs/releases.md. Values of NoEcho parameters, and what a template makes of them, are
 * not in a record: in their place stands {"no_echo": true}.
 *
 * Pure: deployment_diff(), deployment_redact(), the tests below. Everything else makes calls. */
#pragma once
#include "aws/client.h"
#include "cli/verb.h"
#include "template/process.h"

#define DEPLOYMENT_SCHEMA 1

/* What is being recorded; made once a verb, filled step by step. */
struct deployment_record {
    struct verb_run *run;
    struct aws_client *aws;
    struct str bucket, prefix; /* absent bucket: it is looked for when the record is written */
    struct str id;
    struct json *json;
    struct str *secrets; /* values of NoEcho parameters, as far as they are known here */
    size_t n_secrets;
    const struct json *template_root; /* the template, for what it makes of secrets; may be NULL */
};

/* Members that every record has; action: "deploy", "rollback" ...; dir: whose git commit it is. */
void deployment_begin(struct deployment_record *r, const char *action, struct str dir);
/* What the stack, or one function, is now. 0, or -errno with *err. */
int deployment_add_stack(struct deployment_record *r, struct str stack, struct aws_error *err);
int deployment_add_function(struct deployment_record *r, struct str function,
                            struct aws_error *err);
/* result: "in progress", "complete", "failed", "rolled back". Says on stderr when it cannot be
 * written, which is -errno but no reason to fail. */
int deployment_write(struct deployment_record *r, const char *result, struct str reason);

/* ---- what is there ---- */

struct deployment_key {
    struct str key, id;
};
struct deployment_query {
    struct verb_run *run;
    struct aws_client *aws;
    struct str bucket;
    struct str prefix; /* absent: all of the bucket */
    struct str name;   /* a stack or function; absent: any */
    size_t max;        /* 0: all */
    bool complete;     /* only those whose result is "complete" */
};
/* --s3-bucket, or SAM's managed one; 0, or an exit code after a message when there is none. */
int deployment_bucket(struct verb_run *run, struct aws_client *aws, struct str given,
                      struct str *ret);
/* The newest first. 0, or an exit code after a message. */
int deployment_list(const struct deployment_query *q, struct json ***ret, size_t *ret_n);
/* By id or its beginning; "latest", "previous" of q->name. 0, or an exit code after a message. */
int deployment_find(const struct deployment_query *q, struct str id, struct json **ret);

bool deployment_id_is(struct str text);
/* "a/deployments/ID.json" -> ID; absent: no record's key. */
struct str deployment_key_id(struct str key);
bool deployment_matches(const struct json *record, struct str name);

/* ---- one function ---- */

/* {name, arn, code, configuration, layers, aliases, version, ...} as records have it. */
int deployment_function(struct arena *a, struct aws_client *aws, struct str function,
                        struct json **ret, struct aws_error *err);
/* Adds tags, event_invoke, urls, provisioned, permissions, recursive_loop to an entry, as far as
 * they may be seen. */
int deployment_add_settings(struct arena *a, struct aws_client *aws, struct json *entry,
                            struct aws_error *err);
/* The template that a stack has now, after its transform; NULL when it cannot be had. */
struct json *deployment_processed(struct arena *a, struct aws_client *aws, struct str stack);
/* Configuration without what changes by itself: RevisionId, LastModified, states. */
struct json *deployment_configuration(struct arena *a, const struct json *configuration);
/* Puts marks in the place of secrets: of properties of the template's resource that mention a
 * NoEcho parameter, and of texts in which a known secret stands. */
void deployment_redact(struct arena *a, struct json *configuration, const struct json *properties,
                       const struct json *parameters, const struct str *secrets, size_t n);
bool deployment_is_redacted(const struct json *v);
/* Does a value of a template mention a NoEcho parameter? */
bool deployment_mentions_secret(const struct json *v, const struct json *parameters);
struct json *deployment_mark(struct arena *a);
bool deployment_no_echo(const struct json *parameter); /* as a template declares it */
/* One of the secrets is the text, or stands in it. */
bool deployment_holds(struct str text, const struct str *secrets, size_t n);

/* A copy of a function's entry in which names of the stack's resources (`from`: logical id to
 * name) are those that they have in `to`: what was made again is called otherwise. Pure. */
struct json *deployment_rename(struct arena *a, const struct json *entry, const struct json *from,
                               const struct json *to);

/* ---- differences ---- */

struct deployment_change {
    struct str where; /* the function's name, "parameters", "template", "tags" ... */
    struct str what;  /* "code", "layers", "configuration.MemorySize", a parameter's name */
    const struct json *from, *to; /* NULL: absent */
};
struct deployment_changes {
    struct deployment_change *items;
    size_t n, cap;
};
void deployment_diff(struct arena *a, const struct json *from, const struct json *to,
                     struct deployment_changes *ret);
/* Of two entries of functions. by_content: layers and aliases are equal when what they hold is,
 * whatever their version numbers. Redacted values are equal to anything. */
void deployment_diff_function(struct arena *a, struct str where, const struct json *from,
                              const struct json *to, bool by_content,
                              struct deployment_changes *ret);
/* Those of settings: part of the above. What is missing in one of them is not compared. */
void deployment_diff_settings(struct arena *a, struct str where, const struct json *from,
                              const struct json *to, bool by_content,
                              struct deployment_changes *ret);
struct json *deployment_changes_json(struct arena *a, const struct deployment_changes *c);
/* A value on one line, shortened. */
struct str deployment_show(struct arena *a, const struct json *v, size_t max);
/* The entry of a function in a record, by logical id when there is one, or by name; NULL. */
struct json *deployment_entry(const struct json *record, const struct json *like);
