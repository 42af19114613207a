/*
 * Addresses as an envelope carries them (RFC 5321, 4.1.2; RFC 6531, 3.3).
 *
 * Pure. An address that is not a mailbox by that grammar is refused, not
 * mended: no octet that could end a command, or add to it, gets through.
 */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include <postrider/buffer.h>

/* RFC 5321, 4.5.3.1.3: a path has 256 octets with its angle brackets. */
#define SMTP_ADDRESS_MOST 254u

enum smtp_address_kind {
    SMTP_ADDRESS_NONE, /* no mailbox */
    SMTP_ADDRESS_ASCII,
    SMTP_ADDRESS_UTF8 /* needs SMTPUTF8 */
};

/* local-part@domain, where either may be quoted or a literal as the grammar has
 * it. `may_be_local`: a local part alone is one too, as LMTP servers take it.
 * One that begins with "-" is refused: programs behind a server take that for
 * an option. */
enum smtp_address_kind smtp_address_kind(struct pr_bytes address,
                                         bool may_be_local);

/* What is behind the last "@"; empty if there is none. */
struct pr_bytes smtp_address_domain(struct pr_bytes address);
/* Local parts compare octet by octet, domains without case. */
bool smtp_address_equal(struct pr_bytes a, struct pr_bytes b);

/* The next entry of a field that holds one or more addresses between commas
 * (commas in quotes count for nothing), without white space and angle brackets
 * around it; *list is moved past it. False at the end. An entry may be no
 * address. */
bool smtp_address_next(struct pr_bytes *list, struct pr_bytes *ret);

/* Is it beyond ASCII, and well-formed UTF-8 (RFC 3629) throughout? */
bool smtp_text_is_utf8(struct pr_bytes text);

/* A name for EHLO: a domain or an address literal. */
bool smtp_name_is_valid(const char *name);

#endif
