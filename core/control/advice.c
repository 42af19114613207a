/*
 * What a person can do about an account's trouble, in plain words.
 */
#include "config.h"

#include "control/advice.h"

#include <string.h>

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

pr_status advice_add(pr_status trouble, const char *account, const char *file,
                     int line, struct pr_buffer *out)
{
    const char *name = last_name(file);
    switch (trouble) {
    case PR_AUTH:
        return pr_buffer_printf(
            out,
            "check `user` and `password` (%s:%d), then: postrider reload && "
            "postrider poll %s",
            name, line, account);
    case PR_TLS:
        return pr_buffer_printf(
            out,
            "check `host`, `ca_file` or `pin` (%s:%d), then: postrider reload "
            "&& postrider poll %s",
            name, line, account);
    case PR_NETWORK:
    case PR_TIMEOUT:
    case PR_EOF:
        return pr_buffer_add_text(
            out, "nothing to do if the network is down: it is tried again by "
                 "itself");
    case PR_LATER:
    case PR_BUSY:
        return pr_buffer_add_text(out,
                                  "nothing to do: it is tried again by itself");
    case PR_CONFIG:
    case PR_SCRIPT:
        return pr_buffer_printf(out, "correct %s:%d, then: postrider reload",
                                name, line);
    case PR_FULL:
        return pr_buffer_printf(
            out, "make room on the disk, then: postrider poll %s", account);
    case PR_IO:
        return pr_buffer_printf(
            out,
            "something on this machine failed: mend it, then: postrider poll "
            "%s",
            account);
    case PR_REFUSED:
    case PR_GONE:
    case PR_UNSUPPORTED:
        return pr_buffer_printf(
            out,
            "the server says no: check the account (%s:%d), then: "
            "postrider reload",
            name, line);
    case PR_PROTOCOL:
        return pr_buffer_add_text(
            out, "the server answers oddly: postrider log --follow -vv shows "
                 "how at the next try");
    default:
        return pr_buffer_add_text(out, "see: postrider log; postrider check");
    }
}
