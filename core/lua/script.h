/*
 * The Lua side of a configuration: one lua_State, the rules in it, and what
 * bounds them.
 *
 * Fibers share the state: each runs its rules on a Lua thread of its own and
 * changes over only inside a binding that waits. Such a binding calls
 * script_pause() before it waits and script_resume() after, so that `running`
 * always names the run whose Lua code is being executed.
 *
 * Bindings leave by longjmp when they raise an error: what they hold then is
 * memory of an arena or a Lua value, never a bare allocation.
 */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H

#include <time.h>

#include <lauxlib.h>
#include <lua.h>

#include "lua/config.h"
#include "plugin/registry.h"

/* Why a run was ended from outside. Nothing a script does can hold it up. */
enum run_stop {
    STOP_NONE,
    STOP_TIME,
    STOP_TOTAL,
    STOP_MEMORY, /* it took more than it may */
    STOP_NOMEM,  /* the system has none */
    STOP_CANCELLED
};

/* One turn of Lua code with its own limits: loading, or the rules over one
 * message. */
struct run {
    struct script *script;
    struct run *root; /* itself, or the run whose `all` started it: memory and
                         lines are charged to that, and the message is its */
    lua_State *thread;
    int arguments;           /* on its stack, for each rule */
    const char *who;         /* in the log: an account, a sink; NULL while the
                                configuration is loaded */
    struct message *message; /* NULL but in rules */
    struct cell *cell;       /* of the message */
    const struct rule *rule; /* the one that runs */
    unsigned rules;          /* that were begun, it among them */
    struct box_cell *box;    /* of a sweep; NULL: it is none's */
    unsigned hook;          /* of enum hook_kind: it is a hook's; 0: a rule's */
    const char *stack_base; /* where the C stack stood at the start */
    uint64_t total;         /* ms in all; 0: as options say */
    uint64_t time_limit;    /* ns of processor time between waits */
    uint64_t time_start;    /* the clock when the last wait ended */
    uint64_t time_used;     /* until the wait it is in */
    uint64_t time_before;   /* ns of processor time before the last wait */
    pr_time deadline;
    int64_t memory;  /* octets it took more than it gave back */
    unsigned lines;  /* printed */
    bool is_refused; /* was it memory, ever? */
    enum run_stop stop;
};

struct problem {
    const char *file;
    int line;
    const char *text;
};

struct rule {
    const char *name;
    const char *file;
    int line;
    const char *const *accounts; /* patterns, ended by NULL; NULL: all */
    const char *const *folders;
    int function;            /* in the registry */
    struct profile *profile; /* held; NULL: a hook's, which is not measured */
};

/* on(...): a function that events call. */
struct hook {
    struct rule rule; /* its name is `on("flags")` */
    enum hook_kind kind;
    const char *const *from; /* patterns of folders; NULL: any */
};

struct limits {
    uint64_t time, memory, total;
};

/* The text of a file that was loaded, to find lines in. */
struct source {
    const char *name;
    const char *path;
    const char *text;
    struct source *next;
};

struct script {
    lua_State *L;
    struct config *config;
    struct pr_arena *arena; /* the configuration's */
    const char *directory;  /* of the configuration file */
    struct run *running;    /* NULL while no Lua code runs */
    unsigned runs;          /* that have begun and not ended */
    size_t memory;          /* octets Lua holds */
    size_t memory_base;     /* of these, the loaded configuration's */
    struct limits limits;
    struct keep *keep; /* what rules keep */
    const char *const
        *save_below;          /* absolute folders, ended by NULL; or NULL */
    struct pr_sink *redirect; /* what m:redirect sends by; NULL: none */
    const char *const *trusted_authserv_ids; /* ended by NULL, or NULL */
    bool has_settings;
    struct rule *rules;
    size_t rule_count;
    size_t rules_allocated;
    struct hook *hooks;
    size_t hook_count, hooks_allocated;
    struct sweep *sweeps;
    size_t sweep_count, sweeps_allocated;
    size_t accounts_allocated, sinks_allocated;
    struct problem *problems;
    size_t problem_count, problems_allocated;
    struct source *sources;
    struct rule_test *tests; /* testing.c */
    size_t test_count, tests_allocated;
    struct pr_buffer *not_mocked; /* while a test runs: what was asked and has
                                     no answer in it; else NULL */
    int nothing;         /* a function that does nothing, in the registry */
    struct calls *calls; /* what calls that wait share */
    struct service *services; /* service.c: all there are; list */
    const char *name_servers; /* NULL: the system's */
    uint64_t call_timeout;    /* ms; 0: the default */
    size_t call_concurrency;  /* 0: the default */
};

/* A place in a script. */
struct place {
    const char *file;
    int line;
};

/* ---- state.c: the state and its limits ----------------------------------- */

PR_CHECKED pr_status script_new(struct config *config, struct script **ret);
void script_free(struct script *script); /* NULL is fine */
struct script *script_of(lua_State *L);

/* Begins a turn on `thread`; script_end ends it. */
void script_begin(struct run *run, struct script *script, lua_State *thread);
void script_end(struct run *run);
/* Around a wait. The message's fields and other runs may change meanwhile. */
struct run *script_pause(lua_State *L);
void script_resume(struct run *run);
/* The same, but `octets` of work were done for the run meanwhile, which counts
 * as its own: else a loop around such work would never be at its limit. */
void script_resume_working(struct run *run, size_t octets);
/* The same, and `spent` ns of processor time were used for it meanwhile. */
void script_resume_spent(struct run *run, uint64_t spent);
/* ns of processor time that the running run may still take before it waits. */
uint64_t script_time_left(lua_State *L);
/* Nanoseconds of processor time that the run has been charged so far. */
uint64_t script_time(const struct run *run);
/* For C code that works long at the cost of few instructions: lets the hook
 * look at the clock at the next instruction. */
void script_nudge(lua_State *L);
/* For loops in C: raises the end of the run if its time is over. */
void script_check_time(lua_State *L);
/* Raises an error if the C stack has no room left for more nested calls. */
void script_check_stack(lua_State *L);
/* Raises the end of the run if it has been ordered: what a pcall caught then is
 * not its business. */
void script_check_stop(lua_State *L);
/* A call ended with LUA_ERRMEM: the run is over. */
void script_stop_for_memory(struct run *run);
/* The words for a stop. */
const char *script_stop_text(const struct run *run, char *out, size_t size);
/* Raises the last failure; the end of the run when it was cancelled or there is
 * no memory. */
int script_raise(lua_State *L, pr_status status) __attribute__((noreturn));
/* As pr_arena_*, but raises when out of memory. */
void *script_alloc(lua_State *L, struct pr_arena *arena, size_t size);
const char *script_copy(lua_State *L, struct pr_arena *arena, const char *text);
/* Makes room for one more element; raises when out of memory. */
void *script_grow(lua_State *L, void *array, size_t count, size_t *allocated,
                  size_t size);

/* ---- errors.c: problems with their places -------------------------------- */

/* Where the running function was called from: `level` as in lua_getstack. */
struct place script_place(lua_State *L, int level);
/* The outermost function that is Lua: where a rule's own text stands. */
struct place script_outer_place(lua_State *L);
/* Notes a problem of the configuration; loading goes on. */
void problem_add(lua_State *L, struct place place, const char *format, ...)
    PR_PRINTF(3, 4);
/* `; did you mean "every"?` or "". */
const char *near_text(const char *name, const char *const *names, char *out,
                      size_t size);
/* Adds a problem for each of the patterns (ended by NULL; NULL: none) that is a
 * name no account has, or that of one that cannot: `what: account: a maildir
 * source <why> ("name")`. After all accounts are read. */
void check_accounts(lua_State *L, struct place place,
                    const char *const *patterns, const char *what,
                    bool (*can)(const struct account *account),
                    const char *why);
/* Raises `what "name" is not known; did you mean ...`. */
int raise_unknown(lua_State *L, const char *what, const char *name,
                  const char *const *names);
/* "a table", "text", "a sink": what stands at `index`, for words. */
const char *type_words(lua_State *L, int index);
/* The message handler of every protected call from C: logs the traceback,
 * leaves the words. */
int traceback(lua_State *L);

/* ---- source.c: chunks ---------------------------------------------------- */

/* Loads a text file as a chunk called `name` and leaves it on the stack. */
PR_CHECKED pr_status source_load(struct script *script, lua_State *L,
                                 const char *path, const char *name);
/* The file that places call `name`; NULL: none. */
const struct source *source_find(const struct script *script, const char *name);
/* The line of `field =` in the table that follows the word `opener` at or after
 * `place`; the place's own line if it is not found. */
struct place source_field(struct script *script, struct place place,
                          const char *opener, const char *field);
/* Does any text that was loaded say `global.name` or `global:name`, outside of
 * comments and strings? */
bool source_uses(const struct script *script, const char *global,
                 const char *name);

/* require.c */
void open_require(lua_State *L);

/* ---- sandbox.c ----------------------------------------------------------- */

void open_sandbox(lua_State *L);
/* Opens a part of Lua's library that scripts do not have; false: there is none
 * of that name to be opened. */
bool sandbox_grant(lua_State *L, const char *name);
const char *const *sandbox_grants(void); /* their names, ended by NULL */
/* Hides the metatable at `index` from scripts. */
void lock_metatable(lua_State *L, int index);
/* Makes a name that the table on top of the stack does not have an error. */
void make_strict(lua_State *L, const char *library);
/* Makes a userdata type: methods by `index`. Leaves nothing. */
void new_type(lua_State *L, const char *name, const luaL_Reg *functions);

/* Makes a global table of functions; asking it for another name raises. */
void push_library(lua_State *L, const char *name, const luaL_Reg *functions);

/* ---- seal.c: names that scripts cannot change --------------------------- */

/* From now on the globals that are there, and the fields of tables among them,
 * can be read, and an assignment to one of them raises. Other globals are the
 * user's; what is no field of a library yet can be added to it by the
 * configuration, and not by rules. */
void seal_names(lua_State *L);
/* The same for one more global. */
void seal_global(lua_State *L, const char *name);
/* Pushes the table that has the fields of the sealed one at `index`; false, and
 * nothing: it is not sealed. Whoever writes to it changes them. */
bool push_behind(lua_State *L, int index);
/* Pushes a copy of the table at `index`, with what is sealed in it. */
void push_fields(lua_State *L, int index);

/* ---- reader.c: tables of options ----------------------------------------- */

/* A table (or one bare value) being read into a struct. */
struct reader {
    const char *what;             /* before each problem: `account "work"` */
    const char *opener;           /* the word before the table */
    const struct pr_class *class; /* its options */
    const char *const *others;    /* further names, ended by NULL, or NULL */
    /* Takes the value on top of the stack for one of `others`. */
    void (*take)(lua_State *L, struct reader *reader, const char *name,
                 struct place place);
    void *user;
    void *options;
    bool *given;
    struct place place;
};

/* Reads what stands at `index`, notes every problem. False if there was one.
 * Fallbacks must be in `options` before. */
bool reader_read(lua_State *L, struct reader *reader, int index);
/* Texts of the list (or of the one text) at `index`, ended by NULL; NULL if it
 * is something else. Into the arena. */
/* A relative path lies beside the configuration: in the arena, "~" as it is. */
const char *path_beside(lua_State *L, const char *path);
const char *const *read_texts(lua_State *L, int index, struct pr_arena *arena);
/* The value on top of the stack, as one for this option. */
struct option_value reader_value(lua_State *L, const struct pr_option *option);
/* The field `limit_deletions`, which is on top of the stack, of `what`. */
void take_deletion_limit(lua_State *L, const char *what, struct place place,
                         struct deletion_limit *limit);
/* The account's field `every`, a time or a table of times by folder, which is
 * on top of the stack. */
void take_every(lua_State *L, struct reader *reader, const char *name,
                struct place place);
#define EVERY_DEFAULT ((uint64_t)10 * 60 * 1000) /* ms */

/* ---- Types that the configuration is written with ------------------------ */

#define TYPE_SOURCE "postrider.source"
#define TYPE_SINK "postrider.sink"
#define TYPE_SECRET "postrider.secret"
#define TYPE_AFTER "postrider.after"
#define TYPE_MESSAGE "postrider.message"
#define TYPE_ADDRESSES "postrider.addresses"
#define TYPE_PART "postrider.part"
#define TYPE_STREAM "postrider.stream"
#define TYPE_GLOB "postrider.glob"
#define TYPE_MAP "postrider.map"
#define TYPE_REGEX "postrider.regex"

/* classes.c: one constructor for each class of a plugin */
void open_classes(lua_State *L);
/* Makes the sink of a class and pushes it; a source likewise. `class` NULL: it
 * has a problem, which is noted. */
void push_new_sink(lua_State *L, const struct pr_class *class,
                   const void *options);
void push_new_source(lua_State *L, const struct pr_class *class,
                     const void *options);

/* Pushes a text that tells how options are written, in full: the same for the
 * same. */
void push_options_key(lua_State *L, const struct pr_class *class,
                      const void *options);

struct source_value {
    const struct pr_class *class; /* NULL: it had a problem */
    const void *options;
};

/* The place that the value at `index` names; false if it is no sink. A sink
 * with a problem gives one without `sink`. */
bool to_target(lua_State *L, int index, struct target *ret);
/* Can its sink deliver there at all? PR_CONFIG with words. */
PR_CHECKED pr_status target_check(const struct target *target);

/* functions.c: tables of functions, such as a sink's */
#define FUNCTIONS_MOST 8
/* Reads what stands at 1 and 2, "name" and { one = function ..., ... }: into
 * *ret_name, and for each of `names` (ended by NULL) its function in the
 * registry, LUA_NOREF if it is not there. Notes every problem; false if there
 * was one. `what` is the word before it. */
bool read_functions(lua_State *L, const char *what, const char *const *names,
                    const char **ret_name, int functions[FUNCTIONS_MOST]);

/* A function of the configuration called for the engine, in a fiber and a run
 * of its own. */
struct turn {
    struct script *script;
    const char *who;  /* for the log */
    const char *what; /* of it: "commit" */
    int function;
    uint64_t count; /* of messages: the time it has in all is for each */
    /* Pushes the arguments, returns how many. May raise. */
    int (*push)(lua_State *L, void *user);
    /* Takes the results, which are at 1 and above. May raise, and wait. */
    void (*take)(lua_State *L, void *user);
    void *user;
    struct run run;
};

/* Waits. PR_SCRIPT with words when it failed (its traceback is logged),
 * PR_CANCELLED, PR_NOMEM. */
PR_CHECKED pr_status turn_run(struct turn *turn);
/* What a function that returns `true`, `"later" [, text]`, `false [, text]` or
 * `nil, text` says of its work; those stand at `index` and after it. PR_OK,
 * PR_LATER, PR_REFUSED with words; raises for anything else. */
pr_status to_outcome(lua_State *L, int index);
/* The same for each of `count` things: results[i] is of the i-th. At 1 is one
 * outcome for all, or a table of them, each an outcome or { outcome, text }. */
typedef void outcome_taken(void *user, size_t index, pr_status status);
void take_outcomes(lua_State *L, size_t count, outcome_taken *taken,
                   void *user);

/* delivery.c: a message as a sink's functions see it */
#define TYPE_DELIVERY "postrider.delivery"

/* Whoever calls the function owns it; the script has a box with it in. */
struct parcel {
    struct pr_delivery *delivery;
    struct view *view;   /* owned; NULL until it is asked for */
    struct parcel **box; /* NULL: none any more */
};

void open_deliveries(lua_State *L);
void push_parcel(lua_State *L, struct parcel *parcel,
                 struct pr_delivery *delivery);
/* It leaves: from now on its box is empty. */
void parcel_end(struct parcel *parcel);
/* What is to be delivered, or NULL if it is none; raises if it has left. */
struct pr_delivery *to_delivery(lua_State *L, int index);

/* sink.c, feeder.c: sinks and sources written in Lua */
void open_sinks(lua_State *L);
void open_sources(lua_State *L);

/* values.c: secrets, after, durations */
void open_values(lua_State *L);

struct after_value {
    enum after after;
    uint64_t delay;
    const char *folder;
};

/* Milliseconds of a number of seconds or of "10m"; raises otherwise. */
uint64_t check_duration(lua_State *L, int arg);
/* A text without NUL; raises otherwise. */
const char *check_text(lua_State *L, int arg);

/* ---- fit.c: texts that may come from mail ---------------------------------
 */

/* Each takes what it can of the text at `arg`, and puts what it made of it in
 * its place; nil is an empty text. They raise for what is no text alone. */
/* UTF-8 without NUL: spaces and U+FFFD stand for what is none. */
struct pr_bytes check_utf8(lua_State *L, int arg);
/* One line of it: control characters in a row, line ends among them, become
 * one space, and nothing at its ends. */
const char *check_line(lua_State *L, int arg);
/* The same, not empty. */
const char *check_title(lua_State *L, int arg);
/* The name of a folder on the server: "_" stands for a control character. */
const char *check_folder(lua_State *L, int arg);
/* One below a sink, in which each part can be the name of a file. */
const char *check_path(lua_State *L, int arg);
/* A keyword: "_" stands for what cannot be in one. */
const char *check_keyword(lua_State *L, int arg);

/* account.c, settings.c */
/* Why `name` cannot be that of an account or a sink; NULL if it can. */
const char *name_problem(const char *name);
void open_accounts(lua_State *L);
void open_settings(lua_State *L);
/* What is left to say when all is loaded. */
void finish_accounts(lua_State *L);

/* service.c: makes those that rules ask by the name of their class, which has
 * every option at its default. */
void finish_services(lua_State *L);

/* rules.c */
void open_rules(lua_State *L);
/* What is left to say when all is loaded. */
void finish_rules(lua_State *L);
/* Pushes a copy of the selector at `table` in which a bare text of one of
 * `names` (ended by NULL) is a list of one. */
void push_selector(lua_State *L, int table, const char *const *names);
/* Do the patterns take the name? NULL takes all; one with "!" before it leaves
 * out. */
bool patterns_take(const char *const *patterns, const char *name);
/* Begins a run of rules over its message, on a thread of its own: what they are
 * called with is the message, and what `push` (NULL: nothing) pushes besides.
 * PR_NOMEM. */
PR_CHECKED pr_status run_begin(struct run *run,
                               void (*push)(lua_State *L, const void *user),
                               const void *user);
/* Calls the rule. PR_SCRIPT with words, PR_CANCELLED, PR_NOMEM. */
PR_CHECKED pr_status run_call(struct run *run, const struct rule *rule);
/* Ends the run, which came to `status`: unless that is PR_OK, what its rules
 * wanted to be kept is forgotten. */
void run_end(struct run *run, pr_status status);

/* hooks.c */
void open_hooks(lua_State *L);
/* What is left to say when all is loaded. */
void finish_hooks(lua_State *L);
/* Raises unless a hook may ask for that. */
void check_in_hook(lua_State *L, enum plan_action action);

/* sweep.c */
void open_sweeps(lua_State *L);
/* What is left to say when all is loaded. */
void finish_sweeps(lua_State *L);

/* testing.c: tests of rules. mocks.c: what they replace */
void open_tests(lua_State *L);
/* Puts a stand-in for each function that the table at `table` names, such as
 * "rspamd.check", and takes them all away again. May raise in between. */
void mocks_put(lua_State *L, int table);
void mocks_take_away(lua_State *L);
/* Does a test run, so that nothing may reach outside? */
bool mocks_hold(lua_State *L);
/* Then the answer for `name`, whose `count` arguments are lowest on the stack:
 * what the test set, else nil and words. Pushed; returns how many. */
int mocks_answer(lua_State *L, const char *name, int count);

/* trace.c: what rules look at, and what they cost */
struct rule_watch {
    uint64_t cpu;   /* ns: when it began, or the one before it ended */
    uint64_t start; /* us; likewise */
    struct message_cost cost;
    bool was_final;
    bool is_set; /* what stands above, by the rule before */
};

/* What a rule has cost; shared with the rule of its name in the configuration
 * before this one. */
struct profile {
    size_t users;
    struct rule_profile numbers; /* without a name and a place */
};

struct profile *profile_new(void); /* held once; NULL: out of memory */
void profile_release(struct profile *profile); /* NULL is fine */

/* A rule that the message's selector leaves out. */
void rule_passed_over(const struct run *run, const struct rule *rule);
/* Around a rule; with one watch, zeroed, for those of a message: the clock is
 * then read once between two. */
void rule_begins(struct rule_watch *watch, const struct run *run,
                 const struct rule *rule);
void rule_ends(struct rule_watch *watch, const struct run *run,
               const struct rule *rule, pr_status status);
/* The running rule looks at a field, or calls a method of that name. */
void trace_read(const struct message *message, const char *name);
/* It takes all of the message, if that is not noted yet. */
void trace_whole(const struct message *message);

/* message.c, actions.c, address.c, part.c */
struct cell {
    struct message *message; /* NULL once it has left */
    struct run *run;
};

void open_message(lua_State *L);
/* The message at `arg`, in the house and in this run; raises otherwise. */
struct message *check_message(lua_State *L, int arg);
/* Pushes a message userdata. */
struct cell *push_message(lua_State *L, struct run *run);
/* Raises unless the cell's message can be used by the running rule. */
struct message *check_cell(lua_State *L, const struct cell *cell);
/* Pushes a list of flags that can also be asked by name. */
void push_flags(lua_State *L, struct pr_flags flags);

/* Around what may have more of a message fetched: it waits, and how long the
 * line takes is not the rule's doing. `octets`: how many were worked on. */
struct fetch_wait {
    struct run *run;
    pr_time begin;
    bool may_wait;
};
struct fetch_wait fetch_wait_begin(lua_State *L, const struct message *message);
void fetch_wait_end(const struct fetch_wait *fetching, size_t octets);
/* Has the rest of the message fetched if only its header is there; raises if it
 * does not come. Waits. */
void need_whole(lua_State *L, struct message *message);
/* The view of the message; raises if it cannot be made. */
struct view *check_view(lua_State *L, struct message *message);
extern const luaL_Reg message_actions[];
/* Notes an entry of the running rule in the message's plan; raises if the plan
 * refuses it. */
int note_entry(lua_State *L, struct message *message, struct plan_entry entry);
/* reply.c */
int message_reply(lua_State *L);
/* A system flag or keyword, raises for a system flag that is none; a label,
 * which is a keyword where the server has no labels of its own. */
const char *check_flag(lua_State *L, int arg);
const char *check_label(lua_State *L, int arg, bool has_labels);
/* Notes that the message's part is to be written to a file; raises if the plan
 * refuses it. `folder` is one of script->save_below. */
void note_save(lua_State *L, struct message *message, const char *folder,
               const char *path, const char *part);

void open_addresses(lua_State *L);
/* Pushes the addresses of all fields of these names (ended by NULL) of the
 * message at `arg`. */
void push_addresses(lua_State *L, int arg, const char *const *fields);

struct lookup;
/* Does one of the addresses at `arg` stand there? *ret_value as lookup_address
 * has it. */
bool addresses_stand_in(lua_State *L, int arg, const struct lookup *lookup,
                        const char **ret_value);

/* map.c: files that are looked up in */
void open_maps(lua_State *L);
/* Does the text, or one of the addresses, at `arg` stand in the file? Raises if
 * it cannot be read. Waits. */
bool stands_in_file(lua_State *L, int arg, const char *path);

void open_parts(lua_State *L);
/* Push a list of parts; the text of the first part of that type. */
void push_parts(lua_State *L, int arg);
void push_attachments(lua_State *L, int arg);
void push_first_text(lua_State *L, int arg, const char *type);
/* stream.c: the whole message, piece by piece */
void open_streams(lua_State *L);
int message_raw(lua_State *L);
int message_sha256(lua_State *L);
/* results.c: pushes what trusted servers found (RFC 8601), nil if none did. */
void push_auth(lua_State *L, int arg);

/* store.c */
void open_store(lua_State *L);
int rule_seen(lua_State *L);
/* Was no reply noted under the key within that time (ms)? Then this one is,
 * when it goes out. Raises on failure; waits. */
bool reply_is_due(lua_State *L, struct message *message, const char *key,
                  uint64_t time);

/* strings.c, pattern.c, exec.c */
void open_strings(lua_State *L);
void open_patterns(lua_State *L);
/* re.c: regular expressions */
void open_expressions(lua_State *L);
int rule_exec(lua_State *L);
void open_exec(lua_State *L);
/* A buffer that Lua frees; pushes it. */
struct pr_buffer *push_buffer(lua_State *L, size_t cap);
/* Pushes the text folded for comparing without case (NFKC, case folded). */
void push_folded(lua_State *L, const char *text, size_t size);

#endif
