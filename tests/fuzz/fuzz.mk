# Fuzz targets: one block for each. `make check` runs a target over its seeds
# and over damaged copies of them; %D%/run builds it with clang's libFuzzer.
EXTRA_DIST += %D%/run
fuzz_driver = %D%/driver.c %D%/driver.h %D%/octets.h

# The view of a message, and edits of its header.
check_PROGRAMS += tests/fuzz/view
TESTS += tests/fuzz/view
tests_fuzz_view_SOURCES = %D%/view.c $(fuzz_driver)
tests_fuzz_view_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/data/odd"'
tests_fuzz_view_LDADD = libcore.la

# Responses of IMAP, and modified UTF-7.
check_PROGRAMS += tests/fuzz/imap_response tests/fuzz/utf7
TESTS += tests/fuzz/imap_response tests/fuzz/utf7
tests_fuzz_imap_response_SOURCES = %D%/imap_response.c $(fuzz_driver)
tests_fuzz_imap_response_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/imap_response"'
tests_fuzz_imap_response_LDADD = libimap.la libcore.la
tests_fuzz_utf7_SOURCES = %D%/utf7.c $(fuzz_driver)
tests_fuzz_utf7_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/fuzz/seeds/utf7"'
tests_fuzz_utf7_LDADD = libimap.la libcore.la

# BODYSTRUCTURE, and the tree of parts it makes.
check_PROGRAMS += tests/fuzz/imap_structure
TESTS += tests/fuzz/imap_structure
tests_fuzz_imap_structure_SOURCES = %D%/imap_structure.c $(fuzz_driver)
tests_fuzz_imap_structure_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/imap_structure"'
tests_fuzz_imap_structure_LDADD = libimap.la libcore.la

# Lines and multi-line responses of POP3.
check_PROGRAMS += tests/fuzz/pop3_reply tests/fuzz/pop3_multiline
TESTS += tests/fuzz/pop3_reply tests/fuzz/pop3_multiline
tests_fuzz_pop3_reply_SOURCES = %D%/pop3_reply.c $(fuzz_driver)
tests_fuzz_pop3_reply_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/pop3_reply"'
tests_fuzz_pop3_reply_LDADD = libpop3.la libcore.la
tests_fuzz_pop3_multiline_SOURCES = %D%/pop3_multiline.c $(fuzz_driver)
tests_fuzz_pop3_multiline_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE \
	-DSEEDS='"tests/fuzz/seeds/pop3_multiline"'
tests_fuzz_pop3_multiline_LDADD = libpop3.la libcore.la

# Replies of SMTP, and messages on their way out.
check_PROGRAMS += tests/fuzz/smtp_reply tests/fuzz/smtp_content
TESTS += tests/fuzz/smtp_reply tests/fuzz/smtp_content
tests_fuzz_smtp_reply_SOURCES = %D%/smtp_reply.c $(fuzz_driver)
tests_fuzz_smtp_reply_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/smtp_reply"'
tests_fuzz_smtp_reply_LDADD = libsmtp.la libcore.la
tests_fuzz_smtp_content_SOURCES = %D%/smtp_content.c $(fuzz_driver)
tests_fuzz_smtp_content_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/smtp_content"'
tests_fuzz_smtp_content_LDADD = libsmtp.la libcore.la

# Mboxes taken apart.
check_PROGRAMS += tests/fuzz/mbox_split
TESTS += tests/fuzz/mbox_split
tests_fuzz_mbox_split_SOURCES = %D%/mbox_split.c $(fuzz_driver)
tests_fuzz_mbox_split_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/mbox_split"'
tests_fuzz_mbox_split_LDADD = libmbox.la libcore.la
EXTRA_DIST += %D%/seeds

# Requests of the control socket.
check_PROGRAMS += tests/fuzz/control_request
TESTS += tests/fuzz/control_request
tests_fuzz_control_request_SOURCES = %D%/control_request.c $(fuzz_driver)
tests_fuzz_control_request_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/control_request"'
tests_fuzz_control_request_LDADD = libcore.la

# What services and name servers answer.
check_PROGRAMS += tests/fuzz/answers
TESTS += tests/fuzz/answers
tests_fuzz_answers_SOURCES = %D%/answers.c $(fuzz_driver)
tests_fuzz_answers_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSEEDS='"tests/fuzz/seeds/answers"'
tests_fuzz_answers_LDADD = libclamd.la libspamd.la librspamd.la libcore.la
