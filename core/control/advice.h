/*
 * What a person can do about an account's trouble, in plain words.
 */
#ifndef CONTROL_ADVICE_H
#define CONTROL_ADVICE_H

#include <postrider/buffer.h>

/* A clause without a full stop: "check `password` ... (config.lua:12), then:
 * postrider poll work". `file` and `line` say where the account stands. Pure.
 */
PR_CHECKED pr_status advice_add(pr_status trouble, const char *account,
                                const char *file, int line,
                                struct pr_buffer *out);

#endif
