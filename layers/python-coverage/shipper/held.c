/* held - see held.h. */
#include "held.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
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
#define BACKLOG 64
#define LISTENER UINT32_MAX /* beside the places in `asking` */

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

static int watch(const struct held *h, int fd, uint32_t place)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = place};
    return epoll_ctl(h->fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int listen_at(const struct arenas *arenas, int *ret)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;
    if (fstat(arenas_directory(arenas), &st) < 0)
        return -errno;
    int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, COVARENA_SOCKET,
                     (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    *ret = fd;
    fd = -1;
    return 0;
}

int held_open(struct held *h, struct ship *ship)
{
    *h = (struct held){.fd = epoll_create1(EPOLL_CLOEXEC), .listener = -1, .ship = ship};
    for (size_t i = 0; i < HELD_ASKING_MAX; i++)
        h->asking[i] = -1;
    int r = h->fd < 0 ? -errno : listen_at(ship->arenas, &h->listener);
    if (!r)
        r = watch(h, h->listener, LISTENER);
    if (r < 0)
        held_close(h);
    return r;
}

static void hang_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void held_close(struct held *h)
{
    for (size_t i = 0; i < HELD_ASKING_MAX; i++)
        hang_up(&h->asking[i]);
    hang_up(&h->listener);
    hang_up(&h->fd);
}

/* ---- being asked ---- */

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

static bool answer(struct held *h, int fd, const struct covarena_ask *question)
{
    struct covarena_answer answer = {COVARENA_ON_NEWS, 0};
    bool sent = false;
    if (question->what == COVARENA_INITIALISED)
        ship_initialised(h->ship);
    else if (question->what == COVARENA_RETURNED)
        sent = returned(h->ship, &answer);
    (void)!send(fd, &answer, sizeof(answer), MSG_NOSIGNAL); /* who does not wait has gone */
    return sent;
}

/* True: something was sent. Who has asked, or anything else, has been served; *fd is then -1. */
static bool serve(struct held *h, int *fd)
{
    struct covarena_ask question;
    ssize_t n = recv(*fd, &question, sizeof(question), MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    bool sent =
        n == sizeof(question) && question.version == COVARENA_VERSION && answer(h, *fd, &question);
    hang_up(fd);
    return sent;
}

/* Who connects asks at once: of those that do not the oldest has to go. */
static bool welcome(struct held *h)
{
    int fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool sent = fd >= 0 && serve(h, &fd);
    if (fd < 0)
        return sent;
    uint32_t place = h->next++ % HELD_ASKING_MAX;
    hang_up(&h->asking[place]);
    if (watch(h, fd, place) == 0)
        h->asking[place] = fd;
    else
        close(fd);
    return false;
}

bool held_serve(struct held *h)
{
    struct epoll_event e;
    if (epoll_wait(h->fd, &e, 1, 0) <= 0)
        return false;
    if (e.data.u32 == LISTENER)
        return welcome(h);
    return e.data.u32 < HELD_ASKING_MAX && h->asking[e.data.u32] >= 0 &&
           serve(h, &h->asking[e.data.u32]);
}
