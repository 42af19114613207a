libcore_la_SOURCES += \
	%D%/engine.h \
	%D%/parts.h \
	%D%/engine.c \
	%D%/check.c \
	%D%/look.h \
	%D%/look.c %D%/peek.h %D%/peek.c \
	%D%/account.c \
	%D%/session.c \
	%D%/listing.c \
	%D%/fetch.c \
	%D%/ledger.c \
	%D%/feed.c %D%/more.c \
	%D%/decide.c \
	%D%/batch.c \
	%D%/settle.c %D%/guard.c %D%/deeds.c \
	%D%/undo.h %D%/undo.c %D%/giveback.c \
	%D%/recover.c \
	%D%/lineup.c \
	%D%/rematch.c \
	%D%/identify.c %D%/believe.c \
	%D%/report.c \
	%D%/events.h \
	%D%/events.c \
	%D%/arrivals.c \
	%D%/hooks.c \
	%D%/hook_deeds.c \
	%D%/hook_notes.c \
	%D%/sweeps.h \
	%D%/sweeps.c \
	%D%/sweep_box.c \
	%D%/sweep_steps.c \
	%D%/sweep_messages.c \
	%D%/sweep_folders.c \
	%D%/tally.c \
	%D%/tally.h \
	%D%/schedule.h \
	%D%/schedule.c \
	%D%/backoff.h \
	%D%/backoff.c \
	%D%/places.h \
	%D%/places.c \
	%D%/keeper.h \
	%D%/keeper.c \
	%D%/trouble.c \
	%D%/adopt.c \
	%D%/spots.c \
	%D%/watching.h \
	%D%/watching.c \
	%D%/dealing.c \
	%D%/line.c \
	%D%/daemon.h \
	%D%/daemon.c \
	%D%/asked.c \
	%D%/heal.h \
	%D%/heal.c
