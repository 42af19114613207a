/*
 * c-ares, linked when the first name is asked for.
 */
#ifndef IO_CARES_H
#define IO_CARES_H

#include <ares.h>

#include <postrider/library.h>

/* clang-format off */
#define CARES_FUNCTIONS(each) \
    each(ares_, cancel) each(ares_, destroy) each(ares_, expand_name) \
    each(ares_, free_string) each(ares_, getsock) each(ares_, init_options) \
    each(ares_, library_init) each(ares_, process_fd) each(ares_, query) \
    each(ares_, set_servers_ports_csv) each(ares_, strerror) \
    each(ares_, timeout)

/* clang-format on */

extern struct cares {
    CARES_FUNCTIONS(PR_LIBRARY_FUNCTION)
} cares;

/* Before any of them is called. Blocks the first time. */
PR_CHECKED pr_status cares_link(void);

#endif
