libcore_la_SOURCES += %D%/failure.c %D%/failure.h %D%/memory.c %D%/memory.h \
	%D%/buffer.c %D%/arena.c %D%/text.c %D%/units.c %D%/text.h %D%/log.c \
	%D%/log.h %D%/crash.c %D%/crash.h %D%/cache.c %D%/cache.h \
	%D%/reply.c %D%/reply.h %D%/library.c
