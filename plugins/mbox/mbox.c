/*
 * The descriptor of the mbox plugin.
 */
#include "config.h"

#include "mbox.h"

#include "source.h"

static const struct pr_class *const classes[] = {&mbox_class,
                                                 &mbox_source_class, NULL};

PR_PLUGIN(mbox) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "mbox",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "deliver into mboxes, and take messages from them",
    .classes = classes,
};
