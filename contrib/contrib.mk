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
