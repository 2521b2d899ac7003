/* services - all services that Lamina knows: the only place that names them. */
#include "cloud/internal.h"
#include "cloud/ready_services.h"

#define ALL_SERVICES(SERVICE)                                                                      \
    SERVICE(sts)                                                                                   \
    SERVICE(iam)                                                                                   \
    SERVICE(s3)                                                                                    \
    SERVICE(logs)                                                                                  \
    SERVICE(lambda)                                                                                \
    SERVICE(cloudformation)

/* ready_services.h makes IF_READY_x(text) the text, or nothing while the service is being built. */
#define DECLARE(id)                                                                                \
    extern const struct service_model id##_model;                                                  \
    IF_READY_##id(extern const struct service id##_service;)
ALL_SERVICES(DECLARE)

#define MODEL(id) &id##_model,
const struct service_model *const all_models[] = {ALL_SERVICES(MODEL) NULL};

#define READY(id) IF_READY_##id(&id##_service, )
static const struct service *const ready[] = {ALL_SERVICES(READY) NULL};

const struct service *service_find(const char *id)
{
    for (const struct service *const *s = ready; *s; s++)
        if (strcmp((*s)->model->id, id) == 0)
            return *s;
    return NULL;
}

enum operation_state operation_state(const struct operation *op)
{
    const struct service *s = service_find(operation_service(op)->id);
    for (const struct handler *const *list = s ? s->handlers : NULL; list && *list; list++)
        for (const struct handler *h = *list; h->op; h++)
            if (h->op == op)
                return OPERATION_IMPLEMENTED;
    return op->modelled ? OPERATION_MODELLED : OPERATION_KNOWN;
}
