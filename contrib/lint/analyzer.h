/*
 * What clang's analyzer is told besides: a failure is never PR_OK.
 *
 * It looks at one file at a time, and so cannot know that pr_fail() returns the
 * status it was given. Included before everything else in `make lint` only.
 */
#ifndef LINT_ANALYZER_H
#define LINT_ANALYZER_H

#include <postrider/status.h>

#define pr_fail(status, ...) ((void)(pr_fail)((status), __VA_ARGS__), (status))
#define pr_fail_errno(status, ...) \
    ((void)(pr_fail_errno)((status), __VA_ARGS__), (status))
#define pr_context(status, ...) \
    ((void)(pr_context)((status), __VA_ARGS__), (status))

#endif
