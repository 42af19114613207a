libcore_la_SOURCES += %D%/registry.h %D%/registry.c %D%/entry.h %D%/loader.c \
	%D%/options.c %D%/equal.c %D%/folders.c %D%/service.c %D%/words.c
