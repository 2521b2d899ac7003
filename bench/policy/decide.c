/* decide - what one policy decision costs: documents of 1, 10 and 100 statements, the one that
 * allows standing last; beside comparing the same texts with the request's and nothing else.
 *
 * Prints the processor's nanoseconds a decision, medians of rounds. bench/policy/run builds it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/buf.h"
#include "base/json.h"
#include "service/policy.h"

#define ROUNDS 21

static struct str values[8];

static bool lookup(void *user, struct arena *a, struct str key, struct policy_values *ret)
{
    static const char *const keys[] = {"aws:RequestedRegion", "aws:SourceIp", "aws:PrincipalArn"};
    for (size_t i = 0; i < 3; i++)
        if (str_eq_nocase(key, str_from(keys[i]))) {
            *ret = (struct policy_values){&values[i], 1};
            return true;
        }
    return false;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* hard: every statement names the action, and is told apart by resource and condition only. */
static struct str document(struct arena *a, size_t n, bool hard)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_text(&b, "{\"Version\":\"2012-10-17\",\"Statement\":[");
    for (size_t i = 0; i < n; i++) {
        bool last = i + 1 == n;
        if (i)
            buf_byte(&b, ',');
        buf_printf(&b, "{\"Effect\":\"Allow\",\"Action\":[\"%s:Get%s%zu\",\"%s:List*\",\"%s\"],",
                   i % 3 ? "lambda" : "s3", "Thing", i, i % 3 ? "lambda" : "s3",
                   hard || last ? "lambda:Invoke*" : "lambda:InvokeSomething");
        buf_printf(&b,
                   "\"Resource\":[\"arn:aws:lambda:us-east-1:000000000000:function:team%zu-*\","
                   "\"arn:aws:lambda:us-east-1:000000000000:function:%s*\"],",
                   i, last ? "app-" : (hard ? "app-Hello-x" : "other-"));
        buf_text(&b, "\"Condition\":{\"StringEquals\":{\"aws:RequestedRegion\":[\"eu-west-1\","
                     "\"us-east-1\"]},\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}}");
    }
    buf_text(&b, "]}");
    struct str out = buf_copy(&b, a);
    buf_done(&b);
    return out;
}

static struct str texts[1000];
static size_t n_texts;

/* The words of the document that a decision has to look at: actions and resources. */
static void collect(struct arena *a, struct str text)
{
    struct json *root;
    n_texts = 0;
    if (json_parse(a, text, &root, NULL) < 0)
        exit(1);
    JSON_EACH(json_get(root, "Statement"), s) {
        JSON_EACH(json_get(s, "Action"), v)
            texts[n_texts++] = v->text;
        JSON_EACH(json_get(s, "Resource"), v)
            texts[n_texts++] = v->text;
    }
}

static volatile size_t sink;

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum way { FLOOR, EVALUATE, CACHED, DECIDE, PARSED };

static double measure(struct arena *a, enum way way, struct str text, struct policy_request *r)
{
    double rounds[ROUNDS];
    size_t times = way == PARSED ? 200 : 4000;
    struct policy *p;
    struct str message;
    struct policy_cache *cache = policy_cache_new();
    if (policy_parse(a, POLICY_IDENTITY, text, &p, &message) < 0)
        exit(1);
    struct policy_source source = {S("p"), p};
    struct policy_case both = {0};
    both.layers[POLICY_LAYER_IDENTITY] = (struct policy_sources){true, &source, 1, 1};
    both.layers[POLICY_LAYER_BOUNDARY] = (struct policy_sources){true, &source, 1, 1};
    for (int i = 0; i < ROUNDS; i++) {
        double from = now_ns();
        for (size_t j = 0; j < times; j++) {
            struct policy_decision d;
            if (way == FLOOR)
                for (size_t k = 0; k < n_texts; k++)
                    sink += str_eq(texts[k], k & 1 ? r->resource : r->action);
            else if (way == EVALUATE)
                sink += policy_evaluate(p, r);
            else if (way == CACHED)
                sink += policy_evaluate(policy_cache_get(cache, POLICY_IDENTITY, text), r);
            else if (way == DECIDE)
                sink += policy_decide(&both, r, &d);
            else if (policy_parse(r->arena, POLICY_IDENTITY, text, &p, &message) == 0)
                sink += policy_evaluate(p, r);
            if ((j & 63) == 0)
                arena_reset(r->arena);
        }
        rounds[i] = (now_ns() - from) / (double)times;
        arena_reset(r->arena);
    }
    policy_cache_free(cache);
    qsort(rounds, ROUNDS, sizeof rounds[0], by_number);
    return rounds[ROUNDS / 2];
}

int main(void)
{
    static const size_t sizes[] = {1, 10, 100};
    auto_arena struct arena a, scratch;
    arena_init(&a);
    arena_init(&scratch);
    values[0] = S("us-east-1");
    values[1] = S("10.1.2.3");
    values[2] = S("arn:aws:iam::000000000000:role/R");
    struct policy_request r = {
        .arena = &scratch,
        .action = S("lambda:InvokeFunction"),
        .resource = S("arn:aws:lambda:us-east-1:000000000000:function:app-Hello-1"),
        .who = {.account = S("000000000000"), .arn = S("arn:aws:iam::000000000000:role/R")},
        .lookup = lookup,
    };
    printf("ns a decision (processor)   floor  evaluate   cached  explained   parsed  budget\n");
    for (int hard = 0; hard < 2; hard++)
        for (size_t i = 0; i < 3; i++) {
            struct str text = document(&a, sizes[i], hard);
            collect(&a, text);
            double f = measure(&a, FLOOR, text, &r), e = measure(&a, EVALUATE, text, &r);
            double c = measure(&a, CACHED, text, &r), d = measure(&a, DECIDE, text, &r);
            double p = measure(&a, PARSED, text, &r);
            printf("%3zu statements%s %8.0f %8.0f %8.0f %10.0f %8.0f  %s 5000 ns, %.1f x floor\n",
                   sizes[i], hard ? ", all alike" : "           ", f, e, c, d, p,
                   e <= 5000 ? "<=" : "ABOVE", e / (f > 0 ? f : 1));
        }
    return 0;
}
