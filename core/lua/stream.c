/*
 * m:raw(): the whole message, read piece by piece; m:sha256().
 */
#include <config.h>

#include <string.h>

#include "io/digest.h"
#include "lua/script.h"
#include "mail/spool.h"

#define PIECE_MOST (1024 * 1024) /* octets of one read or line */
#define PIECE (64 * 1024)        /* octets of a read that does not say */
#define AHEAD (32 * 1024)        /* octets read at once for lines */

/* What was read of a file beyond the line that was asked for: a line costs no
 * turn of the pool then. */
struct ahead {
    uint64_t begin;
    size_t size;
    char data[AHEAD];
};

struct stream {
    struct cell *cell;   /* of the message, kept by the first uservalue */
    struct ahead *ahead; /* the second; NULL: no line was read of a file */
    uint64_t offset;
    bool is_reading; /* a job reads from its place on */
};

static struct stream *check_stream(lua_State *L, int arg)
{
    struct stream *stream = luaL_testudata(L, arg, TYPE_STREAM);

    if (stream == NULL)
        luaL_error(L,
                   "expects what m:raw() returns, got %s: methods are called "
                   "with a colon",
                   type_words(L, arg));
    check_cell(L, stream->cell);
    if (stream->is_reading)
        luaL_error(L, "another branch reads from it at this moment: each "
                      "needs its own m:raw()");
    return stream;
}

/* m:raw(): a stream of the whole message as it was sent, its lines ended by LF.
 * Waits for it. */
int message_raw(lua_State *L)
{
    struct stream *stream;

    need_whole(L, check_message(L, 1));
    stream = lua_newuserdatauv(L, sizeof *stream, 2);
    *stream = (struct stream){.cell = lua_touserdata(L, 1)};
    luaL_setmetatable(L, TYPE_STREAM);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* ---- Reading ------------------------------------------------------------- */

struct reading {
    const struct pr_spool *spool;
    uint64_t offset;
    char *data;
    size_t size, got;
};

static pr_status read_spool(void *argument)
{
    struct reading *job = argument;

    return pr_spool_read(job->spool, job->offset, job->data, job->size,
                         &job->got);
}

/* Reads from the stream's place on, from a file in the pool; raises on failure.
 */
static size_t read_on(lua_State *L, struct stream *stream, char *data,
                      size_t size)
{
    struct reading job = {.spool = stream->cell->message->spool,
                          .offset = stream->offset,
                          .data = data,
                          .size = size};
    pr_status status;

    if (pr_spool_memory(job.spool).data != NULL) {
        status = read_spool(&job);
        if (size > PIECE)
            script_nudge(L);
    } else {
        struct run *run = script_pause(L);

        stream->is_reading = true;
        status = pr_offload(read_spool, &job);
        stream->is_reading = false;
        script_resume_working(run, job.got / 10);
    }
    if (status != PR_OK)
        script_raise(L, status);
    return job.got;
}

/* stream:read(n): the next n octets (64 KiB if not said, at most 1 MiB), less
 * at the end, nil after it. Waits. */
static int read_octets(lua_State *L)
{
    struct stream *stream = check_stream(L, 1);
    lua_Integer size = luaL_optinteger(L, 2, PIECE);
    luaL_Buffer buffer;
    char *room;
    size_t got;

    luaL_argcheck(L, size > 0 && size <= PIECE_MOST, 2,
                  "expects a number from 1 to 1048576");
    room = luaL_buffinitsize(L, &buffer, (size_t)size);
    got = read_on(L, stream, room, (size_t)size);
    stream->offset += got;
    luaL_pushresultsize(&buffer, got);
    if (got == 0)
        luaL_pushfail(L);
    return 1;
}

/* ---- Lines --------------------------------------------------------------- */

/* What is here of the message from the stream's place on; nothing at its end.
 * The stream is at upvalue 1. */
static struct pr_bytes here(lua_State *L, struct stream *stream)
{
    struct pr_bytes all = pr_spool_memory(stream->cell->message->spool);
    struct ahead *ahead = stream->ahead;
    size_t used;

    if (all.data != NULL)
        return (struct pr_bytes){all.data + stream->offset,
                                 all.size - (size_t)stream->offset};
    if (ahead == NULL) {
        ahead = lua_newuserdatauv(L, sizeof *ahead, 0);
        *ahead = (struct ahead){.size = 0};
        lua_setiuservalue(L, lua_upvalueindex(1), 2);
        stream->ahead = ahead;
    }
    if (stream->offset < ahead->begin ||
        stream->offset >= ahead->begin + ahead->size) {
        ahead->size = 0; /* should reading fail */
        ahead->begin = stream->offset;
        ahead->size = read_on(L, stream, ahead->data, AHEAD);
    }
    used = (size_t)(stream->offset - ahead->begin);
    return (struct pr_bytes){ahead->data + used, ahead->size - used};
}

/* The next line without its end; nothing at the end of the message. */
static int next_line(lua_State *L)
{
    struct stream *stream = check_stream(L, lua_upvalueindex(1));
    luaL_Buffer line;
    size_t size = 0;
    const char *end = NULL;

    luaL_buffinit(L, &line);
    while (end == NULL && size < PIECE_MOST) {
        struct pr_bytes piece = here(L, stream);
        size_t most = PIECE_MOST - size;

        if (piece.size == 0)
            break;
        if (piece.size > most)
            piece.size = most;
        end = memchr(piece.data, '\n', piece.size);
        if (end != NULL)
            piece.size = (size_t)(end - piece.data);
        luaL_addlstring(&line, piece.data, piece.size);
        stream->offset += piece.size + (end != NULL);
        size += piece.size;
    }
    if (size == 0 && end == NULL)
        return 0;
    luaL_pushresult(&line);
    return 1;
}

/* stream:lines(): for a `for`: line by line, without line ends; a line of more
 * than 1 MiB comes in pieces. Waits. */
static int lines(lua_State *L)
{
    check_stream(L, 1);
    lua_settop(L, 1);
    lua_pushcclosure(L, next_line, 1);
    return 1;
}

/* ---- Digest -------------------------------------------------------------- */

struct digesting {
    const struct pr_spool *spool;
    struct digest *made;
    char piece[16 * 1024];
    unsigned char digest[DIGEST_SIZE];
};

static pr_status digest_spool(void *argument)
{
    struct digesting *job = argument;
    uint64_t at = 0;
    size_t got = 1;
    pr_status status = PR_OK;

    while (status == PR_OK && got > 0) {
        status =
            pr_spool_read(job->spool, at, job->piece, sizeof job->piece, &got);
        if (status == PR_OK)
            status = digest_add(job->made, job->piece, got);
        at += got;
    }
    digest_end(job->made, job->digest);
    return status;
}

/* m:sha256(): text, the SHA-256 of the whole message with its lines ended by
 * LF, in 64 hexadecimal digits. Waits. */
int message_sha256(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    struct message *message = check_message(L, 1);
    char text[2 * DIGEST_SIZE];
    struct digesting *job;
    struct run *run;
    pr_status status;

    need_whole(L, message);
    job = lua_newuserdatauv(L, sizeof *job, 0);
    job->spool = message->spool;
    run = script_pause(L);
    status = digest_new(&job->made);
    if (status == PR_OK)
        status = pr_offload(digest_spool, job);
    script_resume_working(run, (size_t)pr_spool_size(message->spool) / 10);
    if (status != PR_OK)
        return script_raise(L, status);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        text[2 * i] = digits[job->digest[i] >> 4];
        text[2 * i + 1] = digits[job->digest[i] & 15];
    }
    lua_pushlstring(L, text, sizeof text);
    return 1;
}

void open_streams(lua_State *L)
{
    static const luaL_Reg functions[] = {{NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"read", read_octets}, {"lines", lines}, {NULL, NULL}};

    new_type(L, TYPE_STREAM, functions);
    luaL_getmetatable(L, TYPE_STREAM);
    luaL_newlib(L, methods);
    make_strict(L, "m:raw()");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
