# The ldap plugin; see its README.md. The objects are in libldapservice.la, so
# that the tests can link them too.
noinst_LTLIBRARIES += libldapservice.la
libldapservice_la_SOURCES = %D%/ldap_plugin.h %D%/filter.c \
	%D%/libldap.c %D%/link.c
libldapservice_la_CPPFLAGS = -I$(srcdir)/core/api $(LDAP_CFLAGS)

plugin_LTLIBRARIES += ldap.la
ldap_la_SOURCES = %D%/ldap_plugin.c
ldap_la_CPPFLAGS = $(libldapservice_la_CPPFLAGS)
ldap_la_LIBADD = libldapservice.la libpostrider.la
ldap_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
