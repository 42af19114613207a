/*
 * Names of messages, as people give them: ACCOUNT/FOLDER/UID.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "state/private.h"

pr_status state_place_parse(const char *id, struct pr_arena *arena,
                            struct state_place *ret)
{
    const char *first = strchr(id, '/'), *last = strrchr(id, '/');

    if (first == last || last[1] < '0' || last[1] > '9')
        return PR_GONE;
    char *end;
    unsigned long long uid = strtoull(last + 1, &end, 10);
    if (*end != '\0' || uid > UINT32_MAX)
        return PR_GONE;
    ret->account =
        pr_arena_bytes(arena, (struct pr_bytes){id, (size_t)(first - id)});
    ret->folder = pr_arena_bytes(
        arena, (struct pr_bytes){first + 1, (size_t)(last - first - 1)});
    ret->uid = (uint32_t)uid;
    return ret->account != NULL && ret->folder != NULL ? PR_OK : PR_NOMEM;
}
