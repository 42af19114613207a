/*
 * Between the loader and the table of plugins.
 */
#ifndef PLUGIN_ENTRY_H
#define PLUGIN_ENTRY_H

#include "plugin/registry.h"

/* Memory that lasts as long as the process; NULL: none left. */
struct pr_arena *registry_arena(void);
/* Checks a plugin and puts it in. `name` is what the words of a failure call
 * it. */
PR_CHECKED pr_status registry_put(const struct pr_plugin *plugin,
                                  const char *path, const char *name);
/* Notes what became of a file, unchecked. Texts are copied. */
PR_CHECKED pr_status registry_note(const char *path,
                                   const struct pr_plugin *plugin,
                                   const char *problem);

#endif
