/* fuzz_zip - packages from strangers: whatever the bytes, nothing may appear outside of the folder.
 */
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/fs.h"
#include "build/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    auto_close int fd = memfd_create("zip", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n)
        return 0;
    char path[64], dir[] = "/tmp/fuzz_zip.XXXXXX", inner[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (!mkdtemp(dir))
        return 0;
    snprintf(inner, sizeof(inner), "%s/in", dir);
    struct zip_report report;
    if (fs_mkdirs(inner, 0755) == 0) {
        zip_tree_check(path, 1 << 20, &report);
        zip_tree_unpack(path, inner, 1 << 20, &report);
    }
    /* Only `in` may stand there: rmdir fails when something else does. */
    fs_remove_tree(inner);
    if (rmdir(dir) < 0)
        abort();
    return 0;
}
