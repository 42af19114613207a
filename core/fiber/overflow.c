/*
 * A word before the end, when a fiber runs over its stack.
 *
 * Without it all one sees is a segmentation fault, and daemons leave no core
 * files. A handler that is there already (AddressSanitizer's) is left alone.
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fiber/fiber.h"

enum { HANDLER_STACK = 64 * 1024 };

static char handler_stack[HANDLER_STACK];
static bool watching;

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written;
}

/* The default action was restored for it: returning repeats the fault, and ends
 * the process as it would have. */
static void on_fault(int number, siginfo_t *info, void *machine)
{
    struct pr_fiber *fiber = fiber_self();

    (void)number;
    (void)machine;
    if (fiber == NULL || !stack_guards(fiber->stack, info->si_addr))
        return;
    say("postrider: the fiber \"");
    say(fiber->name);
    say("\" ran over the end of its stack\n");
}

void overflow_watch(void)
{
    struct sigaction action = {.sa_sigaction = on_fault}, old;
    stack_t stack = {.ss_sp = handler_stack, .ss_size = HANDLER_STACK};

    if (sigaction(SIGSEGV, NULL, &old) != 0 || old.sa_handler != SIG_DFL ||
        sigaltstack(&stack, NULL) != 0)
        return;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    watching = sigaction(SIGSEGV, &action, NULL) == 0;
}

void overflow_unwatch(void)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!watching)
        return;
    signal(SIGSEGV, SIG_DFL);
    sigaltstack(&none, NULL);
    watching = false;
}
