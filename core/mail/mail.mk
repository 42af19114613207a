libcore_la_SOURCES += %D%/spool.c %D%/spool.h %D%/view.h %D%/plan.h \
	%D%/message.h
