/* held - see held.h. */
#include "held.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "../arena.h"
#include "base/cleanup.h"

#define WRAPPER "/lamina-coverage"
#define LAMINAS "/var/runtime/_lamina_client.py"
#define AWSS "awslambdaric/lambda_runtime_client.py"
#define METHOD "def wait_next_invocation"
#define SOURCE_MAX 65536
#define ASK_MAX_MS 200 /* who connects asks at once */

/* ---- which runtime it is ---- */

static bool has_method(const char *path)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    auto_free char *text = fd < 0 ? NULL : malloc(SOURCE_MAX);
    ssize_t n = text ? read(fd, text, SOURCE_MAX) : -1;
    return n > 0 && memmem(text, (size_t)n, METHOD, strlen(METHOD));
}

/* Where images of AWS have the client of later versions: beside Python's own library. */
static bool has_client_in_library(void)
{
    DIR *d = opendir("/var/lang/lib");
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char path[400];
        if (strncmp(e->d_name, "python3", 7) != 0)
            continue;
        snprintf(path, sizeof(path), "/var/lang/lib/%.100s/site-packages/" AWSS, e->d_name);
        found = has_method(path);
    }
    if (d)
        closedir(d);
    return found;
}

bool held_is_possible(const struct settings *settings)
{
    return str_ends(settings->wrapper, S(WRAPPER)) &&
           (access(LAMINAS, R_OK) == 0 || has_method("/var/runtime/" AWSS) ||
            has_client_in_library());
}

/* ---- listening ---- */

int held_open(struct held *h, struct ship *ship)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;
    *h = (struct held){.fd = -1, .ship = ship};
    if (fstat(arenas_directory(ship->arenas), &st) < 0)
        return -errno;
    int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, COVARENA_SOCKET,
                     (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 8) < 0)
        return -errno;
    h->fd = fd;
    fd = -1;
    return 0;
}

void held_close(struct held *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

/* ---- being asked ---- */

static bool read_question(int fd, struct covarena_ask *ret)
{
    return conn_wait(fd, POLLIN, conn_now_ms() + ASK_MAX_MS) == 0 &&
           recv(fd, ret, sizeof(*ret), 0) == sizeof(*ret) && ret->version == COVARENA_VERSION;
}

static uint32_t again_ms(const struct ship *s, bool others)
{
    int64_t rest_ms = s->rest_until_ms - conn_now_ms();
    if (s->unsent && rest_ms > 0)
        return rest_ms < INT32_MAX ? (uint32_t)rest_ms : INT32_MAX;
    return s->unsent || others ? 0 : COVARENA_ON_NEWS;
}

static bool returned(struct ship *s, struct covarena_answer *ret)
{
    ship_look(s);
    bool others = ship_has_others(s); /* before their hits are looked at: they may end meanwhile */
    int64_t deadline_ms = ship_until(ship_request(s));
    bool sends = !s->hopeless && (arenas_news(s->arenas) || ship_news(s));
    if (sends)
        ship_send(s, deadline_ms, false);
    *ret = (struct covarena_answer){again_ms(s, others), s->hopeless};
    return sends;
}

bool held_serve(struct held *h)
{
    struct covarena_ask question;
    struct covarena_answer answer = {COVARENA_ON_NEWS, 0};
    bool sent = false;
    auto_close int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 || !read_question(fd, &question))
        return false;
    if (question.what == COVARENA_INITIALISED)
        ship_initialised(h->ship);
    else if (question.what == COVARENA_RETURNED)
        sent = returned(h->ship, &answer);
    (void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL); /* who does not wait has gone */
    return sent;
}
