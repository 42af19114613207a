/*
 * One message as it is on the server, fetched as a pass would fetch it: of a
 * large one the header, and then what its rules look at.
 */
#ifndef ENGINE_PEEK_H
#define ENGINE_PEEK_H

#include "engine/look.h"

/* Fetches `item` of the folder that `source` has selected and hands it to
 * look->each, in a fiber. Waits. What the source, or `each`, failed with;
 * PR_GONE if it is not there. */
PR_CHECKED pr_status peek(struct config *config, const struct look *look,
                          const struct account *account, const char *folder,
                          struct pr_source *source, bool has_headers,
                          struct pr_item *item);

#endif
