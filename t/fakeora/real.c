/* real.c: the driver behind this one. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "t/fakeora/fakeora.h"

static struct real table;
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool find(void *lib, const char *name, void *out)
{
    void *f = dlsym(lib, name);

    *(void **)out = f;
    if (!f)
        fprintf(stderr, "fakeora: no %s in the driver of FAKEORA_REAL\n", name);
    return f != NULL;
}

static void load(void)
{
    const char *path = getenv("FAKEORA_REAL");
    void *lib = dlopen(path ? path : "psqlodbca.so", RTLD_NOW | RTLD_LOCAL);

    if (!lib) {
        fprintf(stderr, "fakeora: FAKEORA_REAL must name psqlodbca.so: %s\n", dlerror());
        return;
    }
    is_loaded = true;
#define X(f) is_loaded = find(lib, #f, &table.f) && is_loaded;
    REAL_FUNCTIONS(X)
#undef X
}

const struct real *real_driver(void)
{
    pthread_once(&once, load);
    return is_loaded ? &table : NULL;
}
