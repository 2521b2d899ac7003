/* health - GET /_lamina/health: what `lamina status` shows. */
#include <unistd.h>
#include "base/clock.h"
#include "base/json.h"
#include "cloud/internal.h"

#define PATH S("/_lamina/health")

bool health_wants(struct str path)
{
    return str_eq(path, PATH);
}

static struct json *service_list(struct cloud *cloud, struct arena *a)
{
    struct json *list = json_new(a, JSON_ARRAY);
    for (size_t i = 0; i < cloud->n_mounted; i++) {
        const struct mounted *m = &cloud->mounted[i];
        int64_t handled = 0;
        for (uint32_t op = 0; op < m->model->n_operations; op++)
            handled += m->handlers[op] != NULL;
        struct json *one = json_add(list, json_new(a, JSON_OBJECT));
        json_set(a, one, S("name"), json_new_str(a, str_from(m->model->id)));
        json_set(a, one, S("operations"), json_new_int(a, handled));
    }
    return list;
}

void health_reply(struct cloud *cloud, struct http_request *req, bool inside)
{
    static const struct http_header headers[] = {
        {S_INIT("Content-Type"), S_INIT("application/json")},
        {S_INIT("Cache-Control"), S_INIT("no-store")},
    };
    static const char *const modes[] = {"enforce", "log", "off"};
    struct arena *a = req->arena;
    struct json *root = json_new(a, JSON_OBJECT);
    json_set(a, root, S("status"), json_new_str(a, S("ready")));
    json_set(a, root, S("version"), json_new_str(a, S(LAMINA_VERSION)));
    json_set(a, root, S("endpoint"), json_new_str(a, cloud->endpoint));
    if (!inside) {
        json_set(a, root, S("pid"), json_new_int(a, getpid()));
        json_set(a, root, S("data"),
                 cloud->options.data_dir ? json_new_str(a, str_from(store_dir(cloud->store)))
                                         : json_new(a, JSON_NULL));
    }
    json_set(a, root, S("iam"), json_new_str(a, str_from(modes[cloud->options.iam])));
    json_set(a, root, S("uptime_ms"), json_new_int(a, clock_now_ms() - cloud->started_ms));
    json_set(a, root, S("requests"), json_new_int(a, (int64_t)cloud->requests));
    json_set(a, root, S("services"), service_list(cloud, a));
    http_reply(req, 200, headers, 2, body_mem(json_text(a, root, -1)));
}
