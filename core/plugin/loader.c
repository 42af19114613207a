/*
 * Plugins as files: found in folders, linked, handed to the registry.
 *
 * Linking runs the file's constructors; a folder of plugins is trusted like the
 * program itself.
 */
#include "config.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/entry.h"

#define SUFFIX ".so"
#define SYMBOL "pr_plugin_"

/* The name of the plugin in a file's name; false if it is none. */
static bool plugin_name(const char *file, char *name, size_t size)
{
    size_t length = strlen(file);

    if (length <= strlen(SUFFIX) || file[0] == '.' ||
        strcmp(file + length - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    length -= strlen(SUFFIX);
    if (length >= size)
        return false;
    memcpy(name, file, length);
    name[length] = '\0';
    return true;
}

static const struct registry_entry *loaded_before(const char *name)
{
    for (size_t i = 0; i < registry_count(); i++) {
        const struct registry_entry *entry = registry_at(i);

        if (entry->plugin != NULL && strcmp(entry->plugin->name, name) == 0)
            return entry;
    }
    return NULL;
}

static pr_status link_file(const char *path, const char *file, const char *name)
{
    const struct registry_entry *other = loaded_before(name);
    const struct pr_plugin *plugin;
    void *handle;
    char *symbol;
    pr_status status;

    if (other != NULL)
        return pr_fail(PR_CONFIG, "%s was already found at %s", file,
                       other->path[0] != '\0' ? other->path : "the program");
    symbol = pr_arena_printf(registry_arena(), SYMBOL "%s", name);
    if (symbol == NULL)
        return PR_NOMEM;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return pr_fail(PR_CONFIG, "%s cannot be loaded: %s", file, dlerror());
    plugin = dlsym(handle, symbol);
    if (plugin == NULL) {
        dlclose(handle);
        return pr_fail(PR_CONFIG, "%s is no plugin of postrider: it has no %s",
                       file, symbol);
    }
    status = registry_put(plugin, path, file);
    if (status != PR_OK)
        dlclose(handle);
    return status;
}

static pr_status load_file(const char *folder, const char *file,
                           const char *name)
{
    const char *path;
    pr_status status;

    if (registry_arena() == NULL)
        return PR_NOMEM;
    path = pr_arena_printf(registry_arena(), "%s/%s", folder, file);
    if (path == NULL)
        return PR_NOMEM;
    status = link_file(path, file, name);
    if (status == PR_OK || status == PR_NOMEM)
        return status;
    pr_log(NULL, PR_LOG_WARNING, "plugin left out: %s",
           pr_last_failure()->text);
    return registry_note(path, NULL, pr_last_failure()->text);
}

static int select_plugin(const struct dirent *entry)
{
    char name[sizeof entry->d_name];

    return plugin_name(entry->d_name, name, sizeof name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static pr_status load_folder(const char *folder)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, select_plugin, by_name);
    pr_status status = PR_OK;

    if (count < 0)
        return pr_fail_errno(PR_CONFIG, errno, "plugin folder %s", folder);
    for (int i = 0; i < count; i++) {
        char name[sizeof files[i]->d_name];

        if (status == PR_OK && plugin_name(files[i]->d_name, name, sizeof name))
            status = load_file(folder, files[i]->d_name, name);
        free(files[i]);
    }
    free(files);
    return status;
}

pr_status registry_load(void)
{
    const char *variable = getenv("POSTRIDER_PLUGIN_DIR");
    char *folders, *folder, *rest;
    size_t readable = 0;
    pr_status status = PR_OK;

    if (variable == NULL || variable[0] == '\0')
        variable = POSTRIDER_PLUGIN_DIR;
    if (registry_arena() == NULL)
        return PR_NOMEM;
    folders = pr_arena_text(registry_arena(), variable);
    if (folders == NULL)
        return PR_NOMEM;
    for (folder = strtok_r(folders, ":", &rest); folder != NULL;
         folder = strtok_r(NULL, ":", &rest)) {
        status = load_folder(folder);
        if (status == PR_NOMEM)
            return status;
        if (status == PR_OK)
            readable++;
        else
            pr_log(NULL, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
    return readable > 0 ? PR_OK : status;
}
