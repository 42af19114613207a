libcore_la_SOURCES += %D%/failure.h %D%/text.h %D%/log.h
