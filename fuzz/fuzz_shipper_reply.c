/* What S3 and the Runtime API answer, in two pieces, and what an arena's bytes are. */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../layers/python-coverage/shipper/ledger.h"
#include "../layers/python-coverage/shipper/reply.h"
#include "../layers/python-coverage/shipper/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replies(const uint8_t *data, size_t size)
{
    struct reply early, late;
    size_t half = size / 2;
    char *first = malloc(size + 1), *whole = malloc(size + 1);
    memcpy(first, data, size);
    memcpy(whole, data, size);
    int r = reply_parse(first, half, false, &early);
    int all = reply_parse(whole, size, true, &late);
    if (r > 0) /* an answer stays what it is when more comes */
        assert(all > 0 && late.size == early.size && str_eq(late.body, early.body));
    if (r < 0)
        assert(all < 0);
    if (all > 0) {
        assert(late.size <= size && late.body.n <= size);
        reply_header(&late, "Date");
        reply_element(&late, "Code");
    }
    free(first);
    free(whole);
}

static void arenas(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("arena", 0);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        return;
    struct snapshot s = {0};
    struct ledger_counts counts = {0};
    struct ledger *l = ledger_new();
    if (snapshot_read(&s, fd, 1 << 20) == 0)
        snapshot_enter(&s, l, false, &counts);
    snapshot_done(&s);
    ledger_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8 && !memcmp(data, "LAMARENA", 8))
        arenas(data, size);
    else
        replies(data, size);
    return 0;
}
