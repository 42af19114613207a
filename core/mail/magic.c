/*
 * libmagic with bounds, for octets that strangers sent.
 *
 * The database is loaded once, at the first question. A handle serves one
 * caller at a time, so a lock stands before it; it is only taken in the pool.
 */
#include "config.h"

#include "mail/magic.h"

#include <magic.h>
#include <pthread.h>

#include <postrider/library.h>
#include <postrider/log.h>

#define UNKNOWN "application/octet-stream"

/* clang-format off */
#define FUNCTIONS(each) \
    each(magic_, buffer) each(magic_, close) each(magic_, error) \
    each(magic_, load) each(magic_, open) each(magic_, setparam)

/* clang-format on */

static struct {
    FUNCTIONS(PR_LIBRARY_FUNCTION)
} magic;

static const char *const names[] = {FUNCTIONS(PR_LIBRARY_NAME) NULL};

static struct pr_library library = {.file = MAGIC_SONAME,
                                    .purpose = "true types",
                                    .names = names,
                                    .functions = &magic};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static magic_t handle;
static bool is_broken; /* it was said already */

/* How far hostile octets may lead it. */
static void bound(magic_t it)
{
    static const struct {
        int name;
        size_t most;
    } bounds[] = {
        {MAGIC_PARAM_INDIR_MAX, 10},         {MAGIC_PARAM_NAME_MAX, 50},
        {MAGIC_PARAM_ELF_PHNUM_MAX, 256},    {MAGIC_PARAM_ELF_SHNUM_MAX, 1024},
        {MAGIC_PARAM_ELF_NOTES_MAX, 64},     {MAGIC_PARAM_REGEX_MAX, 4096},
        {MAGIC_PARAM_BYTES_MAX, 256 * 1024},
    };

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        (void)magic.setparam(it, bounds[i].name, &bounds[i].most);
}

static void load(void)
{
    static const struct pr_log log = {.name = "libmagic"};

    if (pr_library_link(&library) != PR_OK) {
        pr_log(&log, PR_LOG_WARNING, "%s: true types are \"" UNKNOWN "\"",
               pr_last_failure()->text);
        is_broken = true;
        return;
    }
    handle = magic.open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS);
    if (handle != NULL)
        bound(handle);
    if (handle == NULL || magic.load(handle, NULL) != 0) {
        pr_log(&log, PR_LOG_WARNING,
               "the database of types cannot be loaded (%s): true types are "
               "\"" UNKNOWN "\"; install libmagic-mgc",
               handle != NULL ? magic.error(handle) : "out of memory");
        is_broken = true;
    }
}

pr_status magic_type(struct pr_bytes octets, struct pr_buffer *ret)
{
    const char *type = NULL;
    pr_status status;

    pthread_mutex_lock(&lock);
    if (handle == NULL && !is_broken)
        load();
    if (!is_broken)
        type = magic.buffer(handle, octets.data, octets.size);
    status = pr_buffer_add_text(ret, type != NULL ? type : UNKNOWN);
    pthread_mutex_unlock(&lock);
    return status;
}

void magic_shutdown(void)
{
    if (handle != NULL)
        magic.close(handle);
    handle = NULL;
    is_broken = false;
}
