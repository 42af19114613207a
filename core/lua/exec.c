/*
 * Programs that rules run, and other waits.
 */
#include <config.h>

#include <string.h>
#include <unistd.h>

#include "io/program.h"
#include "lua/calls.h"

#define TYPE_PROGRAM "postrider.program"
#define TYPE_BUFFER "postrider.buffer"
#define OUTPUT_MOST (1024 * 1024)
#define TIMEOUT (30 * 1000) /* ms, unless the rule says otherwise */

/* ---- Buffers that Lua frees ---------------------------------------------- */

static int buffer_free(lua_State *L)
{
    pr_buffer_done(luaL_checkudata(L, 1, TYPE_BUFFER));
    return 0;
}

struct pr_buffer *push_buffer(lua_State *L, size_t cap)
{
    struct pr_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);

    pr_buffer_init(buffer, cap);
    luaL_setmetatable(L, TYPE_BUFFER);
    return buffer;
}

/* ---- exec ---------------------------------------------------------------- */

/* A program being run, with what must be given back whatever happens. */
struct program {
    struct program_run run;
    int input; /* a descriptor of ours, -1: none */
};

static int program_free(lua_State *L)
{
    struct program *program = luaL_checkudata(L, 1, TYPE_PROGRAM);

    pr_buffer_done(&program->run.output);
    pr_buffer_done(&program->run.complaint);
    if (program->input >= 0)
        close(program->input);
    program->input = -1;
    return 0;
}

/* The message as standard input. */
static void input_message(lua_State *L, struct program *program,
                          const struct pr_spool *spool)
{
    pr_status status;

    if (spool == NULL)
        luaL_error(L, "exec: the message has not been fetched");
    status = pr_spool_open(spool, (struct pr_bytes){NULL, 0}, &program->input);
    if (status != PR_OK)
        script_raise(L, pr_context(status, "exec"));
    program->run.input_file = program->input;
}

static void input_whole(lua_State *L, struct program *program,
                        struct message *message)
{
    need_whole(L, message);
    input_message(L, program, message->spool);
}

/* The value of `input` is on top of the stack. */
static void take_input(lua_State *L, struct program *program)
{
    if (lua_isnil(L, -1))
        return;
    if (lua_type(L, -1) == LUA_TSTRING)
        program->run.input.data =
            lua_tolstring(L, -1, &program->run.input.size);
    else if (luaL_testudata(L, -1, TYPE_MESSAGE) != NULL)
        input_whole(L, program, check_message(L, -1));
    else if (to_delivery(L, -1) != NULL)
        input_message(L, program, to_delivery(L, -1)->spool);
    else
        luaL_error(L, "exec: input: expects the message or a text, got %s",
                   type_words(L, -1));
}

static void check_names(lua_State *L)
{
    static const char *const names[] = {"input", "timeout", NULL};

    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        if (strcmp(lua_tostring(L, -2), "input") != 0 &&
            strcmp(lua_tostring(L, -2), "timeout") != 0)
            raise_unknown(L, "exec: unknown option", lua_tostring(L, -2),
                          names);
    }
}

/* The argv at 1, as an array that Lua keeps; pushed, and its texts above it:
 * another rule may change the table while this one waits. Arguments may come
 * from mail: nil is an empty one. NULL: one has a NUL in it. */
static const char *const *push_argv(lua_State *L)
{
    size_t count = lua_rawlen(L, 1);
    const char **argv;

    luaL_argcheck(L, count > 0 && count < 1000, 1,
                  "expects a program and its arguments");
    luaL_checkstack(L, (int)count + LUA_MINSTACK, "too many arguments");
    argv = lua_newuserdatauv(L, (count + 1) * sizeof *argv, 0);
    for (size_t i = 0; i < count; i++) {
        int type = lua_rawgeti(L, 1, (lua_Integer)i + 1);

        if (type != LUA_TSTRING && (type != LUA_TNIL || i == 0))
            luaL_error(L, "exec: argument %d: expects a text, got %s", (int)i,
                       type_words(L, -1));
        argv[i] = type == LUA_TNIL ? "" : lua_tostring(L, -1);
        if (strlen(argv[i]) != lua_rawlen(L, -1))
            return NULL;
    }
    argv[count] = NULL;
    return argv;
}

static int push_outcome(lua_State *L, const struct program_run *run)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, run->exit_status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, pr_buffer_text(&run->output), run->output.size);
    lua_setfield(L, -2, "output");
    lua_pushlstring(L, pr_buffer_text(&run->complaint), run->complaint.size);
    lua_setfield(L, -2, "complaint");
    return 1;
}

/* Waits for a place before the program, and for its end. */
static pr_status run_at_gate(struct program *program, struct gate *gate,
                             uint64_t timeout, pr_time total)
{
    bool is_trial;
    pr_status status = gate_enter(gate, total, &is_trial);
    pr_time deadline;

    if (status != PR_OK)
        return status;
    deadline = pr_in(timeout);
    program->run.deadline = deadline < total ? deadline : total;
    status = program_run(&program->run);
    gate_leave(gate, is_trial,
               status == PR_TIMEOUT && pr_now() >= total ? PR_CANCELLED
                                                         : status);
    return status;
}

/* exec { program, argument, ..., input = m, timeout = "5s" }: runs a program;
 * no shell is used. Its standard input is the message, or the text given as
 * input. A table with status (0 to 255, or 128 plus the signal's number),
 * output and complaint (what it wrote to standard error); nil and a text if it
 * could not be run, took too long or wrote more than 1 MiB to standard output.
 * It runs in a process group of its own, with standard input, output and error
 * and no other descriptor, and is killed with its group when its time is over.
 * Waits. */
int rule_exec(lua_State *L)
{
    struct program *program;
    struct gate *gate;
    struct run *run;
    uint64_t timeout;
    pr_status status;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_names(L);
    program = lua_newuserdatauv(L, sizeof *program, 0);
    *program = (struct program){.input = -1};
    luaL_setmetatable(L, TYPE_PROGRAM);
    program->run.input_file = -1;
    program->run.output_cap = OUTPUT_MOST;
    program->run.argv = push_argv(L);
    if (program->run.argv == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "exec: an argument has a NUL in it");
        return 2;
    }
    timeout = call_duration(L, 1, "timeout", TIMEOUT);
    lua_getfield(L, 1, "input");
    take_input(L, program);
    if (mocks_hold(L))
        return mocks_answer(L, "exec", 1);
    gate = call_gate(L, lua_pushfstring(L, "exec %s", program->run.argv[0]));
    run = script_pause(L);
    status = run_at_gate(program, gate, timeout, run->deadline);
    script_resume(run);
    if (status == PR_OK)
        return push_outcome(L, &program->run);
    if (status == PR_CANCELLED)
        return script_raise(L, status);
    script_nudge(L); /* the time for all may be over */
    lua_pushnil(L);
    lua_pushstring(L, pr_last_failure()->text);
    return 2;
}

/* sleep(time): waits; other messages go on meanwhile */
static int sleep_for(lua_State *L)
{
    uint64_t ms = check_duration(L, 1);
    struct run *run = script_of(L)->running;
    uint64_t left;
    pr_status status;

    if (run->who == NULL)
        return luaL_error(L, "sleep: only in a rule");
    left = run->deadline > pr_now() ? run->deadline - pr_now() : 0;
    run = script_pause(L);
    status = pr_sleep(ms < left ? ms : left);
    script_resume(run);
    script_nudge(L); /* the time for all may be over */
    return status == PR_OK ? 0 : script_raise(L, status);
}

void open_exec(lua_State *L)
{
    static const luaL_Reg buffer[] = {{"__gc", buffer_free}, {NULL, NULL}};
    static const luaL_Reg program[] = {{"__gc", program_free}, {NULL, NULL}};

    new_type(L, TYPE_BUFFER, buffer);
    new_type(L, TYPE_PROGRAM, program);
    lua_pushcfunction(L, sleep_for);
    lua_setglobal(L, "sleep");
}
