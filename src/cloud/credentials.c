/* credentials - sessions that the cloud makes by itself: what functions and stacks run with. */
#include <errno.h>
#include "cloud/internal.h"
#include "service/iam/access.h"
#include "service/sts/session.h"

int call_role_principal(struct call *call, struct str role_arn, struct str session_name,
                        struct principal *ret)
{
    struct arena *a = call->arena;
    struct str account, name;
    struct iam_role_record role;
    int r = iam_role_arn_parse(role_arn, &account, &name);
    if (r == 0)
        r = iam_role_find(call->store, a, account, name, &role);
    if (r < 0)
        return r;
    *ret = (struct principal){
        .type = PRINCIPAL_ROLE_SESSION,
        .account = account,
        .arn = str_printf(a, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s", STR(account),
                          STR(role.role_name), STR(session_name)),
        .user_id = str_printf(a, "%.*s:%.*s", STR(role.role_id), STR(session_name)),
        .role_name = role.role_name,
    };
    return 0;
}

int call_role_credentials(struct call *call, struct str role_arn, struct str session_name,
                          int64_t duration_s, struct session_credentials *ret)
{
    struct principal who;
    int r = call_role_principal(call, role_arn, session_name, &who);
    if (r < 0)
        return r;
    struct session_request request = {
        .account = who.account,
        .arn = who.arn,
        .user_id = who.user_id,
        .role_name = who.role_name,
        .role_arn = role_arn,
        .now_ms = call->now_ms,
        .duration_s = duration_s,
    };
    return session_create(call->store, call->arena, &request, ret);
}
