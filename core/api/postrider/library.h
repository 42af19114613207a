/*
 * Libraries that few runs need: linked when one of their functions is needed.
 *
 * A list of functions makes both the table to call them by and their names:
 *
 *     #define FUNCTIONS(each) each(curl_, easy_init) each(curl_, easy_cleanup)
 *     static struct { FUNCTIONS(PR_LIBRARY_FUNCTION) } curl;
 *     static const char *const names[] = {FUNCTIONS(PR_LIBRARY_NAME) NULL};
 *     static struct pr_library library = {
 *         "libcurl.so.4", "requests over HTTP", names, &curl};
 *
 * and after pr_library_link() it is curl.easy_init(). The types are those of
 * the library's header, so what the compiler checks it checks here as well.
 */
#ifndef POSTRIDER_LIBRARY_H
#define POSTRIDER_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PR_LIBRARY_FUNCTION(prefix, name) __typeof__(prefix##name) *name;
#define PR_LIBRARY_NAME(prefix, name) #prefix #name,

struct pr_library {
    const char *file;         /* its soname, of the one built with */
    const char *purpose;      /* what cannot be done without it */
    const char *const *names; /* of the functions, ended by NULL */
    void *functions;          /* a struct of as many pointers, in that order */
    bool is_linked;
};

/* Links it if that was not done; it stays for as long as the process. Blocks
 * for some milliseconds the first time. Any thread may call it. PR_CONFIG if it
 * is not installed. */
PR_API PR_CHECKED pr_status pr_library_link(struct pr_library *library);

#ifdef __cplusplus
}
#endif

#endif
