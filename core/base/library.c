/*
 * Libraries linked late, by the dynamic linker's own calls.
 *
 * The table is filled once and whole, under a lock; nothing reads it before.
 */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include <postrider/library.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* POSIX has function pointers pass through void *, ISO C only their octets. */
static pr_status find_functions(struct pr_library *library, void *handle)
{
    char *table = library->functions;

    for (size_t i = 0; library->names[i] != NULL; i++) {
        void *function = dlsym(handle, library->names[i]);

        if (function == NULL) {
            return pr_fail(PR_CONFIG,
                           "%s: %s of this system has no %s; build postrider "
                           "with the library that is installed",
                           library->purpose, library->file, library->names[i]);
        }
        memcpy(table + i * sizeof(function), &function, sizeof(function));
    }
    return PR_OK;
}

static pr_status link_now(struct pr_library *library)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL) {
        return pr_fail(PR_CONFIG, "%s: a library is missing; install it (%s)",
                       library->purpose, dlerror());
    }
    pr_status status = find_functions(library, handle);
    if (status != PR_OK) {
        dlclose(handle);
        return status;
    }
    library->is_linked = true;
    return PR_OK;
}

pr_status pr_library_link(struct pr_library *library)
{
    pthread_mutex_lock(&lock);
    pr_status status = library->is_linked ? PR_OK : link_now(library);
    pthread_mutex_unlock(&lock);
    return status;
}
