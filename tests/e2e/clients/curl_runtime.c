/* curl_runtime - a function on libcurl that talks to the Runtime API as aws-lambda-cpp does, which
 * awslambdaric and aws-lambda-ric are made of, too: one handle for all requests, kept alive; header
 * names in lower case; `Expect:` suppressed; no time limit for `next`.
 *
 * The event's first byte says what to do: 'e' posts an error, 'x' lets curl say "Expect:
 * 100-continue", 'i' (first event or not) is an echo, 'c' sends the answer in chunks, 'n' none. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text {
    char *p;
    size_t n, at;
};

static char id[64], base[256];

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct text *t = user;
    t->p = realloc(t->p, t->n + size * n + 1);
    memcpy(t->p + t->n, data, size * n);
    t->n += size * n;
    t->p[t->n] = 0;
    return size * n;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    static const char name[] = "lambda-runtime-aws-request-id:";
    size_t length = size * n;
    if (length > sizeof(name) && strncasecmp(line, name, sizeof(name) - 1) == 0)
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(line + sizeof(name), "\r\n"),
                 line + sizeof(name));
    return length;
}

static size_t on_read(char *to, size_t size, size_t n, void *user)
{
    struct text *t = user;
    size_t left = t->n - t->at, part = size * n < left ? size * n : left;
    memcpy(to, t->p + t->at, part);
    t->at += part;
    return part;
}

static long post(CURL *curl, const char *what, struct text *body, char mode)
{
    char url[512], length[64];
    snprintf(url, sizeof(url), "%s/invocation/%s/%s", base, id, what);
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    if (mode == 'x')
        headers = curl_slist_append(headers, "expect: 100-continue");
    else
        headers = curl_slist_append(headers, "expect:");
    if (mode == 'c') {
        headers = curl_slist_append(headers, "transfer-encoding: chunked");
    } else {
        headers = curl_slist_append(headers, "transfer-encoding:");
        snprintf(length, sizeof(length), "content-length: %zu", body->n);
        headers = curl_slist_append(headers, length);
    }
    if (mode == 'e')
        headers =
            curl_slist_append(headers, "lambda-runtime-function-error-type: Runtime.MyOwnKind");
    struct text answer = {0};
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 0L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    CURLcode r = curl_easy_perform(curl);
    long status = 0, connections = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connections);
    curl_slist_free_all(headers);
    fprintf(stderr, "%s %s: %s %ld, %ld new connections, %s", what, id, curl_easy_strerror(r),
            status, connections, answer.p ? answer.p : "\n");
    free(answer.p);
    return r == CURLE_OK ? status : -1;
}

static int next(CURL *curl, struct text *event)
{
    char url[512];
    snprintf(url, sizeof(url), "%s/invocation/next", base);
    event->n = event->at = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, event);
    return curl_easy_perform(curl) == CURLE_OK ? 0 : -1;
}

int main(void)
{
    snprintf(base, sizeof(base), "http://%s/2018-06-01/runtime", getenv("AWS_LAMBDA_RUNTIME_API"));
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "AWS_Lambda_Cpp/0.2.8");
    struct text event = {0}, nothing = {0};
    while (next(curl, &event) == 0) {
        /* The event is a JSON text: its first byte is a quote. */
        char mode = event.n > 1 ? event.p[1] : 0;
        if (mode == 'e') {
            static char error[] = "{\"errorMessage\":\"m\",\"errorType\":\"t\",\"stackTrace\":[]}";
            struct text body = {error, sizeof(error) - 1, 0};
            post(curl, "error", &body, mode);
        } else {
            post(curl, "response", mode == 'n' ? &nothing : &event, mode);
        }
    }
    return 1;
}
