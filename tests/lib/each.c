/*
 * Runs a command once for each file of a folder, with that file as its standard
 * input, as a mail server runs a filter once for each message.
 *
 *   each FOLDER COMMAND [ARGUMENT...]
 *
 * The names are taken in order. Exits with 1 if any of the commands failed. It
 * is no shell, which would cost more than some of the filters.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_with(const char *path, char **argv)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0);
    if (posix_spawnp(&child, argv[0], &actions, NULL, argv, environ) == 0 &&
        waitpid(child, &status, 0) != child)
        status = -1;
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

int main(int argc, char **argv)
{
    struct dirent **names;
    char path[4096];
    int failed = 0;

    if (argc < 3)
        return 64;
    int count = scandir(argv[1], &names, is_shown, alphasort);
    if (count < 0) {
        perror(argv[1]);
        return 66;
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
        if (run_with(path, argv + 2) != 0) {
            fprintf(stderr, "each: %s failed\n", path);
            failed = 1;
        }
        free(names[i]);
    }
    free(names);
    return failed;
}
