/*
 * The tables, and the steps that bring an older database up to them.
 *
 * `PRAGMA user_version` counts the steps that a database has seen. A step is
 * never changed after its release: what is to be different gets a new one. All
 * missing steps are one transaction, so a database is always of one version.
 *
 * Tables without rowid lie in the order of their keys: what a folder knows from
 * its watermark on is one stretch of the file.
 */
#include "config.h"

#include "state/private.h"

/* "prid" */
#define APPLICATION_ID 1886546276

static const char step_1[] =
    "CREATE TABLE folder ("
    "  id INTEGER PRIMARY KEY,"
    "  account TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  uidvalidity INTEGER NOT NULL DEFAULT 0,"
    "  watermark INTEGER NOT NULL DEFAULT 1,"
    "  modseq INTEGER NOT NULL DEFAULT 0,"
    "  since INTEGER NOT NULL,"
    "  UNIQUE (account, name)"
    ");"
    /* What most rows leave empty stands last; empty costs an octet. */
    "CREATE TABLE message ("
    "  folder INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  stage INTEGER NOT NULL," /* enum state_stage */
    "  size INTEGER NOT NULL,"
    "  received INTEGER NOT NULL,"
    "  print BLOB,"
    "  uidl TEXT,"
    "  tries INTEGER,"
    "  due INTEGER,"
    "  reason TEXT,"
    "  set_flags INTEGER,"
    "  set_keywords TEXT,"
    "  clear_flags INTEGER,"
    "  clear_keywords TEXT,"
    "  copy_to TEXT,"
    "  move_to TEXT,"
    "  remove INTEGER,"
    "  debt_due INTEGER,"
    "  PRIMARY KEY (folder, uid)"
    ") WITHOUT ROWID;"
    /* 3: STAGE_SETTLED. Few rows are in any other stage. */
    "CREATE INDEX message_open ON message (folder, uid) WHERE stage <> 3;"
    "CREATE TABLE delivery ("
    "  folder INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  sink TEXT NOT NULL,"
    "  sink_folder TEXT NOT NULL,"
    "  key TEXT NOT NULL,"
    "  receipt TEXT NOT NULL,"
    "  done INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (folder, uid, sink, sink_folder)"
    ") WITHOUT ROWID;"
    /* Message-IDs are found by a hash of them: an index of the texts would be
     * many times as large, and every insertion lands on a page of its own. */
    "CREATE TABLE history ("
    "  id INTEGER PRIMARY KEY,"
    "  time INTEGER NOT NULL,"
    "  account TEXT,"
    "  folder TEXT,"
    "  uid INTEGER NOT NULL,"
    "  message_hash INTEGER,"
    "  message_id TEXT,"
    "  sender TEXT,"
    "  subject TEXT,"
    "  action TEXT,"
    "  target TEXT,"
    "  rule TEXT,"
    "  file TEXT,"
    "  line INTEGER,"
    "  outcome TEXT,"
    "  reason TEXT"
    ");"
    "CREATE INDEX history_message ON history (message_hash)"
    "  WHERE message_hash IS NOT NULL;"
    "CREATE INDEX history_uid ON history (uid);"
    "PRAGMA application_id = 1886546276;"
    "PRAGMA user_version = 1;";

/* What rules keep: core/state/kept.h. Never expires: NULL. */
static const char step_2[] =
    "CREATE TABLE kept ("
    "  place INTEGER NOT NULL," /* enum kept_table */
    "  key BLOB NOT NULL,"
    "  kind INTEGER NOT NULL," /* enum kept_kind */
    "  value,"
    "  expires INTEGER,"
    "  PRIMARY KEY (place, key)"
    ") WITHOUT ROWID;"
    "CREATE INDEX kept_expires ON kept (expires) WHERE expires IS NOT NULL;"
    "PRAGMA user_version = 2;";

/* What messages looked like when hooks last looked at their folder; nothing is
 * in here for folders without hooks. */
static const char step_3[] =
    "CREATE TABLE lookout ("
    "  folder INTEGER PRIMARY KEY,"
    "  uidvalidity INTEGER NOT NULL,"
    "  modseq INTEGER NOT NULL,"
    "  has_prints INTEGER NOT NULL"
    ");"
    "CREATE TABLE sighting ("
    "  folder INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  flags INTEGER NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  received INTEGER NOT NULL,"
    "  print BLOB,"
    "  gone INTEGER," /* since when; NULL: it is there */
    "  keywords TEXT,"
    "  message_id TEXT,"
    "  sender TEXT,"
    "  subject TEXT,"
    "  is_new INTEGER,"
    "  is_ours INTEGER,"
    "  tries INTEGER,"
    "  PRIMARY KEY (folder, uid)"
    ") WITHOUT ROWID;"
    /* What goes to a folder by our own doing. */
    "CREATE TABLE expected ("
    "  id INTEGER PRIMARY KEY,"
    "  account TEXT NOT NULL,"
    "  target TEXT NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  print BLOB NOT NULL,"
    "  time INTEGER NOT NULL"
    ");"
    "CREATE INDEX expected_target ON expected (account, target);"
    "PRAGMA user_version = 3;";

/* Deletions that wait to be judged or confirmed, and what was done on the
 * server, for undo: core/state/guard.h and core/state/deeds.h. */
static const char step_4[] =
    "ALTER TABLE message ADD COLUMN guard INTEGER;" /* enum state_guard */
    "ALTER TABLE message ADD COLUMN rule TEXT;"
    "ALTER TABLE message ADD COLUMN file TEXT;"
    "ALTER TABLE message ADD COLUMN line INTEGER;"
    "CREATE TABLE held_folder ("
    "  account TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  guard INTEGER NOT NULL,"
    "  messages INTEGER NOT NULL,"
    "  rule TEXT,"
    "  file TEXT,"
    "  line INTEGER,"
    "  PRIMARY KEY (account, name)"
    ") WITHOUT ROWID;"
    "CREATE TABLE deed ("
    "  id INTEGER PRIMARY KEY,"
    "  time INTEGER NOT NULL,"
    "  account TEXT NOT NULL,"
    "  folder TEXT NOT NULL,"
    "  uidvalidity INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL,"  /* enum deed_kind */
    "  stage INTEGER NOT NULL," /* enum deed_stage */
    "  size INTEGER NOT NULL,"
    "  received INTEGER NOT NULL,"
    "  print BLOB,"
    "  target TEXT,"
    "  target_validity INTEGER,"
    "  target_uid INTEGER,"
    "  set_flags INTEGER,"
    "  set_keywords TEXT,"
    "  clear_flags INTEGER,"
    "  clear_keywords TEXT,"
    "  message_id TEXT,"
    "  sender TEXT,"
    "  subject TEXT,"
    "  is_new INTEGER"
    ");"
    "CREATE INDEX deed_place ON deed (uid);"
    "CREATE INDEX deed_target ON deed (target_uid) WHERE target_uid IS NOT "
    "NULL;"
    /* 2: DEED_RETURNING. */
    "CREATE INDEX deed_returning ON deed (account, folder) WHERE stage = 2;"
    "PRAGMA user_version = 4;";

/* What fails for want of a server is told from what fails by its rules. */
static const char step_5[] =
    "ALTER TABLE message ADD COLUMN rule_tries INTEGER;"
    "PRAGMA user_version = 5;";

/* Labels of the server's own that are owed; sweeps: core/state/sweeps.h. */
static const char step_6[] =
    "ALTER TABLE message ADD COLUMN label TEXT;"
    "ALTER TABLE message ADD COLUMN unlabel TEXT;"
    "CREATE TABLE sweep ("
    "  account TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  last INTEGER NOT NULL,"
    "  messages INTEGER NOT NULL,"
    "  reason TEXT,"   /* why it failed; NULL: it did not */
    "  since INTEGER," /* when it began to fail */
    "  PRIMARY KEY (account, name)"
    ") WITHOUT ROWID;"
    "PRAGMA user_version = 6;";

const char *const schema_steps[] = {step_1, step_2, step_3,
                                    step_4, step_5, step_6};
const int schema_version = sizeof(schema_steps) / sizeof(schema_steps[0]);

static pr_status execute(struct state *state, const char *sql)
{
    int error = sqlite3_exec(state->db, sql, NULL, NULL, NULL);
    return error == SQLITE_OK ? PR_OK : state_fail(state, error);
}

/* The one number that a PRAGMA or a count(*) answers. */
/* What tells whose database it is. */
struct marks {
    int version, id, tables;
};

/* In one statement: others may be making the database at this moment, and it is
 * to be all of before that or all of after. */
static pr_status read_marks(struct state *state, struct marks *ret)
{
    sqlite3_stmt *statement = NULL;
    int error =
        sqlite3_prepare_v2(state->db,
                           "SELECT user_version, application_id,"
                           "  (SELECT count(*) FROM sqlite_schema) "
                           "FROM pragma_user_version, pragma_application_id",
                           -1, &statement, NULL);

    if (error == SQLITE_OK)
        error = sqlite3_step(statement);
    if (error == SQLITE_ROW)
        *ret = (struct marks){.version = sqlite3_column_int(statement, 0),
                              .id = sqlite3_column_int(statement, 1),
                              .tables = sqlite3_column_int(statement, 2)};
    pr_status status = error == SQLITE_ROW ? PR_OK : state_fail(state, error);
    sqlite3_finalize(statement);
    return status;
}

pr_status schema_check(struct state *state, int newest, int *ret_version)
{
    struct marks marks = {0};
    pr_status status = read_marks(state, &marks);

    if (status != PR_OK)
        return status;
    /* One of another program is left alone. */
    if (marks.id != APPLICATION_ID &&
        (marks.id != 0 || marks.version != 0 || marks.tables != 0))
        return pr_fail(PR_CONFIG,
                       "%s is a database of another program; nothing in it was "
                       "changed",
                       state->path);
    if (marks.version > newest)
        return pr_fail(PR_CONFIG,
                       "%s was made by a newer version of postrider (schema "
                       "%d, this one knows up to %d); nothing in it was "
                       "changed: use that version",
                       state->path, marks.version, newest);
    *ret_version = marks.version;
    return PR_OK;
}

static pr_status run_steps(struct state *state, const char *const *steps,
                           int count)
{
    int version = 0;
    /* Again, now that no other process can change it. */
    pr_status status = schema_check(state, count, &version);

    for (int step = version; status == PR_OK && step < count; step++)
        status = execute(state, steps[step]);
    return status;
}

pr_status schema_migrate(struct state *state, const char *const *steps,
                         int count)
{
    int version = 0;
    pr_status status = schema_check(state, count, &version);

    if (status != PR_OK || version == count)
        return status;
    status = transaction_begin(state);
    if (status != PR_OK)
        return status;
    return transaction_end(state, run_steps(state, steps, count));
}
