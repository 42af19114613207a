libcore_la_SOURCES += %D%/state.h %D%/private.h %D%/state.c %D%/schema.c \
	%D%/statement.c %D%/list.c %D%/commit.c %D%/changes.c %D%/read.c \
	%D%/history.c %D%/journal.c %D%/place.c %D%/aside.c \
	%D%/guard.h %D%/guard.c %D%/deeds.h %D%/deeds.c %D%/sweeps.h %D%/sweeps.c \
	%D%/kept.h %D%/kept.c \
	%D%/sightings.h %D%/sightings.c %D%/whereabouts.c
