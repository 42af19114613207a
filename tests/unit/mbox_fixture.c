/*
 * A mbox sink in a folder of its own, for the tests of it.
 */
#include "config.h"

#include "mbox_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/spool.h"

char base[64], root[128];
struct mbox_options options;
struct pr_sink sink;
const struct pr_sink_ops *ops;

static const struct pr_log quiet = {.name = "mbox"};

void open_sink(void)
{
    ops = mbox_class.sink;
    options.set.path = root;
    sink = (struct pr_sink){
        .class = &mbox_class, .options = &options, .log = &quiet};
    OK(ops->open(&sink));
}

void reopen_sink(void)
{
    ops->close(&sink);
    open_sink();
}

int set_up(void **unused)
{
    (void)unused;
    strcpy(base, "/tmp/postrider-mbox-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof(root), "%s/mail", base);
    options = (struct mbox_options){.flags = true,
                                    .set = {.wait = 100, .stale = 900000}};
    open_sink();
    return 0;
}

int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    ops->close(&sink);
    snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command);
}

struct pr_spool *spool_of(const char *text, size_t repeat)
{
    struct pr_spool *spool;

    OK(spool_new(base, 0, &spool));
    for (size_t i = 0; i < repeat; i++)
        OK(pr_spool_append(spool, text, strlen(text)));
    OK(pr_spool_seal(spool));
    return spool;
}

struct pr_delivery delivery_of(const struct pr_spool *spool, const char *folder,
                               const char *key)
{
    return (struct pr_delivery){
        .spool = spool, .folder = folder, .key = key, .received = RECEIVED};
}

pr_status commit_one(struct pr_delivery *delivery)
{
    struct pr_delivery *batch[] = {delivery};

    delivery->result = PR_BUG;
    pr_status status = ops->stage(&sink, delivery);
    if (status != PR_OK)
        return status;
    OK(ops->commit(&sink, batch, 1));
    return delivery->result;
}

pr_status deliver_text(const char *folder, const char *key, const char *text)
{
    struct pr_spool *spool = spool_of(text, 1);
    struct pr_delivery delivery = delivery_of(spool, folder, key);
    pr_status status = commit_one(&delivery);

    spool_free(spool);
    return status;
}

pr_status deliver(const char *folder, const char *key)
{
    return deliver_text(folder, key, "Subject: hello\r\n\r\nworld\r\n");
}

pr_status recover(const char *key, const char *folder)
{
    char receipt[300];

    snprintf(receipt, sizeof(receipt), "mbox:%s", folder);
    return ops->recover(&sink, key, receipt);
}

const char *below(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

const char *content(const char *name)
{
    static char text[1 << 20];
    FILE *file = fopen(below(name), "r");

    if (file == NULL)
        return "(none)";
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void put_file(const char *name, const char *mode, const char *text)
{
    FILE *file = fopen(below(name), mode);

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

void write_file(const char *name, const char *text)
{
    put_file(name, "w", text);
}

void append_file(const char *name, const char *text)
{
    put_file(name, "a", text);
}

bool exists(const char *name)
{
    return access(below(name), F_OK) == 0;
}

int others_in(const char *directory, const char *const *known)
{
    DIR *stream = opendir(below(directory));
    int count = 0;

    if (stream == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        bool is_known =
            strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (const char *const *name = known; *name != NULL; name++)
            is_known |= strcmp(*name, entry->d_name) == 0;
        count += !is_known;
    }
    closedir(stream);
    return count;
}
