/*
 * The table of plugins and their classes, and what a descriptor must hold.
 *
 * A plugin of another build is never trusted: its numbers are looked at before
 * its tables, and its tables before anything of it is called.
 */
#include "config.h"

#include "plugin/registry.h"

#include <string.h>

#include "plugin/entry.h"

enum { OPTIONS_MOST = 200, CLASSES_MOST = 50 };

static struct registry {
    struct pr_arena *arena; /* lives as long as the process */
    struct registry_entry *entries;
    size_t count, allocated;
} registry;

struct pr_arena *registry_arena(void)
{
    if (registry.arena == NULL)
        registry.arena = pr_arena_new();
    return registry.arena;
}

size_t registry_count(void)
{
    return registry.count;
}

const struct registry_entry *registry_at(size_t index)
{
    return index < registry.count ? &registry.entries[index] : NULL;
}

/* ---- What must hold ------------------------------------------------------ */

static bool is_identifier(const char *name)
{
    static const char *const letters = "abcdefghijklmnopqrstuvwxyz_";

    return name != NULL && name[0] != '\0' &&
           strchr(letters, name[0]) != NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(name);
}

static size_t stored_size(enum pr_option_kind kind)
{
    switch (kind) {
    case PR_OPTION_CHOICE:
        return sizeof(unsigned);
    case PR_OPTION_BOOLEAN:
        return sizeof(bool);
    case PR_OPTION_NUMBER:
    case PR_OPTION_SIZE:
    case PR_OPTION_DURATION:
        return sizeof(int64_t);
    case PR_OPTION_TEXT:
    case PR_OPTION_PATH:
    case PR_OPTION_LIST:
    case PR_OPTION_SECRET:
        return sizeof(void *);
    }
    return 0;
}

static pr_status check_option(const struct pr_class *class,
                              const struct pr_option *option)
{
    size_t size = stored_size(option->kind);

    if (!is_identifier(option->name))
        return pr_fail(PR_CONFIG,
                       "an option of class %s has a name that is none",
                       class->name);
    if (size == 0)
        return pr_fail(PR_CONFIG, "option %s of class %s is of no known kind",
                       option->name, class->name);
    if (size > class->options_size ||
        option->offset > class->options_size - size ||
        option->offset % size != 0)
        return pr_fail(PR_CONFIG,
                       "option %s of class %s lies outside of its struct",
                       option->name, class->name);
    if (option->kind == PR_OPTION_CHOICE &&
        (option->choices == NULL || option->choices[0] == NULL))
        return pr_fail(PR_CONFIG, "option %s of class %s has no choices",
                       option->name, class->name);
    if (option_find(class, option->name) != option)
        return pr_fail(PR_CONFIG, "option %s of class %s stands there twice",
                       option->name, class->name);
    return PR_OK;
}

static pr_status check_source(const struct pr_class *class)
{
    const struct pr_source_ops *ops = class->source;

    if (ops == NULL || !REGISTRY_COVERS(ops, close) || ops->open == NULL ||
        ops->select == NULL || ops->list == NULL || ops->fetch == NULL ||
        ops->settle == NULL || ops->close == NULL)
        return pr_fail(PR_CONFIG, "class %s lacks an operation of a source",
                       class->name);
    return PR_OK;
}

static pr_status check_sink(const struct pr_class *class)
{
    const struct pr_sink_ops *ops = class->sink;

    if (ops == NULL || !REGISTRY_COVERS(ops, describe) || ops->stage == NULL ||
        ops->commit == NULL || ops->abort == NULL || ops->describe == NULL)
        return pr_fail(PR_CONFIG, "class %s lacks an operation of a sink",
                       class->name);
    return PR_OK;
}

static pr_status check_service(const struct pr_class *class)
{
    const struct pr_service_ops *ops =
        REGISTRY_COVERS(class, service) ? class->service : NULL;

    if (ops == NULL || !REGISTRY_COVERS(ops, describe) || ops->verbs == NULL ||
        ops->ask == NULL || ops->describe == NULL)
        return pr_fail(PR_CONFIG, "class %s lacks an operation of a service",
                       class->name);
    if (class->options_size < sizeof(struct pr_service_settings) ||
        ops->settings >
            class->options_size - sizeof(struct pr_service_settings))
        return pr_fail(PR_CONFIG, "class %s has no settings of a service",
                       class->name);
    for (const struct pr_verb *verb = ops->verbs; verb->name != NULL; verb++)
        if (!is_identifier(verb->name))
            return pr_fail(PR_CONFIG, "class %s has a verb without a name",
                           class->name);
    return PR_OK;
}

static pr_status check_class(const struct pr_class *class)
{
    size_t count = 0;

    if (!REGISTRY_COVERS(class, sink))
        return pr_fail(PR_CONFIG, "a class of it is of %u octets: rebuild it",
                       class->size);
    if (!is_identifier(class->name))
        return pr_fail(PR_CONFIG, "a class of it has a name that is none");
    if (registry_class(class->name) != NULL)
        return pr_fail(PR_CONFIG, "there is already a class %s", class->name);
    for (const struct pr_option *option = class->options;
         option != NULL && option->name != NULL; option++) {
        pr_status status = check_option(class, option);

        if (status != PR_OK)
            return status;
        if (++count > OPTIONS_MOST)
            return pr_fail(PR_CONFIG, "class %s has options without end",
                           class->name);
    }
    if (class->role == PR_ROLE_SOURCE)
        return check_source(class);
    if (class->role == PR_ROLE_SINK)
        return check_sink(class);
    if (class->role == PR_ROLE_SERVICE)
        return check_service(class);
    return pr_fail(PR_CONFIG, "class %s is neither source, sink nor service",
                   class->name);
}

static pr_status check_classes(const struct pr_plugin *plugin)
{
    for (size_t i = 0; plugin->classes[i] != NULL; i++) {
        pr_status status = check_class(plugin->classes[i]);

        if (status != PR_OK)
            return status;
        if (i >= CLASSES_MOST)
            return pr_fail(PR_CONFIG, "it has classes without end");
        for (size_t j = 0; j < i; j++)
            if (strcmp(plugin->classes[i]->name, plugin->classes[j]->name) == 0)
                return pr_fail(PR_CONFIG, "it has class %s twice",
                               plugin->classes[i]->name);
    }
    return PR_OK;
}

/* `name` is what the errors call it: "imap.so". */
static pr_status check_plugin(const struct pr_plugin *plugin, const char *name)
{
    pr_status status;

    if (plugin->abi != PR_ABI)
        return pr_fail(PR_CONFIG,
                       "%s is for plugin interface %u, this postrider has %u: "
                       "rebuild the plugin",
                       name, plugin->abi, PR_ABI);
    if (!REGISTRY_COVERS(plugin, classes))
        return pr_fail(PR_CONFIG,
                       "%s has a descriptor of %u octets, at least %u are "
                       "needed: rebuild the plugin",
                       name, plugin->size,
                       (unsigned)(offsetof(struct pr_plugin, classes) +
                                  sizeof plugin->classes));
    if (plugin->name == NULL || plugin->classes == NULL)
        return pr_fail(PR_CONFIG, "%s has a descriptor that is not filled",
                       name);
    status = check_classes(plugin);
    return status == PR_OK ? status : pr_context(status, "%s", name);
}

/* ---- Putting one in ------------------------------------------------------ */

static struct registry_entry *registry_new_entry(void)
{
    struct registry_entry *bigger;

    if (registry.count < registry.allocated)
        return &registry.entries[registry.count];
    bigger = pr_arena_array(registry_arena(), registry.allocated * 2 + 16,
                            sizeof *bigger);
    if (bigger == NULL)
        return NULL;
    if (registry.count > 0)
        memcpy(bigger, registry.entries, registry.count * sizeof *bigger);
    registry.entries = bigger;
    registry.allocated = registry.allocated * 2 + 16;
    return &registry.entries[registry.count];
}

pr_status registry_note(const char *path, const struct pr_plugin *plugin,
                        const char *problem)
{
    struct registry_entry *entry;

    if (registry_arena() == NULL)
        return PR_NOMEM;
    entry = registry_new_entry();
    if (entry == NULL)
        return PR_NOMEM;
    entry->path = pr_arena_text(registry.arena, path);
    entry->plugin = plugin;
    entry->problem =
        problem != NULL ? pr_arena_text(registry.arena, problem) : NULL;
    if (entry->path == NULL || (problem != NULL && entry->problem == NULL))
        return PR_NOMEM;
    registry.count++;
    return PR_OK;
}

pr_status registry_put(const struct pr_plugin *plugin, const char *path,
                       const char *name)
{
    pr_status status = check_plugin(plugin, name);

    return status == PR_OK ? registry_note(path, plugin, NULL) : status;
}

pr_status registry_add(const struct pr_plugin *plugin)
{
    return registry_put(plugin, "", "the plugin");
}

/* ---- Finding ------------------------------------------------------------- */

void registry_each_class(void (*each)(void *user,
                                      const struct pr_plugin *plugin,
                                      const struct pr_class *class),
                         void *user)
{
    for (size_t i = 0; i < registry.count; i++) {
        const struct pr_plugin *plugin = registry.entries[i].plugin;

        if (plugin == NULL)
            continue;
        for (size_t j = 0; plugin->classes[j] != NULL; j++)
            each(user, plugin, plugin->classes[j]);
    }
}

struct search {
    const char *name;
    const struct pr_class *found;
};

static void compare(void *user, const struct pr_plugin *plugin,
                    const struct pr_class *class)
{
    struct search *search = user;

    (void)plugin;
    if (strcmp(class->name, search->name) == 0)
        search->found = class;
}

bool class_may_have_labels(const struct pr_class *class)
{
    return REGISTRY_COVERS(class->source, has_labels) &&
           class->source->has_labels != NULL;
}

const struct pr_class *registry_class(const char *name)
{
    struct search search = {.name = name};

    registry_each_class(compare, &search);
    return search.found;
}
