/*
 * What a server says it can do.
 */
#include "config.h"

#include "capability.h"

#include <postrider/option.h>

#define AUTH_ANY (SMTP_CAN_AUTH_PLAIN | SMTP_CAN_AUTH_LOGIN)

static const struct {
    struct pr_bytes name;
    unsigned bits;
} keywords[] = {
    {{"STARTTLS", 8}, SMTP_CAN_STARTTLS},
    {{"AUTH", 4}, AUTH_ANY},
    {{"PIPELINING", 10}, SMTP_CAN_PIPELINING},
    {{"8BITMIME", 8}, SMTP_CAN_8BITMIME},
    {{"SMTPUTF8", 8}, SMTP_CAN_UTF8},
    {{"SIZE", 4}, SMTP_CAN_SIZE},
    {{"CHUNKING", 8}, SMTP_CAN_CHUNKING},
    {{"BINARYMIME", 10}, SMTP_CAN_BINARYMIME},
    {{"DSN", 3}, SMTP_CAN_DSN},
};

#define COUNT (sizeof(keywords) / sizeof(*keywords))

static unsigned find(struct pr_bytes name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (pr_bytes_equal_nocase(name, keywords[i].name))
            return keywords[i].bits;
    return 0;
}

/* The next word of *line, which is moved past it; empty at the end. */
static struct pr_bytes take_word(struct pr_bytes *line)
{
    size_t begin = 0, end;

    while (begin < line->size && line->data[begin] == ' ')
        begin++;
    end = begin;
    while (end < line->size && line->data[end] != ' ')
        end++;
    struct pr_bytes word = {line->data + begin, end - begin};
    *line = (struct pr_bytes){line->data + end, line->size - end};
    return word;
}

static unsigned mechanism(struct pr_bytes name)
{
    if (pr_bytes_equal_nocase(name, PR_BYTES("PLAIN")))
        return SMTP_CAN_AUTH_PLAIN;
    if (pr_bytes_equal_nocase(name, PR_BYTES("LOGIN")))
        return SMTP_CAN_AUTH_LOGIN;
    return 0;
}

/* RFC 1870, 3: up to 20 digits. What is no number is no limit. */
static uint64_t read_size(struct pr_bytes word)
{
    uint64_t size = 0;

    for (size_t i = 0; i < word.size; i++) {
        unsigned digit = (unsigned)(word.data[i] - '0');
        if (digit > 9 || size > (UINT64_MAX - digit) / 10)
            return 0;
        size = size * 10 + digit;
    }
    return size;
}

void smtp_capability_add(struct smtp_capabilities *all, struct pr_bytes line)
{
    struct pr_bytes word = take_word(&line);

    /* "AUTH=PLAIN LOGIN" is how servers wrote it before RFC 2554. */
    if (word.size > 5 && pr_bytes_equal_nocase((struct pr_bytes){word.data, 5},
                                               PR_BYTES("AUTH="))) {
        all->set |= mechanism((struct pr_bytes){word.data + 5, word.size - 5});
        word.size = 4;
    }
    unsigned bits = find(word);
    if (bits == AUTH_ANY) {
        for (word = take_word(&line); word.size > 0; word = take_word(&line))
            all->set |= mechanism(word);
        return;
    }
    all->set |= bits;
    if (bits == SMTP_CAN_SIZE)
        all->size_limit = read_size(take_word(&line));
}

unsigned smtp_capabilities_named(const char *const *names)
{
    unsigned set = 0;

    for (; names != NULL && *names != NULL; names++)
        set |= find(pr_bytes_of(*names));
    return set;
}

pr_status smtp_capabilities_check(const char *const *names)
{
    const char *known[COUNT + 1] = {NULL};

    for (size_t i = 0; i < COUNT; i++)
        known[i] = keywords[i].name.data;
    return pr_words_check("disable", names, known);
}
