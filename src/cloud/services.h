/* services - every service Lamina knows, and which of its operations are carried out. Constant
 * data: no cloud needs to run.
 *
 * May be used by cli/ (the generated table) and cloud/. */
#pragma once
#include "service/call.h"

extern const struct service_model *const all_models[]; /* NULL-terminated */
const struct service *service_find(const char *id);    /* NULL: not there yet */

/* implemented: a handler carries it out. modelled: its input is decoded and checked, then
 * NotImplemented is the answer. known: only its name and route are, and NotImplemented the answer.
 */
enum operation_state { OPERATION_KNOWN, OPERATION_MODELLED, OPERATION_IMPLEMENTED };
enum operation_state operation_state(const struct operation *op);
