libcore_la_SOURCES += %D%/file.c %D%/file.h %D%/digest.c %D%/digest.h \
	%D%/program.h %D%/stream.h
