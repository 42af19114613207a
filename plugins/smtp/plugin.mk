# The SMTP plugin (smtp and lmtp); see its README.md. The objects are in
# libsmtp.la, so that the tests can link them too; the module is that and the
# descriptor.
noinst_LTLIBRARIES += libsmtp.la
libsmtp_la_SOURCES = %D%/address.c %D%/address.h %D%/auth.c %D%/capability.c \
	%D%/capability.h %D%/commands.c %D%/commands.h %D%/commit.c \
	%D%/content.c %D%/content.h %D%/envelope.c %D%/envelope.h \
	%D%/letter.c %D%/letter.h %D%/line.c %D%/line.h %D%/options.c \
	%D%/past.c %D%/past.h %D%/pool.c %D%/reply.c %D%/reply.h %D%/sink.c \
	%D%/sink.h %D%/smtp.h %D%/transaction.c %D%/transaction.h
libsmtp_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += smtp.la
smtp_la_SOURCES = %D%/smtp.c
smtp_la_CPPFLAGS = $(libsmtp_la_CPPFLAGS)
smtp_la_LIBADD = libsmtp.la libpostrider.la
smtp_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
