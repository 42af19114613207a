/*
 * The commands of an envelope, and what of the server's capabilities they use.
 */
#ifndef SMTP_COMMANDS_H
#define SMTP_COMMANDS_H

#include "letter.h"
#include "line.h"

/* The content travels by BDAT (RFC 3030), not by DATA. */
bool smtp_uses_chunks(const struct smtp_line *line);
bool smtp_is_pipelined(const struct smtp_line *line);
/* DATA travels with the envelope of `letter`. */
bool smtp_has_data_ahead(const struct smtp_line *line,
                         const struct smtp_letter *letter);

/* Can what `letter` needs be had of this server? PR_REFUSED for its size, or
 * without SMTPUTF8; both are for now only with soft_bounce. */
PR_CHECKED pr_status smtp_check_letter(const struct smtp_line *line,
                                       const struct smtp_letter *letter);

PR_CHECKED pr_status smtp_put_mail(struct smtp_line *line,
                                   const struct smtp_letter *letter);
PR_CHECKED pr_status smtp_put_recipient(struct smtp_line *line,
                                        const struct smtp_letter *letter,
                                        const char *address);
/* All of the envelope where the server has PIPELINING, else its first command.
 * RSET goes before it if the line needs one. */
PR_CHECKED pr_status smtp_put_envelope(struct smtp_line *line,
                                       const struct smtp_letter *letter);

#endif
