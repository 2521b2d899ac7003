/* libzip - where its functions are looked up: see libzip.h. */
#include "build/libzip.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

struct libzip libzip;

static int loaded = -ELIBACC;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    static const char *const names[] = {"libzip.so.4", "libzip.so.5", "libzip.so"};
    static const struct {
        const char *name;
        void *into;
    } symbols[] = {
#define F(name) {"zip_" #name, &libzip.name},
        LIBZIP_FUNCTIONS(F)
#undef F
    };
    void *handle = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *symbol = dlsym(handle, symbols[i].name);
        if (!symbol)
            return;
        memcpy(symbols[i].into, &symbol, sizeof(symbol));
    }
    loaded = 0;
}

int libzip_load(void)
{
    pthread_once(&once, load);
    return loaded;
}
