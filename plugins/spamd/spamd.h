/*
 * The spamd plugin: what its files share.
 */
#ifndef SPAMD_SPAMD_H
#define SPAMD_SPAMD_H

#include <postrider/plugin.h>

/* What the header of spamd's reply says. */
struct spamd_verdict {
    bool has_length;
    size_t length; /* octets of the body */
    bool has_spam, spam;
    double score, required;
    bool did; /* DidSet or DidRemove */
};

/* The first line of the reply, without its end. PR_OK only for code 0; PR_LATER
 * for passing failures of spamd, PR_REFUSED for others, PR_PROTOCOL. */
PR_CHECKED pr_status spamd_read_status(struct pr_bytes line);
/* A line of its header, without its end; unknown ones are passed over.
 * PR_PROTOCOL. */
PR_CHECKED pr_status spamd_read_header(struct pr_bytes line,
                                       struct spamd_verdict *verdict);
/* The names of the rules that matched, with commas between them, as a list. */
void spamd_add_symbols(struct pr_bytes body, struct pr_reply *reply);

#endif
