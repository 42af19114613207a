/*
 * The descriptor of the pipe plugin.
 */
#include "config.h"

#include "pipe.h"

static const struct pr_class *const classes[] = {&pipe_class, NULL};

PR_PLUGIN(pipe) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "pipe",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "deliver through programs",
    .classes = classes,
};
