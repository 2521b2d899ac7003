/* rollback_verify - is it what it was, and does it answer: see rollback.h. */
#include <errno.h>
#include "base/fs.h"
#include "bench/outcome.h"
#include "cli/rollback.h"
#include "cli/source.h"
#include "cli/stacks.h"
#include "cli/target.h"
#include "cli/test_case.h"

#define PAYLOAD_MAX (6 * 1024 * 1024)

static void compare(struct rollback *r, struct json *list)
{
    JSON_EACH(json_get(r->target, "functions"), want) {
        struct json *now = NULL, *o = json_add(list, json_new(r->a, JSON_OBJECT));
        struct deployment_changes changes = {0}, wrong = {0};
        json_set(r->a, o, S("function"), json_new_str(r->a, json_get_str(want, "name")));
        if (rollback_now(r, want, &now) || !now) {
            json_set(r->a, o, S("equal"), json_new_bool(r->a, false));
            r->valid = false;
            continue;
        }
        deployment_diff_function(r->a, json_get_str(want, "name"), rollback_wanted(r, want), now,
                                 r->stack, &changes);
        for (size_t i = 0; i < changes.n; i++) {
            const struct deployment_change *c = &changes.items[i];
            /* aliases that were made since are nobody's loss */
            if (rollback_is_beyond(c) || rollback_setting_stays(want, c) ||
                (str_starts(c->what, S("alias ")) && !c->from))
                continue;
            *(struct deployment_change *)arena_push(r->a, (void **)&wrong.items, &wrong.n,
                                                    &wrong.cap, sizeof *c) = *c;
        }
        json_set(r->a, o, S("equal"), json_new_bool(r->a, !wrong.n));
        json_set(r->a, o, S("differences"), deployment_changes_json(r->a, &wrong));
        r->valid = r->valid && !wrong.n;
    }
}

static void told(struct rollback *r, struct json *list, struct str name,
                 const struct invocation *inv, struct str why)
{
    struct json *o = json_add(list, json_new(r->a, JSON_OBJECT));
    json_set(r->a, o, S("name"), json_new_str(r->a, name));
    json_set(r->a, o, S("function"), json_new_str(r->a, inv->function));
    if (inv->qualifier.n)
        json_set(r->a, o, S("qualifier"), json_new_str(r->a, inv->qualifier));
    json_set(r->a, o, S("passed"), json_new_bool(r->a, !why.n));
    if (why.n)
        json_set(r->a, o, S("reason"), json_new_str(r->a, why));
    if (inv->version.n)
        json_set(r->a, o, S("version"), json_new_str(r->a, inv->version));
    if (inv->request_id.n)
        json_set(r->a, o, S("request_id"), json_new_str(r->a, inv->request_id));
    json_set(r->a, o, S("milliseconds"), json_new_int(r->a, (int64_t)(inv->client_ms + 0.5)));
    r->valid = r->valid && !why.n;
}

static void invoke(struct rollback *r, struct json *list, struct str function, struct str qualifier,
                   struct str payload)
{
    struct invocation inv = {.function = function, .qualifier = qualifier, .payload = payload};
    struct aws_error err = {0};
    struct str why = {0};
    if (invocation_run(r->aws, r->a, &inv, &err) < 0)
        why = err.message;
    else if (inv.function_error.n)
        why = str_printf(r->a, "%.*s: %.*s", STR(inv.function_error),
                         STR(str_slice(inv.answer, 0, 500)));
    else if (outcome_status_code(inv.answer) >= 400)
        why = str_printf(r->a, "its statusCode is %d", outcome_status_code(inv.answer));
    told(r, list, str_slice(payload, 0, 60), &inv, why);
}

/* Each payload on each function, the way that callers take: by the aliases, when it has some. */
static int invoke_payloads(struct rollback *r, struct json *list)
{
    for (size_t i = 0; i < r->o->verify.n; i++) {
        struct str payload = r->o->verify.items[i];
        struct json *parsed;
        const char *path = str_c(r->a, payload);
        if (fs_exists(path) && fs_read(path, PAYLOAD_MAX, r->a, &payload) < 0)
            return verb_fail(r->run, "%s cannot be read", path);
        if (json_parse(r->a, payload, &parsed, NULL) < 0)
            return verb_fail(r->run, "--verify %s is neither a file nor JSON", path);
        JSON_EACH(json_get(r->target, "functions"), want) {
            const struct json *aliases = json_get(want, "aliases");
            struct json *now;
            int e = rollback_now(r, want, &now);
            if (e || !now)
                continue; /* comparing has said so */
            JSON_EACH(aliases, alias)
                invoke(r, list, json_get_str(now, "name"), json_get_str(alias, "name"), payload);
            if (!aliases || !aliases->n)
                invoke(r, list, json_get_str(now, "name"), (struct str){0}, payload);
        }
    }
    return 0;
}

static bool concerned(struct rollback *r, struct str name, struct str given)
{
    JSON_EACH(json_get(r->target, "functions"), f)
        if (str_eq(json_get_str(f, "name"), name) || str_eq(json_get_str(f, "logical_id"), given))
            return true;
    return false;
}

static int invoke_cases(struct rollback *r, struct str file, struct json *list)
{
    struct str text, why;
    struct json *root;
    struct test_case *cases;
    size_t n;
    int e = source_read(r->run, file, &text, &root);
    if (e)
        return e;
    if (test_cases_read(r->a, root, file, &cases, &n, &why) < 0)
        return verb_fail(r->run, "%.*s", STR(why));
    for (size_t i = 0; i < n; i++) {
        struct str stack = r->stack ? r->name : (struct str){0};
        struct invocation inv = {.function =
                                     stacks_function(r->run, r->aws, stack, cases[i].function),
                                 .qualifier = cases[i].qualifier,
                                 .payload = cases[i].payload};
        struct expect_result checks = {.arena = r->a};
        struct aws_error err = {0};
        if (!concerned(r, inv.function, cases[i].function))
            continue;
        why = (struct str){0};
        if (invocation_run(r->aws, r->a, &inv, &err) < 0) {
            why = err.message;
        } else {
            test_case_check(&cases[i], &inv, &checks);
            why = checks.n ? checks.failures[0] : why;
        }
        told(r, list, cases[i].name, &inv, why);
    }
    return 0;
}

int rollback_verify(struct rollback *r)
{
    struct json *v = json_new(r->a, JSON_OBJECT), *compared = json_new(r->a, JSON_ARRAY),
                *invoked = json_new(r->a, JSON_ARRAY);
    r->valid = true;
    r->validation = v;
    compare(r, compared);
    int e = invoke_payloads(r, invoked);
    size_t before = invoked->n;
    if (!e && r->o->tests.n)
        e = invoke_cases(r, r->o->tests, invoked);
    if (!e && r->o->tests.n && invoked->n == before)
        e = verb_fail(r->run, "%.*s has no case of what went back: nothing was tested",
                      STR(r->o->tests));
    if (!e && !r->o->tests.n && !r->o->verify.n && fs_exists("tests.yaml"))
        e = invoke_cases(r, S("tests.yaml"), invoked);
    r->valid = r->valid && !e;
    json_set(r->a, v, S("passed"), json_new_bool(r->a, r->valid));
    json_set(r->a, v, S("compared"), compared);
    json_set(r->a, v, S("invoked"), invoked);
    return e;
}
