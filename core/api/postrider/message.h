/*
 * A message: its octets (the spool), who it is (the item), what a sink is told.
 */
#ifndef POSTRIDER_MESSAGE_H
#define POSTRIDER_MESSAGE_H

#include <postrider/buffer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The octets of one message while it is in the house: in memory up to 64 KiB,
 * beyond that in an unnamed file of the state directory. Written by one fiber;
 * once sealed, read by anyone, offloaded jobs as well. */
struct pr_spool;
struct stat;

/* Appends octets as they came from the wire. CRLF becomes LF, also when it is
 * cut between two calls; bare CR and bare LF stay. May wait for the disk. A
 * spool that failed once fails ever after, so that no stump is delivered.
 * PR_FULL, PR_IO, PR_NOMEM, PR_LIMIT. */
PR_API PR_CHECKED pr_status pr_spool_append(struct pr_spool *spool,
                                            const char *data, size_t size);
/* Ends writing. */
PR_API PR_CHECKED pr_status pr_spool_seal(struct pr_spool *spool);
/* Octets now held, line ends converted. */
PR_API uint64_t pr_spool_size(const struct pr_spool *spool);
/* Octets appended, as on the wire. */
PR_API uint64_t pr_spool_wire_size(const struct pr_spool *spool);
/* The whole message if it is in memory, else .data is NULL. Sealed only. */
PR_API struct pr_bytes pr_spool_memory(const struct pr_spool *spool);
/* The unnamed file, -1 if in memory. Lent; use pread and copy_file_range. */
PR_API int pr_spool_file(const struct pr_spool *spool);
/* Gives the unnamed file a name in `directory` (a descriptor), as linkat(2)
 * does; it is then the caller's, with mode 0600, not yet synced, and the spool
 * goes on reading from it. Once for each spool, and only on the file's own file
 * system: else PR_UNSUPPORTED, and the octets are to be copied. PR_BUSY if the
 * name is taken. Blocks. */
PR_API PR_CHECKED pr_status pr_spool_link(const struct pr_spool *spool,
                                          int directory, const char *name);
/* A source tells of the file that it reads these octets from: one that nobody
 * changes as long as it has a name, as those of a Maildir. `path` is copied,
 * `found` is what fstat said. Only a hint. */
PR_API void pr_spool_found_in(struct pr_spool *spool, const char *path,
                              const struct stat *found);
/* Gives that file one more name in `directory`, as linkat(2) does, where the
 * octets of the spool are just those in it, its date is `date` (seconds since
 * 1970), its mode 0600 and its owner the user we run as. It stays the source's:
 * not to be changed. PR_BUSY if the name is taken; PR_UNSUPPORTED if it cannot
 * be, as on another file system: the octets are to be copied. Blocks. */
PR_API PR_CHECKED pr_status pr_spool_link_origin(const struct pr_spool *spool,
                                                 int64_t date, int directory,
                                                 const char *name);
/* Reads at `offset`; *ret_size 0 at the end. Sealed only; blocks briefly for a
 * spool in a file. */
PR_API PR_CHECKED pr_status pr_spool_read(const struct pr_spool *spool,
                                          uint64_t offset, char *data,
                                          size_t size, size_t *ret_size);

/* Opens the message, with the octets `before` in front of it, for a program to
 * read as its standard input: a finished file at its start, so that no crash of
 * ours hands over half a message, and one that nobody can write to or will use
 * again, whatever becomes of the spool. Sealed only. The caller closes *ret.
 * Blocks: call it in an offloaded job. PR_IO, PR_FULL, PR_NOMEM. */
PR_API PR_CHECKED pr_status pr_spool_open(const struct pr_spool *spool,
                                          struct pr_bytes before, int *ret);

/* RFC 3501, 2.3.2: the system flags. Keywords stand beside them. */
enum pr_flag {
    PR_FLAG_SEEN = 1,
    PR_FLAG_ANSWERED = 2,
    PR_FLAG_FLAGGED = 4,
    PR_FLAG_DELETED = 8,
    PR_FLAG_DRAFT = 16,
    PR_FLAG_RECENT = 32
};

/* A set of flags and keywords. Keywords: UTF-8 or NULL, separated by one space,
 * none twice (RFC 3501, 9: flag-keyword is an atom, so no space is in one). */
struct pr_flags {
    unsigned system; /* of enum pr_flag */
    const char *keywords;
};

/* One message of a source, as it was listed. */
struct pr_item {
    uint32_t uid; /* what the state knows it by. IMAP's own; where a source has
                     none, the core gives one that stays */
    uint32_t number;  /* sources without UIDs: its place in this session */
    const char *uidl; /* sources without UIDs: what the source knows it by in
                         every session; NULL: it cannot tell */
    uint64_t size;    /* octets as the server counts them; 0: not told */
    int64_t received; /* INTERNALDATE: seconds since 1970; 0: not told */
    struct pr_flags flags;
    void *user; /* the lister's own */
    /* Labels of the server's own (pr_source_ops.has_labels), which may hold
     * spaces: UTF-8, separated by LF, none twice; NULL: none. */
    const char *labels;
};

struct pr_journal; /* the core's: see pr_delivery_begin */

/* What a sink is handed: one message for one place. All lent until commit or
 * abort has returned, but `ticket`, which is the sink's own. */
struct pr_delivery {
    const struct pr_spool *spool; /* sealed: what is to be delivered */
    const char *folder;           /* below the sink's root; "" is the root */
    const char *key;  /* delivery key: [A-Za-z0-9._-], 1 to 64 octets; the same
                         for each try of this message */
    int64_t received; /* seconds since 1970 */
    struct pr_flags flags;
    const char *account;
    const char *source_folder;
    uint32_t uid;               /* in source_folder */
    const char *sink;           /* name of the sink */
    struct pr_journal *journal; /* NULL: none is kept */
    char receipt[512]; /* stage writes where the message will be. It finds what
                          an earlier try has left here, "" if there was none;
                          of one that failed, what commit wrote here is kept */
    void *ticket;
    pr_status result;             /* of commit, for this delivery */
    char failure[PR_FAILURE_MAX]; /* its words when result is not PR_OK */
    char note[80];      /* commit may write what the far side calls it, such as
                           "UID 57": for the history */
    const char *sender; /* of its envelope, for a sink that writes one; "": the
                           null sender; NULL: as the sink's options say */
    const char *place;  /* the core's: what the state calls the folder */
};

/* For a sink that nobody can ask afterwards whether a delivery happened, such
 * as a program or an SMTP server. It calls begin right before the step that may
 * make it happen, and end with the result as soon as that is known. A crash
 * between the two leaves the delivery in doubt; outside of them the core can
 * tell what happened. `journaled` of its operations is to be true.
 *
 * begin: anything but PR_OK, and the step must not be done. Both write a few
 * octets to a file, and do not wait. */
PR_API PR_CHECKED pr_status pr_delivery_begin(struct pr_delivery *delivery);
/* Sets delivery->result, and delivery->failure from pr_last_failure. */
PR_API void pr_delivery_end(struct pr_delivery *delivery, pr_status result);

#ifdef __cplusplus
}
#endif
#endif
