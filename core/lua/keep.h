/*
 * What the rules of a configuration keep: seen, store, ratelimit.
 *
 * A step that a message's rules take is pending until the message is dealt
 * with. All rules see it at once, so that two copies that come together are
 * told apart; the database gets it in the transaction that notes the message's
 * delivery, and it is forgotten when the message is put off. A message that is
 * tried again therefore finds everything as it was before its first try.
 */
#ifndef LUA_KEEP_H
#define LUA_KEEP_H

#include "state/kept.h"

struct keep;
struct keep_entry;
struct message;

PR_CHECKED pr_status keep_new(struct keep **ret);
void keep_free(struct keep *keep); /* NULL is fine; no message may be left */
/* Lends the state for the keep's life; NULL: all is in memory only. In a trial
 * nothing is ever written, and what was kept stays for the keep's life. */
void keep_attach(struct keep *keep, struct state *state, bool is_trial);

/* Milliseconds since 1970. */
int64_t keep_now(void);

/* What stands at the key now, with all that is pending: copied into *ret, which
 * is the caller's to end with kept_done. *ret_entry, which lives until
 * keep_leave, is for keep_step: nobody else takes a step in between unless the
 * caller waits. Waits if the key has not been asked for lately. */
PR_CHECKED pr_status keep_ask(struct keep *keep, enum kept_table table,
                              struct pr_bytes key,
                              struct keep_entry **ret_entry, struct kept *ret);
void keep_leave(struct keep *keep, struct keep_entry *entry);
/* Takes a step. For `message` it is pending; for NULL it is made durable at
 * once, and this waits. */
PR_CHECKED pr_status keep_step(struct keep *keep, struct keep_entry *entry,
                               struct message *message,
                               const struct kept_step *step);
/* The same, for a message whose reply it belongs to: it is taken only if that
 * goes out. At most one of each message. */
PR_CHECKED pr_status keep_step_of_reply(struct keep *keep,
                                        struct keep_entry *entry,
                                        struct message *message,
                                        const struct kept_step *step);
/* The reply does not go out. */
void keep_drop_reply(struct message *message);
/* Has the message a step pending there? */
bool keep_has_step(const struct keep_entry *entry,
                   const struct message *message);

/* What is pending for the message goes with the changes that note it; then
 * keep_noted when they are durable. Any other end is keep_forget's, which
 * message_free calls. */
void keep_note(struct message *message, struct state_changes *changes);
void keep_noted(struct message *message);
void keep_forget(struct message *message);

#endif
