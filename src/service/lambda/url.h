/* url - function URLs: their configurations, and the requests that come by them.
 *
 *     lambda url      ACCOUNT REGION NAME QUALIFIER   FunctionUrlRecord; "" for the function
 *     lambda url-id   ID                              the key of the above
 *
 * The address is not stored: it has the port in it that the daemon has now. */
#pragma once
#include "service/lambda/lambda.h"

/* http://ID.lambda-url.REGION.localhost:4566/ */
struct str url_address(struct call *call, const struct lambda_function_url_record *record);
/* By the id in an address, of any account and region: -ENOENT. */
int url_find(struct call *call, struct str id, struct lambda_function_url_record *ret);
/* The function, or the alias, is deleted. */
int url_forget_function(struct call *call, struct str name);
int url_forget(struct call *call, struct str name, struct str qualifier);

/* url_serve.c: for service->answer. */
int url_answer(struct call *call, const struct wire_request *req, struct str url_id,
               struct str path);

/* url_cors.c: pure. */
struct wire_headers;
/* True: it is a preflight that the rules answer, with *ret as the headers. */
bool cors_preflight(struct arena *a, const struct lambda_cors *rules,
                    const struct wire_request *req, struct wire_headers *ret);
/* Headers of an answer; those that the function gave under the same names are taken out. */
void cors_apply(struct arena *a, const struct lambda_cors *rules, const struct wire_request *req,
                struct wire_headers *headers);
