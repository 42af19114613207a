/*
 * Making spools; writing and reading them is in <postrider/message.h>.
 */
#ifndef MAIL_SPOOL_H
#define MAIL_SPOOL_H

#include <postrider/message.h>

/* Octets a spool keeps in memory before it goes to a file. */
#define SPOOL_MEMORY (64 * 1024)

/* An empty spool. `directory` (lent) is where its file would be made. More than
 * `cap` octets on the wire: PR_LIMIT; 0: no cap. */
PR_CHECKED pr_status spool_new(const char *directory, uint64_t cap,
                               struct pr_spool **ret);
/* NULL is fine. */
void spool_free(struct pr_spool *spool);
/* Tells that the message will have `octets` at most, so that a small one gets
 * the memory it needs at once. Only a hint: more may come. */
void spool_expect(struct pr_spool *spool, uint64_t octets);
/* As pr_spool_append, but line ends are kept as they are. */
PR_CHECKED pr_status spool_append_exact(struct pr_spool *spool,
                                        const char *data, size_t size);

/* Fills an empty spool with a file of at most `most` octets, and seals it.
 * Blocks, and holds the whole of it in memory meanwhile. */
PR_CHECKED pr_status spool_fill(struct pr_spool *spool, const char *path,
                                size_t most);

/* Where its file is, or would be. Lent. */
const char *spool_directory(const struct pr_spool *spool);
/* Others have its file open, maybe for longer than it lives: the file is not to
 * be another spool's after it. */
void spool_lend(const struct pr_spool *spool);

/* Octets up to and with the empty line that ends the header (RFC 5322, 2.1), or
 * the whole size if there is none. Sealed only. */
uint64_t spool_header_size(const struct pr_spool *spool);
/* Is there such an empty line? */
bool spool_header_is_ended(const struct pr_spool *spool);
/* Reads the header of a sealed spool, at most `cap` octets of it, as
 * pr_spool_read does. */
PR_CHECKED pr_status spool_read_header(const struct pr_spool *spool, size_t cap,
                                       struct pr_buffer *ret);

/* How a delivered copy differs from what the server sent. Values are UTF-8;
 * they are RFC 2047 encoded and folded when that is needed. */
enum header_edit_kind { HEADER_SET, HEADER_ADD, HEADER_REMOVE };

struct header_edit {
    enum header_edit_kind kind;
    const char *name;
    const char *value;
};

/* A new sealed spool like `spool` with its header edited: SET puts the field in
 * the place of the first of that name and drops the others, or adds it at the
 * end of the header; the body is never touched. PR_CONFIG for a name that is no
 * field name (RFC 5322, 2.2). */
PR_CHECKED pr_status spool_with_edits(const struct pr_spool *spool,
                                      const char *directory,
                                      const struct header_edit *edits,
                                      size_t count, struct pr_spool **ret);

#endif
