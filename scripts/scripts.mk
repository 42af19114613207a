# Lua that ships with the program.
examplesdir = $(pkgdatadir)/examples
dist_examples_DATA = %D%/examples/first.lua %D%/examples/own.lua \
	%D%/examples/programs.lua %D%/examples/scored.lua \
	%D%/examples/scanned.lua \
	%D%/examples/careful.lua %D%/examples/pop3.lua %D%/examples/sorted.lua \
	%D%/examples/train.lua

scriptlibdir = $(pkgdatadir)/lib
dist_scriptlib_DATA = %D%/lib/postrider.d.lua
EXTRA_DIST += contrib/annotate
