/* credentials - where keys come from, in the order all AWS tools use. */
#include "aws/credentials.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/fs.h"

#define FILE_MAX (1024 * 1024)
#define CHAIN_MAX 8 /* source_profile to source_profile */

extern char **environ;

/* ---- files ---- */

struct profile *profile_find(struct profile *list, struct str name)
{
    for (; list; list = list->next)
        if (str_eq(list->name, name))
            return list;
    return NULL;
}

static struct profile *section(struct arena *a, struct str name, struct profile **list)
{
    name = str_trim(name);
    if (str_starts(name, S("profile ")))
        name = str_trim(str_slice(name, strlen("profile "), name.n));
    struct profile *p = profile_find(*list, name);
    if (p)
        return p;
    p = ARENA_NEW(a, struct profile);
    p->name = str_copy(a, name);
    p->next = *list;
    *list = p;
    return p;
}

void profiles_parse(struct arena *a, struct str text, struct profile **list)
{
    static const struct {
        const char *key;
        size_t offset;
    } keys[] = {
        {"aws_access_key_id", offsetof(struct profile, access_key)},
        {"aws_secret_access_key", offsetof(struct profile, secret_key)},
        {"aws_session_token", offsetof(struct profile, token)},
        {"region", offsetof(struct profile, region)},
        {"role_arn", offsetof(struct profile, role_arn)},
        {"source_profile", offsetof(struct profile, source_profile)},
        {"credential_source", offsetof(struct profile, credential_source)},
        {"external_id", offsetof(struct profile, external_id)},
        {"role_session_name", offsetof(struct profile, session_name)},
        {"web_identity_token_file", offsetof(struct profile, web_identity_file)},
        {"credential_process", offsetof(struct profile, credential_process)},
        {"endpoint_url", offsetof(struct profile, endpoint_url)},
    };
    struct profile *p = NULL;
    struct str line, rest = text, key, value;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        bool nested = line.n && (line.p[0] == ' ' || line.p[0] == '\t'); /* s3 = ... sub-settings */
        line = str_trim(line);
        if (!line.n || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[') {
            ssize_t end = str_find_byte(line, ']');
            p = end < 0 ? NULL : section(a, str_slice(line, 1, (size_t)end), list);
            continue;
        }
        if (!p || nested || !str_cut(line, '=', &key, &value))
            continue;
        key = str_trim(key);
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (str_is(key, keys[i].key))
                *(struct str *)(void *)((char *)p + keys[i].offset) = str_copy(a, str_trim(value));
    }
}

static int load_file(struct arena *a, const char *variable, const char *name, struct profile **list)
{
    const char *path = getenv(variable), *home = getenv("HOME");
    if (!path && !home)
        return 0;
    if (!path)
        path = str_printf(a, "%s/.aws/%s", home, name).p;
    struct str text;
    int r = fs_read(path, FILE_MAX, a, &text);
    if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
        return 0;
    if (r == 0)
        profiles_parse(a, text, list);
    return r;
}

int profiles_load(struct arena *a, struct profile **ret)
{
    struct profile *list = NULL;
    int r = load_file(a, "AWS_CONFIG_FILE", "config", &list);
    if (r == 0)
        r = load_file(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &list);
    if (r == 0)
        *ret = list;
    return r;
}

/* ---- the chain ---- */

static int fail(struct aws_error *err, int r, struct str message)
{
    *err = (struct aws_error){.r = r, .message = message};
    return r;
}

static struct str variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? str_from(v) : (struct str){0};
}

/* Runs the command by the shell, as the AWS CLI does, and reads {"Version": 1, "AccessKeyId": ...}.
 */
static int from_process(struct str command, struct arena *a, struct sigv4_credentials *ret,
                        struct aws_error *err)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    auto_close int reader = out[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", str_c(a, command), NULL};
    pid_t pid;
    int r = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    if (r)
        return fail(err, -r, S("credential_process: cannot start /bin/sh"));
    auto_buf struct buf text;
    buf_init(&text, FILE_MAX);
    char block[4096];
    ssize_t n;
    while ((n = read(reader, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(&text, block, (size_t)n);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    struct json *v;
    if (status != 0 || buf_failed(&text) || json_parse(a, buf_copy(&text, a), &v, NULL) < 0 ||
        !json_get_str(v, "AccessKeyId").n || !json_get_str(v, "SecretAccessKey").n)
        return fail(err, -ENOENT,
                    str_printf(a, "credential_process gave no credentials: %.*s", STR(command)));
    *ret = (struct sigv4_credentials){json_get_str(v, "AccessKeyId"),
                                      json_get_str(v, "SecretAccessKey"),
                                      json_get_str(v, "SessionToken")};
    return 0;
}

static int web_identity(struct str file, struct str role, struct str session, struct arena *a,
                        struct credential_plan *ret, struct aws_error *err)
{
    struct str token;
    int r = fs_read(str_c(a, file), FILE_MAX, a, &token);
    if (r < 0)
        return fail(
            err, r,
            str_printf(a, "cannot read the web identity token %.*s: %s", STR(file), strerror(-r)));
    *ret = (struct credential_plan){.kind = CREDENTIAL_WEB_IDENTITY,
                                    .role_arn = role,
                                    .session_name = session,
                                    .web_token = str_trim(token)};
    return 0;
}

static bool from_environment(struct sigv4_credentials *ret)
{
    struct str key = variable("AWS_ACCESS_KEY_ID"), secret = variable("AWS_SECRET_ACCESS_KEY");
    if (!key.n || !secret.n)
        return false;
    *ret = (struct sigv4_credentials){key, secret, variable("AWS_SESSION_TOKEN")};
    return true;
}

static int source_keys(struct profile *list, struct profile *p, struct arena *a, int depth,
                       struct sigv4_credentials *ret, struct aws_error *err)
{
    if (depth > CHAIN_MAX)
        return fail(err, -ELOOP,
                    str_printf(a, "profile %.*s: source_profile goes in circles", STR(p->name)));
    if (p->access_key.n && p->secret_key.n) {
        *ret = (struct sigv4_credentials){p->access_key, p->secret_key, p->token};
        return 0;
    }
    if (p->credential_process.n)
        return from_process(p->credential_process, a, ret, err);
    if (str_eq(p->credential_source, S("Environment")) && from_environment(ret))
        return 0;
    struct profile *source = p->source_profile.n ? profile_find(list, p->source_profile) : NULL;
    if (p->source_profile.n && !source)
        return fail(err, -ENOENT,
                    str_printf(a, "profile %.*s: its source_profile %.*s does not exist",
                               STR(p->name), STR(p->source_profile)));
    if (source && source != p)
        return source_keys(list, source, a, depth + 1, ret, err);
    return fail(err, -ENOENT, str_printf(a, "profile %.*s has no credentials", STR(p->name)));
}

static int from_profile(struct profile *list, struct profile *p, struct arena *a,
                        struct credential_plan *ret, struct aws_error *err)
{
    if (p->role_arn.n && p->web_identity_file.n)
        return web_identity(p->web_identity_file, p->role_arn, p->session_name, a, ret, err);
    struct credential_plan plan = {.kind = CREDENTIAL_KEYS};
    if (p->role_arn.n) {
        plan.kind = CREDENTIAL_ROLE;
        plan.role_arn = p->role_arn;
        plan.external_id = p->external_id;
        plan.session_name = p->session_name;
    }
    int r = source_keys(list, p, a, 0, &plan.keys, err);
    if (r == 0)
        *ret = plan;
    return r;
}

int credentials_plan(const struct aws_options *options, struct profile *profiles,
                     struct str profile, struct arena *a, struct credential_plan *ret,
                     struct aws_error *err)
{
    bool chosen = options->profile.n || variable("AWS_PROFILE").n;
    struct credential_plan plan = {.kind = CREDENTIAL_KEYS};
    if (options->access_key.n) {
        if (!options->secret_key.n)
            return fail(err, -EINVAL, S("an access key is given without its secret key"));
        plan.keys =
            (struct sigv4_credentials){options->access_key, options->secret_key, options->token};
        *ret = plan;
        return 0;
    }
    /* A profile named on the command line wins over the environment's keys. */
    if (!options->profile.n && from_environment(&plan.keys)) {
        *ret = plan;
        return 0;
    }
    struct profile *p = profile_find(profiles, profile);
    if (!p && chosen)
        return fail(err, -ENOENT,
                    str_printf(a, "there is no profile %.*s in ~/.aws/config or ~/.aws/credentials",
                               STR(profile)));
    struct str token = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), role = variable("AWS_ROLE_ARN");
    if (!options->profile.n && token.n && role.n)
        return web_identity(token, role, variable("AWS_ROLE_SESSION_NAME"), a, ret, err);
    if (p && options->target == AWS_TARGET_LOCAL && !p->access_key.n && !p->role_arn.n &&
        !p->credential_process.n && !p->source_profile.n)
        p = NULL; /* a profile that says just the region */
    if (p)
        return from_profile(profiles, p, a, ret, err);
    if (options->target == AWS_TARGET_LOCAL) {
        plan.keys = (struct sigv4_credentials){S("test"), S("test"), {0}};
        *ret = plan;
        return 0;
    }
    return fail(
        err, -ENOENT,
        S("no credentials: looked at AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and the "
          "profile in ~/.aws; give --profile NAME, or make one with \"aws configure\""));
}
