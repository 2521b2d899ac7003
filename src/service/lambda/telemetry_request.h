/* telemetry_request - what an extension asks for when it subscribes to telemetry. Pure: bytes in,
 * struct out. */
#pragma once
#include "service/lambda/report.h"

enum telemetry_api { API_TELEMETRY, API_LOGS };
enum telemetry_types { TYPE_PLATFORM = 1, TYPE_FUNCTION = 2, TYPE_EXTENSION = 4 };

struct telemetry_request {
    enum report_schema schema;
    unsigned types;          /* of enum telemetry_types */
    struct str type_list[3]; /* as given */
    size_t n_types;
    bool tcp;
    uint16_t port;
    struct str method, host, path; /* HTTP; host with its port */
    int64_t max_items, max_bytes, timeout_ms;
};

/* -EINVAL and what is wrong, all of it, "; " in between. Texts point into body or the arena. */
int telemetry_request_parse(struct arena *a, enum telemetry_api api, struct str body,
                            struct telemetry_request *ret, struct str *ret_wrong);
