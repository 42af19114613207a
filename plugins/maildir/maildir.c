/*
 * The descriptor of the Maildir plugin.
 */
#include "config.h"

#include "maildir.h"

#include "source.h"

static const struct pr_class *const classes[] = {&maildir_class,
                                                 &maildir_source_class, NULL};

PR_PLUGIN(maildir) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "maildir",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "deliver into Maildirs, and take messages from them",
    .classes = classes,
};
