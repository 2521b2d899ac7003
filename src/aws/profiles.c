/* profiles - ~/.aws/config and ~/.aws/credentials. */
#include <errno.h>
#include <stdlib.h>
#include "aws/credentials.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define FILE_MAX (1024 * 1024)

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
        {"duration_seconds", offsetof(struct profile, duration_seconds)},
        {"mfa_serial", offsetof(struct profile, mfa_serial)},
        {"sso_session", offsetof(struct profile, sso_session)},
        {"sso_start_url", offsetof(struct profile, sso_start_url)},
        {"sso_region", offsetof(struct profile, sso_region)},
        {"sso_account_id", offsetof(struct profile, sso_account_id)},
        {"sso_role_name", offsetof(struct profile, sso_role_name)},
        {"use_fips_endpoint", offsetof(struct profile, use_fips_endpoint)},
        {"use_dualstack_endpoint", offsetof(struct profile, use_dualstack_endpoint)},
        {"max_attempts", offsetof(struct profile, max_attempts)},
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
