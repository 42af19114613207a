/*
 * Lines that come to the control socket: whatever octets they are.
 *
 * What is taken out of a line is what such a request may have: an account that
 * was named is never lost, which would make it all of them.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "control/request.h"
#include "driver.h"

static void check(const struct request *request)
{
    if ((unsigned)request->kind > REQUEST_UNDO ||
        (unsigned)request->level > PR_LOG_TRACE)
        abort();
    for (size_t i = 0; request->accounts != NULL; i++) {
        if (request->accounts[i] == NULL) {
            if (i == 0)
                abort();
            break;
        }
    }
    if ((request->kind == REQUEST_RETRY || request->kind == REQUEST_DROP ||
         request->kind == REQUEST_CONFIRM || request->kind == REQUEST_REFUSE) &&
        (request->id == NULL || request->id[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    struct pr_arena *arena = pr_arena_new();

    if (arena != NULL &&
        request_parse((struct pr_bytes){(const char *)data, size}, arena,
                      &request) == PR_OK)
        check(&request);
    pr_arena_free(arena);
    return 0;
}
