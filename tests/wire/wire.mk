# Transcript tests: IMAP's as a source here, the others in folders of their own.
wire_tests = tests/wire/wire tests/wire/wire_append tests/wire/wire_pop3
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
wire_replay = %D%/wire.c %D%/transcript.c %D%/transcript.h %D%/replay.c \
	%D%/replay.h %D%/protocol.h tests/lib/scripted.c tests/lib/scripted.h
tests_wire_wire_SOURCES = %D%/imap.c %D%/operations.c $(wire_replay)
tests_wire_wire_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests
tests_wire_wire_CFLAGS = $(unit_cflags)
tests_wire_wire_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc
tests_wire_wire_LDADD = libimap.la $(unit_ldadd)

# The words of flags and UID sets in transcripts are IMAP's.
tests_wire_wire_pop3_SOURCES = %D%/pop3.c %D%/operations.c $(wire_replay)
tests_wire_wire_pop3_CPPFLAGS = $(tests_wire_wire_CPPFLAGS) \
	-DWIRE_FILES='"pop3/*.wire"'
tests_wire_wire_pop3_CFLAGS = $(unit_cflags)
tests_wire_wire_pop3_LDFLAGS = $(tests_wire_wire_LDFLAGS)
tests_wire_wire_pop3_LDADD = libpop3.la libimap.la $(unit_ldadd)

# Transcripts of the SMTP and LMTP sinks.
check_PROGRAMS += tests/wire/wire_smtp
TESTS += tests/wire/wire_smtp
tests_wire_wire_smtp_SOURCES = %D%/wire.c %D%/transcript.c %D%/transcript.h \
	%D%/smtp.c tests/lib/scripted.c tests/lib/scripted.h
tests_wire_wire_smtp_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests \
	-DWIRE_FILES='"smtp/*.wire"'
tests_wire_wire_smtp_CFLAGS = $(unit_cflags)
tests_wire_wire_smtp_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=calloc \
	-Wl,--wrap=pr_delivery_begin -Wl,--wrap=pr_delivery_end
tests_wire_wire_smtp_LDADD = libsmtp.la $(unit_ldadd)

tests_wire_wire_append_SOURCES = %D%/append.c %D%/deliveries.c $(wire_replay)
tests_wire_wire_append_CPPFLAGS = $(tests_wire_wire_CPPFLAGS) \
	-DWIRE_FILES='"append/*.wire"'
tests_wire_wire_append_CFLAGS = $(unit_cflags)
tests_wire_wire_append_LDFLAGS = $(tests_wire_wire_LDFLAGS)
tests_wire_wire_append_LDADD = libimap.la $(unit_ldadd)

EXTRA_DIST += %D%/append %D%/pop3 %D%/smtp $(wire_transcripts)
# Folders: make is not to make a program of the .c file of that name.
%D%/append %D%/pop3 %D%/smtp: ;
wire_transcripts = %D%/capability-untagged-in-login.wire \
	%D%/fetch-bye.wire %D%/fetch-cut-answer.wire %D%/fetch-cut-literal.wire \
	%D%/fetch-header.wire %D%/fetch-huge-literal.wire \
	%D%/fetch-literal-0x3.wire %D%/fetch-literal-18446744073709551616.wire \
	%D%/fetch-literal-3-plus.wire \
	%D%/fetch-literal-9223372036854775808.wire %D%/fetch-literal-abc.wire \
	%D%/fetch-literal-empty.wire %D%/fetch-literal-negative.wire \
	%D%/fetch-literal8.wire %D%/fetch-long-line.wire \
	%D%/fetch-long-string.wire %D%/fetch-nested-bomb.wire \
	%D%/fetch-no-for-window.wire %D%/fetch-not-wanted.wire \
	%D%/fetch-expunged.wire %D%/fetch-nul-in-quoted.wire %D%/fetch-out-of-order.wire \
	%D%/fetch-quoted.wire %D%/fetch-response-flood.wire \
	%D%/fetch-part-cut.wire \
	%D%/fetch-structure.wire \
	%D%/fetch-structure-gone.wire \
	%D%/fetch-structure-odd.wire \
	%D%/fetch-structure-refused.wire \
	%D%/fetch-structure-with-header.wire \
	%D%/fetch-stalls.wire %D%/fetch-twice-in-one.wire \
	%D%/fetch-uid-comes-late.wire %D%/fetch-unsolicited.wire \
	%D%/fetch-windows-by-octets.wire %D%/fetch-windows.wire \
	%D%/fetch-without-octets.wire %D%/fetch-wrong-uid-late.wire \
	%D%/fetch-wrong-uid.wire %D%/folders-bad-pattern.wire \
	%D%/changes-condstore.wire %D%/changes-condstore-incomplete.wire \
	%D%/changes-cut.wire %D%/changes-disabled.wire %D%/changes-empty.wire \
	%D%/changes-enable-refused.wire %D%/changes-incomplete.wire \
	%D%/changes-neither.wire %D%/changes-qresync.wire \
	%D%/changes-vanished-counts.wire \
	%D%/folders-enable-refused.wire %D%/folders-hostile-names.wire \
	%D%/folders-literal-names.wire %D%/folders-patterns-pipelined.wire \
	%D%/folders-refused.wire %D%/folders-utf8-disabled.wire \
	%D%/folders-utf8.wire %D%/folders.wire %D%/good.wire \
	%D%/greeting-bye.wire %D%/greeting-empty.wire %D%/greeting-http.wire \
	%D%/greeting-no.wire %D%/greeting-not-imap4rev1.wire \
	%D%/greeting-preauth-starttls.wire %D%/greeting-preauth.wire \
	%D%/greeting-stalls.wire %D%/greeting-tagged.wire %D%/id.wire \
	%D%/labels.wire %D%/labels-none.wire %D%/list-nothing-new.wire %D%/list-odd-order.wire %D%/list-refused.wire \
	%D%/login-asks-for-more.wire %D%/login-bad.wire \
	%D%/login-clear-line.wire %D%/login-disabled.wire \
	%D%/login-literal-plus.wire %D%/login-literal-refused.wire \
	%D%/login-literal.wire %D%/login-plain-disabled.wire \
	%D%/login-plain-refused-early.wire %D%/login-plain-without-ir.wire \
	%D%/login-quoted.wire %D%/login-refused-without-code.wire \
	%D%/login-refused.wire %D%/login-too-many.wire %D%/login-tunnel.wire \
	%D%/login-unavailable.wire %D%/manage.wire %D%/search-all-uids.wire \
	%D%/search-esearch.wire %D%/search-keys.wire \
	%D%/search-long-set.wire %D%/search-nested.wire %D%/search-refused.wire \
	%D%/search-utf8.wire \
	%D%/search-utf8-literal.wire %D%/search-utf8-literal-refused.wire \
	%D%/search-windows.wire %D%/select-missing.wire \
	%D%/select-numbered-anew.wire \
	%D%/select-read-only.wire %D%/select-without-uidvalidity.wire \
	%D%/settle-all-refused.wire %D%/settle-create-refused.wire \
	%D%/settle-cut.wire %D%/settle-delete-foreign-esearch.wire \
	%D%/settle-delete-foreign.wire %D%/settle-delete-ours-esearch.wire \
	%D%/settle-delete-ours-only.wire %D%/settle-delete-search-refused.wire \
	%D%/settle-delete.wire %D%/settle-flag-no-atom.wire \
	%D%/settle-copyuid.wire %D%/settle-flags.wire %D%/settle-move-by-copy.wire \
	%D%/settle-move-disabled.wire %D%/settle-move.wire \
	%D%/settle-one-by-one.wire %D%/starttls-bad.wire \
	%D%/starttls-injected.wire %D%/starttls-not-offered.wire \
	%D%/starttls-refused.wire %D%/starttls.wire %D%/tag-answered-twice.wire \
	%D%/tag-unknown.wire %D%/tag-without-condition.wire
