/* fuzz_elf - programs inside of layers, from strangers: no byte is read that is not there. */
#include <stdint.h>
#include <stdlib.h>
#include "build/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct elf_report report;
    struct str bytes = str_of((const char *)data, n);
    if (elf_look(bytes, &report) == 0 && str_has(report.interpreter) &&
        (report.interpreter.p < bytes.p ||
         report.interpreter.p + report.interpreter.n > bytes.p + n))
        abort();
    return 0;
}
