/* libssl - where its functions are looked up: see libssl.h. */
#include "bench/libssl.h"
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

struct libssl libssl;

int libssl_load(void)
{
    static const struct {
        const char *name;
        void *into;
    } symbols[] = {
#define F(name) {#name, &libssl.name},
        LIBSSL_FUNCTIONS(F)
#undef F
    };
    static void *handle;
    if (handle)
        return 0;
    void *opened = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        return -ELIBACC;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        /* Those of libcrypto are found as well: it is a library that this one needs. */
        void *symbol = dlsym(opened, symbols[i].name);
        if (!symbol) {
            dlclose(opened);
            return -ELIBACC;
        }
        memcpy(symbols[i].into, &symbol, sizeof(symbol));
    }
    handle = opened;
    return 0;
}
