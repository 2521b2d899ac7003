/* test_cfn_plan - which resources a phase of a stack's operation touches, and what waits for what.
 */
#include "check.h"
#include "service/cloudformation/worker.h"

static struct arena arena;
static struct call call;

static int setup(void **state)
{
    arena_init(&arena);
    call = (struct call){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    arena_done(&arena);
    return 0;
}

#define GROUP "\"Type\":\"AWS::Logs::LogGroup\""

static struct worker *worker(enum phase phase, const char *template)
{
    struct worker *w = ARENA_NEW(&arena, struct worker);
    w->call = &call;
    w->phase = phase;
    w->stack.created_ms = opt_int(7);
    w->stack.stack_id = S("arn:aws:cloudformation:us-east-1:000000000000:stack/s/u");
    struct template_request request = {
        .text = str_from(template),
        .env = {.region = S("us-east-1"), .account_id = S("000000000000")}};
    struct template_error err = {0};
    if (template && template_process(&arena, &request, &w->processed, &err) < 0) {
        print_error("%.*s\n", STR(err.message));
        fail();
    }
    w->resources.items = ARENA_ARRAY(&arena, struct cloudformation_resource_record, 20);
    return w;
}

static struct cloudformation_resource_record *record(struct worker *w, const char *id,
                                                     const char *status, const char *depends)
{
    struct cloudformation_resource_record *r = &w->resources.items[w->resources.n++];
    *r = (struct cloudformation_resource_record){
        .logical_id = str_from(id),
        .physical_id = str_printf(&arena, "physical-%s", id),
        .type = S("AWS::Logs::LogGroup"),
        .status = str_from(status),
        .properties = S("{\"RetentionInDays\":1}"),
        .sequence = opt_int((int64_t)w->resources.n),
    };
    if (depends) {
        r->depends.items = ARENA_NEW(&arena, struct str);
        r->depends.items[0] = str_from(depends);
        r->depends.n = 1;
    }
    return r;
}

static int days(const struct json *properties)
{
    int64_t n = 0;
    json_int(json_get(properties, "RetentionInDays"), &n);
    return (int)n;
}

/* "create A; create B after A; done C" in the order of the tasks. */
static struct str planned(struct worker *w)
{
    static const char *const actions[] = {"create", "update",     "revert",
                                          "delete", "delete-old", "delete-new"};
    struct buf b;
    buf_init(&b, 10000);
    worker_plan(w);
    for (size_t i = 0; i < w->n_tasks; i++) {
        const struct task *t = &w->tasks[i];
        buf_printf(&b, "%s%s %.*s", i ? "; " : "",
                   t->state == TASK_DONE ? "done" : actions[t->action], STR(t->record->logical_id));
        for (size_t k = 0; k < t->n_after; k++)
            buf_printf(&b, "%s%.*s", k ? "," : " after ", STR(t->after[k]->record->logical_id));
    }
    struct str s = buf_copy(&b, &arena);
    buf_done(&b);
    return s;
}

static const char chain[] =
    "{\"Resources\":{\"A\":{" GROUP ",\"DependsOn\":\"B\"},\"B\":{" GROUP "},"
    "\"C\":{" GROUP ",\"Properties\":{\"LogGroupName\":{\"Ref\":\"A\"}}}}}";

static void a_creation_goes_along_the_dependencies(void **state)
{
    assert_str(planned(worker(PHASE_CREATE, chain)),
               "create B; create A after B; create C after A");
}

static void inactive_resources_are_left_out(void **state)
{
    assert_str(
        planned(worker(PHASE_CREATE, "{\"Conditions\":{\"No\":{\"Fn::Equals\":[\"a\",\"b\"]}},"
                                     "\"Resources\":{\"A\":{" GROUP
                                     ",\"Condition\":\"No\"},\"B\":{" GROUP "}}}")),
        "create B");
}

/* What the interrupted operation has done already is not done again; what it was at, is. */
static void a_creation_goes_on(void **state)
{
    struct worker *w = worker(PHASE_CREATE, chain);
    record(w, "B", "CREATE_COMPLETE", NULL)->settled = S("7");
    record(w, "A", "CREATE_IN_PROGRESS", "B");
    assert_str(planned(w), "done B; create A after B; create C after A");
}

static void an_update_goes_on(void **state)
{
    struct worker *w = worker(PHASE_UPDATE, chain);
    w->stack.updated_ms = opt_int(9);
    record(w, "B", "UPDATE_COMPLETE", NULL)->settled = S("9");
    struct cloudformation_resource_record *half = record(w, "A", "UPDATE_IN_PROGRESS", "B");
    half->touched = S("updated");
    half->old_properties = S("{\"RetentionInDays\":5}");
    record(w, "C", "CREATE_COMPLETE", "A")->settled = S("7"); /* of the creation */
    assert_str(planned(w), "done B; update A after B; update C after A");
    /* The half changed one is compared with what it was before. */
    assert_int_equal(days(w->tasks[1].old_props), 5);
    assert_int_equal(days(w->tasks[1].tried_props), 1);
    assert_false(w->tasks[1].half_replaced);
    assert_int_equal(days(w->tasks[2].old_props), 1);
    assert_null(w->tasks[2].tried_props);
}

static void a_replacement_that_was_begun_is_known(void **state)
{
    struct worker *w = worker(PHASE_UPDATE, "{\"Resources\":{\"A\":{" GROUP "}}}");
    struct cloudformation_resource_record *half = record(w, "A", "UPDATE_IN_PROGRESS", NULL);
    half->touched = S("updated");
    half->old_properties = S("{}");
    half->old_physical_id = S("the-old-one");
    assert_str(planned(w), "update A");
    assert_true(w->tasks[0].half_replaced);
}

static void a_removal_goes_the_other_way(void **state)
{
    struct worker *w = worker(PHASE_DELETE, NULL);
    record(w, "B", "CREATE_COMPLETE", NULL);
    record(w, "A", "CREATE_COMPLETE", "B");
    record(w, "C", "DELETE_FAILED", "A");
    record(w, "D", "DELETE_COMPLETE", NULL);
    record(w, "E", "DELETE_SKIPPED", NULL);
    assert_str(planned(w), "delete B after A; delete A after C; delete C");
}

static void a_cleanup_removes_what_the_template_has_no_more(void **state)
{
    struct worker *w = worker(PHASE_CLEANUP, chain);
    record(w, "A", "UPDATE_COMPLETE", "B")->old_physical_id = S("old-a");
    record(w, "B", "UPDATE_COMPLETE", NULL)->old_physical_id = S("old-b");
    record(w, "X", "CREATE_COMPLETE", "B");
    assert_str(planned(w), "delete-old A; delete-old B after A,X; delete X");
    assert_str(w->tasks[0].physical_id, "old-a");
    assert_str(w->tasks[2].physical_id, "physical-X");
}

static void the_way_back_touches_only_what_was_changed(void **state)
{
    struct worker *w = worker(PHASE_UPDATE_ROLLBACK, NULL);
    struct cloudformation_resource_record *modified = record(w, "M", "UPDATE_COMPLETE", NULL),
                                          *replaced = record(w, "R", "UPDATE_COMPLETE", "M"),
                                          *created = record(w, "N", "CREATE_COMPLETE", NULL);
    record(w, "S", "CREATE_COMPLETE", NULL);
    modified->touched = replaced->touched = S("updated");
    modified->old_properties = replaced->old_properties = S("{}");
    replaced->old_physical_id = S("old-r");
    created->touched = S("created");
    assert_str(planned(w), "revert M");
    w->phase = PHASE_ROLLBACK_CLEANUP;
    assert_str(planned(w), "delete-new R; delete N");
    assert_str(w->tasks[0].physical_id, "physical-R");
    replaced->physical_id = replaced->old_physical_id; /* its replacement was never made */
    planned(w);
    assert_false(str_has(w->tasks[0].physical_id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_creation_goes_along_the_dependencies),
        CASE(inactive_resources_are_left_out),
        CASE(a_creation_goes_on),
        CASE(an_update_goes_on),
        CASE(a_replacement_that_was_begun_is_known),
        CASE(a_removal_goes_the_other_way),
        CASE(a_cleanup_removes_what_the_template_has_no_more),
        CASE(the_way_back_touches_only_what_was_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
