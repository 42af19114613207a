libcore_la_SOURCES += %D%/config.h %D%/script.h %D%/state.c %D%/errors.c \
	%D%/source.c %D%/sandbox.c %D%/seal.c %D%/fit.c %D%/reader.c %D%/values.c %D%/classes.c \
	%D%/account.c %D%/every.c %D%/settings.c %D%/config.c %D%/rules.c %D%/message.c \
	%D%/actions.c %D%/address.c %D%/part.c %D%/results.c %D%/strings.c \
	%D%/matcher.h %D%/matcher.c %D%/pattern.c %D%/exec.c %D%/functions.c \
	%D%/regex.h %D%/regex.c %D%/re.c %D%/stream.c %D%/map.c %D%/keep.h %D%/keep.c %D%/store.c \
	%D%/delivery.c %D%/sink.c %D%/feeder.c
libcore_la_SOURCES += %D%/trace.h %D%/trace.c
libcore_la_SOURCES += %D%/outcome.h %D%/outcome.c %D%/testing.h %D%/testing.c \
	%D%/mocks.c
libcore_la_SOURCES += %D%/reply.c %D%/require.c
libcore_la_SOURCES += %D%/hooks.c
libcore_la_SOURCES += %D%/sweep.h %D%/sweep.c %D%/sweep_plan.c %D%/box.h \
	%D%/box.c %D%/search.c %D%/set.c %D%/folders.c
libcore_la_SOURCES += %D%/calls.h %D%/calls.c %D%/service.c %D%/names.c \
	%D%/web.c %D%/json.c %D%/all.c
