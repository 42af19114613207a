/*
 * The lua_State of a configuration and the limits of what runs in it.
 *
 * Time is looked at by an instruction hook, and at once after an allocation
 * that is large, because copying does not count as instructions. Memory is
 * counted for each run as what it took more than it gave back; because one run
 * may collect the garbage of another, a run is refused memory only if the whole
 * is above what its own share allows too.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "lua/calls.h"
#include "lua/keep.h"

#define HOOK_INSTRUCTIONS 4096
#define LARGE_BLOCK (64 * 1024)          /* octets */
#define WORK_FLAT 20000                  /* ns that decoding is taken to cost */
#define WORK_PER_OCTET 10                /* likewise */
#define LOAD_TIME 5000                   /* ms to load a configuration */
#define LOAD_MEMORY (256 * 1024 * 1024u) /* octets, likewise */
/* Of the C stack a run may use before it must not nest further: what Lua can
 * add from there (200 levels in all) stays below PR_STACK_RULE. */
#define STACK_USED_MOST (PR_STACK_RULE / 2)

static uint64_t processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct script *script_of(lua_State *L)
{
    struct script *script;

    memcpy(&script, lua_getextraspace(L), sizeof(struct script *));
    return script;
}

/* ---- Time ---------------------------------------------------------------- */

static void stop_run(lua_State *L, struct run *run, enum run_stop stop)
{
    char text[200];

    run->stop = stop;
    /* Whatever the script still does in handlers is cut short as well. */
    script_nudge(run->thread);
    luaL_error(L, "%s", script_stop_text(run, text, sizeof text));
}

void script_check_time(lua_State *L)
{
    struct run *run = script_of(L)->running;

    if (run == NULL)
        return;
    if (run->stop != STOP_NONE)
        stop_run(L, run, run->stop);
    if (processor_time() - run->time_start > run->time_limit)
        stop_run(L, run, STOP_TIME);
    if (pr_now() >= run->deadline)
        stop_run(L, run, STOP_TOTAL);
}

static void look_at_clock(lua_State *L, lua_Debug *event)
{
    (void)event;
    script_check_time(L);
    if (lua_gethookcount(L) != HOOK_INSTRUCTIONS)
        lua_sethook(L, look_at_clock, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

void script_nudge(lua_State *L)
{
    lua_sethook(L, look_at_clock, LUA_MASKCOUNT, 1);
}

const char *script_stop_text(const struct run *run, char *out, size_t size)
{
    const struct limits *limits = &run->script->limits;

    switch (run->stop) {
    case STOP_TIME:
        snprintf(out, size, "ran for more than %llu ms without waiting",
                 (unsigned long long)(run->time_limit / 1000000));
        return out;
    case STOP_TOTAL:
        snprintf(out, size, "took longer than %llu s in all",
                 (unsigned long long)(run->total / 1000));
        return out;
    case STOP_MEMORY:
        snprintf(out, size, "needs more than %llu KiB of memory",
                 (run->who == NULL ? (unsigned long long)LOAD_MEMORY
                                   : (unsigned long long)limits->memory) /
                     1024);
        return out;
    case STOP_NOMEM:
        return "ran out of memory";
    case STOP_CANCELLED:
        return "was asked to stop";
    case STOP_NONE:
        break;
    }
    return "ended";
}

/* ---- Memory -------------------------------------------------------------- */

/* May Lua hold `more` octets more? */
static bool has_room(const struct script *script, size_t more)
{
    const struct run *run = script->running;
    uint64_t share = script->limits.memory;
    uint64_t total, all;

    if (run == NULL)
        return true;
    if (run->who == NULL)
        return script->memory + more <= LOAD_MEMORY;
    total = (uint64_t)script->memory + more;
    all = share * (script->runs > 0 ? script->runs : 1);
    if (total <= script->memory_base + share)
        return true;
    return total <= script->memory_base + all &&
           run->root->memory + (int64_t)more <= (int64_t)share;
}

static void *allocate(void *user, void *block, size_t old_size, size_t new_size)
{
    struct script *script = user;
    size_t held = block != NULL ? old_size : 0;
    void *moved;

    if (new_size == 0) {
        memory_free(block);
        moved = NULL;
    } else {
        if (new_size > held && !has_room(script, new_size - held)) {
            script->running->is_refused = true;
            return NULL;
        }
        moved = memory_realloc(block, new_size);
        if (moved == NULL && new_size <= held)
            moved = block; /* Lua takes for granted that shrinking succeeds */
        if (moved == NULL)
            return NULL;
    }
    script->memory = script->memory - held + new_size;
    if (script->running != NULL) {
        script->running->root->memory += (int64_t)new_size - (int64_t)held;
        if (new_size > LARGE_BLOCK)
            script_nudge(script->running->thread);
    }
    return moved;
}

void script_stop_for_memory(struct run *run)
{
    if (run->stop == STOP_NONE)
        run->stop = run->is_refused ? STOP_MEMORY : STOP_NOMEM;
}

/* ---- Turns --------------------------------------------------------------- */

void script_begin(struct run *run, struct script *script, lua_State *thread)
{
    bool is_load = run->who == NULL;
    uint64_t ms = is_load ? LOAD_TIME : script->limits.time;

    run->script = script;
    run->root = run;
    run->thread = thread;
    run->stack_base = __builtin_frame_address(0);
    run->time_limit = ms * 1000000u;
    if (run->total == 0)
        run->total = script->limits.total;
    run->deadline = is_load ? PR_NEVER : pr_in(run->total);
    script->runs++;
    lua_sethook(thread, look_at_clock, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
    script_resume(run);
}

void script_end(struct run *run)
{
    run->script->runs--;
    run->script->running = NULL;
}

uint64_t script_time(const struct run *run)
{
    return run->time_before + processor_time() - run->time_start;
}

struct run *script_pause(lua_State *L)
{
    struct script *script = script_of(L);
    struct run *run = script->running;

    run->time_used = processor_time() - run->time_start;
    run->time_before += run->time_used;
    script->running = NULL;
    return run;
}

void script_resume(struct run *run)
{
    run->script->running = run;
    run->time_start = processor_time();
}

void script_resume_working(struct run *run, size_t octets)
{
    script_resume(run);
    run->time_start -= run->time_used + WORK_FLAT + octets * WORK_PER_OCTET;
    run->time_before -= run->time_used;
    script_nudge(run->thread);
}

void script_resume_spent(struct run *run, uint64_t spent)
{
    script_resume(run);
    run->time_start -= run->time_used + spent;
    run->time_before -= run->time_used;
    script_nudge(run->thread);
}

uint64_t script_time_left(lua_State *L)
{
    const struct run *run = script_of(L)->running;
    uint64_t used = processor_time() - run->time_start;

    return used < run->time_limit ? run->time_limit - used : 0;
}

void script_check_stack(lua_State *L)
{
    const struct run *run = script_of(L)->running;
    const char *here = __builtin_frame_address(0);

    if (run != NULL && run->stack_base - here > STACK_USED_MOST)
        luaL_error(L, "stack overflow: calls are nested too deep");
}

void script_check_stop(lua_State *L)
{
    const struct run *run = script_of(L)->running;

    if (run != NULL && run->stop != STOP_NONE)
        lua_error(L);
}

int script_raise(lua_State *L, pr_status status)
{
    struct run *run = script_of(L)->running;

    if (status == PR_CANCELLED && run != NULL)
        stop_run(L, run, STOP_CANCELLED);
    if (status == PR_NOMEM && run != NULL)
        stop_run(L, run, STOP_NOMEM);
    luaL_error(L, "%s", pr_last_failure()->text);
    __builtin_unreachable(); /* luaL_error does not say that it never returns */
}

void *script_alloc(lua_State *L, struct pr_arena *arena, size_t size)
{
    void *memory = pr_arena_alloc(arena, size);

    if (memory == NULL)
        script_raise(L, PR_NOMEM);
    return memory;
}

const char *script_copy(lua_State *L, struct pr_arena *arena, const char *text)
{
    const char *copy = pr_arena_text(arena, text);

    if (copy == NULL)
        script_raise(L, PR_NOMEM);
    return copy;
}

void *script_grow(lua_State *L, void *array, size_t count, size_t *allocated,
                  size_t size)
{
    size_t wanted = *allocated * 2 + 8;
    void *bigger;

    if (count < *allocated)
        return array;
    bigger = pr_arena_array(script_of(L)->arena, wanted, size);
    if (bigger == NULL)
        script_raise(L, PR_NOMEM);
    if (count > 0)
        memcpy(bigger, array, count * size);
    *allocated = wanted;
    return bigger;
}

/* ---- The state ----------------------------------------------------------- */

pr_status script_new(struct config *config, struct script **ret)
{
    struct script *script = pr_arena_alloc(config->arena, sizeof *script);

    if (script == NULL)
        return PR_NOMEM;
    script->config = config;
    script->arena = config->arena;
    script->limits = (struct limits){
        .time = 50, .memory = 32u * 1024 * 1024, .total = 60 * 1000};
    if (keep_new(&script->keep) != PR_OK)
        return PR_NOMEM;
    script->L = lua_newstate(allocate, script);
    if (script->L == NULL) {
        keep_free(script->keep);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    memcpy(lua_getextraspace(script->L), &script, sizeof(struct script *));
    *ret = script;
    return calls_new(&script->calls);
}

void script_free(struct script *script)
{
    if (script == NULL || script->L == NULL)
        return;
    lua_close(script->L);
    for (size_t i = 0; i < script->rule_count; i++)
        profile_release(script->rules[i].profile);
    keep_free(script->keep);
    script->L = NULL;
    calls_free(script->calls);
    script->calls = NULL;
}
