/*
 * Every statement of the state, prepared once; parameters in, columns out.
 *
 * All SQL that runs after opening stands here. Values go in as parameters, in
 * the order of the question marks.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "state/private.h"

#define MESSAGE_COLUMNS                                                \
    "uid, stage, size, received, print, uidl, tries, due, reason, "    \
    "set_flags, set_keywords, clear_flags, clear_keywords, copy_to, "  \
    "move_to, remove, debt_due, guard, rule, file, line, rule_tries, " \
    "label, unlabel"
#define HISTORY_COLUMNS                                                 \
    "time, account, folder, uid, message_id, sender, subject, action, " \
    "target, rule, file, line, outcome, reason"

#define SIGHTING_COLUMNS                                                      \
    "uid, flags, size, received, print, gone, keywords, message_id, sender, " \
    "subject, is_new, is_ours, tries"

#define DEED_COLUMNS                                                           \
    "id, time, account, folder, uidvalidity, uid, kind, stage, size, "         \
    "received, print, target, target_validity, target_uid, set_flags, "        \
    "set_keywords, clear_flags, clear_keywords, message_id, sender, subject, " \
    "is_new"

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",

    [SQL_FOLDER_FIND] = "SELECT id, uidvalidity, watermark, modseq, since "
                        "FROM folder WHERE account = ? AND name = ?",
    [SQL_FOLDER_MAKE] = "INSERT OR IGNORE INTO folder (account, name, since) "
                        "VALUES (?, ?, ?)",
    [SQL_FOLDER_WATERMARK] = "UPDATE folder SET watermark = ? WHERE id = ?",
    [SQL_FOLDER_VALIDITY] = "UPDATE folder SET uidvalidity = ?, watermark = 1, "
                            "modseq = 0 WHERE id = ?",

    [SQL_MESSAGE_PUT] = "REPLACE INTO message (folder, " MESSAGE_COLUMNS ") "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_MESSAGE_OWE] =
        "UPDATE message SET set_flags = ?, set_keywords = ?, clear_flags = ?, "
        "clear_keywords = ?, copy_to = ?, move_to = ?, remove = ?, "
        "debt_due = ?, label = ?, unlabel = ? WHERE folder = ? AND uid = ?",
    [SQL_MESSAGE_SETTLE] =
        "UPDATE message SET stage = 3, tries = NULL, due = NULL, "
        "reason = NULL, set_flags = NULL, set_keywords = NULL, "
        "clear_flags = NULL, clear_keywords = NULL, copy_to = NULL, "
        "move_to = NULL, remove = NULL, debt_due = NULL, guard = NULL, "
        "rule = NULL, file = NULL, line = NULL, rule_tries = NULL, label = "
        "NULL, "
        "unlabel = NULL "
        "WHERE folder = ? AND uid = ?",
    [SQL_MESSAGE_KNOWN] = "UPDATE message SET uidl = ?, size = ?, due = ? "
                          "WHERE folder = ? AND uid = ?",
    [SQL_MESSAGE_DELETE] = "DELETE FROM message WHERE folder = ? AND uid = ?",
    [SQL_MESSAGES_DELETE] = "DELETE FROM message WHERE folder = ?",

    [SQL_DELIVERIES_DELETE_UNDONE] = "DELETE FROM delivery WHERE folder = ? "
                                     "AND uid = ? AND done = 0",
    [SQL_DELIVERY_PUT] =
        "INSERT INTO delivery (folder, uid, sink, sink_folder, key, receipt, "
        "done) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [SQL_DELIVERY_DONE] = "UPDATE delivery SET done = 1 WHERE folder = ? AND "
                          "uid = ? AND sink = ? AND sink_folder = ?",
    [SQL_DELIVERY_RECEIPT] = "UPDATE delivery SET receipt = ? WHERE folder = ? "
                             "AND uid = ? AND sink = ? AND sink_folder = ?",
    [SQL_DELIVERIES_DELETE] =
        "DELETE FROM delivery WHERE folder = ? AND uid = ?",
    [SQL_DELIVERIES_DELETE_ALL] = "DELETE FROM delivery WHERE folder = ?",

    [SQL_HISTORY_ADD] =
        "INSERT INTO history (message_hash, " HISTORY_COLUMNS ") "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    /* Events lie in the order of time, so that the search for the first one to
     * stay ends there. */
    [SQL_HISTORY_PRUNE] =
        "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE id < "
        "ifnull((SELECT id FROM history WHERE time >= ? ORDER BY id LIMIT 1), "
        "9223372036854775807) ORDER BY id LIMIT 5000)",

    [SQL_ROWS] = "SELECT " MESSAGE_COLUMNS " FROM message "
                 "WHERE folder = ? AND uid >= ? ORDER BY uid",
    [SQL_OPEN_ROWS] =
        "SELECT " MESSAGE_COLUMNS " FROM message INDEXED BY message_open "
        "WHERE folder = ? AND uid < ? AND stage <> 3 AND guard IS NOT 2 "
        "ORDER BY uid",
    [SQL_DELIVERIES] = "SELECT sink, sink_folder, key, receipt, done "
                       "FROM delivery WHERE folder = ? AND uid = ?",
    [SQL_INTENTS] = "SELECT count(*) FROM message WHERE stage = 1 AND folder "
                    "IN (SELECT id FROM folder WHERE account = ?)",
    /* What is due later counts by its time, what is due already (an intent is)
     * by number. */
    [SQL_STANDINGS] =
        "SELECT f.name, f.uidvalidity, f.watermark, f.modseq,"
        "  min(CASE WHEN m.at > ?1 THEN m.at END), ifnull(sum(m.at <= ?1), 0), "
        "  ifnull(l.uidvalidity, 0), ifnull(l.modseq, 0) "
        "FROM folder f LEFT JOIN lookout l ON l.folder = f.id LEFT JOIN "
        "(SELECT folder, CASE stage WHEN 1 THEN 0 "
        "  WHEN 4 THEN ifnull(due, 0) ELSE ifnull(debt_due, 0) END AS at "
        "  FROM message INDEXED BY message_open WHERE stage <> 3 "
        "  AND guard IS NOT 2) m "
        "ON m.folder = f.id WHERE f.account = ?2 GROUP BY f.id",

    [SQL_WHY] = "SELECT " HISTORY_COLUMNS " FROM history "
                "WHERE message_hash = ? AND message_id = ? ORDER BY id",
    [SQL_WHY_PLACE] =
        "SELECT " HISTORY_COLUMNS " FROM history "
        "WHERE uid = ? AND folder = ? AND account = ? ORDER BY id",

    /* 4: STAGE_DEFERRED */
    [SQL_ASIDES] =
        "SELECT account, name, uid, size, received, tries, due, reason, "
        "(SELECT sender FROM history AS h WHERE h.uid = m.uid AND "
        "h.folder = name AND h.account = f.account ORDER BY h.id DESC LIMIT "
        "1), "
        "(SELECT subject FROM history AS h WHERE h.uid = m.uid AND "
        "h.folder = name AND h.account = f.account ORDER BY h.id DESC LIMIT 1) "
        "FROM message AS m INDEXED BY message_open JOIN folder AS f "
        "ON f.id = m.folder WHERE stage <> 3 AND stage = 4 "
        "ORDER BY account, name, uid LIMIT ?",
    [SQL_ASIDES_COUNT] = "SELECT count(*) FROM message INDEXED BY message_open "
                         "WHERE stage <> 3 AND stage = 4",
    [SQL_ASIDE_COUNT] =
        "SELECT count(*) FROM message INDEXED BY message_open WHERE stage <> 3 "
        "AND stage = 4 AND folder IN (SELECT id FROM folder WHERE account = ?)",
    [SQL_ASIDE_FIND] =
        "SELECT m.folder FROM message AS m JOIN folder AS f ON f.id = m.folder "
        "WHERE f.account = ? AND f.name = ? AND m.uid = ? AND m.stage = 4",
    [SQL_ASIDE_RETRY] = "UPDATE message SET due = NULL "
                        "WHERE folder = ? AND uid = ? AND stage = 4",
    [SQL_ASIDE_DROP] = "UPDATE message SET stage = 3, tries = NULL, due = "
                       "NULL, reason = NULL "
                       "WHERE folder = ? AND uid = ? AND stage = 4",
    /* Events lie in the order of time: those of today are the last ones. */
    [SQL_ACCOUNTS] =
        "SELECT f.account, (SELECT count(DISTINCT h.uid || '/' || h.folder) "
        "FROM history AS h WHERE h.id > ifnull((SELECT id FROM history WHERE "
        "time < ?1 ORDER BY id DESC LIMIT 1), 0) AND h.account = f.account "
        "AND h.outcome = 'done'), "
        "(SELECT time FROM history AS h WHERE h.account = f.account AND "
        "h.outcome = 'done' ORDER BY h.id DESC LIMIT 1) "
        "FROM (SELECT DISTINCT account FROM folder) AS f ORDER BY f.account",

    [SQL_KEPT_FIND] =
        "SELECT kind, value, expires FROM kept WHERE place = ? AND key = ?",
    [SQL_KEPT_PUT] = "REPLACE INTO kept (place, key, kind, value, expires) "
                     "VALUES (?, ?, ?, ?, nullif(?, 0))",
    [SQL_KEPT_DROP] = "DELETE FROM kept WHERE place = ? AND key = ?",
    [SQL_KEPT_PRUNE] =
        "DELETE FROM kept WHERE (place, key) IN (SELECT place, key FROM kept "
        "WHERE expires <= ? LIMIT ?)",
    [SQL_KEPT_LIMIT] =
        "DELETE FROM kept WHERE (place, key) IN (SELECT place, key FROM kept "
        "WHERE expires IS NOT NULL ORDER BY expires "
        "LIMIT max(0, min(?, (SELECT count(*) FROM kept) - ?)))",

    [SQL_LOOKOUT_FIND] = "SELECT uidvalidity, modseq, has_prints FROM lookout "
                         "WHERE folder = ?",
    [SQL_LOOKOUT_PUT] = "REPLACE INTO lookout (folder, uidvalidity, modseq, "
                        "has_prints) VALUES (?, ?, ?, ?)",
    [SQL_SIGHTINGS] = "SELECT " SIGHTING_COLUMNS " FROM sighting "
                      "WHERE folder = ? AND gone IS NULL ORDER BY uid",
    [SQL_SIGHTING_PUT] = "REPLACE INTO sighting (folder, " SIGHTING_COLUMNS ") "
                         "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_SIGHTING_DELETE] = "DELETE FROM sighting WHERE folder = ? AND uid = ?",
    [SQL_SIGHTINGS_DELETE] = "DELETE FROM sighting WHERE folder = ?",
    [SQL_SIGHTING_FLAGS] = "SELECT flags, keywords FROM sighting "
                           "WHERE folder = ? AND uid = ?",
    [SQL_SIGHTING_SET_FLAGS] = "UPDATE sighting SET flags = ?, keywords = ? "
                               "WHERE folder = ? AND uid = ?",
    [SQL_SIGHTED_ELSEWHERE] =
        "SELECT s.size, s.print, f.name, s.gone FROM sighting s "
        "JOIN folder f ON f.id = s.folder "
        "WHERE f.account = ? AND f.id <> ? AND s.print IS NOT NULL",
    [SQL_KNOWN_ELSEWHERE] =
        "SELECT m.size, m.print, f.name, m.move_to, m.copy_to FROM message m "
        "JOIN folder f ON f.id = m.folder "
        "WHERE f.account = ? AND f.id <> ? AND m.print IS NOT NULL",
    [SQL_EXPECTED] = "SELECT id, size, print FROM expected "
                     "WHERE account = ? AND target = ? ORDER BY id",
    [SQL_EXPECT] = "INSERT INTO expected (account, target, time, size, print) "
                   "VALUES (?, ?, ?, ?, ?)",
    /* It may have been seen there before what moved it could be noted. */
    [SQL_EXPECT_ROW] =
        "INSERT INTO expected (account, target, time, size, print) "
        "SELECT ?1, ?2, ?3, m.size, m.print FROM message m "
        "WHERE m.folder = ?4 AND m.uid = ?5 AND m.print IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM sighting s JOIN folder f "
        "ON f.id = s.folder WHERE f.account = ?1 AND f.name = ?2 "
        "AND s.size = m.size AND s.print = m.print AND s.gone IS NULL)",
    [SQL_SWEEPS] = "SELECT name, last, messages, reason, since FROM sweep "
                   "WHERE account = ? ORDER BY name",
    [SQL_SWEEP_PUT] = "REPLACE INTO sweep (account, name, last, messages, "
                      "reason, since) VALUES (?, ?, ?, ?, ?, ?)",
    [SQL_FOLDERS_BELOW] =
        "SELECT name FROM folder WHERE account = ?1 AND (name = ?2 OR "
        "substr(name, 1, length(?2)) = ?2) ORDER BY name",
    [SQL_FOLDER_FORGET_NAME] = "UPDATE folder SET name = name || '\n' || id "
                               "WHERE account = ? AND name = ?",
    [SQL_FOLDER_RENAME] =
        "UPDATE folder SET name = ? WHERE account = ? AND name = ?",
    [SQL_EXPECTED_DELETE] = "DELETE FROM expected WHERE id = ?",
    [SQL_SIGHTINGS_PRUNE] = "DELETE FROM sighting WHERE folder = ? AND "
                            "gone < ?",
    [SQL_EXPECTED_PRUNE] = "DELETE FROM expected WHERE account = ? AND "
                           "target = ? AND time < ?",

    /* 2: STAGE_OWED; guards 1: counted, 2: held, 3: confirmed. */
    [SQL_COUNTED] = "SELECT count(*) FROM message INDEXED BY message_open "
                    "WHERE folder = ? AND stage <> 3 AND guard = 1",
    [SQL_COUNTED_ROWS] =
        "SELECT " MESSAGE_COLUMNS " FROM message INDEXED BY message_open "
        "WHERE folder = ? AND uid > ? AND stage <> 3 AND guard = 1 "
        "ORDER BY uid LIMIT ?",
    [SQL_HOLD] = "UPDATE message INDEXED BY message_open SET guard = 2 "
                 "WHERE folder = ? AND stage <> 3 AND guard = 1",
    [SQL_ALLOW] = "UPDATE message INDEXED BY message_open SET guard = 3 "
                  "WHERE folder = ? AND stage <> 3 AND guard = 1",
    [SQL_HOLD_NOTE] =
        "INSERT INTO history (time, account, folder, uid, action, rule, file, "
        "line, outcome, reason) SELECT ?2, f.account, f.name, m.uid, 'delete', "
        "m.rule, m.file, m.line, 'later', 'held until it is confirmed: more "
        "than limit_deletions allows' FROM message m INDEXED BY message_open "
        "JOIN folder f ON f.id = m.folder WHERE m.folder = ?1 AND m.stage <> 3 "
        "AND m.guard = 1",
    [SQL_HELD_FOLDER_PUT] =
        "REPLACE INTO held_folder (account, name, guard, messages, rule, file, "
        "line) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [SQL_HELD_FOLDER_DELETE] =
        "DELETE FROM held_folder WHERE account = ? AND name = ?",
    [SQL_HELD_FOLDERS] =
        "SELECT account, name, guard, messages, rule, file, line "
        "FROM held_folder WHERE account = ? AND guard = ? ORDER BY name",
    [SQL_HELD] = "SELECT f.account, f.name, count(*), m.rule, m.file, m.line, "
                 "0 FROM message m INDEXED BY message_open JOIN folder f "
                 "ON f.id = m.folder WHERE m.stage <> 3 AND m.guard = 2 "
                 "GROUP BY f.account, f.name, m.rule, m.file, m.line "
                 "UNION ALL SELECT account, name, messages, rule, file, line, "
                 "1 FROM held_folder WHERE guard = 2 ORDER BY 1, 2, 5, 6",
#define HELD_NOTE(reason)                                                     \
    "INSERT INTO history (time, account, folder, uid, action, rule, file, "   \
    "line, outcome, reason) SELECT ?3, f.account, f.name, m.uid, 'delete', "  \
    "m.rule, m.file, m.line, 'done', '" reason "' FROM message m INDEXED BY " \
    "message_open JOIN folder f ON f.id = m.folder WHERE m.stage <> 3 "       \
    "AND m.guard = 2 AND f.account = ?1 AND (?2 IS NULL OR f.name = ?2)"
    [SQL_HELD_NOTE_CONFIRM] = HELD_NOTE("the deletion was confirmed"),
    [SQL_HELD_NOTE_REFUSE] =
        HELD_NOTE("the deletion was refused: it stays on the server"),
    [SQL_HELD_NOTE_RETRY] =
        HELD_NOTE("the deletion was refused: rules run over it again"),
#define OF_HELD                                                            \
    "WHERE stage <> 3 AND guard = 2 AND folder IN (SELECT id FROM folder " \
    "WHERE account = ?1 AND (?2 IS NULL OR name = ?2))"
    [SQL_HELD_CONFIRM] = "UPDATE message INDEXED BY message_open SET guard = "
                         "3 " OF_HELD,
#define NO_DEBT                                                        \
    "tries = NULL, due = NULL, reason = NULL, set_flags = NULL, "      \
    "set_keywords = NULL, clear_flags = NULL, clear_keywords = NULL, " \
    "copy_to = NULL, move_to = NULL, remove = NULL, debt_due = NULL, " \
    "guard = NULL, rule = NULL, file = NULL, line = NULL "
    [SQL_HELD_REFUSE] = "UPDATE message INDEXED BY message_open SET stage = "
                        "3, " NO_DEBT OF_HELD,
    [SQL_HELD_RETRY] = "UPDATE message INDEXED BY message_open SET stage = "
                       "4, " NO_DEBT OF_HELD,
    [SQL_HELD_FOLDERS_CONFIRM] =
        "UPDATE held_folder SET guard = 3 WHERE guard = 2 AND account = ?1 "
        "AND (?2 IS NULL OR name = ?2)",
    [SQL_HELD_FOLDERS_REFUSE] = "DELETE FROM held_folder WHERE guard = 2 AND "
                                "account = ?1 AND (?2 IS NULL OR name = ?2)",

    [SQL_DEED_ADD] =
        "INSERT INTO deed (time, account, folder, uidvalidity, uid, kind, "
        "stage, size, received, print, target, target_validity, target_uid, "
        "set_flags, set_keywords, clear_flags, clear_keywords, message_id, "
        "sender, subject, is_new) SELECT ?1, ?2, ?3, ?4, ?5, ?6, 1, "
        "ifnull(nullif(?7, 0), ifnull(m.size, 0)), "
        "ifnull(nullif(?8, 0), ifnull(m.received, 0)), ifnull(?9, m.print), "
        "?10, nullif(?11, 0), nullif(?12, 0), ?13, ?14, ?15, ?16, "
        "ifnull(?17, h.message_id), ifnull(?18, h.sender), "
        "ifnull(?19, h.subject), ifnull(m.stage IN (1, 4), ?5 >= "
        "(SELECT watermark FROM folder WHERE id = ?20)) FROM (SELECT 1) "
        "LEFT JOIN message m ON m.folder = ?20 AND m.uid = ?5 "
        "LEFT JOIN history h ON h.id = (SELECT id FROM history WHERE uid = ?5 "
        "AND folder = ?3 AND account = ?2 ORDER BY id DESC LIMIT 1)",
    [SQL_DEED_RETURNS] = "UPDATE deed SET stage = 2, size = ?, received = ?, "
                         "print = ? WHERE id = ?",
    [SQL_DEED_STAYS] = "UPDATE deed SET stage = 1 WHERE id = ?",
    [SQL_DEED_DELETE] = "DELETE FROM deed WHERE id = ?",
    [SQL_DEED_MOVE_SOURCE] =
        "UPDATE deed SET uid = ? WHERE uid = ? AND account = ? AND folder = ? "
        "AND uidvalidity = ?",
    [SQL_DEED_MOVE_TARGET] =
        "UPDATE deed SET target_uid = ? WHERE target_uid = ? AND account = ? "
        "AND target = ? AND target_validity = ?",
    /* Deeds lie in the order of time. */
    [SQL_DEEDS] = "SELECT " DEED_COLUMNS " FROM deed WHERE account = ?1 "
                  "AND stage = 1 AND id > ifnull((SELECT id FROM deed WHERE "
                  "time < ?2 ORDER BY id DESC LIMIT 1), 0) ORDER BY id DESC",
    [SQL_DEEDS_RETURNING] =
        "SELECT " DEED_COLUMNS " FROM deed INDEXED BY deed_returning "
        "WHERE stage = 2 AND account = ?1 AND (?2 IS NULL OR folder = ?2) "
        "ORDER BY id DESC",
    [SQL_DEEDS_PRUNE] =
        "DELETE FROM deed WHERE id IN (SELECT id FROM deed WHERE id < "
        "ifnull((SELECT id FROM deed WHERE time >= ? ORDER BY id LIMIT 1), "
        "9223372036854775807) ORDER BY id LIMIT 5000)",
};

struct statement statement_for(struct state *state, enum statement_id id)
{
    struct statement statement = {.state = state, .next = 1};

    if (state->statements[id] == NULL)
        statement.error = sqlite3_prepare_v3(state->db, texts[id], -1,
                                             SQLITE_PREPARE_PERSISTENT,
                                             &state->statements[id], NULL);
    statement.sql = state->statements[id];
    return statement;
}

void bind_int(struct statement *statement, int64_t value)
{
    if (statement->error == SQLITE_OK)
        statement->error =
            sqlite3_bind_int64(statement->sql, statement->next++, value);
}

void bind_number(struct statement *statement, double value)
{
    if (statement->error == SQLITE_OK)
        statement->error =
            sqlite3_bind_double(statement->sql, statement->next++, value);
}

/* The texts outlive the statement's run, so SQLite need not copy them. */
void bind_text(struct statement *statement, const char *text)
{
    if (statement->error == SQLITE_OK)
        statement->error = sqlite3_bind_text(statement->sql, statement->next++,
                                             text, -1, SQLITE_STATIC);
}

void bind_octets(struct statement *statement, const void *data, size_t size)
{
    if (statement->error == SQLITE_OK)
        statement->error = sqlite3_bind_blob64(
            statement->sql, statement->next++, data, size, SQLITE_STATIC);
}

void statement_end(struct statement *statement)
{
    if (statement->sql == NULL)
        return;
    sqlite3_reset(statement->sql);
    sqlite3_clear_bindings(statement->sql); /* they point at lent memory */
}

pr_status statement_step(struct statement *statement)
{
    if (statement->error == SQLITE_OK) {
        statement->error = sqlite3_step(statement->sql);
        if (statement->error == SQLITE_ROW) {
            statement->error = SQLITE_OK;
            return PR_OK;
        }
    }
    pr_status status = statement->error == SQLITE_DONE
                           ? PR_EOF
                           : state_fail(statement->state, statement->error);
    statement_end(statement);
    return status;
}

pr_status statement_run(struct statement *statement)
{
    pr_status status = statement_step(statement);

    if (status == PR_OK)
        statement_end(statement);
    return status == PR_EOF ? PR_OK : status;
}

pr_status statement_number(struct statement *statement, uint64_t *ret)
{
    pr_status status = statement_step(statement);

    if (status != PR_OK)
        return status;
    *ret = (uint64_t)column_int(statement, 0);
    statement_end(statement);
    return PR_OK;
}

int64_t column_int(const struct statement *statement, int column)
{
    return sqlite3_column_int64(statement->sql, column);
}

pr_status column_text(const struct statement *statement, int column,
                      struct pr_arena *arena, const char **ret)
{
    const char *text =
        (const char *)sqlite3_column_text(statement->sql, column);

    if (text == NULL) {
        *ret = NULL;
        return PR_OK;
    }
    *ret = pr_arena_text(arena, text);
    return *ret != NULL ? PR_OK : PR_NOMEM;
}

void statements_done(struct state *state)
{
    for (int id = 0; id < SQL_COUNT; id++)
        sqlite3_finalize(state->statements[id]);
}

static pr_status fail_damaged(struct state *state, const char *words)
{
    return pr_fail(PR_IO,
                   "the state %s is damaged (%s). Nothing in it was deleted. "
                   "Keep a copy of it, then try `sqlite3 %s .recover` into a "
                   "new file, or move it away: postrider then begins anew, "
                   "and what is still on the servers is fetched again",
                   state->path, words, state->path);
}

pr_status state_fail(struct state *state, int error)
{
    const char *words = sqlite3_errmsg(state->db);
    int system = sqlite3_system_errno(state->db);

    switch (error & 0xff) {
    case SQLITE_NOMEM:
        return pr_fail(PR_NOMEM, "out of memory");
    case SQLITE_FULL:
        return pr_fail(PR_FULL, "no room left for the state %s", state->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pr_fail(PR_BUSY, "another process holds the state %s",
                       state->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail_damaged(state, words);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (system != 0)
            return pr_fail_errno(PR_IO, system, "the state %s: %s", state->path,
                                 words);
        return pr_fail(PR_IO, "the state %s: %s", state->path, words);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return pr_fail(PR_IO, "the state %s: %s", state->path, words);
    default:
        return pr_fail(PR_BUG, "the state %s: %s", state->path, words);
    }
}
