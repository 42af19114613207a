/*
 * The functions of c-ares.
 */
#include "config.h"

#include "io/cares.h"

struct cares cares;

static const char *const names[] = {CARES_FUNCTIONS(PR_LIBRARY_NAME) NULL};

static struct pr_library library = {.file = CARES_SONAME,
                                    .purpose = "questions to name servers",
                                    .names = names,
                                    .functions = &cares};

pr_status cares_link(void)
{
    return pr_library_link(&library);
}
