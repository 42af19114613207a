/*
 * The octets of a message as SMTP carries them.
 */
#include "config.h"

#include "content.h"

#include <string.h>

void smtp_content_init(struct smtp_content *content, bool stuffs_dots,
                       smtp_content_taker *take, void *user)
{
    *content = (struct smtp_content){
        .take = take, .user = user, .stuffs_dots = stuffs_dots};
}

static pr_status end_line(struct smtp_content *content)
{
    content->in_line = false;
    return content->take(content->user, "\r\n", 2);
}

/* A run without CR and LF. */
static pr_status add_run(struct smtp_content *content, const char *data,
                         size_t size)
{
    if (size == 0)
        return PR_OK;
    if (content->stuffs_dots && !content->in_line && data[0] == '.') {
        pr_status status = content->take(content->user, ".", 1);
        if (status != PR_OK)
            return status;
    }
    content->in_line = true;
    content->was_cr = false;
    return content->take(content->user, data, size);
}

/* The size of the run before the first CR or LF. */
static size_t run_of(const char *data, size_t size)
{
    const char *lf = memchr(data, '\n', size);
    size_t before = lf != NULL ? (size_t)(lf - data) : size;
    const char *cr = memchr(data, '\r', before);

    return cr != NULL ? (size_t)(cr - data) : before;
}

/* A CR ends the line at once; the LF after it, if one comes, is part of that
 * line end. */
pr_status smtp_content_add(struct smtp_content *content, const char *data,
                           size_t size)
{
    pr_status status = PR_OK;

    while (size > 0 && status == PR_OK) {
        size_t run = run_of(data, size);
        status = add_run(content, data, run);
        data += run;
        size -= run;
        if (status != PR_OK || size == 0)
            return status;
        if (*data == '\r' || !content->was_cr)
            status = end_line(content);
        content->was_cr = *data == '\r';
        data++;
        size--;
    }
    return status;
}

pr_status smtp_content_end(struct smtp_content *content)
{
    return content->in_line ? end_line(content) : PR_OK;
}

/* ---- Facts --------------------------------------------------------------- */

static bool has_8bit(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)data[i] & 0x80) != 0)
            return true;
    return false;
}

pr_status smtp_facts_take(void *user, const char *data, size_t size)
{
    struct smtp_facts *facts = user;

    facts->octets += size;
    if (size == 2 && data[0] == '\r') {
        facts->line_now = 0;
        return PR_OK;
    }
    facts->line_now += size;
    if (facts->line_now > facts->line)
        facts->line = facts->line_now;
    facts->has_nul = facts->has_nul || memchr(data, '\0', size) != NULL;
    facts->is_8bit = facts->is_8bit || has_8bit(data, size);
    return PR_OK;
}
