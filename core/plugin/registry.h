/*
 * The plugins that are there: found, checked, listed; their options filled.
 */
#ifndef PLUGIN_REGISTRY_H
#define PLUGIN_REGISTRY_H

#include <postrider/plugin.h>

/* Does the table, of a plugin that may be older, have this slot at all? */
#define REGISTRY_COVERS(table, slot) \
    ((table)->size >=                \
     offsetof(__typeof__(*(table)), slot) + sizeof((table)->slot))

/* Loads every NAME.so of $POSTRIDER_PLUGIN_DIR (folders separated by ":") or
 * the installed folder. A file that is no plugin, has another ABI, or cannot be
 * linked is noted with a reason and left out; the program goes on without it.
 * Blocks. PR_CONFIG if no folder can be read. */
PR_CHECKED pr_status registry_load(void);
/* Adds one that is linked in; false if its descriptor does not hold. */
PR_CHECKED pr_status registry_add(const struct pr_plugin *plugin);

/* What became of each file, in the order of names. */
struct registry_entry {
    const char *path;               /* "" when linked in */
    const struct pr_plugin *plugin; /* NULL if it was left out */
    const char *problem;            /* why it was left out; NULL if it is in */
};

size_t registry_count(void);
const struct registry_entry *registry_at(size_t index);

/* The class a user names, NULL if no plugin has it. */
const struct pr_class *registry_class(const char *name);
/* Calls `each` for every class. */
void registry_each_class(void (*each)(void *user,
                                      const struct pr_plugin *plugin,
                                      const struct pr_class *class),
                         void *user);
/* May a server that the class speaks to have labels of its own? */
bool class_may_have_labels(const struct pr_class *class);

/* ---- Options ------------------------------------------------------------- */

/* A value as the configuration gave it. */
struct option_value {
    enum {
        OPTION_VALUE_TEXT,
        OPTION_VALUE_NUMBER,
        OPTION_VALUE_BOOLEAN,
        OPTION_VALUE_LIST,
        OPTION_VALUE_SECRET,
        OPTION_VALUE_OTHER /* nothing an option takes; `text` says what */
    } type;

    const char *text;
    double number;
    bool boolean;
    const char *const *list; /* ended by NULL */
    const struct pr_secret *secret;
};

const struct pr_option *option_find(const struct pr_class *class,
                                    const char *name);
/* A zeroed options struct in the arena with every fallback stored. */
PR_CHECKED pr_status options_new(const struct pr_class *class,
                                 struct pr_arena *arena, void **ret);
/* Stores one value, converted and checked by the option's kind; texts are
 * copied. A text or list given for a secret is taken as the secret itself or a
 * program. PR_CONFIG with words that name the option and what it takes, such as
 * `port: expects a number from 1 to 65535, got "imap"`. */
PR_CHECKED pr_status option_store(const struct pr_option *option, void *options,
                                  const struct option_value *value,
                                  struct pr_arena *arena);
/* Do both structs of the class say the same? Texts, lists and secrets by what
 * is in them. */
bool options_equal(const struct pr_class *class, const void *a, const void *b);
bool text_lists_equal(const char *const *a, const char *const *b);
/* Required ones are there, and the class finds the whole right. `given` has a
 * true for each option (by index) that the user wrote. */
PR_CHECKED pr_status options_check(const struct pr_class *class,
                                   const void *options, const bool *given);
/* "text", "size", ... for help and annotations. */
const char *option_kind_name(enum pr_option_kind kind);

#endif
