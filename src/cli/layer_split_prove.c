/* layer_split_prove - the original and the split asked the same, in one temporary function that is
 * removed afterwards: see layer_split.h. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/digest.h"
#include "base/fs.h"
#include "build/layer.h"
#include "cli/expect.h"
#include "cli/function_wait.h"
#include "cli/invocation.h"
#include "cli/layer_split.h"
#include "cli/target.h"
#include "wire/iam.h"
#include "wire/walk.h"

#define PAYLOAD_MAX (6 * 1024 * 1024)

struct trial {
    struct layer_split *s;
    struct arena *a;
    struct str function; /* and its role */
    struct str layers[SPLIT_LAYERS_MAX];
    int n_layers;
    struct payload {
        struct str name, text;
    } * payloads;
    size_t n, cap;
    struct side {
        struct invocation *answers;
        double *inits;
        size_t n_inits;
    } sides[2];
};

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- payloads ---- */

static int add_payload(struct trial *t, struct str path)
{
    struct payload p = {.name = path};
    struct json *v;
    int r = fs_read(str_c(t->a, path), PAYLOAD_MAX, t->a, &p.text);
    if (r < 0)
        return verb_fail(t->s->run, "%.*s: %s", STR(path), strerror(-r));
    if (json_parse(t->a, p.text, &v, NULL) < 0)
        return verb_fail(t->s->run, "%.*s is not JSON", STR(path));
    *(struct payload *)arena_push(t->a, (void **)&t->payloads, &t->n, &t->cap, sizeof p) = p;
    return 0;
}

/* A folder of *.json, a file, or JSON itself. */
static int read_payloads(struct trial *t)
{
    const struct option_list *given = &t->s->o->payloads;
    int e = 0;
    for (size_t i = 0; i < given->n && !e; i++) {
        struct stat st;
        struct json *v;
        struct str *names, word = given->items[i];
        size_t n;
        if (stat(str_c(t->a, word), &st) < 0) {
            if (json_parse(t->a, word, &v, NULL) < 0)
                return verb_fail(t->s->run, "--payloads %.*s is neither a file nor JSON",
                                 STR(word));
            *(struct payload *)arena_push(t->a, (void **)&t->payloads, &t->n, &t->cap,
                                          sizeof *t->payloads) = (struct payload){word, word};
            continue;
        }
        if (!S_ISDIR(st.st_mode)) {
            e = add_payload(t, word);
            continue;
        }
        if (fs_walk(t->a, str_c(t->a, word), &names, &n) < 0)
            return verb_fail(t->s->run, "%.*s cannot be read", STR(word));
        for (size_t k = 0; k < n && !e; k++)
            if (str_ends(names[k], S(".json")))
                e = add_payload(t, fs_join(t->a, word, names[k]));
    }
    if (!e && !t->n)
        return verb_fail(t->s->run, "there is no payload (*.json) in what --payloads names");
    return e;
}

/* ---- the temporary function ---- */

static int fail(struct trial *t, const struct aws_error *err, const char *what)
{
    return stopped ? verb_fail(t->s->run, "interrupted") : target_fail(t->s->run, err, what);
}

static int choose_role(struct trial *t, struct str *ret)
{
    static const char trust[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                                "\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},"
                                "\"Action\":\"sts:AssumeRole\"}]}";
    struct iam_create_role_input in = {.role_name = t->function,
                                       .assume_role_policy_document = str_from(trust)};
    struct iam_create_role_output *out;
    struct aws_error err = {0};
    *ret = t->s->o->role.n ? t->s->o->role : t->s->config ? t->s->config->role : (struct str){0};
    if (ret->n)
        return 0;
    if (!aws_client_is_local(t->s->aws))
        return verb_usage(t->s->run, "the proof runs a function on AWS: give its --role ARN");
    if (aws_call(t->s->aws, t->a, &iam_create_role_op, &in, (void **)&out, &err) < 0)
        return fail(t, &err, "a role for the proof cannot be made");
    *ret = out->role->arn;
    return 0;
}

/* The settings of the function that is split, as far as CreateFunction takes them. */
static int fill_function(struct trial *t, struct lambda_create_function_input *in)
{
    const struct lambda_function_configuration *c = t->s->config;
    struct wire_read_error why;
    *in = (struct lambda_create_function_input){.runtime = t->s->request.runtime,
                                                .handler = t->s->request.handler,
                                                .timeout = opt_int(60),
                                                .memory_size = opt_int(512)};
    if (!c)
        return 0;
    auto_buf struct buf b;
    buf_init(&b, 1024 * 1024);
    struct lambda_function_configuration copy = *c;
    copy.layers.items = NULL; /* they are spelt otherwise there */
    copy.layers.n = 0;
    wire_json_write(&b, operation_output(&lambda_get_function_configuration_op), &copy);
    if (wire_json_read(t->a, buf_copy(&b, t->a), operation_input(&lambda_create_function_op), in,
                       &why) < 0)
        return verb_fail(t->s->run, "the function's configuration cannot be read");
    in->layers.items = ARENA_ARRAY(t->a, struct str, c->layers.n + 1);
    for (size_t i = 0; i < c->layers.n; i++)
        in->layers.items[in->layers.n++] = c->layers.items[i].arn;
    in->dead_letter_config = NULL;
    in->logging_config = NULL; /* its own group, which leaves with it */
    in->snap_start = NULL;
    return 0;
}

static int read_zip(struct trial *t, const struct split_part *part, struct str *ret)
{
    int r = fs_read(str_c(t->a, part->zip), LAYER_ZIPPED_MAX, t->a, ret);
    return r < 0 ? verb_fail(t->s->run,
                             r == -EMSGSIZE ? "%.*s has more than the 50 MB that can be sent for a "
                                              "proof"
                                            : "%.*s cannot be read",
                             STR(part->zip))
                 : 0;
}

static int settle(struct trial *t, struct aws_error *err)
{
    struct lambda_function_configuration *c;
    return function_wait(t->s->aws, t->a, t->function, &c, err);
}

static int make_original(struct trial *t)
{
    struct lambda_create_function_input in;
    struct lambda_function_code code = {0};
    struct aws_error err = {0};
    int e = fill_function(t, &in);
    if (!e)
        e = choose_role(t, &in.role);
    if (!e)
        e = read_zip(t, &t->s->parts.original, &code.zip_file);
    if (e)
        return e;
    in.function_name = t->function;
    in.description = S("made by lamina layer split, removed at its end");
    in.code = &code;
    in.publish = opt_bool(false);
    if (aws_call(t->s->aws, t->a, &lambda_create_function_op, &in, NULL, &err) < 0 ||
        settle(t, &err) < 0) {
        return fail(t, &err, "the function for the proof cannot be made");
    }
    return 0;
}

static int publish_layers(struct trial *t, struct aws_error *err)
{
    int r = 0;
    for (int i = 0; i < t->s->parts.n_layers && r == 0; i++) {
        struct lambda_layer_version_content_input content = {0};
        struct lambda_publish_layer_version_input in = {
            .layer_name = str_printf(t->a, "%.*s-%d", STR(t->function), i + 1),
            .content = &content};
        struct lambda_publish_layer_version_output *out;
        if (read_zip(t, &t->s->parts.layers[i], &content.zip_file))
            return -EIO;
        r = aws_call(t->s->aws, t->a, &lambda_publish_layer_version_op, &in, (void **)&out, err);
        if (r == 0)
            t->layers[t->n_layers++] = out->layer_version_arn;
    }
    return r;
}

static int make_split(struct trial *t)
{
    struct lambda_update_function_code_input code = {.function_name = t->function};
    struct lambda_update_function_configuration_input in = {.function_name = t->function};
    const struct lambda_function_configuration *c = t->s->config;
    struct aws_error err = {0};
    int e = read_zip(t, &t->s->parts.code, &code.zip_file);
    if (e)
        return e;
    int r = publish_layers(t, &err);
    in.layers.items = ARENA_ARRAY(t->a, struct str, SPLIT_LAYERS_MAX + (c ? c->layers.n : 0) + 1);
    for (size_t i = 0; c && i < c->layers.n; i++)
        in.layers.items[in.layers.n++] = c->layers.items[i].arn;
    for (int i = 0; i < t->n_layers; i++)
        in.layers.items[in.layers.n++] = t->layers[i];
    if (r == 0)
        r = aws_call(t->s->aws, t->a, &lambda_update_function_code_op, &code, NULL, &err);
    if (r == 0)
        r = settle(t, &err);
    if (r == 0)
        r = aws_call(t->s->aws, t->a, &lambda_update_function_configuration_op, &in, NULL, &err);
    if (r == 0)
        r = settle(t, &err);
    return r < 0 ? fail(t, &err, "the split function cannot be made") : 0;
}

/* ---- asked ---- */

/* A change of the description makes the next environment a fresh one. */
static int make_cold(struct trial *t, int i, struct aws_error *err)
{
    struct lambda_update_function_configuration_input in = {
        .function_name = t->function,
        .description = str_printf(t->a, "made by lamina layer split, cold %d", i)};
    int r = aws_call(t->s->aws, t->a, &lambda_update_function_configuration_op, &in, NULL, err);
    return r < 0 ? r : settle(t, err);
}

static int ask(struct trial *t, const struct payload *p, struct invocation *inv)
{
    struct aws_error err = {0};
    *inv = (struct invocation){.function = t->function, .payload = p->text};
    if (invocation_run(t->s->aws, t->a, inv, &err) < 0)
        return fail(t, &err, "the invocation failed");
    return 0;
}

static int ask_all(struct trial *t, struct side *side)
{
    int e = 0;
    side->answers = ARENA_ARRAY(t->a, struct invocation, t->n + 1);
    side->inits = ARENA_ARRAY(t->a, double, (size_t)t->s->o->cold + 1);
    for (size_t i = 0; i < t->n && !e; i++)
        e = ask(t, &t->payloads[i], &side->answers[i]);
    for (int i = 0; i < (int)t->s->o->cold && !e; i++) {
        struct invocation inv;
        struct aws_error err = {0};
        if (make_cold(t, i, &err) < 0)
            return fail(t, &err, "no fresh environment can be had");
        e = ask(t, &t->payloads[0], &inv);
        if (!e && inv.report.has_init)
            side->inits[side->n_inits++] = inv.report.init_ms;
    }
    return e;
}

/* ---- compared ---- */

static void drop_path(struct json *root, struct str path)
{
    const struct json *found, *parent;
    ssize_t dot = str_find_last_byte(path, '.');
    if (dot <= 0 || expect_path(root, path, &found) < 0 || !found ||
        expect_path(root, str_slice(path, 0, (size_t)dot), &parent) < 0 || !parent)
        return;
    json_remove((struct json *)(uintptr_t)parent, found->key);
}

bool layer_split_same(struct arena *a, struct str one, struct str other,
                      const struct option_list *ignore, bool errors)
{
    /* where a package stands, and which request it was, differs by itself */
    static const char *const told[] = {"stackTrace", "trace", "requestId"};
    struct json *x, *y;
    if (json_parse(a, one, &x, NULL) < 0 || json_parse(a, other, &y, NULL) < 0)
        return str_eq(one, other);
    for (size_t i = 0; i < ignore->n; i++) {
        drop_path(x, ignore->items[i]);
        drop_path(y, ignore->items[i]);
    }
    for (size_t i = 0; errors && i < sizeof told / sizeof *told; i++) {
        json_remove(x, str_from(told[i]));
        json_remove(y, str_from(told[i]));
    }
    return json_equal(x, y);
}

static int by_value(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

static struct json *number(struct arena *a, double v)
{
    struct json *n = json_new(a, JSON_NUMBER);
    n->text = str_printf(a, "%.2f", v);
    return n;
}

static void tell_inits(struct trial *t, struct json *cold, const char *name, struct side *side)
{
    struct json *o = json_set(t->a, cold, str_from(name), json_new(t->a, JSON_OBJECT));
    size_t n = side->n_inits;
    json_set(t->a, o, S("n"), json_new_int(t->a, (int64_t)n));
    if (!n)
        return;
    qsort(side->inits, n, sizeof *side->inits, by_value);
    double median = n % 2 ? side->inits[n / 2] : (side->inits[n / 2 - 1] + side->inits[n / 2]) / 2;
    json_set(t->a, o, S("median_ms"), number(t->a, median));
    json_set(t->a, o, S("min_ms"), number(t->a, side->inits[0]));
    json_set(t->a, o, S("max_ms"), number(t->a, side->inits[n - 1]));
}

static void compare(struct trial *t)
{
    struct arena *a = t->a;
    struct json *v = json_new(a, JSON_OBJECT), *list = json_new(a, JSON_ARRAY),
                *cold = json_new(a, JSON_OBJECT);
    t->s->proven = true;
    json_set(a, v, S("payloads"), list);
    for (size_t i = 0; i < t->n; i++) {
        const struct invocation *x = &t->sides[0].answers[i], *y = &t->sides[1].answers[i];
        bool same =
            str_eq(x->function_error, y->function_error) &&
            layer_split_same(a, x->answer, y->answer, &t->s->o->ignore, x->function_error.n > 0);
        struct json *o = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, o, S("payload"), json_new_str(a, t->payloads[i].name));
        json_set(a, o, S("same"), json_new_bool(a, same));
        json_set(a, o, S("error"), json_new_bool(a, x->function_error.n > 0));
        if (!same) {
            json_set(a, o, S("before"), json_new_str(a, x->answer));
            json_set(a, o, S("after"), json_new_str(a, y->answer));
        }
        t->s->proven = t->s->proven && same;
    }
    tell_inits(t, cold, "before", &t->sides[0]);
    tell_inits(t, cold, "after", &t->sides[1]);
    json_set(a, v, S("cold_start"), cold);
    t->s->proof = v;
}

int layer_split_prove(struct layer_split *s)
{
    struct trial t = {.s = s, .a = s->a};
    struct sigaction stop = {.sa_handler = on_stop}, before[3];
    struct journal *journal;
    int e = read_payloads(&t);
    if (e)
        return e;
    t.function = str_printf(s->a, "lamina-split-%s", random_hex(s->a, 10).p);
    layer_split_leftovers(s);
    e = layer_split_begin(s, t.function, &journal);
    if (e)
        return e;
    sigaction(SIGINT, &stop, &before[0]);
    sigaction(SIGTERM, &stop, &before[1]);
    sigaction(SIGHUP, &stop, &before[2]);
    aws_client_cancel_on(s->aws, &stopped);
    e = make_original(&t);
    if (!e)
        e = ask_all(&t, &t.sides[0]);
    if (!e)
        e = make_split(&t);
    if (!e)
        e = ask_all(&t, &t.sides[1]);
    aws_client_cancel_on(s->aws, NULL);
    layer_split_end(s, t.function, journal);
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    sigaction(SIGHUP, &before[2], NULL);
    if (!e && stopped)
        e = verb_fail(s->run, "interrupted");
    if (!e)
        compare(&t);
    return e;
}
