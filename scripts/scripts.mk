# Lua that ships with the program.
examplesdir = $(pkgdatadir)/examples
dist_examples_DATA = %D%/examples/first.lua %D%/examples/own.lua \
	%D%/examples/programs.lua %D%/examples/scored.lua \
	%D%/examples/scanned.lua %D%/examples/archive.lua \
	%D%/examples/house.lua \
	%D%/examples/careful.lua %D%/examples/pop3.lua %D%/examples/sorted.lua \
	%D%/examples/train.lua %D%/examples/learn.lua \
	%D%/examples/lists.lua %D%/examples/sweep.lua %D%/examples/vacation.lua

scriptlibdir = $(pkgdatadir)/lib
dist_scriptlib_DATA = %D%/lib/postrider.d.lua
EXTRA_DIST += contrib/annotate

modulesdir = $(scriptlibdir)/postrider
dist_modules_DATA = %D%/lib/postrider/attachments.lua \
	%D%/lib/postrider/bulk.lua %D%/lib/postrider/digest.lua \
	%D%/lib/postrider/duplicates.lua %D%/lib/postrider/lists.lua \
	%D%/lib/postrider/notmuch.lua %D%/lib/postrider/options.lua \
	%D%/lib/postrider/train.lua %D%/lib/postrider/vacation.lua
