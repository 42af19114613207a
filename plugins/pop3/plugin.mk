# The POP3 plugin; see its README.md. The objects are in libpop3.la, so that the
# tests can link them too; the module is that and the descriptor.
noinst_LTLIBRARIES += libpop3.la
libpop3_la_SOURCES = %D%/auth.c %D%/body.c %D%/capability.c \
	%D%/capability.h %D%/command.c %D%/descriptor.h %D%/fetch.c \
	%D%/fetch.h %D%/list.c %D%/multiline.c %D%/multiline.h %D%/options.c \
	%D%/pop3.h %D%/reply.c %D%/reply.h %D%/session.c %D%/settle.c \
	%D%/source.c
libpop3_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += pop3.la
pop3_la_SOURCES = %D%/pop3.c
pop3_la_CPPFLAGS = $(libpop3_la_CPPFLAGS)
pop3_la_LIBADD = libpop3.la libpostrider.la
pop3_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
