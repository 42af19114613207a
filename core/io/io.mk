libcore_la_SOURCES += %D%/file.h %D%/digest.h %D%/program.h %D%/stream.h
