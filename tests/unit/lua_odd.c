/*
 * Every field and method of a message, over mail with faults: no error, no
 * crash, and all text valid UTF-8.
 */
#include "config.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fiber/loop.h"
#include "lua_fixture.h"
#include "mail/spool.h"

/* What m is asked for. `each` is what is looked at of a list: the whole of a
 * short one, the ends of a long one. */
static const char rules[] =
    "options { limits = { time = '60s', total = '20m', memory = '200M' },\n"
    "          trust_auth = { 'mx.example.org', '' }, save = { '/srv' } }\n"
    "local function text(value, what)\n"
    "  if value == nil then return end\n"
    "  assert(type(value) == 'string', what)\n"
    "  assert(utf8.len(value), what .. ' is no UTF-8')\n"
    "  assert(not value:find('\\0', 1, true), what .. ' has a NUL')\n"
    "  local _ = value:has 'x' and value:lower() .. value:upper() .. "
    "value:fold()\n"
    "  _ = glob '*a*':match(value) or re('\\\\w+', 'i'):match(value)\n"
    "end\n"
    "local function each(list)\n"
    "  local i = 0\n"
    "  return function()\n"
    "    i = i == 30 and math.max(31, #list - 10) or i + 1\n"
    "    if i <= #list then return i, list[i] end\n"
    "  end\n"
    "end\n"
    "local addresses = { 'from', 'sender', 'to', 'cc', 'bcc', 'reply_to',\n"
    "                    'delivered_to', 'envelope_to' }\n"
    "local texts = { 'account', 'folder', 'subject', 'message_id',\n"
    "                'in_reply_to', 'list_id', 'text', 'html' }\n"
    "rule('odd', function(m)\n"
    "  for _, name in ipairs(texts) do text(m[name], name) end\n"
    "  for _, name in ipairs(addresses) do\n"
    "    for _, one in each(m[name]) do\n"
    "      for _, field in ipairs { 'address', 'name', 'local_part', "
    "'domain', 'detail' } do\n"
    "        text(one[field], name .. '.' .. field)\n"
    "      end\n"
    "    end\n"
    "    local _ = m[name]:is '*@x' or m[name]:any { 'a', '*b' }\n"
    "    text(tostring(m[name]), name)\n"
    "  end\n"
    "  assert(type(m.size) == 'number' and m.uid == 7 and m.age > 0)\n"
    "  assert(m.received and (m.date == nil or math.type(m.date) == "
    "'integer'))\n"
    "  if m.date then text(date('%c', m.date), 'date') end\n"
    "  assert(#m.flags >= 0 and #m.labels >= 0 and m.points == 0)\n"
    "  assert(next(m.tags) == nil)\n"
    "  for _, id in each(m.references) do text(id, 'references') end\n"
    "  if m.auth then\n"
    "    for _, one in each(m.auth.results) do\n"
    "      for name, value in pairs(one) do text(name, 'a') text(value, 'b') "
    "end\n"
    "    end\n"
    "  end\n"
    "  for _, name in ipairs { 'Subject', 'From', 'Received', 'X-A', "
    "'Content-Type', 'Nothing' } do\n"
    "    text(m:header(name), name)\n"
    "    for _, value in each(m:headers(name)) do text(value, name) end\n"
    "    local raw = m:raw_header(name)\n"
    "    assert(raw == nil or type(raw) == 'string')\n"
    "  end\n"
    "  assert(#m.attachments <= #m.parts)\n"
    "  for _, part in each(m.parts) do\n"
    "    for _, field in ipairs { 'path', 'type', 'charset', 'filename', "
    "'disposition', 'content_id' } do\n"
    "      text(part[field], 'part.' .. field)\n"
    "    end\n"
    "    assert(part.size >= 0 and part.depth >= 0)\n"
    "    text(part:text(), 'part:text')\n"
    "    assert(type(part:bytes()) == 'string')\n"
    "    text(part:true_type(), 'true_type')\n"
    "    for _, name in each(part:archive_names() or {}) do text(name, 'zip') "
    "end\n"
    "    if not part.is_multipart then text(part:save '/srv/', 'save') end\n"
    "  end\n"
    "  local size, raw = 0, m:raw()\n"
    "  for piece in function() return raw:read(5000) end do size = size + "
    "#piece end\n"
    "  local lines = 0\n"
    "  for line in m:raw():lines() do lines = lines + 1 end\n"
    "  assert(size >= lines and #m:sha256() == 64)\n"
    "  assert(type(seen()) == 'boolean' and ratelimit(m.subject:sub(1, 100), "
    "5, '1h'))\n"
    "  m:set_header('X-Subject', (m.subject:gsub('[\\r\\n]', ' ')))\n"
    "  m:stop()\n"
    "end)\n";

static struct config *config;

static pr_status run(void *message)
{
    return rules_run(config, message);
}

static struct message *message_of(const char *octets, size_t size)
{
    struct message *message = fixture_message(config, "INBOX", "");

    spool_free(message->spool);
    if (spool_new("/tmp", 0, &message->spool) != PR_OK ||
        pr_spool_append(message->spool, octets, size) != PR_OK ||
        pr_spool_seal(message->spool) != PR_OK)
        abort();
    message->item->size = size;
    return message;
}

static void survives(const char *name, const char *octets, size_t size)
{
    struct message *message = message_of(octets, size);

    if (loop_run(2, run, message) != PR_OK)
        fail_msg("%s: %s", name, pr_last_failure()->text);
    assert_true(message->plan.count > 0);
    fixture_message_free(message);
}

static void every_odd_file(void **state)
{
    const char *source = getenv("abs_srcdir");
    static char octets[200000];
    char folder[800], path[1200];
    struct dirent *entry;
    unsigned count = 0;
    DIR *list;

    (void)state;
    snprintf(folder, sizeof folder, "%s/tests/data/odd",
             source != NULL ? source : ".");
    list = opendir(folder);
    if (list == NULL)
        fail_msg("cannot open %s", folder);
    while ((entry = readdir(list)) != NULL) {
        FILE *file;
        size_t size;

        if (strstr(entry->d_name, ".eml") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        file = fopen(path, "r");
        assert_non_null(file);
        size = fread(octets, 1, sizeof octets, file);
        fclose(file);
        survives(entry->d_name, octets, size);
        /* Cut anywhere, it is odder still. */
        survives(entry->d_name, octets, size / 2);
        survives(entry->d_name, octets, size / 3);
        count++;
    }
    closedir(list);
    assert_true(count >= 30);
}

static char *room;
static size_t used;
#define ROOM (8 * 1024 * 1024)

static void put(const char *format, ...) PR_PRINTF(1, 2);

static void put(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    used += (size_t)vsnprintf(room + used, ROOM - used, format, arguments);
    va_end(arguments);
    assert_true(used < ROOM);
}

static void multiparts_in_multiparts(void **state)
{
    (void)state;
    used = 0;
    put("Subject: deep\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n");
    for (int i = 0; i < 150; i++)
        put("--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i,
            i + 1);
    put("--b150\r\n\r\nin the middle\r\n");
    survives("150 deep", room, used);
    used = 0;
    for (int i = 0; i < 150; i++)
        put("Subject: %d\r\nContent-Type: message/rfc822\r\n\r\n", i);
    survives("messages in messages", room, used);
}

static void ten_thousand_parts(void **state)
{
    (void)state;
    used = 0;
    put("Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 10500; i++)
        put("--b\r\nContent-Type: application/zip; name=n%d\r\n\r\nPK\3\4\r\n",
            i);
    survives("10,000 parts", room, used);
    used = 0;
    put("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 100000; i++)
        put("--b\r\n");
    survives("boundaries alone", room, used);
}

/* Under valgrind these take a minute of one rule. */
static int fewer(int count)
{
    return fixture_is_slow() ? count / 20 : count;
}

static void headers_without_end(void **state)
{
    (void)state;
    used = 0;
    for (int i = 0; i < fewer(20000); i++)
        put("X-A: %d\r\n", i);
    survives("20,000 fields", room, used);
    used = 0;
    put("Subject: ");
    for (int i = 0; i < fewer(50000); i++)
        put("=?utf-8?q?=C3=A9?=\r\n ");
    survives("encoded words", room, used);
    used = 0;
    put("To: ");
    for (int i = 0; i < fewer(20000); i++)
        put("\"a\" <a%d@example.org>, (((", i);
    survives("addresses", room, used);
    used = 0;
    put("References: ");
    for (int i = 0; i < fewer(20000); i++)
        put("<%d@example.org>\r\n ", i);
    survives("references", room, used);
    used = 0;
    put("Authentication-Results: mx.example.org");
    for (int i = 0; i < fewer(20000); i++)
        put("; m%d=pass (((", i);
    put("\r\nAuthentication-Results: ;;; = ; \"\r\n\r\n");
    survives("results", room, used);
}

static void nothing_but_noise(void **state)
{
    uint32_t seed = 12345;

    (void)state;
#define SURVIVES(name, octets) survives(name, octets, sizeof octets - 1)
    SURVIVES("empty", "");
    SURVIVES("a line end", "\r\n");
    SURVIVES("NUL", "\0\0\0\0");
    SURVIVES("a NUL in a field", "Subject: a\0b\r\nFrom: \0@\0\r\n\r\nx\0y");
    SURVIVES("no header", "\r\nbody");
    SURVIVES("a colon", ":");
    for (int turn = 0; turn < 30; turn++) {
        static const char hints[] = "\r\n\r\n: ;=?<>@\"()\\,--b/%*'\0\xff\xc3";

        used = 0;
        put("Content-Type: multipart/x; boundary=b\r\nSubject: ");
        for (int i = 0; i < 3000; i++) {
            seed = seed * 1664525 + 1013904223;
            room[used++] = (seed >> 28) < 8
                               ? hints[(seed >> 8) % (sizeof hints - 1)]
                               : (char)(seed >> 16);
        }
        survives("noise", room, used);
    }
}

static int begin(void **state)
{
    char text[12000];

    (void)state;
    fixture_begin();
    room = malloc(ROOM);
    snprintf(text, sizeof text,
             "local mail = maildir \"/m\" account \"work\" { source = imap { "
             "host = \"h\" }, deliver = mail }\n%s",
             rules);
    if (room == NULL || fixture_load(text, &config) != PR_OK) {
        fprintf(stderr, "%s\n", pr_last_failure()->text);
        return -1;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    config_free(config);
    free(room);
    fixture_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_odd_file),
        cmocka_unit_test(multiparts_in_multiparts),
        cmocka_unit_test(ten_thousand_parts),
        cmocka_unit_test(headers_without_end),
        cmocka_unit_test(nothing_but_noise),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
