/*
 * The functions of libldap, which is linked where a directory is configured.
 */
#include "config.h"

#include <lber.h>

#include "ldap_plugin.h"

struct libldap libldap;

static const char *const names[] = {LDAP_FUNCTIONS(PR_LIBRARY_NAME) NULL};

static struct pr_library library = {.file = LDAP_SONAME,
                                    .purpose = "lookups in directories",
                                    .names = names,
                                    .functions = &libldap};

pr_status libldap_link(void)
{
    return pr_library_link(&library);
}
