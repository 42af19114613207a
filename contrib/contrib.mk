# Manual pages, completion, and `make lint`.
EXTRA_DIST += docs .ci .clang-format .clang-tidy %D%/lint \
	%D%/demo/run %D%/demo/demo.py %D%/demo/config.lua.in

dist_man_MANS += %D%/man/postrider.1 %D%/man/postrider-config.5 \
	%D%/man/postrider-rules.5

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/completions/postrider.bash

pkgconfig_DATA = contrib/postrider.pc

# clang-tidy reads the sources with the flags that they are built with.
lint: config.h
	@$(srcdir)/contrib/lint/run '$(srcdir)' $(DEFS) -D_GNU_SOURCE=1 \
		-DIMAP_VERSION='""' -DMAILDIR_VERSION='""' \
		$(DEFAULT_INCLUDES) \
		$(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS)
.PHONY: lint

clean-local:
	rm -rf lint

# Units of systemd, with the place of the program in them: the user's goes where
# configure was told, the system's is an example to copy.
EXTRA_DIST += %D%/systemd/postrider.service.in \
	%D%/systemd/postrider-system.service.in
units = contrib/systemd/postrider.service \
	contrib/systemd/postrider-system.service
CLEANFILES += $(units)
$(units): Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && \
	sed 's|@bindir[@]|$(bindir)|' '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
contrib/systemd/postrider.service: %D%/systemd/postrider.service.in
contrib/systemd/postrider-system.service: \
	%D%/systemd/postrider-system.service.in
unitexampledir = $(docdir)/systemd
unitexample_DATA = contrib/systemd/postrider-system.service
if HAVE_SYSTEMD_UNITS
systemduserunit_DATA = contrib/systemd/postrider.service
endif
