/* runtime_api - answers in the form of the APIs inside an environment: Runtime, Extensions,
 * Telemetry, Logs. */
#pragma once
#include "http/server.h"

void api_accept(struct http_request *req); /* 202 {"status":"OK"} */
/* {"errorMessage", "errorType"}; the message is escaped. */
void api_refuse(struct http_request *req, int status, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void api_not_found(struct http_request *req);
/* False: it is another one, and 405 has been answered. */
bool api_method(struct http_request *req, const char *method);
