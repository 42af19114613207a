/*
 * `postrider plugins`: which there are, and what options they take.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "plugin/registry.h"

static const char *role_name(enum pr_role role)
{
    switch (role) {
    case PR_ROLE_SOURCE:
        return "source";
    case PR_ROLE_SINK:
        return "sink";
    case PR_ROLE_SERVICE:
        break;
    }
    return "service";
}

static void print_classes(const struct pr_plugin *plugin)
{
    for (const struct pr_class *const *class = plugin->classes; *class != NULL;
         class ++) {
        printf("  %-12s %-7s %s\n", (*class)->name, role_name((*class)->role),
               (*class)->summary);
    }
}

static int list_all(void)
{
    int status = EX_OK;
    for (size_t i = 0; i < registry_count(); i++) {
        const struct registry_entry *entry = registry_at(i);
        if (entry->plugin == NULL) { /* the loader has said why */
            status = EX_UNAVAILABLE;
            continue;
        }
        printf("%s %s: %s\n", entry->plugin->name, entry->plugin->version,
               entry->plugin->summary);
        print_classes(entry->plugin);
    }
    return status;
}

static void print_option(const struct pr_option *option)
{
    printf("  %-15s %-9s %s", option->name, option_kind_name(option->kind),
           option->help);
    if (option->choices != NULL) {
        fputs(" (", stdout);
        for (const char *const *choice = option->choices; *choice != NULL;
             choice++) {
            printf("%s%s", choice == option->choices ? "" : " | ", *choice);
        }
        fputs(")", stdout);
    }
    if (option->required) {
        fputs("; required", stdout);
    } else if (option->fallback != NULL) {
        printf("; default %s", option->fallback);
    }
    fputc('\n', stdout);
}

/* What a service can be asked. */
static void print_verbs(const struct pr_class *class)
{
    for (const struct pr_verb *verb = class->service->verbs; verb->name != NULL;
         verb++) {
        printf("%s.%s(%s): %s\n", class->name, verb->name,
               verb->takes_message     ? "m"
               : verb->options != NULL ? "{ ... }"
                                       : "",
               verb->summary);
        for (const struct pr_option *option = verb->options;
             option != NULL && option->name != NULL; option++) {
            print_option(option);
        }
    }
}

static void print_class(const struct pr_class *class)
{
    printf("%s, a %s: %s\n", class->name, role_name(class->role),
           class->summary);
    for (const struct pr_option *option = class->options;
         option != NULL && option->name != NULL; option++) {
        print_option(option);
    }
    if (class->role == PR_ROLE_SERVICE) {
        print_verbs(class);
    }
}

static bool show(const char *name)
{
    bool is_found = false;
    for (size_t i = 0; i < registry_count(); i++) {
        const struct pr_plugin *plugin = registry_at(i)->plugin;
        if (plugin == NULL) {
            continue;
        }
        bool is_whole = strcmp(plugin->name, name) == 0;
        for (const struct pr_class *const *class = plugin->classes;
             *class != NULL; class ++) {
            if (is_whole || strcmp((*class)->name, name) == 0) {
                print_class(*class);
                is_found = true;
            }
        }
    }
    return is_found;
}

#define NAMES_MOST 200

struct names {
    const char *names[NAMES_MOST + 1]; /* ended by NULL */
    size_t count;
};

static void add_name(void *user, const struct pr_plugin *plugin,
                     const struct pr_class *class)
{
    (void)plugin;
    struct names *names = user;
    if (names->count < NAMES_MOST) {
        names->names[names->count++] = class->name;
    }
}

static void say_unknown(const char *name)
{
    struct names names = {0};
    registry_each_class(add_name, &names);
    const char *nearest = text_nearest(name, names.names);
    if (nearest != NULL) {
        terminal_complain("no plugin \"%s\"; did you mean \"%s\"?", name,
                          nearest);
    } else {
        terminal_complain(
            "no plugin \"%s\"; `postrider plugins` lists those there are",
            name);
    }
}

static int run(const struct invocation *invocation)
{
    pr_status status = registry_load();
    if (status != PR_OK) {
        return complain(status);
    }
    if (invocation->argument_count == 0) {
        return list_all();
    }
    int result = EX_OK;
    for (char **name = invocation->arguments; *name != NULL; name++) {
        if (!show(*name)) {
            say_unknown(*name);
            result = EX_UNAVAILABLE;
        }
    }
    return result;
}

const struct command command_plugins = {
    .name = "plugins",
    .arguments = "[NAME...]",
    .summary = "List the plugins, or the options of one",
    .help = "",
    .options = "v",
    .run = run,
};
