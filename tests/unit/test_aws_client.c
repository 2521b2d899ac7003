/* test_aws_client - profiles, endpoints, errors of a connection, and typed calls against a server
 * that nobody here wrote (moto's; skipped where it is not installed). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "aws/client.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "base/cleanup.h"
#include "wire/cloudformation.h"
#include "wire/iam.h"
#include "wire/lambda.h"
#include "wire/logs.h"
#include "wire/s3.h"
#include "wire/sts.h"

extern char **environ;

static void clear_environment(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_S3",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
}

/* A port where nobody listens, for the moment at least. */
static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    assert_true(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void profiles(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct profile *list = NULL;
    profiles_parse(&a,
                   S("# comment\n[default]\nregion = eu-west-1\n\n[profile dev]\nrole_arn=arn:x\n"
                     "source_profile = default\ns3 =\n  region = not-this-one\n"),
                   &list);
    profiles_parse(&a, S("[default]\naws_access_key_id = AK\naws_secret_access_key=SE/CR=ET\n"),
                   &list);
    struct profile *p = profile_find(list, S("default"));
    assert_true(str_is(p->region, "eu-west-1"));
    assert_true(str_is(p->access_key, "AK"));
    assert_true(str_is(p->secret_key, "SE/CR=ET"));
    p = profile_find(list, S("dev"));
    assert_true(str_is(p->role_arn, "arn:x"));
    assert_false(str_has(p->region));

    struct aws_options options = {.target = AWS_TARGET_AWS, .profile = S("dev")};
    struct credential_plan plan;
    struct aws_error err;
    clear_environment();
    assert_int_equal(credentials_plan(&options, list, S("dev"), &a, &plan, &err), 0);
    assert_int_equal(plan.kind, CREDENTIAL_ROLE);
    assert_true(str_is(plan.source->keys.access_key, "AK"));
    options.profile = S("nobody");
    assert_int_equal(credentials_plan(&options, list, S("nobody"), &a, &plan, &err), -ENOENT);
    assert_true(str_find(err.message, S("nobody")) >= 0);
}

static void credential_process(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct profile *list = NULL;
    struct credential_plan plan;
    struct aws_error err;
    struct aws_options options = {.target = AWS_TARGET_AWS, .profile = S("p")};
    clear_environment();
    profiles_parse(&a,
                   S("[p]\ncredential_process = printf "
                     "'{\"Version\":1,\"AccessKeyId\":\"PK\",\"SecretAccessKey\":\"PS\","
                     "\"SessionToken\":\"PT\"}'\n[q]\ncredential_process = exit 3\n"),
                   &list);
    assert_int_equal(credentials_plan(&options, list, S("p"), &a, &plan, &err), 0);
    assert_true(str_is(plan.keys.access_key, "PK"));
    assert_true(str_is(plan.keys.token, "PT"));
    assert_int_equal(credentials_plan(&options, list, S("q"), &a, &plan, &err), -ENOENT);
}

static void endpoints(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct aws_client *c;
    struct aws_error err;
    clear_environment();
    struct aws_options local = {0};
    assert_int_equal(aws_client_open(&local, &a, &c, &err), 0);
    assert_true(str_is(aws_client_endpoint(c, &s3_model, &a), "http://127.0.0.1:4566"));
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1/", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2", 1);
    assert_true(str_is(aws_client_endpoint(c, &s3_model, &a), "http://127.0.0.1:2"));
    assert_true(str_is(aws_client_endpoint(c, &sts_model, &a), "http://127.0.0.1:1"));
    aws_client_close(c);

    /* The environment's endpoint is for the local target: aws means Amazon. */
    struct aws_options real = {.target = AWS_TARGET_AWS,
                               .region = S("eu-central-1"),
                               .access_key = S("a"),
                               .secret_key = S("b")};
    assert_int_equal(aws_client_open(&real, &a, &c, &err), 0);
    assert_true(str_is(aws_client_endpoint(c, &lambda_model, &a),
                       "https://lambda.eu-central-1.amazonaws.com"));
    assert_true(str_is(aws_client_endpoint(c, &iam_model, &a), "https://iam.amazonaws.com"));
    aws_client_close(c);

    real.endpoint = S("http://127.0.0.1:1");
    assert_int_equal(aws_client_open(&real, &a, &c, &err), -EINVAL);
    local.endpoint = S("127.0.0.1:4566");
    assert_int_equal(aws_client_open(&local, &a, &c, &err), -EINVAL);
    clear_environment();
}

/* As AWS's own rule sets resolve them: tests/vectors/aws/endpoints.txt. */
static void amazon_addresses(void **unused)
{
    static const struct service_model *const models[] = {
        &lambda_model, &logs_model, &cloudformation_model, &sts_model, &iam_model, &s3_model};
    char line[512], id[32], region[64], url[128], signing[64];
    int fips, dual, n = 0;
    FILE *f = fopen(TEST_VECTORS "/aws/endpoints.txt", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(
            sscanf(line, "%31s %63s %d %d %127s %63s", id, region, &fips, &dual, url, signing), 6);
        auto_arena struct arena a;
        arena_init(&a);
        struct endpoint_wish wish = {str_from(region), fips, dual};
        for (size_t i = 0; i < ARRAY_LEN(models); i++) {
            if (strcmp(models[i]->id, id))
                continue;
            struct endpoint e = endpoint_find(models[i], &wish, &a);
            assert_string_equal(str_c(&a, e.url), url);
            assert_string_equal(str_c(&a, e.signing_region), signing);
            n++;
        }
    }
    fclose(f);
    assert_true(n > 200);
    assert_false(endpoint_region_valid(S("us-east-1.evil.example/")));
    assert_false(endpoint_region_valid(S("")));
    assert_false(endpoint_region_valid(S("-a")));
    assert_true(endpoint_region_valid(S("ap-southeast-7")));
}

/* A role by a role by an ended login; and what an MFA code would be wanted for. */
static void chains(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    struct profile *list = NULL;
    struct credential_plan plan;
    struct aws_error err;
    clear_environment();
    profiles_parse(&a,
                   S("[profile two]\nrole_arn=arn:2\nsource_profile=one\nduration_seconds=900\n"
                     "[profile one]\nrole_arn=arn:1\nsource_profile=login\n"
                     "[profile login]\nsso_session=corp\nsso_account_id=1\nsso_role_name=Dev\n"
                     "[sso-session corp]\nsso_region=eu-west-1\nsso_start_url=https://x/\n"
                     "[profile mfa]\nrole_arn=arn:3\nsource_profile=one\nmfa_serial=arn:mfa\n"
                     "[profile round]\nrole_arn=arn:4\nsource_profile=about\n"
                     "[profile about]\nrole_arn=arn:5\nsource_profile=round\n"
                     "[profile half]\nsso_account_id=1\n"),
                   &list);
    struct aws_options options = {.target = AWS_TARGET_AWS, .profile = S("two")};
    assert_int_equal(credentials_plan(&options, list, S("two"), &a, &plan, &err), 0);
    assert_int_equal(plan.kind, CREDENTIAL_ROLE);
    assert_int_equal(plan.duration_s, 900);
    assert_true(str_is(plan.source->role_arn, "arn:1"));
    assert_int_equal(plan.source->source->kind, CREDENTIAL_SSO);
    assert_true(str_is(plan.source->source->sso_region, "eu-west-1"));
    assert_int_equal(credentials_plan(&options, list, S("mfa"), &a, &plan, &err), -ENOTSUP);
    assert_int_equal(credentials_plan(&options, list, S("round"), &a, &plan, &err), -ELOOP);
    assert_int_equal(credentials_plan(&options, list, S("half"), &a, &plan, &err), -EINVAL);
}

static void nobody_listens(void **unused)
{
    auto_arena struct arena a;
    arena_init(&a);
    clear_environment();
    struct aws_client *c;
    struct aws_error err;
    struct str endpoint = str_printf(&a, "http://127.0.0.1:%d", free_port());
    struct aws_options options = {.endpoint = endpoint};
    assert_int_equal(aws_client_open(&options, &a, &c, &err), 0);
    assert_int_equal(aws_call(c, &a, &sts_get_caller_identity_op, NULL, NULL, &err), -ECONNREFUSED);
    struct str want = str_printf(
        &a, "cannot connect to %.*s: connection refused; is \"lamina up\" running?", STR(endpoint));
    assert_true(str_eq(err.message, want));
    aws_client_close(c);
}

/* ---- against moto ---- */

struct moto {
    pid_t pid;
    int port;
};

static bool answers(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return ok;
}

static int start_moto(void **state)
{
    static struct moto moto;
    char port[16];
    moto.port = free_port();
    snprintf(port, sizeof(port), "%d", moto.port);
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    char *argv[] = {(char *)(uintptr_t) "moto_server",
                    (char *)(uintptr_t) "-H",
                    (char *)(uintptr_t) "127.0.0.1",
                    (char *)(uintptr_t) "-p",
                    port,
                    NULL};
    int r = posix_spawnp(&moto.pid, "moto_server", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    *state = NULL;
    /* It says "Running on" when it listens, and closes its output when it ends. */
    char text[4096] = "";
    size_t n = 0;
    while (r == 0 && n < sizeof(text) - 1) {
        struct pollfd p = {.fd = out[0], .events = POLLIN};
        if (poll(&p, 1, 30000) <= 0)
            break;
        ssize_t got = read(out[0], text + n, sizeof(text) - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = 0;
        if (strstr(text, "Running on") && answers(moto.port))
            *state = &moto;
        if (*state)
            break;
    }
    if (!*state && r == 0) {
        kill(moto.pid, SIGKILL);
        waitpid(moto.pid, NULL, 0);
    }
    return 0;
}

static int stop_moto(void **state)
{
    struct moto *moto = *state;
    if (moto) {
        kill(moto->pid, SIGKILL);
        waitpid(moto->pid, NULL, 0);
    }
    return 0;
}

static struct aws_client *client_of(struct arena *a, const struct moto *moto)
{
    struct aws_client *c;
    struct aws_error err;
    struct aws_options options = {.endpoint = str_printf(a, "http://127.0.0.1:%d", moto->port),
                                  .region = S("us-east-1")};
    clear_environment();
    assert_int_equal(aws_client_open(&options, a, &c, &err), 0);
    return c;
}

#define CALL(op, in, out)                                                                          \
    do {                                                                                           \
        if (aws_call(c, &a, &op, in, (void **)(out), &err) < 0)                                    \
            fail_msg("%s: %.*s: %.*s", op.name, STR(err.code), STR(err.message));                  \
    } while (0)

static void moto_query(void **state)
{
    if (!*state)
        skip();
    auto_arena struct arena a;
    arena_init(&a);
    struct aws_client *c = client_of(&a, *state);
    struct aws_error err;
    struct sts_get_caller_identity_output *who;
    CALL(sts_get_caller_identity_op, NULL, &who);
    assert_true(str_is(who->account, "123456789012"));

    struct iam_tag tags[] = {{.key = S("a"), .value = S("b & <c>")}};
    struct iam_create_role_input role = {.role_name = S("r1"),
                                         .assume_role_policy_document =
                                             S("{\"Version\":\"2012-10-17\",\"Statement\":[]}"),
                                         .tags = {tags, 1}};
    struct iam_create_role_output *made;
    CALL(iam_create_role_op, &role, &made);
    assert_true(str_is(made->role->role_name, "r1"));
    assert_true(made->role->create_date.has);
    assert_int_equal(made->role->tags.n, 1);
    assert_true(str_is(made->role->tags.items[0].value, "b & <c>"));

    struct iam_get_role_input missing = {.role_name = S("nope")};
    assert_int_equal(aws_call(c, &a, &iam_get_role_op, &missing, NULL, &err), -EREMOTEIO);
    assert_true(str_is(err.code, "NoSuchEntity"));
    assert_int_equal(err.status, 404);

    struct cloudformation_describe_stacks_input stack = {.stack_name = S("none")};
    assert_int_equal(aws_call(c, &a, &cloudformation_describe_stacks_op, &stack, NULL, &err),
                     -EREMOTEIO);
    assert_true(str_is(err.code, "ValidationError"));
    assert_true(str_is(err.message, "Stack with id none does not exist"));
    aws_client_close(c);
}

/* A role by a web identity token, as on EKS; then another role from a profile's keys. */
static void moto_roles(void **state)
{
    if (!*state)
        skip();
    auto_arena struct arena a;
    arena_init(&a);
    char token[] = "/tmp/lamina-test-XXXXXX", config[] = "/tmp/lamina-test-XXXXXX";
    int fd = mkstemp(token), file = mkstemp(config);
    const char *text = "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/other\n"
                       "source_profile = keys\nrole_session_name = sess\n"
                       "[profile keys]\naws_access_key_id = AK\naws_secret_access_key = SK\n";
    assert_true(write(fd, "a.b.c", 5) == 5);
    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    close(file);
    struct aws_client *c;
    struct aws_error err;
    struct sts_get_caller_identity_output *who;
    struct aws_options options = {
        .endpoint = str_printf(&a, "http://127.0.0.1:%d", ((struct moto *)*state)->port)};
    clear_environment();
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token, 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web", 1);
    setenv("AWS_ROLE_SESSION_NAME", "from-token", 1);
    assert_int_equal(aws_client_open(&options, &a, &c, &err), 0);
    CALL(sts_get_caller_identity_op, NULL, &who);
    assert_true(str_ends(who->arn, S("assumed-role/web/from-token")));
    aws_client_close(c);

    clear_environment();
    unsetenv("AWS_ROLE_SESSION_NAME");
    setenv("AWS_CONFIG_FILE", config, 1);
    options.profile = S("r");
    assert_int_equal(aws_client_open(&options, &a, &c, &err), 0);
    CALL(sts_get_caller_identity_op, NULL, &who);
    assert_true(str_ends(who->arn, S("assumed-role/other/sess")));
    aws_client_close(c);
    clear_environment();
    unlink(token);
    unlink(config);
}

static void moto_json(void **state)
{
    if (!*state)
        skip();
    auto_arena struct arena a;
    arena_init(&a);
    struct aws_client *c = client_of(&a, *state);
    struct aws_error err;
    struct logs_create_log_group_input group = {.log_group_name = S("/g")};
    CALL(logs_create_log_group_op, &group, NULL);
    struct logs_create_log_stream_input stream = {.log_group_name = S("/g"),
                                                  .log_stream_name = S("s")};
    CALL(logs_create_log_stream_op, &stream, NULL);
    struct logs_describe_log_streams_input describe = {.log_group_name = S("/g")};
    struct logs_describe_log_streams_output *streams;
    CALL(logs_describe_log_streams_op, &describe, &streams);
    assert_int_equal(streams->log_streams.n, 1);
    assert_int_equal(aws_call(c, &a, &logs_create_log_group_op, &group, NULL, &err), -EREMOTEIO);
    assert_true(str_is(err.code, "ResourceAlreadyExistsException"));
    aws_client_close(c);
}

static void moto_s3(void **state)
{
    if (!*state)
        skip();
    auto_arena struct arena a;
    arena_init(&a);
    struct aws_client *c = client_of(&a, *state);
    struct aws_error err;
    struct s3_create_bucket_input bucket = {.bucket = S("bkt")};
    CALL(s3_create_bucket_op, &bucket, NULL);

    FILE *file = tmpfile();
    for (int i = 0; i < 300000; i++)
        fputc('a' + i % 26, file);
    fflush(file);
    struct s3_metadata_entry meta[] = {{S("color"), S("blue")}};
    struct s3_put_object_input put = {.bucket = S("bkt"),
                                      .key = S("dir/a b+c%\xc3\xa9"),
                                      .body = body_file(fileno(file), 0, 300000),
                                      .metadata = {meta, 1}};
    struct s3_put_object_output *stored;
    CALL(s3_put_object_op, &put, &stored);
    assert_true(str_has(stored->e_tag));

    FILE *copy = tmpfile();
    struct s3_get_object_input get = {.bucket = S("bkt"), .key = put.key};
    struct s3_get_object_output *got;
    if (aws_call_to_fd(c, &a, &s3_get_object_op, &get, fileno(copy), (void **)&got, &err) < 0)
        fail_msg("GetObject: %.*s", STR(err.message));
    assert_int_equal(got->content_length.is, 300000);
    assert_int_equal(lseek(fileno(copy), 0, SEEK_END), 300000);
    assert_int_equal(got->metadata.n, 1);
    assert_true(str_is(got->metadata.items[0].key, "color"));

    struct s3_list_objects_v2_input list = {.bucket = S("bkt"), .prefix = S("dir/")};
    struct s3_list_objects_v2_output *listed;
    CALL(s3_list_objects_v2_op, &list, &listed);
    assert_int_equal(listed->contents.n, 1);
    assert_true(str_eq(listed->contents.items[0].key, put.key));
    assert_int_equal(listed->contents.items[0].size.is, 300000);

    struct s3_head_object_input head = {.bucket = S("bkt"), .key = S("nope")};
    assert_int_equal(aws_call(c, &a, &s3_head_object_op, &head, NULL, &err), -EREMOTEIO);
    assert_int_equal(err.status, 404);
    struct s3_get_object_input none = {.bucket = S("bkt"), .key = S("nope")};
    assert_int_equal(aws_call(c, &a, &s3_get_object_op, &none, NULL, &err), -EREMOTEIO);
    assert_true(str_is(err.code, "NoSuchKey"));

    struct s3_object_identifier doomed[] = {{.key = put.key}};
    struct s3_delete delete = {.objects = {doomed, 1}};
    struct s3_delete_objects_input many = {.bucket = S("bkt"), .delete = &delete};
    struct s3_delete_objects_output *gone;
    CALL(s3_delete_objects_op, &many, &gone);
    assert_int_equal(gone->deleted.n, 1);
    fclose(file);
    fclose(copy);
    aws_client_close(c);
}

static void moto_lambda(void **state)
{
    if (!*state)
        skip();
    auto_arena struct arena a;
    arena_init(&a);
    struct aws_client *c = client_of(&a, *state);
    struct aws_error err;
    struct lambda_list_functions_output *all;
    struct lambda_list_functions_input list = {0};
    CALL(lambda_list_functions_op, &list, &all);
    assert_int_equal(all->functions.n, 0);
    struct lambda_get_function_input get = {.function_name = S("nope")};
    assert_int_equal(aws_call(c, &a, &lambda_get_function_op, &get, NULL, &err), -EREMOTEIO);
    assert_true(str_is(err.code, "ResourceNotFoundException"));
    assert_int_equal(err.status, 404);
    aws_client_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles),         cmocka_unit_test(credential_process),
        cmocka_unit_test(endpoints),        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(amazon_addresses), cmocka_unit_test(chains),
        cmocka_unit_test(moto_query),       cmocka_unit_test(moto_roles),
        cmocka_unit_test(moto_json),        cmocka_unit_test(moto_s3),
        cmocka_unit_test(moto_lambda),
    };
    return cmocka_run_group_tests(tests, start_moto, stop_moto);
}
