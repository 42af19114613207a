/*
 * Filters with values in them (RFC 4515). Nothing here waits.
 */
#include <string.h>

#include "ldap_plugin.h"

#define FILTER_MOST 16384

static pr_status add_escaped(struct pr_buffer *ret, const char *value)
{
    pr_status status = PR_OK;

    for (; status == PR_OK && *value != '\0'; value++) {
        unsigned char one = (unsigned char)*value;

        if (strchr("*()\\", one) != NULL || one < ' ' || one > '~')
            status = pr_buffer_printf(ret, "\\%02x", one);
        else
            status = pr_buffer_add(ret, value, 1);
    }
    return status;
}

pr_status ldap_fill_filter(const char *filter, const char *const *values,
                           struct pr_buffer *ret)
{
    pr_status status = PR_OK;

    pr_buffer_init(ret, FILTER_MOST);
    for (; status == PR_OK && *filter != '\0'; filter++) {
        if (*filter != '%') {
            status = pr_buffer_add(ret, filter, 1);
        } else if (*++filter == '%') {
            status = pr_buffer_add(ret, "%", 1);
        } else if (*filter != 's') {
            return pr_fail(PR_CONFIG, "filter: %% is followed by s (a value) "
                                      "or by another %%");
        } else if (values == NULL || *values == NULL) {
            return pr_fail(PR_CONFIG,
                           "filter: there are fewer `values` than %%s");
        } else {
            status = add_escaped(ret, *values++);
        }
    }
    if (status == PR_OK && values != NULL && *values != NULL)
        return pr_fail(PR_CONFIG, "filter: there are more `values` than %%s");
    return status;
}
