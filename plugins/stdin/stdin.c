/*
 * The source `stdin`: one message, read from standard input.
 *
 * For `postrider deliver`, which stands behind another program as its mail
 * delivery agent. The message has a name that no other run uses, and is there
 * in this run alone: whoever wrote it keeps it until the program has ended
 * well.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <postrider/plugin.h>

#define BLOCK ((size_t)64 * 1024)

struct input {
    char name[80]; /* of the message */
    bool is_read;  /* to its end */
    char block[BLOCK];
    size_t size;
};

struct stdin_options {
    bool from_line;
};

static const struct pr_option options[] = {
    {.name = "from_line",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct stdin_options, from_line),
     .fallback = "false",
     .help = "keep a first line \"From sender date\", as mbox files have it"},
    {0}};

/* ---- Reading ------------------------------------------------------------- */

/* Fills the block as far as it goes. Offloaded. */
static pr_status read_block(void *argument)
{
    struct input *input = argument;

    input->size = 0;
    while (input->size < BLOCK && !input->is_read) {
        ssize_t got =
            read(STDIN_FILENO, input->block + input->size, BLOCK - input->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pr_fail_errno(PR_IO, errno, "cannot read standard input");
        input->is_read = got == 0;
        input->size += (size_t)got;
    }
    return PR_OK;
}

/* Octets of a first line that is no part of the message. */
static size_t from_line(const struct input *input)
{
    static const char from[] = "From ";

    if (input->size < sizeof(from) - 1 ||
        memcmp(input->block, from, sizeof(from) - 1) != 0)
        return 0;
    const char *end = memchr(input->block, '\n', input->size);
    return end != NULL ? (size_t)(end + 1 - input->block) : 0;
}

static pr_status read_message(const struct pr_source *source,
                              struct pr_spool *spool)
{
    struct input *input = source->state;
    const struct stdin_options *set = source->options;
    pr_status status = pr_offload(read_block, input);
    size_t skip = set->from_line ? 0 : from_line(input);

    if (status == PR_OK && input->size == skip)
        return pr_fail(PR_IO, "there is no message on standard input");
    while (status == PR_OK && input->size > skip) {
        status =
            pr_spool_append(spool, input->block + skip, input->size - skip);
        skip = 0;
        if (status == PR_OK)
            status = pr_offload(read_block, input);
    }
    return status;
}

/* ---- Operations ---------------------------------------------------------- */

static pr_status op_open(struct pr_source *source)
{
    struct timespec now;
    struct input *input = calloc(1, sizeof(*input));

    if (input == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(input->name, sizeof(input->name), "%lld.%09ld.%ld",
                   (long long)now.tv_sec, now.tv_nsec, (long)getpid());
    source->state = input;
    return PR_OK;
}

static pr_status op_select(struct pr_source *source, const char *folder,
                           struct pr_mailbox *ret)
{
    (void)source, (void)folder;
    *ret = (struct pr_mailbox){.exists = 1};
    return PR_OK;
}

static pr_status op_list(struct pr_source *source,
                         const struct pr_range *ranges, size_t count,
                         pr_item_listed *listed, void *user)
{
    const struct input *input = source->state;
    const struct pr_item item = {
        .number = 1, .uidl = input->name, .received = (int64_t)time(NULL)};

    (void)ranges, (void)count;
    return listed(user, &item);
}

static pr_status fetch_one(struct pr_source *source, struct pr_feed *feed,
                           const struct pr_request *request)
{
    const struct input *input = source->state;
    struct pr_spool *spool;

    if (request->want != PR_WANT_ALL || input->is_read)
        return pr_fail(PR_UNSUPPORTED, "standard input is read once");
    pr_status status =
        feed->ops->begin(feed, request->item, request->want, BLOCK, &spool);
    return status == PR_OK ? read_message(source, spool) : status;
}

static pr_status op_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct pr_request request;
    pr_status status;

    while ((status = feed->ops->next(feed, true, &request)) == PR_OK) {
        status = fetch_one(source, feed, &request);
        feed->ops->end(feed, request.item, status);
        if (status == PR_CANCELLED)
            return status;
    }
    return status == PR_EOF ? PR_OK : status;
}

static pr_status op_settle(struct pr_source *source, struct pr_deed *deeds,
                           size_t count)
{
    (void)source;
    for (size_t i = 0; i < count; i++)
        deeds[i].result = PR_OK;
    return PR_OK;
}

static void op_close(struct pr_source *source)
{
    free(source->state);
    source->state = NULL;
}

static const struct pr_source_ops ops = {
    .size = sizeof(ops),
    .open = op_open,
    .select = op_select,
    .list = op_list,
    .fetch = op_fetch,
    .settle = op_settle,
    .close = op_close,
    .lacks = PR_LACKS_FLAGS | PR_LACKS_FOLDERS | PR_LACKS_STAY,
};

static const struct pr_class stdin_class = {
    .size = sizeof(stdin_class),
    .role = PR_ROLE_SOURCE,
    .name = "stdin",
    .summary = "one message from standard input, for postrider deliver",
    .options = options,
    .options_size = sizeof(struct stdin_options),
    .source = &ops,
};

static const struct pr_class *const classes[] = {&stdin_class, NULL};

PR_PLUGIN(stdin) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "stdin",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "take a message from standard input",
    .classes = classes,
};
