# The IMAP plugin; see its README.md. The objects are in libimap.la, so that the
# tests can link them too; the module is that and the descriptor.
noinst_LTLIBRARIES += libimap.la
libimap_la_SOURCES = %D%/append.h %D%/auth.c %D%/batch.c %D%/capability.c %D%/capability.h \
	%D%/command.c %D%/commit.c %D%/condition.c %D%/copyuid.c %D%/copyuid.h %D%/create.c %D%/descriptor.h %D%/expunge.c \
	%D%/fetch.c %D%/fetch.h %D%/flags.c %D%/flags.h %D%/folders.c %D%/glance.c %D%/idle.c \
	%D%/imap.h %D%/known.c %D%/labels.c %D%/link.c %D%/changes.c %D%/list.c %D%/look.c %D%/manage.c %D%/message.c \
	%D%/name.c %D%/notify.c %D%/options.c %D%/order.c %D%/parcel.c \
	%D%/parse.c %D%/parse.h %D%/quote.c %D%/quote.h %D%/reader.c \
	%D%/reader.h %D%/response.c %D%/response.h %D%/search.c %D%/select.c \
	%D%/session.c %D%/sink.c %D%/settle.c %D%/settle.h %D%/source.c %D%/structure.c %D%/structure.h %D%/target.c %D%/uidset.c \
	%D%/uidset.h %D%/utf7.c %D%/utf7.h %D%/watch.c %D%/watch.h %D%/window.c
libimap_la_CPPFLAGS = -I$(srcdir)/core/api -DIMAP_VERSION='"$(PACKAGE_VERSION)"'

plugin_LTLIBRARIES += imap.la
imap_la_SOURCES = %D%/imap.c
imap_la_CPPFLAGS = $(libimap_la_CPPFLAGS)
imap_la_LIBADD = libimap.la libpostrider.la
imap_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
