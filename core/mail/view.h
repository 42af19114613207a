/*
 * A message as rules see it: headers, addresses and the tree of parts, read
 * from the spool into one flat block.
 *
 * Bad mail never fails to be read: what cannot be understood is shown as it is,
 * octets of an unknown charset as U+FFFD. All text out of here is valid UTF-8
 * without NUL, but for the raw fields. The view knows neither files nor
 * network, so that its making can move into a confined process.
 */
#ifndef MAIL_VIEW_H
#define MAIL_VIEW_H

#include <postrider/message.h>

struct view;
struct tree;

/* Caps: what is beyond is left out of the view, never an error. */
#define VIEW_HEADER_MAX (1024 * 1024) /* octets of header looked at */
#define VIEW_FIELDS_MAX 10000
#define VIEW_ADDRESSES_MAX 10000 /* of one field */
#define VIEW_PARTS_MAX 10000
#define VIEW_DEPTH_MAX 100

/* Reads the header of a sealed spool, which is lent for the view's life. Waits
 * only for a header of more than 32 KiB. PR_NOMEM, PR_IO. */
PR_CHECKED pr_status view_new(const struct pr_spool *spool, struct view **ret);
void view_free(struct view *view); /* NULL is fine */
/* Frees what the MIME library holds, once, when no view is left. */
void view_shutdown(void);

struct view_field {
    struct pr_bytes name;
    struct pr_bytes raw; /* all after the colon as sent, without its end */
    const char *value;   /* unfolded, RFC 2047 decoded */
};

size_t view_field_count(const struct view *view);
struct view_field view_field(const struct view *view, size_t index);
/* The next field named `name` (ASCII case does not count) at or after *index;
 * false when there is none. Moves *index past it. */
bool view_find_field(const struct view *view, const char *name, size_t *index,
                     struct view_field *ret);

struct view_address {
    const char *name;    /* decoded display name, "" if none */
    const char *address; /* local@domain; domain in lower case */
    const char *local_part;
    const char *domain; /* lower case, "" if none */
};
/* The addresses of all fields named `name`, groups opened up (RFC 5322, 3.4).
 * Lent for the view's life. Waits only for a field of more than 16 KiB. Never
 * fails: no memory gives none. */
const struct view_address *view_addresses(struct view *view, const char *name,
                                          size_t *ret_count);

/* Message-ID without its angle brackets; "" if none. */
const char *view_message_id(struct view *view);
/* The Date field in seconds since 1970; false if missing or not a date. */
bool view_date(struct view *view, int64_t *ret_seconds);

struct view_part {
    const char *path;     /* "1.2", as IMAP numbers parts (RFC 3501, 6.4.5); the
                             multipart that is a whole message: "TEXT", "2.TEXT" */
    const char *type;     /* "text/plain", lower case */
    const char *charset;  /* as declared, lower case; if not, "us-ascii" for
                             text (RFC 2045, 5.2), else "" */
    const char *filename; /* RFC 2231 or 2047 decoded; "" if none */
    const char *disposition; /* "attachment", "inline" or "" */
    const char *content_id;  /* without angle brackets */
    uint64_t size;           /* octets as encoded, lines ended by CRLF as in
                                IMAP; 0 for a multipart */
    unsigned depth;          /* 0: the message's own */
    bool is_multipart; /* with a boundary: its content are the parts after it */
};

/* The parts in the order of the message, multiparts before what is in them.
 * Read at the first call, from the whole spool (reads a file spool: runs in the
 * pool if it is one, so it may wait). */
PR_CHECKED pr_status view_parts(struct view *view,
                                const struct view_part **ret_parts,
                                size_t *ret_count);
/* The content of a part, transfer encoding undone, at most buffer->cap octets
 * (more is cut, not an error). Appends. May wait. */
PR_CHECKED pr_status view_part_octets(struct view *view, size_t part,
                                      struct pr_buffer *buffer);
/* The same as UTF-8 by the part's charset, lines ended by LF. With no charset,
 * or one that tells nothing ("us-ascii", "unknown-8bit"), octets beyond ASCII
 * are UTF-8 if they look so, else windows-1252. */
PR_CHECKED pr_status view_part_text(struct view *view, size_t part,
                                    struct pr_buffer *buffer);
/* The part of that path; false: there is none. After view_parts. */
bool view_find_part(const struct view *view, const char *path, size_t *ret);

/* Of a message whose header alone is here: its parts, as the server tells
 * them; moves `tree`. Their content then comes part by part. */
void view_take_tree(struct view *view, struct tree *tree);
/* The content of a part of such a tree, sealed, owned from now on; who looks
 * then sees it in the place of what was there, unless that was all. `most`: of
 * how many octets it is the beginning, 0: it is all. PR_NOMEM. */
PR_CHECKED pr_status view_take_content(struct view *view, size_t part,
                                       struct pr_spool *spool, uint64_t most);
/* Are so many octets of it here, or all there are? 0: all. True in any case for
 * a message that is here. */
bool view_has_content(const struct view *view, size_t part, uint64_t octets);

/* Hands the octets of a part, transfer encoding undone, to `take` piece by
 * piece, in the thread pool; anything but PR_OK from it ends this. May wait. */
typedef pr_status view_taken(void *user, struct pr_bytes octets);
PR_CHECKED pr_status view_part_each(struct view *view, size_t part,
                                    view_taken *take, void *user);
/* The type that a part is by its octets, whatever is declared, such as
 * "application/pdf"; "application/octet-stream" if nobody can tell. Appends.
 * May wait. */
PR_CHECKED pr_status view_part_true_type(struct view *view, size_t part,
                                         struct pr_buffer *ret);
/* Is the part a zip archive? Appends the names of the files in it, each with a
 * NUL after it: UTF-8, none twice, as many as VIEW_NAMES_MAX. A damaged archive
 * has those names that can be found. Nothing is unpacked. May wait. */
#define VIEW_NAMES_MAX 10000
PR_CHECKED pr_status view_part_archive(struct view *view, size_t part,
                                       bool *ret_is_archive,
                                       struct pr_buffer *ret_names);
/* Writes the octets of a part to the file `path` below the folder `root`;
 * folders in between are made. A file with the same octets is left as it is; if
 * another has the name, the new one gets a number ("a-2.pdf"). The file is
 * there as a whole, and durable, or not at all. Nothing outside of `root` is
 * ever touched: PR_CONFIG for a path that would leave it, also by a symbolic
 * link. May wait. PR_FULL, PR_IO, PR_NOMEM. */
PR_CHECKED pr_status view_part_save(struct view *view, size_t part,
                                    const char *root, const char *path);
/* Is it a path that view_part_save can take? */
bool view_path_is_inside(const char *path);

#endif
