# Lua that ships with the program.
examplesdir = $(pkgdatadir)/examples
dist_examples_DATA = %D%/examples/first.lua %D%/examples/own.lua \
	%D%/examples/programs.lua %D%/examples/scored.lua \
	%D%/examples/careful.lua %D%/examples/pop3.lua %D%/examples/sorted.lua
