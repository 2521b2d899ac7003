/* credentials - where keys come from, in the order all AWS tools use. */
#include "aws/credentials.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"

#define FILE_MAX (1024 * 1024)
#define CHAIN_MAX 8 /* source_profile to source_profile */

extern char **environ;

struct chain {
    struct profile *list;
    struct arena *a;
    struct aws_error *err;
    int depth;
};

struct str credentials_variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? str_from(v) : (struct str){0};
}

/* ---- a process ---- */

static int read_all(int fd, struct arena *a, struct str *ret)
{
    auto_buf struct buf text;
    buf_init(&text, FILE_MAX);
    char block[4096];
    ssize_t n;
    while ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(&text, block, (size_t)n);
    *ret = buf_copy(&text, a);
    return buf_failed(&text) ? -EMSGSIZE : 0;
}

/* By the shell, as the AWS CLI does; the answer is {"Version": 1, "AccessKeyId": ...}. */
int credentials_run(struct credential_plan *plan, struct arena *a, struct aws_error *err)
{
    int out[2], status;
    if (pipe2(out, O_CLOEXEC) < 0)
        return aws_fail(err, -errno, S("credential_process: no pipe"));
    auto_close int reader = out[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", str_c(a, plan->process),
                    NULL};
    pid_t pid;
    int r = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    if (r)
        return aws_fail(err, -r, S("credential_process: cannot start /bin/sh"));
    struct str text;
    struct json *v;
    r = read_all(reader, a, &text);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0 || r < 0 || json_parse(a, text, &v, NULL) < 0 ||
        !json_get_str(v, "AccessKeyId").n || !json_get_str(v, "SecretAccessKey").n)
        return aws_fail(
            err, -ENOENT,
            str_printf(a, "credential_process gave no credentials: %.*s", STR(plan->process)));
    plan->keys = (struct sigv4_credentials){json_get_str(v, "AccessKeyId"),
                                            json_get_str(v, "SecretAccessKey"),
                                            json_get_str(v, "SessionToken")};
    plan->expires_ms = 0;
    struct str end = json_get_str(v, "Expiration");
    if (str_has(end) && clock_parse_iso8601(end, &plan->expires_ms) < 0)
        return aws_fail(err, -EINVAL,
                        str_printf(a,
                                   "credential_process gave the Expiration %.*s, which is no time",
                                   STR(end)));
    if (plan->expires_ms && plan->expires_ms < clock_now_ms())
        return aws_fail(err, -ENOENT,
                        str_printf(a, "credential_process gave credentials that have expired: %.*s",
                                   STR(plan->process)));
    return 0;
}

/* ---- profiles ---- */

static int web_identity(struct str file, struct str role, struct str session, struct arena *a,
                        struct credential_plan *ret, struct aws_error *err)
{
    struct str token;
    int r = fs_read(str_c(a, file), FILE_MAX, a, &token);
    if (r < 0)
        return aws_fail(
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
    struct str key = credentials_variable("AWS_ACCESS_KEY_ID"),
               secret = credentials_variable("AWS_SECRET_ACCESS_KEY");
    if (!key.n || !secret.n)
        return false;
    *ret = (struct sigv4_credentials){key, secret, credentials_variable("AWS_SESSION_TOKEN")};
    return true;
}

static bool in_container(void)
{
    return credentials_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").n ||
           credentials_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").n;
}

static bool has_sso(const struct profile *p)
{
    return p->sso_account_id.n || p->sso_role_name.n || p->sso_session.n || p->sso_start_url.n;
}

static bool has_keys(const struct profile *p)
{
    return p->access_key.n || p->role_arn.n || p->credential_process.n || p->source_profile.n ||
           p->web_identity_file.n;
}

static int sso(struct chain *c, const struct profile *p, struct credential_plan *ret)
{
    struct arena *a = c->a;
    struct credential_plan plan = {.kind = CREDENTIAL_SSO,
                                   .sso_name = p->sso_start_url,
                                   .sso_region = p->sso_region,
                                   .sso_account = p->sso_account_id,
                                   .sso_role = p->sso_role_name};
    if (p->sso_session.n) {
        const struct profile *session =
            profile_find(c->list, str_printf(a, "sso-session %.*s", STR(p->sso_session)));
        if (!session)
            return aws_fail(c->err, -ENOENT,
                            str_printf(a, "profile %.*s: there is no [sso-session %.*s]",
                                       STR(p->name), STR(p->sso_session)));
        plan.sso_name = p->sso_session;
        plan.sso_region = session->sso_region;
    }
    if (!plan.sso_name.n || !plan.sso_region.n || !plan.sso_account.n || !plan.sso_role.n)
        return aws_fail(c->err, -EINVAL,
                        str_printf(a,
                                   "profile %.*s: IAM Identity Center wants sso_account_id, "
                                   "sso_role_name, sso_region, and sso_session or sso_start_url",
                                   STR(p->name)));
    plan.sso_login = str_printf(a, "aws sso login --profile %.*s", STR(p->name));
    *ret = plan;
    return 0;
}

static int from_profile(struct chain *c, struct profile *p, struct credential_plan *ret);

/* What assumes p's role: another profile, the environment, the container or the machine. */
static int source_of(struct chain *c, struct profile *p, struct credential_plan *ret)
{
    struct arena *a = c->a;
    struct str from = p->credential_source;
    if (++c->depth > CHAIN_MAX)
        return aws_fail(
            c->err, -ELOOP,
            str_printf(a, "profile %.*s: source_profile goes in circles", STR(p->name)));
    if (p->source_profile.n && !str_eq(p->source_profile, p->name)) {
        struct profile *source = profile_find(c->list, p->source_profile);
        if (!source)
            return aws_fail(c->err, -ENOENT,
                            str_printf(a, "profile %.*s: its source_profile %.*s does not exist",
                                       STR(p->name), STR(p->source_profile)));
        return from_profile(c, source, ret);
    }
    *ret = (struct credential_plan){.kind = CREDENTIAL_KEYS};
    if (str_is(from, "Environment") && from_environment(&ret->keys))
        return 0;
    if (str_is(from, "EcsContainer") && in_container()) {
        ret->kind = CREDENTIAL_CONTAINER;
        return 0;
    }
    if (str_is(from, "Ec2InstanceMetadata")) {
        ret->kind = CREDENTIAL_MACHINE;
        return 0;
    }
    struct profile own = *p; /* keys of the profile itself */
    own.role_arn = own.source_profile = (struct str){0};
    return from_profile(c, &own, ret);
}

static int role(struct chain *c, struct profile *p, struct credential_plan *ret)
{
    struct arena *a = c->a;
    struct credential_plan plan = {.kind = CREDENTIAL_ROLE,
                                   .role_arn = p->role_arn,
                                   .external_id = p->external_id,
                                   .session_name = p->session_name};
    if (p->mfa_serial.n)
        return aws_fail(
            c->err, -ENOTSUP,
            str_printf(a,
                       "profile %.*s wants a code of %.*s, which lamina does not ask for: "
                       "export what \"aws configure export-credentials --profile %.*s "
                       "--format env\" prints",
                       STR(p->name), STR(p->mfa_serial), STR(p->name)));
    if (p->duration_seconds.n && str_to_int64(p->duration_seconds, &plan.duration_s) < 0)
        return aws_fail(c->err, -EINVAL,
                        str_printf(a, "profile %.*s: duration_seconds is no number", STR(p->name)));
    plan.source = ARENA_NEW(a, struct credential_plan);
    int r = source_of(c, p, plan.source);
    if (r == 0)
        *ret = plan;
    return r;
}

static int from_profile(struct chain *c, struct profile *p, struct credential_plan *ret)
{
    if (p->role_arn.n && p->web_identity_file.n)
        return web_identity(p->web_identity_file, p->role_arn, p->session_name, c->a, ret, c->err);
    if (p->role_arn.n)
        return role(c, p, ret);
    if (has_sso(p))
        return sso(c, p, ret);
    *ret = (struct credential_plan){.kind = CREDENTIAL_KEYS};
    if (p->access_key.n && p->secret_key.n) {
        ret->keys = (struct sigv4_credentials){p->access_key, p->secret_key, p->token};
        return 0;
    }
    if (p->credential_process.n) {
        *ret =
            (struct credential_plan){.kind = CREDENTIAL_PROCESS, .process = p->credential_process};
        return credentials_run(ret, c->a, c->err);
    }
    if (p->source_profile.n) /* without a role: its keys */
        return source_of(c, p, ret);
    return aws_fail(c->err, -ENOENT,
                    str_printf(c->a, "profile %.*s has no credentials", STR(p->name)));
}

/* ---- the chain ---- */

static bool machine_allowed(void)
{
    struct str off = credentials_variable("AWS_EC2_METADATA_DISABLED");
    return !str_eq_nocase(off, S("true"));
}

int credentials_plan(const struct aws_options *options, struct profile *profiles,
                     struct str profile, struct arena *a, struct credential_plan *ret,
                     struct aws_error *err)
{
    bool chosen = options->profile.n || credentials_variable("AWS_PROFILE").n;
    bool local = options->target == AWS_TARGET_LOCAL;
    struct chain chain = {.list = profiles, .a = a, .err = err};
    *ret = (struct credential_plan){.kind = CREDENTIAL_KEYS};
    if (options->access_key.n) {
        if (!options->secret_key.n)
            return aws_fail(err, -EINVAL, S("an access key is given without its secret key"));
        ret->keys =
            (struct sigv4_credentials){options->access_key, options->secret_key, options->token};
        return 0;
    }
    /* A profile named on the command line wins over the environment's keys. */
    if (!options->profile.n && from_environment(&ret->keys))
        return 0;
    struct profile *p = profile_find(profiles, profile);
    if (!p && chosen)
        return aws_fail(
            err, -ENOENT,
            str_printf(a, "there is no profile %.*s in ~/.aws/config or ~/.aws/credentials",
                       STR(profile)));
    struct str token = credentials_variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
               arn = credentials_variable("AWS_ROLE_ARN");
    if (!options->profile.n && token.n && arn.n)
        return web_identity(token, arn, credentials_variable("AWS_ROLE_SESSION_NAME"), a, ret, err);
    /* One that says just the region; and the embedded cloud needs nobody's login. */
    if (p && !has_keys(p) && (local || (!has_sso(p) && !options->profile.n)))
        p = NULL;
    if (p)
        return from_profile(&chain, p, ret);
    if (local) {
        ret->keys = (struct sigv4_credentials){S("test"), S("test"), {0}};
        return 0;
    }
    ret->kind = in_container() ? CREDENTIAL_CONTAINER : CREDENTIAL_MACHINE;
    if (in_container() || machine_allowed())
        return 0;
    return aws_fail(
        err, -ENOENT,
        S("no credentials: looked at AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and the "
          "profile in ~/.aws; give --profile NAME, or make one with \"aws configure\""));
}
