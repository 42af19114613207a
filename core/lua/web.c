/*
 * http: what rules ask of web servers.
 */
#include <config.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <postrider/http.h>

#include "lua/calls.h"

#define REDIRECTS 5
#define REDIRECTS_MOST 20
#define HEADERS_MOST 100

static void release(void *resource)
{
    struct pr_http *http = resource;

    pr_buffer_done(&http->response);
    pr_buffer_done(&http->head);
}

/* ---- The response -------------------------------------------------------- */

/* Header lines, names in lower case; what comes again stands behind a comma
 * (RFC 9110, 5.3). */
static void add_headers(struct pr_reply *reply, struct pr_arena *arena,
                        struct pr_bytes head)
{
    pr_reply_begin(reply, "headers");
    while (head.size > 0) {
        const char *end = memchr(head.data, '\n', head.size);
        size_t size = end != NULL ? (size_t)(end - head.data) : head.size;
        const char *colon = memchr(head.data, ':', size);
        size_t length = size;

        while (length > 0 && isspace((unsigned char)head.data[length - 1]))
            length--;
        if (colon != NULL && colon < head.data + length) {
            char *name = pr_arena_bytes(
                arena,
                (struct pr_bytes){head.data, (size_t)(colon - head.data)});
            const char *value = colon + 1;

            while (value < head.data + length && *value == ' ')
                value++;
            for (char *at = name; at != NULL && *at != '\0'; at++)
                *at = (char)tolower((unsigned char)*at);
            if (name != NULL)
                pr_reply_text(reply, name,
                              (struct pr_bytes){
                                  value, (size_t)(head.data + length - value)});
        }
        size += end != NULL;
        head.data += size;
        head.size -= size;
    }
    pr_reply_end(reply);
}

static pr_status ask(struct call *call, pr_time deadline)
{
    struct pr_http *http = call->user;
    pr_status status;

    http->deadline = deadline;
    status = pr_http_run(http);
    if (status != PR_OK)
        return status;
    pr_reply_number(&call->reply, "status", (double)http->status);
    pr_reply_text(&call->reply, "body",
                  (struct pr_bytes){pr_buffer_text(&http->response),
                                    http->response.size});
    add_headers(
        &call->reply, call->arena,
        (struct pr_bytes){pr_buffer_text(&http->head), http->head.size});
    if (http->status >= 500)
        call->keep = 0;
    return PR_OK;
}

/* ---- The request --------------------------------------------------------- */

static const char *text_field(lua_State *L, struct call *call, const char *what,
                              int options, const char *name)
{
    const char *text = NULL;

    if (lua_getfield(L, options, name) == LUA_TSTRING)
        text = script_copy(L, call->arena, check_text(L, lua_gettop(L)));
    else if (!lua_isnil(L, -1))
        luaL_error(L, "%s: %s: expects a text, got %s", what, name,
                   type_words(L, -1));
    lua_pop(L, 1);
    return text;
}

/* headers = { ["X-Name"] = "value" } */
static void take_headers(lua_State *L, struct call *call, const char *what,
                         int options, struct pr_http *http)
{
    size_t count = 0;
    const char **list =
        script_alloc(L, call->arena, (HEADERS_MOST + 2) * sizeof *list);

    http->headers = list;
    if (lua_getfield(L, options, "headers") == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1) ||
                count >= HEADERS_MOST)
                luaL_error(L, "%s: headers: expects { [\"Name\"] = \"text\" }",
                           what);
            luaL_tolstring(L, -1, NULL);
            list[count++] =
                script_copy(L, call->arena,
                            lua_pushfstring(L, "%s: %s", lua_tostring(L, -3),
                                            check_line(L, lua_gettop(L))));
            lua_pop(L, 2);
        }
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "%s: headers: expects a table, got %s", what,
                   type_words(L, -1));
    }
    lua_pop(L, 1);
    if (lua_getfield(L, options, "json") != LUA_TNIL)
        list[count++] = "Content-Type: application/json";
    lua_pop(L, 1);
}

/* The value of `body` is on top of the stack. */
static void take_body(lua_State *L, const char *what, struct pr_http *http)
{
    struct pr_delivery *delivery;

    if (lua_type(L, -1) == LUA_TSTRING) {
        http->body.data = lua_tolstring(L, -1, &http->body.size);
    } else if (luaL_testudata(L, -1, TYPE_MESSAGE) != NULL) {
        struct message *message = check_message(L, lua_gettop(L));

        need_whole(L, message);
        http->message = message->spool;
    } else if ((delivery = to_delivery(L, lua_gettop(L))) != NULL) {
        http->message = delivery->spool;
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "%s: body: expects a text or the message, got %s", what,
                   type_words(L, -1));
    }
}

static void take_json(lua_State *L, int options, struct pr_http *http)
{
    if (lua_getfield(L, options, "json") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    lua_getglobal(L, "json");
    lua_getfield(L, -1, "encode");
    lua_remove(L, -2);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    http->body.data = lua_tolstring(L, -1, &http->body.size);
}

static lua_Integer number_field(lua_State *L, const char *what, int options,
                                const char *name, lua_Integer otherwise,
                                lua_Integer most)
{
    lua_Integer number = otherwise;

    if (lua_getfield(L, options, name) != LUA_TNIL) {
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0 ||
            lua_tointeger(L, -1) > most)
            luaL_error(L, "%s: %s: expects a number from 0 to %d", what, name,
                       (int)most);
        number = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return number;
}

static bool is_token(const char *text)
{
    for (; *text != '\0'; text++)
        if (!isalpha((unsigned char)*text))
            return false;
    return true;
}

/* Its server, for the gate: "http example.org:8080". Pushed. */
static const char *push_server(lua_State *L, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const char *at;
    size_t size;

    size = strcspn(host, "/?#");
    at = memchr(host, '@', size);
    if (at != NULL) {
        size -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    lua_pushliteral(L, "http ");
    lua_pushlstring(L, host, size < 260 ? size : 260);
    lua_concat(L, 2);
    return lua_tostring(L, -1);
}

static void add_text_key(lua_State *L, struct call *call, const char *text)
{
    call_key(L, call, text != NULL ? text : "",
             text != NULL ? strlen(text) : 0);
}

/* All that may make another answer of it. */
static void add_key(lua_State *L, struct call *call, const struct pr_http *http)
{
    const uint64_t numbers[] = {http->redirects, http->response_most,
                                call->timeout};

    call_key(L, call, "http", 4);
    add_text_key(L, call, http->method);
    add_text_key(L, call, http->user);
    add_text_key(L, call, http->password);
    add_text_key(L, call, http->ca_file);
    call_key(L, call, (const char *)numbers, sizeof numbers);
    call_key(L, call, http->url, strlen(http->url));
    for (size_t i = 0; http->headers[i] != NULL; i++)
        call_key(L, call, http->headers[i], strlen(http->headers[i]));
    call_key(L, call, "", 0);
    if (http->message != NULL)
        call_key_of_spool(L, call, http->message);
    else if (http->body.data != NULL)
        call_key(L, call, http->body.data, http->body.size);
}

/* What is no URL may come from mail: it has no answer. */
static bool is_url(lua_State *L, int arg)
{
    const char *url = lua_tostring(L, arg);

    return url != NULL && strlen(url) == lua_rawlen(L, arg) &&
           (strncasecmp(url, "http://", 7) == 0 ||
            strncasecmp(url, "https://", 8) == 0);
}

/* RFC 9110, 9.2.1: it only reads. */
static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* What request() gives for what is no URL. */
static int no_url(lua_State *L, const char *what)
{
    const char *got = luaL_tolstring(L, 1, NULL);

    lua_pushnil(L);
    lua_pushfstring(L,
                    "%s: expects an address that begins with https:// or "
                    "http://, got %s",
                    what, got);
    return 2;
}

/* From the options at 2 into the call and its request. */
static void take_options(lua_State *L, const char *what, const char *method,
                         struct call *call, struct pr_http *http)
{
    http->method = text_field(L, call, what, 2, "method");
    if (http->method == NULL)
        http->method = method;
    if (!is_token(http->method))
        luaL_error(L, "%s: method: expects a word such as PUT", what);
    take_headers(L, call, what, 2, http);
    lua_getfield(L, 2, "body");
    take_body(L, what, http);
    take_json(L, 2, http);
    if (strcmp(http->method, "POST") == 0 && http->body.data == NULL)
        http->body = PR_BYTES("");
    http->ca_file = text_field(L, call, what, 2, "ca_file");
    http->user = text_field(L, call, what, 2, "user");
    http->password = text_field(L, call, what, 2, "password");
    http->redirects = (unsigned)number_field(L, what, 2, "redirects", REDIRECTS,
                                             REDIRECTS_MOST);
    http->response_most =
        (size_t)number_field(L, what, 2, "max", 512 * 1024, 900 * 1024);
    call->timeout = call_duration(L, 2, "timeout", call_timeout(L));
    call->keep = call_duration(L, 2, "cache", 0);
    call->is_fresh = call->keep == 0;
}

/* The URL is at 1, the options at 2. */
static int request(lua_State *L, const char *what, const char *method)
{
    static const char *const names[] = {
        "method", "headers",   "body",    "json", "timeout",  "cache",
        "max",    "redirects", "ca_file", "user", "password", NULL};
    struct call *call;
    struct pr_http *http;

    luaL_checkany(L, 1);
    lua_settop(L, 2);
    if (!is_url(L, 1))
        return no_url(L, what);
    call_check_fields(L, what, 2, names);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    call = call_new(L, what);
    http = script_alloc(L, call->arena, sizeof *http);
    call->resource = call->user = http;
    call->release = release;
    http->url = script_copy(L, call->arena, lua_tostring(L, 1));
    take_options(L, what, method, call, http);
    /* What may change something there is asked as often as rules ask. */
    if (call->keep > 0 || (is_safe(http->method) && http->body.data == NULL &&
                           http->message == NULL))
        add_key(L, call, http);
    call->gate = call_gate(L, push_server(L, http->url));
    if (mocks_hold(L))
        return mocks_answer(L, what, 2);
    call->ask = ask;
    return call_make(L, call);
}

/* http.get(url, { headers = { ... }, timeout = "5s", cache = "1h", max =
 * octets, redirects = n, ca_file = path, user = text, password = text }): table
 * with status (number), body (text) and headers (by their names in lower case);
 * nil and a text if no response came. Only http and https are spoken, and
 * certificates are verified. */
static int get(lua_State *L)
{
    return request(L, "http.get", "GET");
}

/* http.post(url, { body = text or m, json = value, ... }): the same with a
 * body, a text or the message; json is a value that is sent as JSON */
static int post(lua_State *L)
{
    return request(L, "http.post", "POST");
}

/* http.request(url, { method = "PUT", ... }): the same with any method */
static int any(lua_State *L)
{
    return request(L, "http.request", "GET");
}

void open_web(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"get", get}, {"post", post}, {"request", any}, {NULL, NULL}};

    push_library(L, "http", functions);
}
