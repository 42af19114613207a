/*
 * What was done on the server, noted so that it can be undone.
 */
#include "state/deeds.h"

#include <string.h>
#include <time.h>

#include "engine/parts.h"
#include "mail/flags.h"
#include "state/sightings.h"

static void take_known(struct state_deed *noted,
                       const struct state_sighting *known)
{
    noted->size = known->size;
    noted->received = known->received;
    memcpy(noted->print, known->print, sizeof(noted->print));
    noted->message_id = known->message_id;
    noted->sender = known->sender;
    noted->subject = known->subject;
}

void session_note_deed(struct session *session, struct state_changes *changes,
                       const struct pr_deed *deed,
                       const struct state_sighting *known)
{
    struct state_deed noted = {.time = time(NULL),
                               .account = session->account->name,
                               .folder = session->folder,
                               .uidvalidity = session->mailbox.uidvalidity,
                               .uid = deed->item->uid,
                               .kind = DEED_FLAGGED,
                               .target_validity = deed->target_validity,
                               .target_uid = deed->target_uid,
                               .set = deed->set,
                               .clear = deed->clear};
    if (known != NULL) {
        take_known(&noted, known);
    }
    if (deed->copy_to != NULL) {
        noted.kind = DEED_COPIED;
        noted.target = folder_name(deed->copy_to);
        noted.set = noted.clear = (struct pr_flags){0};
    } else if (deed->move_to != NULL) {
        noted.kind = DEED_MOVED;
        noted.target = folder_name(deed->move_to);
    } else if (deed->remove) {
        noted.kind = DEED_DELETED;
    } else if (flags_are_none(&deed->set) && flags_are_none(&deed->clear)) {
        return;
    }
    state_deed(changes, session->record.id, &noted);
}
